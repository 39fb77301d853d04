//! What a response consists of: atoms, strings and lists.

/// Lists in lists in lists; BODYSTRUCTURE is not asked for.
const MAX_DEPTH: usize = 16;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// With its brackets, as `BODY[HEADER.FIELDS (SUBJECT)]`; NIL as well.
    Atom(Vec<u8>),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    /// An atom's or a string's octets; a list has none.
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Atom(octets) | Self::Text(octets) => octets,
            Self::List(_) => &[],
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.octets()).into_owned()
    }

    pub fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.octets()).ok()?.parse().ok()
    }

    /// An atom of that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Atom(atom) if atom.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// What is in a list; nothing is in anything else.
    pub fn list(&self) -> &[Value] {
        match self {
            Self::List(values) => values,
            Self::Atom(_) | Self::Text(_) => &[],
        }
    }

    /// The value behind that name, of a list of names and values.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let pairs = self.list().chunks_exact(2);
        pairs.into_iter().find_map(|pair| match pair {
            [key, value] if key.is(name) => Some(value),
            _ => None,
        })
    }
}

/// A line without its end, and the literal that it announces.
pub type Part = (Vec<u8>, Option<Vec<u8>>);

/// The values of a response; None for what is no response.
pub fn parse(parts: Vec<Part>) -> Option<Vec<Value>> {
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    for (line, literal) in parts {
        let mut rest = line.as_slice();
        while let Some((&first, after)) = rest.split_first() {
            match first {
                b' ' => rest = after,
                b'(' if open.len() >= MAX_DEPTH => return None,
                b'(' => {
                    open.push(Vec::new());
                    rest = after;
                }
                b')' => {
                    let list = open.pop()?;
                    open.last_mut()?.push(Value::List(list));
                    rest = after;
                }
                b'"' => {
                    let (text, after) = quoted(after)?;
                    open.last_mut()?.push(Value::Text(text));
                    rest = after;
                }
                _ => {
                    let (atom, after) = atom(rest);
                    open.last_mut()?.push(Value::Atom(atom.to_vec()));
                    rest = after;
                }
            }
        }
        if let Some(literal) = literal {
            open.last_mut()?.push(Value::Text(literal));
        }
    }
    let values = open.pop()?;
    open.is_empty().then_some(values)
}

fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    let mut octets = text.iter().enumerate();
    loop {
        match octets.next()? {
            (at, b'"') => return Some((out, text.get(at + 1..)?)),
            (_, b'\\') => out.push(*octets.next()?.1),
            (_, &octet) => out.push(octet),
        }
    }
}

/// Within brackets there may be blanks and parentheses.
fn atom(text: &[u8]) -> (&[u8], &[u8]) {
    let mut brackets = 0_usize;
    let ends = |&octet: &u8| {
        match octet {
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            b' ' | b'(' | b')' | b'"' => return brackets == 0,
            _ => {}
        }
        false
    };
    let end = text.iter().position(ends).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Part {
        (text.as_bytes().to_vec(), None)
    }

    #[test]
    fn a_response_is_taken_apart() {
        let parts = vec![
            (
                b"1 FETCH (UID 7 BODY[HEADER.FIELDS (TO)] ".to_vec(),
                Some(b"a)\"b".to_vec()),
            ),
            line(" FLAGS (\\Seen $X) ENVELOPE (NIL \"x\\\"\\\\y\"))"),
        ];
        let values = parse(parts).unwrap();
        assert_eq!((values[0].number(), values[1].is("fetch")), (Some(1), true));
        let items = &values[2];
        assert_eq!(items.get("uid").and_then(Value::number), Some(7));
        let header = items.get("BODY[HEADER.FIELDS (TO)]").unwrap();
        assert_eq!(header, &Value::Text(b"a)\"b".to_vec()));
        assert_eq!(items.get("FLAGS").unwrap().list().len(), 2);
        let envelope = items.get("ENVELOPE").unwrap().list();
        assert!(envelope[0].is("NIL"));
        assert_eq!(envelope[1].text(), "x\"\\y");
        assert_eq!(items.get("GONE"), None);
    }

    #[test]
    fn what_is_no_response_is_none() {
        for text in ["(a", "a)", "\"a", "\"a\\", &"(".repeat(100)] {
            assert_eq!(parse(vec![line(text)]), None, "{text}");
        }
        assert_eq!(parse(vec![line("")]), Some(vec![]));
    }
}
