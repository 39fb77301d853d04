//! Whether two servers said the same: responses in a form of their own, where
//! quoted strings and literals, the case of atoms and the order of FETCH items
//! make no difference, are compared one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Responses by what they are about, each as a hash and its beginning.
#[derive(Default)]
pub struct Answers {
    items: BTreeMap<String, (u64, String)>,
}

/// How two servers' answers compare.
pub struct Comparison {
    pub items: usize,
    pub different: usize,
    /// The first few of them.
    pub samples: Vec<String>,
}

const SAMPLE: usize = 10_000;
const SAMPLES: usize = 3;

impl Answers {
    pub fn new(responses: &[Vec<u8>]) -> Self {
        let mut all = Self::default();
        for response in responses {
            let (key, text) = canonical(response);
            if key.is_empty() {
                continue;
            }
            let hash = hash(text.as_bytes());
            let head = text.chars().take(SAMPLE).collect();
            all.items.insert(key, (hash, head));
        }
        all
    }

    pub fn compare(&self, other: &Self) -> Comparison {
        let mut keys: Vec<_> = self.items.keys().chain(other.items.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let different: Vec<_> = keys
            .iter()
            .filter(|k| self.items.get(**k).map(|i| i.0) != other.items.get(**k).map(|i| i.0))
            .collect();
        let text = |from: &Self, key: &str| {
            from.items
                .get(key)
                .map_or("(nothing)", |i| i.1.as_str())
                .to_owned()
        };
        let samples = different
            .iter()
            .take(SAMPLES)
            .map(|k| sample(k, &text(self, k), &text(other, k)))
            .collect();
        Comparison {
            items: keys.len(),
            different: different.len(),
            samples,
        }
    }
}

/// Both texts about the place where they part.
fn sample(key: &str, a: &str, b: &str) -> String {
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let part = |t: &str| -> String { t.chars().skip(same.saturating_sub(80)).take(300).collect() };
    format!("{key}\n  {}\n  {}", part(a), part(b))
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

enum Node {
    /// Small letters.
    Atom(String),
    Text(Vec<u8>),
    List(Vec<Node>),
}

/// What a response is about, and the rest of it; no key where servers are
/// free in what they say.
fn canonical(response: &[u8]) -> (String, String) {
    let mut rest = response.strip_prefix(b"* ").unwrap_or(response);
    let mut nodes = nodes(&mut rest);
    let word = |n: usize| match nodes.get(n) {
        Some(Node::Atom(a)) => a.clone(),
        _ => String::new(),
    };
    let (first, second) = (word(0), word(1));
    let key = match (first.as_str(), second.as_str()) {
        (number, "fetch") => number.to_owned(),
        ("search" | "sort" | "thread" | "esearch", _) => first.clone(),
        ("status" | "list", _) => {
            let place = if first == "status" { 1 } else { 3 };
            format!("{first} {}", show(nodes.get(place)))
        }
        ("vanished", _) => "vanished".into(),
        (_, "exists") => "exists".into(),
        _ => return (String::new(), String::new()),
    };
    if (second == "fetch" || first == "status")
        && let Some(Node::List(items)) = nodes.get_mut(2)
    {
        sort_pairs(items);
    }
    // Servers differ in what they know of children and of new mail.
    if first == "list" {
        nodes.truncate(4);
        nodes.drain(1..nodes.len().min(2));
    }
    if first == "search" {
        nodes.sort_by_key(|n| show(Some(n)));
    }
    if first == "esearch" && matches!(nodes.get(1), Some(Node::List(_))) {
        nodes.remove(1);
    }
    let mut text = String::new();
    for node in &nodes {
        write_node(node, &mut text);
    }
    (key, text)
}

fn show(node: Option<&Node>) -> String {
    let mut out = String::new();
    if let Some(node) = node {
        write_node(node, &mut out);
    }
    out
}

fn write_node(node: &Node, out: &mut String) {
    match node {
        Node::Atom(a) => {
            let _ = write!(out, "{a} ");
        }
        Node::Text(t) => {
            let _ = write!(out, "\"{}\" ", String::from_utf8_lossy(t));
        }
        Node::List(items) => {
            out.push('(');
            for item in items {
                write_node(item, out);
            }
            out.push_str(") ");
        }
    }
}

/// Names and values by name; flags by themselves, without `\Recent`.
fn sort_pairs(items: &mut Vec<Node>) {
    let mut pairs = Vec::new();
    let mut it = items.drain(..);
    while let (Some(name), Some(value)) = (it.next(), it.next()) {
        pairs.push((show(Some(&name)), name, value));
    }
    drop(it);
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, node, mut value) in pairs {
        if name.starts_with("modseq") {
            continue;
        }
        if name.starts_with("flags")
            && let Node::List(flags) = &mut value
        {
            flags.retain(|f| !show(Some(f)).starts_with("\\recent"));
            flags.sort_by_key(|f| show(Some(f)));
        }
        if name.starts_with("body ") || name.starts_with("bodystructure") {
            plain_structure(&mut value);
        }
        // ` 1-Jan` and `01-Jan` are the same day (RFC 9051 §9, date-day-fixed).
        if let Node::Text(text) = &mut value
            && name.starts_with("internaldate")
            && text.first() == Some(&b' ')
        {
            text[0] = b'0';
        }
        items.push(node);
        items.push(value);
    }
}

/// The words of a body structure are case-insensitive for the most part, and
/// the default charset may be told or not.
fn plain_structure(node: &mut Node) {
    match node {
        Node::Atom(_) => {}
        Node::Text(t) => t.make_ascii_lowercase(),
        Node::List(items) => {
            items.iter_mut().for_each(plain_structure);
            if let [Node::Text(name), Node::Text(value)] = items.as_slice()
                && name == b"charset"
                && value == b"us-ascii"
            {
                *node = Node::Atom("nil".into());
            }
        }
    }
}

/// Everything up to the list's end.
fn nodes(rest: &mut &[u8]) -> Vec<Node> {
    let mut out = Vec::new();
    while let Some((&first, tail)) = rest.split_first() {
        match first {
            b' ' => *rest = tail,
            b')' => {
                *rest = tail;
                break;
            }
            b'(' => {
                *rest = tail;
                out.push(Node::List(nodes(rest)));
            }
            b'"' => out.push(Node::Text(quoted(rest))),
            b'{' => out.push(literal(rest)),
            _ => out.push(atom(rest)),
        }
    }
    out
}

fn quoted(rest: &mut &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 1;
    while let Some(&b) = rest.get(at) {
        at += 1;
        match b {
            b'"' => break,
            b'\\' => {
                out.extend(rest.get(at));
                at += 1;
            }
            b => out.push(b),
        }
    }
    *rest = rest.get(at..).unwrap_or_default();
    out
}

fn literal(rest: &mut &[u8]) -> Node {
    let digits: usize = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let n = rest
        .get(1..=digits)
        .and_then(|d| std::str::from_utf8(d).ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    let from = digits + 4;
    let text = rest.get(from..from + n).unwrap_or_default().to_vec();
    *rest = rest.get(from + n..).unwrap_or_default();
    Node::Text(text)
}

/// An atom, with what stands in its brackets; quotes there are taken away.
fn atom(rest: &mut &[u8]) -> Node {
    let mut depth = 0usize;
    let mut end = 0;
    for &b in rest.iter() {
        match b {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b' ' | b'(' | b')' if depth == 0 => break,
            _ => {}
        }
        end += 1;
    }
    let text = String::from_utf8_lossy(&rest[..end])
        .to_lowercase()
        .replace('"', "");
    *rest = &rest[end..];
    Node::Atom(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn different(a: &[&str], b: &[&str]) -> usize {
        let answers =
            |l: &[&str]| Answers::new(&l.iter().map(|r| r.as_bytes().to_vec()).collect::<Vec<_>>());
        answers(a).compare(&answers(b)).different
    }

    #[test]
    fn only_what_matters_is_compared() {
        assert_eq!(
            different(
                &[
                    "* 1 FETCH (UID 5 FLAGS (\\Seen \\Recent $X) ENVELOPE (NIL \"a\\\"b\"))",
                    "* OK whatever"
                ],
                &["* 1 FETCH (ENVELOPE (nil {3}\r\na\"b) UID 5 FLAGS ($x \\seen))"]
            ),
            0
        );
        assert_eq!(different(&["* SEARCH 1 2 3"], &["* SEARCH 3 1 2"]), 0);
        assert_eq!(different(&["* SORT 1 2 3"], &["* SORT 3 1 2"]), 1);
        assert_eq!(different(&["* 1 FETCH (UID 5)"], &["* 1 FETCH (UID 6)"]), 1);
        assert_eq!(different(&["* 1 FETCH (UID 5)"], &[]), 1);
        assert_eq!(
            different(
                &["* 1 FETCH (BODY[HEADER.FIELDS (\"From\")] \"x\")"],
                &["* 1 FETCH (BODY[HEADER.FIELDS (FROM)] {1}\r\nx)"]
            ),
            0
        );
    }
}
