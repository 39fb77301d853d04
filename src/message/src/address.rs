//! Address lists (RFC 5322 §3.4 with its obsolete forms) as ENVELOPE gives
//! them (RFC 9051 §7.5.2). Text is raw: encoded words stay encoded.

use crate::lexer::{Lexer, Specials, Token};
use std::borrow::Cow;

/// Stands for what a broken address lacks: NIL there would begin or end a
/// group. Dovecot's words, so that stored views of mail do not change.
pub const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";
pub const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";

/// An `address` of an envelope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Address<'a> {
    pub name: Option<Cow<'a, [u8]>>,
    /// The source route (`@a,@b`).
    pub route: Option<Cow<'a, [u8]>>,
    /// With no host: the name of a group that begins, or `None` where it ends.
    pub mailbox: Option<Cow<'a, [u8]>>,
    pub host: Option<Cow<'a, [u8]>>,
}

/// Iterates over the addresses in the value of a field.
pub fn parse(value: &[u8]) -> Addresses<'_> {
    Addresses {
        lexer: Lexer::new(value, Specials::Address),
        in_group: false,
        over: false,
    }
}

#[derive(Clone, Debug)]
pub struct Addresses<'a> {
    lexer: Lexer<'a>,
    in_group: bool,
    over: bool,
}

impl<'a> Iterator for Addresses<'a> {
    type Item = Address<'a>;

    fn next(&mut self) -> Option<Address<'a>> {
        while !self.over {
            // A group ends behind its last address, so look before reading.
            if self.in_group && self.take_group_end() {
                self.in_group = false;
                return Some(Address::default());
            }
            let mut one = One::default();
            if let Some(group) = one.read(&mut self.lexer, self.in_group) {
                self.in_group = true;
                return Some(Address {
                    mailbox: Some(group),
                    ..Address::default()
                });
            }
            if one.at_end {
                self.over = !self.in_group;
            }
            if let Some(address) = one.into_address() {
                return Some(address);
            }
        }
        None
    }
}

impl Addresses<'_> {
    /// At `;` or the end of the field.
    fn take_group_end(&mut self) -> bool {
        let mut ahead = self.lexer.clone();
        match ahead.next_visible() {
            None => {
                self.over = true;
                true
            }
            Some(Token::Special(b';')) => {
                self.lexer = ahead;
                true
            }
            Some(_) => false,
        }
    }
}

/// One address while it is read.
#[derive(Default)]
struct One<'a> {
    /// Words so far, and whether a blank stood before each.
    words: Vec<(Cow<'a, [u8]>, bool)>,
    comment: Option<Cow<'a, [u8]>>,
    /// A route, local part and domain, if they have been met.
    route: Option<Vec<u8>>,
    spec: Option<(Vec<u8>, Vec<u8>)>,
    name: Option<Vec<u8>>,
    /// Nothing follows in the field.
    at_end: bool,
}

/// Words of one phrase; what comes behind them is dropped.
const MAX_WORDS: usize = 1024;

impl<'a> One<'a> {
    /// Reads up to the comma, the group's `;` or the end. The group's name, if
    /// this turns out to begin one.
    fn read(&mut self, lexer: &mut Lexer<'a>, in_group: bool) -> Option<Cow<'a, [u8]>> {
        loop {
            let before = lexer.clone();
            let Some(token) = lexer.next() else {
                self.at_end = true;
                return None;
            };
            let spaced = lexer.spaced;
            match token {
                Token::Comment(text) => self.comment = Some(text),
                Token::Word(text) | Token::Literal(text) => self.word(Cow::Borrowed(text), spaced),
                Token::Quoted(text) => self.word(text, spaced),
                Token::Special(b',') => return None,
                Token::Special(b';') => {
                    if in_group {
                        *lexer = before;
                    }
                    return None;
                }
                Token::Special(b':') if !in_group && self.spec.is_none() => {
                    return Some(Cow::Owned(phrase(&self.words)));
                }
                Token::Special(b'<') => self.angle(lexer),
                Token::Special(b'@') if self.spec.is_none() => self.at(lexer),
                Token::Special(_) => {}
            }
        }
    }

    fn word(&mut self, text: Cow<'a, [u8]>, spaced: bool) {
        if self.spec.is_none() && self.words.len() < MAX_WORDS {
            self.words.push((text, spaced));
        }
    }

    /// Behind an `@` outside angle brackets: the words before it are the local
    /// part, words in front of that a name.
    fn at(&mut self, lexer: &mut Lexer<'a>) {
        let mut first = self.words.len().saturating_sub(1);
        while first > 0 && self.are_joined(first) {
            first -= 1;
        }
        let local = self.words.split_off(first);
        let local: Vec<u8> = local.iter().flat_map(|(w, _)| w.to_vec()).collect();
        let domain = domain(lexer);
        if !self.words.is_empty() {
            self.name = Some(phrase(&self.words));
        }
        self.words.clear();
        self.spec = Some((local, domain));
    }

    /// Word `at` belongs to one local part with the word before it.
    fn are_joined(&self, at: usize) -> bool {
        match (self.words.get(at.wrapping_sub(1)), self.words.get(at)) {
            (Some((before, _)), Some((word, spaced))) => {
                !spaced || before.ends_with(b".") || word.starts_with(b".")
            }
            _ => false,
        }
    }

    /// Behind `<`: what was read before is the name.
    fn angle(&mut self, lexer: &mut Lexer<'a>) {
        if let Some((local, domain)) = self.spec.take() {
            // An address that serves as the name of itself.
            let mut name = self.name.take().unwrap_or_default();
            if !name.is_empty() {
                name.push(b' ');
            }
            name.extend_from_slice(&local);
            name.push(b'@');
            name.extend_from_slice(&domain);
            self.name = Some(name);
        } else if !self.words.is_empty() {
            self.name = Some(phrase(&self.words));
            self.words.clear();
        }
        let (route, local, domain) = angle_address(lexer);
        self.route = route;
        self.spec = Some((local, domain));
    }

    fn into_address(self) -> Option<Address<'a>> {
        let missing = |text: Vec<u8>, word: &'static [u8]| {
            Some(if text.is_empty() {
                Cow::Borrowed(word)
            } else {
                Cow::Owned(text)
            })
        };
        let name = self.name.map(Cow::Owned).or(self.comment);
        let name = name.filter(|n| !n.is_empty());
        if let Some((local, domain)) = self.spec {
            return Some(Address {
                name,
                route: self.route.map(Cow::Owned),
                mailbox: missing(local, MISSING_MAILBOX),
                host: missing(domain, MISSING_DOMAIN),
            });
        }
        let alone = self.words.len() == 1;
        let text = phrase(&self.words);
        if text.is_empty() {
            return None;
        }
        let host = Some(Cow::Borrowed(MISSING_DOMAIN));
        Some(if alone {
            Address {
                name,
                route: None,
                mailbox: Some(Cow::Owned(text)),
                host,
            }
        } else {
            Address {
                name: Some(Cow::Owned(text)),
                route: None,
                mailbox: Some(Cow::Borrowed(MISSING_MAILBOX)),
                host,
            }
        })
    }
}

fn phrase(words: &[(Cow<'_, [u8]>, bool)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (word, spaced) in words {
        if *spaced && !text.is_empty() {
            text.push(b' ');
        }
        text.extend(word.iter().map(|&b| if b == 0 { 0x80 } else { b }));
    }
    text
}

/// Reads a domain: words joined by dots, or a literal.
fn domain(lexer: &mut Lexer<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    loop {
        let mut ahead = lexer.clone();
        match ahead.next_visible() {
            Some(Token::Word(word))
                if text.is_empty() || text.ends_with(b".") || word.starts_with(b".") =>
            {
                extend_clean(&mut text, word);
            }
            Some(Token::Literal(word)) if text.is_empty() => extend_clean(&mut text, word),
            _ => return text,
        }
        *lexer = ahead;
    }
}

fn extend_clean(text: &mut Vec<u8>, word: &[u8]) {
    let kept = word.iter().filter(|b| !matches!(b, b'\r' | b'\n'));
    text.extend(kept.map(|&b| if b == 0 { 0x80 } else { b }));
}

/// Reads up to `>`: the route, the local part and the domain.
fn angle_address(lexer: &mut Lexer<'_>) -> (Option<Vec<u8>>, Vec<u8>, Vec<u8>) {
    let (mut route, mut local, mut host) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen_at = false;
    loop {
        let before = lexer.clone();
        let Some(token) = lexer.next_visible() else {
            break;
        };
        match token {
            Token::Special(b'>') => break,
            // The bracket was never closed.
            Token::Special(b',') if seen_at => {
                *lexer = before;
                break;
            }
            Token::Special(b'@') if !seen_at && local.is_empty() && starts_route(lexer) => {
                read_route(lexer, &mut route);
            }
            Token::Special(b'@') if !seen_at => {
                seen_at = true;
                host = domain(lexer);
            }
            Token::Word(word) | Token::Literal(word) if !seen_at => {
                extend_clean(&mut local, word);
            }
            Token::Quoted(word) if !seen_at => local.extend_from_slice(&word),
            _ => {}
        }
    }
    ((!route.is_empty()).then_some(route), local, host)
}

/// The longest source route looked for; nobody has used any since RFC 1123.
const MAX_ROUTE: usize = 998;

/// True if a `:` stands between here and the `>`.
fn starts_route(lexer: &Lexer<'_>) -> bool {
    let rest = lexer.rest();
    let rest = rest.get(..MAX_ROUTE.min(rest.len())).unwrap_or_default();
    let end = memchr::memchr2(b'>', b'"', rest).unwrap_or(rest.len());
    rest.get(..end).is_some_and(|r| r.contains(&b':'))
}

/// Reads `a,@b:` behind the first `@`.
fn read_route(lexer: &mut Lexer<'_>, route: &mut Vec<u8>) {
    route.push(b'@');
    while let Some(token) = lexer.next_visible() {
        match token {
            Token::Special(b':') => return,
            Token::Special(b) => route.push(b),
            Token::Word(word) | Token::Literal(word) => extend_clean(route, word),
            Token::Quoted(word) => route.extend_from_slice(&word),
            Token::Comment(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `name|route|mailbox|host`, NIL as `-`.
    fn list(text: &str) -> Vec<String> {
        let show = |part: Option<Cow<'_, [u8]>>| {
            part.map_or("-".into(), |p| String::from_utf8_lossy(&p).into_owned())
        };
        parse(text.as_bytes())
            .map(|a| {
                let parts = [a.name, a.route, a.mailbox, a.host];
                parts.map(show).join("|")
            })
            .collect()
    }

    #[test]
    fn well_formed() {
        // RFC 5322, appendix A.
        assert_eq!(
            list("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
            [
                "Mary Smith|-|mary|x.test",
                "-|-|jdoe|example.org",
                "Who?|-|one|y.test"
            ]
        );
        assert_eq!(
            list("\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
            ["Giant; \"Big\" Box|-|sysservices|example.net"]
        );
        assert_eq!(
            list("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
            [
                "-|-|A Group|-",
                "Ed Jones|-|c|a.test",
                "-|-|joe|where.test",
                "John|-|jdoe|one.test",
                "-|-|-|-"
            ]
        );
        assert_eq!(
            list("Undisclosed recipients:;, a@b"),
            ["-|-|Undisclosed recipients|-", "-|-|-|-", "-|-|a|b"]
        );
        assert_eq!(
            list("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
            ["Pete|-|pete|silly.test"]
        );
        assert_eq!(
            list("Chris <c@(Chris's host.)public.example>"),
            ["Chris|-|c|public.example"]
        );
        assert_eq!(
            list("Joe Q. Public <j@q.example>"),
            ["Joe Q. Public|-|j|q.example"]
        );
        assert_eq!(
            list("Mary <@node.test , @b.test:mary@example.net>, jdoe@test  . example"),
            [
                "Mary|@node.test,@b.test|mary|example.net",
                "-|-|jdoe|test.example"
            ]
        );
        assert_eq!(list("john . doe @ x . y"), ["-|-|john.doe|x.y"]);
        assert_eq!(list("\"john doe\"@[1.2.3.4]"), ["-|-|john doe|[1.2.3.4]"]);
        assert_eq!(list("a@b (Comment (Name))"), ["Comment (Name)|-|a|b"]);
        assert_eq!(list(""), Vec::<String>::new());
    }

    #[test]
    fn encoded_words_stay_whole() {
        assert_eq!(
            list("=?utf-8?Q?Foo,_(B)?= <a@b>,=?UTF-8?B?w6k=?=\r\n =?UTF-8?B?w6k=?= <c@d>"),
            [
                "=?utf-8?Q?Foo,_(B)?=|-|a|b",
                "=?UTF-8?B?w6k=?= =?UTF-8?B?w6k=?=|-|c|d"
            ]
        );
    }

    #[test]
    fn broken() {
        let all = "MISSING_MAILBOX|MISSING_DOMAIN";
        assert_eq!(list("root"), ["-|-|root|MISSING_DOMAIN"]);
        assert_eq!(list("root (Super)"), ["Super|-|root|MISSING_DOMAIN"]);
        assert_eq!(list("<>"), [format!("-|-|{all}")]);
        assert_eq!(list("foo bar"), [format!("foo bar|-|{all}")]);
        assert_eq!(list("a@"), ["-|-|a|MISSING_DOMAIN"]);
        assert_eq!(list("@b"), ["-|-|MISSING_MAILBOX|b"]);
        assert_eq!(list("a@b c@d, e@f"), ["-|-|a|b", "-|-|e|f"]);
        assert_eq!(list("x@y <a@b>, e@f"), ["x@y|-|a|b", "-|-|e|f"]);
        assert_eq!(list("Foo a@b"), ["Foo|-|a|b"]);
        assert_eq!(list(",, ,a@b,"), ["-|-|a|b"]);
        assert_eq!(list("Foo <a@b, c@d"), ["Foo|-|a|b", "-|-|c|d"]);
        assert_eq!(list("\"open"), ["-|-|open|MISSING_DOMAIN"]);
        assert_eq!(list("g: a@b"), ["-|-|g|-", "-|-|a|b", "-|-|-|-"]);
        assert_eq!(list("a@b;c@d"), ["-|-|a|b", "-|-|c|d"]);
        assert_eq!(list("(only"), Vec::<String>::new());
        assert_eq!(list("x (a\n b) <>"), [format!("x|-|{all}")]);
    }

    proptest! {
        #[test]
        fn any_bytes_end_and_groups_are_closed(text in "[ab<>:;,@.()\"\\\\\\[\\]=? \n]{0,40}") {
            let mut open = 0;
            let mut count = 0;
            for a in parse(text.as_bytes()) {
                count += 1;
                match (&a.mailbox, &a.host) {
                    (Some(_), None) => open += 1,
                    (None, None) => open -= 1,
                    (None, Some(_)) => prop_assert!(false, "host without mailbox"),
                    (Some(_), Some(_)) => {}
                }
                prop_assert!((0..=1).contains(&open));
            }
            prop_assert_eq!(open, 0);
            prop_assert!(count <= 2 * text.len() + 2);
        }
    }
}
