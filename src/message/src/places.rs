//! Where the parts of a message lie, without what they are: as much of a
//! [`Structure`] as reading parts takes, in a form that can be kept.

use crate::decode::Encoding;
use crate::section::{Found, Section};
use crate::span::Span;
use crate::structure::{Content, Part, Structure};

/// The places of a message's parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places(Structure);

/// Parts within parts; the scanner's own limit is below.
const MAX_DEPTH: usize = 256;

impl From<Structure> for Places {
    fn from(structure: Structure) -> Self {
        Self(structure)
    }
}

impl Places {
    /// See [`Structure::span`].
    pub fn span(&self, path: &[u32], section: Section) -> Option<Span> {
        self.0.span(path, section)
    }

    /// The header of the message itself, with its empty line.
    pub fn header(&self) -> Span {
        self.0.root.header
    }

    /// The whole message.
    pub fn size(&self) -> Span {
        self.0.size
    }

    /// The body of a part and what it is encoded in; the whole message, which
    /// is not encoded, if `path` is empty. `None` if there is no such part.
    pub fn body(&self, path: &[u32]) -> Option<(Span, Encoding)> {
        Some(match self.0.part(path)? {
            Found::Empty => (Span::default(), Encoding::Identity),
            Found::Part(_) if path.is_empty() => (self.0.size, Encoding::Identity),
            Found::Part(part) => (part.body, part.encoding()),
        })
    }

    /// Reads what [`pack`] wrote; `None` if it is something else.
    pub fn unpack(mut packed: &[u8]) -> Option<Self> {
        let input = &mut packed;
        let size = Span {
            start: 0,
            len: varint(input)?,
            crlf_len: 0,
        };
        let size = Span {
            crlf_len: size.len.checked_add(varint(input)?)?,
            ..size
        };
        let root = part(input, 0, MAX_DEPTH)?;
        input.is_empty().then_some(Self(Structure { root, size }))
    }
}

/// Appends the places of a structure.
pub fn pack(structure: &Structure, out: &mut Vec<u8>) {
    push_len(out, structure.size);
    push_part(out, &structure.root, 0);
}

fn push_part(out: &mut Vec<u8>, part: &Part, after: u64) {
    let content = match &part.content {
        Content::Leaf => 0,
        Content::Multipart(_) => 1,
        Content::Message(_) => 2,
    };
    let encoding = match part.encoding() {
        Encoding::Identity => 0,
        Encoding::Base64 => 1,
        Encoding::QuotedPrintable => 2,
        Encoding::Unknown => 3,
    };
    out.push(content | encoding << 2);
    push_varint(out, part.header.start.saturating_sub(after));
    push_len(out, part.header);
    push_len(out, part.body);
    if let Content::Multipart(children) = &part.content {
        push_varint(out, children.len() as u64);
    }
    for child in part.children() {
        push_part(out, child, part.header.start);
    }
}

fn part(input: &mut &[u8], after: u64, depth: usize) -> Option<Part> {
    let depth = depth.checked_sub(1)?;
    let (&tag, rest) = input.split_first()?;
    *input = rest;
    let start = after.checked_add(varint(input)?)?;
    let header = span(input, start)?;
    let body = span(input, start.checked_add(header.len)?)?;
    let content = match tag & 3 {
        0 => Content::Leaf,
        1 => {
            let children = (0..varint(input)?).map(|_| part(input, start, depth));
            Content::Multipart(children.collect::<Option<_>>()?)
        }
        2 => Content::Message(Box::new(part(input, start, depth)?)),
        _ => return None,
    };
    let fields: &[u8] = match tag >> 2 {
        0 => b"",
        1 => b"Content-Transfer-Encoding: base64\n",
        2 => b"Content-Transfer-Encoding: quoted-printable\n",
        3 => b"Content-Transfer-Encoding: unknown\n",
        _ => return None,
    };
    Some(Part {
        header,
        body,
        body_lines: 0,
        fields: fields.into(),
        in_digest: false,
        content,
    })
}

/// The length in the file, and how much longer it is with CRLF.
fn push_len(out: &mut Vec<u8>, span: Span) {
    push_varint(out, span.len);
    push_varint(out, span.crlf_len.saturating_sub(span.len));
}

fn span(input: &mut &[u8], start: u64) -> Option<Span> {
    let len = varint(input)?;
    start.checked_add(len)?;
    Some(Span {
        start,
        len,
        crlf_len: len.checked_add(varint(input)?)?,
    })
}

fn push_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&b, rest) = input.split_first()?;
        *input = rest;
        n |= u64::from(b & 0x7f).checked_shl(shift)?;
        if b < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, scan};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_unpacked_lies_where_it_lay(
            lines in prop::collection::vec(prop::sample::select(vec![
                "", "--x", "--x--", "--y", "text", "\r", "Subject: s",
                "Content-Type: multipart/mixed; boundary=x",
                "Content-Type: multipart/digest; boundary=y",
                "Content-Type: message/rfc822",
                "Content-Transfer-Encoding: base64",
                "Content-Transfer-Encoding: odd",
            ]), 0..25),
            crlf: bool,
        ) {
            let mail = lines.join(if crlf { "\r\n" } else { "\n" });
            let structure = scan(&mut mail.as_bytes(), &Limits::DEFAULT).unwrap();
            let mut packed = Vec::new();
            pack(&structure, &mut packed);
            let places = Places::unpack(&packed).unwrap();
            let whole = Places::from(structure);
            prop_assert_eq!(places.size(), whole.size());
            prop_assert_eq!(places.header(), whole.header());
            let paths: [&[u32]; 8] = [&[], &[1], &[2], &[1, 1], &[1, 2], &[2, 1], &[1, 1, 1], &[9]];
            for path in paths {
                prop_assert_eq!(places.body(path), whole.body(path));
                for section in [Section::Body, Section::Header, Section::Text, Section::Mime] {
                    prop_assert_eq!(places.span(path, section), whole.span(path, section));
                }
            }
        }

        #[test]
        fn anything_may_be_unpacked(packed in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Places::unpack(&packed);
        }
    }

    #[test]
    fn depth_is_limited() {
        let deep = [&[0, 0][..], &[2, 0, 0, 0, 0, 0].repeat(100_000)].concat();
        assert_eq!(Places::unpack(&deep), None);
    }
}
