//! What the scanner finds: the tree of a message's parts.

use crate::decode::Encoding;
use crate::envelope::Envelope;
use crate::fields;
use crate::mime::{self, MediaType};
use crate::span::Span;

/// A message, scanned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Structure {
    /// The message itself as the outermost part.
    pub root: Part,
    /// The whole file.
    pub size: Span,
}

/// A message or a body part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The header with the empty line that ends it.
    pub header: Span,
    /// What follows; without the line end that belongs to a delimiter.
    pub body: Span,
    /// Line ends within the body.
    pub body_lines: u64,
    /// The fields that structure and envelope need, raw as in the file; see
    /// [`crate::fields`].
    pub(crate) fields: Box<[u8]>,
    /// Stands in a multipart/digest, whose parts are messages by default.
    pub(crate) in_digest: bool,
    pub content: Content,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// Not looked into: anything without parts, and parts beyond the limits.
    Leaf,
    /// A multipart. Without children (no boundary, no delimiter) it counts as
    /// having one empty text part, since `BODYSTRUCTURE` allows none without.
    Multipart(Vec<Part>),
    /// A message/rfc822 or message/global and what it holds.
    Message(Box<Part>),
}

impl Part {
    /// The Content-Type, or what holds in its absence (RFC 2045 §5.2, RFC
    /// 2046 §5.1.5). A part that should have parts but was not looked into
    /// counts as application/octet-stream (RFC 2049 §2 (3)).
    pub fn media_type(&self) -> MediaType<'_> {
        let media = declared(&self.fields, self.in_digest);
        let is_leaf = matches!(self.content, Content::Leaf);
        if is_leaf && (media.is_multipart() || media.is_message()) {
            return MediaType::octets();
        }
        media
    }

    /// What keeps the body from being read as it stands.
    pub fn encoding(&self) -> Encoding {
        // RFC 2045 §6.4: nothing but identity where parts are inside.
        match self.content {
            Content::Leaf => Encoding::of(mime::encoding(&self.fields).as_deref()),
            Content::Multipart(_) | Content::Message(_) => Encoding::Identity,
        }
    }

    /// Header fields as [`Envelope`]s are made of, if this is a message: the
    /// root or what a message/rfc822 part holds.
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope::new(&self.fields)
    }

    /// The Content fields of the part, and the envelope's if it is a message.
    pub fn fields(&self) -> &[u8] {
        &self.fields
    }

    /// Header and body.
    pub fn whole(&self) -> Span {
        self.header.joined(self.body)
    }

    pub fn children(&self) -> &[Part] {
        match &self.content {
            Content::Leaf => &[],
            Content::Multipart(children) => children,
            Content::Message(inner) => std::slice::from_ref(inner),
        }
    }

    /// The part and all below it in the order of the file.
    pub fn walk(&self) -> Walk<'_> {
        Walk { stack: vec![self] }
    }
}

/// The media type by the header alone.
pub(crate) fn declared(fields: &[u8], in_digest: bool) -> MediaType<'_> {
    match fields::get(fields, b"Content-Type") {
        Some(value) => MediaType::parse(value).unwrap_or_default(),
        None if in_digest => MediaType::message(),
        None => MediaType::default(),
    }
}

/// See [`Part::walk`].
pub struct Walk<'a> {
    stack: Vec<&'a Part>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a Part;

    fn next(&mut self) -> Option<&'a Part> {
        let part = self.stack.pop()?;
        self.stack.extend(part.children().iter().rev());
        Some(part)
    }
}
