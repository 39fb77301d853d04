//! Matching a response against a script's line.
//!
//! Both sides are brought to one form first: a literal becomes a quoted
//! string with line ends as `\n`, a quoted string of atom characters loses its
//! quotes. In a pattern `...` stands for any run of characters, `$name` for a
//! value that is remembered at its first match and demanded afterwards, and
//! `%(a b)` for a parenthesized list in any order. Case counts only inside
//! quotes.

use std::collections::HashMap;

pub type Vars = HashMap<String, String>;

/// The common form of a response as it came.
pub fn normalize(response: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = response;
    while let Some((&b, tail)) = rest.split_first() {
        match b {
            b'"' => {
                let (text, after) = quoted(tail);
                push_string(&mut out, &text);
                rest = after;
            }
            b'{' => match literal(rest) {
                Some((content, after)) => {
                    push_string(&mut out, &String::from_utf8_lossy(content));
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = tail;
                }
            },
            b'~' if tail.first() == Some(&b'{') && literal(tail).is_some() => rest = tail,
            0x80.. => {
                let run = rest.iter().take_while(|&&b| b >= 0x80).count();
                let (high, after) = rest.split_at(run);
                out.push_str(&String::from_utf8_lossy(high));
                rest = after;
            }
            _ => {
                out.push(char::from(b));
                rest = tail;
            }
        }
    }
    out
}

fn quoted(text: &[u8]) -> (String, &[u8]) {
    let mut bytes = Vec::new();
    let mut i = 0;
    while let Some(&b) = text.get(i) {
        match b {
            b'"' => return (lossy(&bytes), text.get(i + 1..).unwrap_or_default()),
            b'\\' if text.get(i + 1).is_some() => {
                bytes.push(text[i + 1]);
                i += 2;
            }
            _ => {
                bytes.push(b);
                i += 1;
            }
        }
    }
    (lossy(&bytes), &[])
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn literal(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let close = text.iter().position(|&b| b == b'}')?;
    let n: usize = std::str::from_utf8(text.get(1..close)?)
        .ok()?
        .parse()
        .ok()?;
    let body = text.get(close + 1..)?.strip_prefix(b"\r\n")?;
    body.split_at_checked(n)
}

fn push_string(out: &mut String, text: &str) {
    let atom = !text.is_empty()
        && !text.eq_ignore_ascii_case("NIL")
        && text
            .bytes()
            .all(|b| b > b' ' && b != 0x7f && !b"(){%*\"\\]".contains(&b));
    if atom {
        out.push_str(text);
        return;
    }
    push_quoted(out, &text.replace("\r\n", "\n"));
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// True when `pattern` (normalized by [`normalize_pattern`]) matches all of
/// `text`; binds new variables only then.
pub fn matches(pattern: &str, text: &str, vars: &mut Vars) -> bool {
    let mut bound = vars.clone();
    let yes = walk(pattern, text, &mut bound);
    if yes {
        *vars = bound;
    }
    yes
}

/// A pattern in the common form; `\n` stands for a line end in its strings.
pub fn normalize_pattern(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('"') {
        out.push_str(&rest[..open]);
        let (text, after) = quoted_pattern(&rest[open + 1..]);
        if text.contains("...") || text.contains('$') {
            push_quoted(&mut out, &text);
        } else {
            push_string(&mut out, &text);
        }
        rest = after;
    }
    out + rest
}

fn quoted_pattern(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return (out, &text[i + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, c)) => out.push(c),
                None => {}
            },
            c => out.push(c),
        }
    }
    (out, "")
}

fn walk(pattern: &str, text: &str, vars: &mut Vars) -> bool {
    if let Some(rest) = pattern.strip_prefix("...") {
        return (0..=text.len())
            .filter(|&i| text.is_char_boundary(i))
            .any(|i| try_walk(rest, &text[i..], vars));
    }
    if let Some(rest) = pattern.strip_prefix("%(") {
        return unordered(rest, text, vars);
    }
    if let Some(rest) = pattern.strip_prefix('$') {
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end > 0 {
            return variable(&rest[..end], &rest[end..], text, vars);
        }
    }
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some(p), Some(t)) if p.eq_ignore_ascii_case(&t) => {
            walk(&pattern[p.len_utf8()..], &text[t.len_utf8()..], vars)
        }
        _ => false,
    }
}

fn try_walk(pattern: &str, text: &str, vars: &mut Vars) -> bool {
    let mut bound = vars.clone();
    let yes = walk(pattern, text, &mut bound);
    if yes {
        *vars = bound;
    }
    yes
}

fn variable(name: &str, rest: &str, text: &str, vars: &mut Vars) -> bool {
    if let Some(value) = vars.get(name).cloned() {
        return text
            .get(..value.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(&value))
            && walk(rest, &text[value.len()..], vars);
    }
    let end = text
        .find(|c: char| c.is_whitespace() || "()[]".contains(c))
        .unwrap_or(text.len());
    if end == 0 {
        return false;
    }
    vars.insert(name.to_owned(), text[..end].to_owned());
    walk(rest, &text[end..], vars)
}

fn unordered(pattern: &str, text: &str, vars: &mut Vars) -> bool {
    let (Some(p_end), Some(inner)) = (pattern.find(')'), text.strip_prefix('(')) else {
        return false;
    };
    let Some(t_end) = inner.find(')') else {
        return false;
    };
    let sorted = |s: &str| {
        let mut words: Vec<_> = s.split_whitespace().map(str::to_lowercase).collect();
        words.sort();
        words
    };
    let wanted = sorted(&pattern[..p_end]);
    let found = sorted(&inner[..t_end]);
    let open_ended = wanted.iter().any(|w| w == "...");
    let fits = if open_ended {
        wanted.iter().all(|w| w == "..." || found.contains(w))
    } else {
        wanted == found
    };
    fits && walk(&pattern[p_end + 1..], &inner[t_end + 1..], vars)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, response: &[u8]) -> Option<Vars> {
        let mut vars = Vars::new();
        matches(&normalize_pattern(pattern), &normalize(response), &mut vars).then_some(vars)
    }

    #[test]
    fn quoted_literal_and_atom_are_one() {
        for r in [
            &b"* LIST () \"/\" a"[..],
            b"* LIST () \"/\" \"a\"",
            b"* LIST () \"/\" {1}\r\na",
        ] {
            assert!(check("* LIST () \"/\" a", r).is_some());
        }
        assert!(check("* X \"a b\\n\"", b"* X {5}\r\na b\r\n").is_some());
        assert!(check("* X NIL", b"* X \"NIL\"").is_none());
        assert!(check("* X \"\"", b"* X {0}\r\n").is_some());
    }

    #[test]
    fn variables_bind_once_and_hold() {
        let vars = check(
            "* OK [COPYUID $v $u $u] ...",
            b"* OK [COPYUID 7 1:2 1:2] done",
        )
        .unwrap();
        assert_eq!(vars["v"], "7");
        assert!(check("* $n X $n", b"* 1 X 2").is_none());
    }

    #[test]
    fn lists_without_order() {
        assert!(check("* FLAGS %(\\Seen x)", b"* FLAGS (x \\Seen)").is_some());
        assert!(check("* FLAGS %(\\Seen)", b"* FLAGS (x \\Seen)").is_none());
        assert!(check("* FLAGS %(\\Seen ...)", b"* FLAGS (x \\Seen)").is_some());
    }
}
