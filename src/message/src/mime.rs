//! The MIME fields of a part (RFC 2045, 2183, 3282, 2557), raw but for values
//! in pieces, which are put together.

use crate::continuation;
use crate::fields;
use crate::header::unfold;
use crate::lexer::{Lexer, Specials, Token};
use crate::limits::{MAX_BOUNDARY, MAX_LANGUAGES, MAX_PARAMETERS};
use std::borrow::Cow;

type Text<'a> = Cow<'a, [u8]>;

/// Parameters in the order of the field, those of RFC 2231 behind the others.
pub type Parameters<'a> = Vec<(Text<'a>, Text<'a>)>;

/// A media type with its parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaType<'a> {
    pub kind: Text<'a>,
    pub subtype: Text<'a>,
    pub parameters: Parameters<'a>,
}

/// `text/plain; charset=us-ascii`, the type of what has none (RFC 2045 §5.2).
impl Default for MediaType<'_> {
    fn default() -> Self {
        Self {
            parameters: vec![(Cow::Borrowed(b"charset"), Cow::Borrowed(b"us-ascii"))],
            ..Self::of(b"text", b"plain")
        }
    }
}

impl<'a> MediaType<'a> {
    fn of(kind: &'static [u8], subtype: &'static [u8]) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            subtype: Cow::Borrowed(subtype),
            parameters: Vec::new(),
        }
    }

    pub fn message() -> Self {
        Self::of(b"message", b"rfc822")
    }

    pub fn octets() -> Self {
        Self::of(b"application", b"octet-stream")
    }

    /// `None` if `value` has no type and subtype (RFC 2045 §5.2).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut lexer = Lexer::new(value, Specials::Parameter);
        let Some(Token::Word(first)) = lexer.next_visible() else {
            return None;
        };
        let (kind, subtype) = match memchr::memchr(b'/', first) {
            Some(at) => (first.get(..at)?, first.get(at + 1..)?),
            None => (first, &b""[..]),
        };
        // Blanks around the slash.
        let subtype = if subtype.is_empty() {
            let Some(Token::Word(next)) = lexer.next_visible() else {
                return None;
            };
            match next.strip_prefix(b"/") {
                Some(b"") => match lexer.next_visible() {
                    Some(Token::Word(next)) => next,
                    _ => return None,
                },
                Some(next) => next,
                None if first.ends_with(b"/") => next,
                None => return None,
            }
        } else {
            subtype
        };
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        Some(Self {
            kind: Cow::Borrowed(kind),
            subtype: Cow::Borrowed(subtype),
            parameters: parameters(&mut lexer),
        })
    }

    pub fn is(&self, kind: &[u8], subtype: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    pub fn is_text(&self) -> bool {
        self.kind.eq_ignore_ascii_case(b"text")
    }

    pub fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case(b"multipart")
    }

    /// A type whose body is a message with a header of its own.
    pub fn is_message(&self) -> bool {
        self.is(b"message", b"rfc822") || self.is(b"message", b"global")
    }

    /// The value of the first parameter called `name`.
    pub fn parameter(&self, name: &[u8]) -> Option<&[u8]> {
        let mut all = self.parameters.iter();
        all.find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    pub(crate) fn boundary(&self) -> Option<Vec<u8>> {
        let value = self.parameter(b"boundary")?.trim_ascii_end();
        (!value.is_empty() && value.len() <= MAX_BOUNDARY).then(|| value.to_vec())
    }
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_graphic())
}

/// Reads `; name=value …`, skipping whatever is none.
fn parameters<'a>(lexer: &mut Lexer<'a>) -> Parameters<'a> {
    let mut found = Vec::new();
    let mut name: Option<&'a [u8]> = None;
    let mut after_equals = false;
    while let Some(token) = lexer.next_visible() {
        match token {
            Token::Special(b';') => (name, after_equals) = (None, false),
            Token::Special(b'=') => after_equals = name.is_some(),
            Token::Word(word) if !after_equals => name = Some(word),
            token => {
                let value = match token {
                    Token::Word(word) => unfold(word),
                    Token::Quoted(text) => text,
                    _ => continue,
                };
                if let Some(name) = name.take().filter(|_| after_equals)
                    && found.len() < MAX_PARAMETERS
                {
                    found.push((unfold(name), value));
                }
                after_equals = false;
            }
        }
    }
    continuation::join(found)
}

/// A Content-Disposition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disposition<'a> {
    pub kind: Text<'a>,
    pub parameters: Parameters<'a>,
}

pub fn disposition(kept: &[u8]) -> Option<Disposition<'_>> {
    let value = fields::get(kept, b"Content-Disposition")?;
    let mut lexer = Lexer::new(value, Specials::Parameter);
    let Some(Token::Word(kind)) = lexer.next_visible() else {
        return None;
    };
    Some(Disposition {
        kind: unfold(kind),
        parameters: parameters(&mut lexer),
    })
}

/// The tags of Content-Language.
pub fn languages(kept: &[u8]) -> Vec<Text<'_>> {
    let value = fields::get(kept, b"Content-Language").unwrap_or_default();
    Lexer::new(value, Specials::Address)
        .filter_map(|token| match token {
            Token::Word(word) => Some(unfold(word)),
            _ => None,
        })
        .take(MAX_LANGUAGES)
        .collect()
}

/// The token of Content-Transfer-Encoding.
pub fn encoding(kept: &[u8]) -> Option<Text<'_>> {
    let value = fields::get(kept, b"Content-Transfer-Encoding")?;
    let mut lexer = Lexer::new(value, Specials::Parameter);
    match lexer.next_visible() {
        Some(Token::Word(word)) => Some(unfold(word)),
        Some(Token::Quoted(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

pub fn description(kept: &[u8]) -> Option<Text<'_>> {
    text(kept, b"Content-Description")
}

pub fn id(kept: &[u8]) -> Option<Text<'_>> {
    text(kept, b"Content-ID")
}

pub fn md5(kept: &[u8]) -> Option<Text<'_>> {
    text(kept, b"Content-MD5")
}

pub fn location(kept: &[u8]) -> Option<Text<'_>> {
    text(kept, b"Content-Location")
}

fn text<'a>(kept: &'a [u8], name: &[u8]) -> Option<Text<'a>> {
    fields::get(kept, name).map(unfold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(value: &str) -> String {
        let Some(m) = MediaType::parse(value.as_bytes()) else {
            return "none".into();
        };
        let text = |t: &[u8]| String::from_utf8_lossy(t).into_owned();
        let mut out = format!("{}/{}", text(&m.kind), text(&m.subtype));
        for (name, value) in &m.parameters {
            out += &format!(" {}[{}]", text(name), text(value));
        }
        out
    }

    #[test]
    fn types_and_parameters() {
        assert_eq!(
            show(" Text/Plain; charset=us-ascii (Plain text)"),
            "Text/Plain charset[us-ascii]"
        );
        assert_eq!(
            show("multipart/mixed;\r\n boundary=\"gc0pJq0M:08jU534c0p\""),
            "multipart/mixed boundary[gc0pJq0M:08jU534c0p]"
        );
        // RFC 2231 §3 and §4.
        assert_eq!(
            show("x/y; title*0*=us-ascii'en'This%20is; title*1=\"a \\\"b\\\"\r\n c\""),
            "x/y title*[us-ascii'en'This%20isa \"b\" c]"
        );
        assert_eq!(show("a / b ; c = d"), "a/b c[d]");
        assert_eq!(show("a/ b; c=d"), "a/b c[d]");
        assert_eq!(show("a/b; c=\"\""), "a/b c[]");
        assert_eq!(show("a/b; name=dir/file name.txt"), "a/b name[dir/file]");
        assert_eq!(show("a/b;; x; =y; c=; d=e f=g"), "a/b d[e] f[g]");
        for broken in ["", "text", "text/", "/plain", ";;;", "text;a=b", "\"a\"/b"] {
            assert_eq!(show(broken), "none", "{broken}");
        }
    }

    #[test]
    fn other_fields() {
        let kept = b"Content-Disposition: attachment; filename=\"a b\"; size=3\n\
            Content-Language: en, de (German),fr\n\
            Content-Transfer-Encoding: BASE64 (x)\n\
            Content-Location: http://x\n y\nContent-ID: <a@b>\n";
        let found = disposition(kept).unwrap();
        assert_eq!(&*found.kind, b"attachment");
        assert_eq!(&*found.parameters[0].1, b"a b");
        assert_eq!(found.parameters.len(), 2);
        assert_eq!(languages(kept), [&b"en"[..], b"de", b"fr"]);
        assert_eq!(encoding(kept).as_deref(), Some(&b"BASE64"[..]));
        assert_eq!(location(kept).as_deref(), Some(&b"http://x y"[..]));
        assert_eq!(id(kept).as_deref(), Some(&b"<a@b>"[..]));
        assert_eq!(md5(kept), None);
    }

    proptest! {
        #[test]
        fn any_value_survives(value in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(media) = MediaType::parse(&value) {
                prop_assert!(is_token(&media.kind) && is_token(&media.subtype));
                for (name, value) in &media.parameters {
                    prop_assert!(!name.contains(&0) && !value.contains(&b'\n'));
                }
            }
        }
    }
}
