//! LIST's patterns: `*` is any run of characters, `%` one without a separator
//! (RFC 9051 §6.3.9).
//!
//! A client can write a pattern that makes a backtracking matcher take
//! exponential time. Here all ways through the pattern are followed at once,
//! so the time is the product of the two lengths at worst.

use roost_types::mailbox::MAX_NAME_LEN;

/// Every letter of a name in a wildcard of its own, and one more.
const MAX_TOKENS: usize = 2 * MAX_NAME_LEN + 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    Octet(u8),
    Star,
    Percent,
}

/// A pattern and what matching needs to remember.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// No two wildcards stand side by side.
    tokens: Vec<Token>,
    separator: u8,
    /// Tokens that the next octet is compared with, and those for the octet
    /// behind it; an index behind the last token means that all matched.
    now: Vec<usize>,
    next: Vec<usize>,
    /// When a token was last put on a list.
    seen: Vec<u64>,
    time: u64,
}

impl Pattern {
    /// `None` for a pattern too long to match any name. The separator is an
    /// ASCII character.
    pub fn new(text: &str, separator: char) -> Option<Self> {
        let mut tokens = Vec::with_capacity(text.len().min(MAX_TOKENS));
        for b in text.bytes() {
            let token = match b {
                b'*' => Token::Star,
                b'%' => Token::Percent,
                _ => Token::Octet(b),
            };
            // `%*` and `*%` match what `*` does.
            if let (Some(last), Token::Star | Token::Percent) = (tokens.last_mut(), token)
                && !matches!(last, Token::Octet(_))
            {
                if token == Token::Star {
                    *last = token;
                }
                continue;
            }
            if tokens.len() >= MAX_TOKENS {
                return None;
            }
            tokens.push(token);
        }
        Some(Self {
            seen: vec![0; tokens.len() + 1],
            tokens,
            separator: u8::try_from(separator).ok()?,
            now: Vec::new(),
            next: Vec::new(),
            time: 0,
        })
    }

    /// No wildcards: it is one name.
    pub fn is_plain(&self) -> bool {
        !self
            .tokens
            .iter()
            .any(|t| matches!(t, Token::Star | Token::Percent))
    }

    pub fn has_percent(&self) -> bool {
        self.tokens.contains(&Token::Percent)
    }

    /// Whether the whole of `name` matches. In a name whose first level is
    /// INBOX the case of these five letters does not matter.
    pub fn matches(&mut self, name: &str) -> bool {
        if self.tokens == [Token::Star] {
            return true;
        }
        let inbox = match crate::names::starts_with_inbox(name) {
            true if name.as_bytes().get(5).is_none_or(|&b| b == self.separator) => 5,
            _ => 0,
        };
        // The name before may have left something on it.
        self.next.clear();
        self.time += 1;
        self.reach(0);
        std::mem::swap(&mut self.now, &mut self.next);
        for (i, b) in name.bytes().enumerate() {
            self.time += 1;
            self.next.clear();
            for at in 0..self.now.len() {
                let Some(&token) = self.now.get(at) else {
                    break;
                };
                match self.tokens.get(token) {
                    Some(Token::Star) => self.reach(token),
                    Some(Token::Percent) if b != self.separator => self.reach(token),
                    Some(&Token::Octet(o)) if o == b || i < inbox && o.eq_ignore_ascii_case(&b) => {
                        self.reach(token + 1);
                    }
                    _ => {}
                }
            }
            if self.next.is_empty() {
                return false;
            }
            std::mem::swap(&mut self.now, &mut self.next);
        }
        self.now.contains(&self.tokens.len())
    }

    /// The next octet may be compared with `token`, and, since a wildcard may
    /// stand for nothing, with the one behind it.
    fn reach(&mut self, token: usize) {
        self.put(token);
        if let Some(Token::Star | Token::Percent) = self.tokens.get(token) {
            self.put(token + 1);
        }
    }

    fn put(&mut self, token: usize) {
        if let Some(seen) = self.seen.get_mut(token)
            && *seen != self.time
        {
            *seen = self.time;
            self.next.push(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern, '/').unwrap().matches(name)
    }

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a*b", "a/x/b", true),
            ("a%b", "a/x/b", false),
            ("a%b", "ab", true),
            ("*%", "a/b/c", true),
            ("%*", "a/b/c", true),
            ("%a*", "x/a", false),
            ("*2", "baz2/bar22", true),
            ("foo", "foo", true),
            ("foo", "foo/bar", false),
            ("", "a", false),
            ("ä%", "äb", true),
            ("Foo", "foo", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn one_name_leaves_nothing_to_the_next() {
        let mut pattern = Pattern::new("a/%", '/').unwrap();
        for (name, expected) in [("a/b", true), ("ab", false), ("a", false), ("a/c", true)] {
            assert_eq!(pattern.matches(name), expected, "{name}");
        }
    }

    #[test]
    fn inbox_matches_in_any_case() {
        assert!(matches("inbox", "INBOX"));
        assert!(matches("InB%", "INBOX"));
        assert!(matches("inbox/A", "INBOX/A"));
        assert!(!matches("inbox/a", "INBOX/A"));
        assert!(!matches("inboxes", "INBOXes"));
    }

    #[test]
    fn no_pattern_takes_long() {
        let pattern = "*a%".repeat(MAX_NAME_LEN);
        assert!(Pattern::new(&pattern, '/').is_some());
        assert!(Pattern::new(&"a".repeat(MAX_TOKENS + 1), '/').is_none());
        let name = "a".repeat(2000);
        let start = std::time::Instant::now();
        assert!(!matches(&("*a".repeat(2000) + "b"), &name));
        assert!(start.elapsed().as_secs() < 5);
    }

    /// The definition, without regard to time.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((&w, rest)) if w == b'*' || w == b'%' => {
                slow(rest, name)
                    || name
                        .split_first()
                        .is_some_and(|(&b, tail)| (w == b'*' || b != b'/') && slow(pattern, tail))
            }
            Some((&b, rest)) => name
                .split_first()
                .is_some_and(|(&n, tail)| n == b && slow(rest, tail)),
        }
    }

    proptest! {
        #[test]
        fn as_by_definition(pattern in "[ab/*%]{0,9}", name in "[ab/]{0,9}") {
            prop_assert_eq!(matches(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
