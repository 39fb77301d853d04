//! `BODY[…]` and its older names (RFC 9051 §6.4.5, RFC 3501 §6.4.5).

use super::plan::Need;
use super::source::Source;
use crate::error::Error;
use crate::facts::{Facts, WantedFields, Wants};
use roost_imap::command::{Partial, Section, SectionText};
use roost_imap::write;
use roost_message::crlf::{self, CrlfReader, Nul};
use roost_message::filter::{self, FieldsReader, Keep};
use roost_message::section::Section as Kind;
use roost_message::{Limits, Span};
use std::io::{self, Read};

/// What an item is answered with.
pub(super) enum Value {
    /// There is no such part.
    Nil,
    /// Octets without NUL.
    Bytes(Vec<u8>),
    /// Exactly `len` octets, or the message has changed under our hands.
    Stream {
        reader: Stream,
        len: u64,
        has_nul: bool,
    },
}

impl Value {
    /// Octets of the literal.
    pub fn len(&self) -> u64 {
        match self {
            Self::Nil => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { len, .. } => *len,
        }
    }
}

/// Where the octets of a literal come from.
pub(super) enum Stream {
    /// The file, whose line ends are made CRLF on the way into the response.
    Text(CrlfReader<Box<dyn Read + Send>>),
    Other(Box<dyn Read + Send>),
}

impl Stream {
    /// Appends at most `most` octets, fewer only at the end.
    pub fn append(&mut self, out: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        match self {
            Self::Text(reader) => reader.append(out, most),
            Self::Other(reader) => reader.take(most as u64).read_to_end(out),
        }
    }
}

/// A section that is asked for.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Body {
    /// As the response has it.
    name: Vec<u8>,
    partial: Option<Partial>,
    path: Vec<u32>,
    kind: Kind,
    fields: Option<WantedFields>,
}

/// A piece of a message so small is read to its end before it is sent: the
/// size of the message need not be known then.
const SMALL_PIECE: u64 = 1024 * 1024;

impl Body {
    /// `old_name` is `RFC822` or one of its kin, which have names of their own.
    pub fn new(
        old_name: Option<&'static str>,
        section: &Section,
        partial: Option<Partial>,
    ) -> Self {
        let (kind, fields) = match &section.text {
            None => (Kind::Body, None),
            Some(SectionText::Header) => (Kind::Header, None),
            Some(SectionText::Text) => (Kind::Text, None),
            Some(SectionText::Mime) => (Kind::Mime, None),
            Some(SectionText::HeaderFields { not, names }) => {
                (Kind::Header, Some(WantedFields::new(*not, names)))
            }
        };
        let mut name = Vec::new();
        match old_name {
            Some(old) => name.extend_from_slice(old.as_bytes()),
            None => write::section_name(&mut name, section, partial),
        }
        Self {
            name,
            path: section.part.iter().map(|n| n.get()).collect(),
            partial,
            kind,
            fields,
        }
    }

    /// For the counters: headers and bodies are told apart.
    pub fn is_header(&self) -> bool {
        matches!(self.kind, Kind::Header | Kind::Mime)
    }

    pub fn need(&self) -> Need {
        match (self.path.is_empty(), self.kind) {
            (true, Kind::Header) => Need::Header,
            _ => Need::Octets,
        }
    }

    /// What the section is found by, or answered out of.
    pub fn wants(&self) -> Option<Wants> {
        match (self.path.is_empty(), self.kind) {
            (true, Kind::Header) => Some(Wants::HEAD),
            (true, Kind::Body) => None,
            _ => Some(Wants::STRUCTURE),
        }
    }

    /// Whether facts may do without the file.
    pub fn may_be_kept(&self) -> bool {
        self.path.is_empty() && self.kind == Kind::Header
    }

    /// Fields of the message's header, all of them.
    pub fn is_fields(&self) -> bool {
        self.may_be_kept() && self.partial.is_none() && self.fields.is_some()
    }

    /// Writes fields of the header, name and all, straight out of what is
    /// kept, where that is possible; says how many octets they are.
    pub fn write_kept_fields(&self, facts: &Facts<'_>, out: &mut Vec<u8>) -> Option<u64> {
        let fields = self.fields.as_ref().filter(|_| self.partial.is_none());
        let kept = facts.kept_fields(fields?)?;
        self.write_name(out);
        out.push(b' ');
        write::literal_header(out, kept.octets() as u64);
        kept.append(out);
        Some(kept.octets() as u64)
    }

    /// Writes into `out` what is kept of a section of which that is possible;
    /// false if the file is needed.
    pub fn kept(&self, facts: &Facts<'_>, out: &mut Vec<u8>) -> bool {
        out.clear();
        match (&self.fields, facts.header()) {
            (Some(fields), _) => facts.append_fields(fields, out),
            (None, Some(header)) => {
                out.extend_from_slice(header);
                out.extend_from_slice(b"\r\n");
                true
            }
            (None, None) => false,
        }
    }

    /// The part of a whole section that is asked for.
    pub fn part_of<'b>(&self, section: &'b [u8]) -> &'b [u8] {
        let Some(partial) = self.partial else {
            return section;
        };
        let (offset, len) = clip(partial, section.len() as u64);
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        section
            .get(at(offset)..at(offset + len))
            .unwrap_or_default()
    }

    /// The whole message, without a cut.
    pub fn is_whole(&self) -> bool {
        self.path.is_empty() && self.kind == Kind::Body && self.partial.is_none()
    }

    fn small_piece(&self) -> Option<Partial> {
        self.partial.filter(|p| p.length <= SMALL_PIECE)
    }

    pub fn write_name(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.name);
    }

    /// The section of one message.
    pub fn value(&self, source: &Source) -> Result<Value, Error> {
        let is_root = self.path.is_empty();
        if is_root
            && self.kind == Kind::Header
            && let Some(header) = source.header_in_memory()
        {
            return Ok(self.value_of(self.in_memory(header)));
        }
        if is_root && self.kind == Kind::Body {
            if let Some(bytes) = source.in_memory() {
                return Ok(self.value_of(self.in_memory(bytes)));
            }
            if let Some(partial) = self.small_piece() {
                return piece(source, partial);
            }
        }
        let Some(span) = source.places()?.span(&self.path, self.kind) else {
            return Ok(Value::Nil);
        };
        if let Some(bytes) = source.in_memory().and_then(|b| slice(b, span)) {
            return Ok(self.value_of(self.in_memory(bytes)));
        }
        match &self.fields {
            Some(fields) => self.filtered(source, span, fields.keep()),
            None => self.stream(source, span),
        }
    }

    fn in_memory(&self, raw: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
        match &self.fields {
            Some(fields) => filter::append(raw, fields.keep(), &mut out),
            None => crlf::append(raw, Nul::Replace, &mut out),
        }
        out
    }

    fn value_of(&self, mut bytes: Vec<u8>) -> Value {
        if self.partial.is_some() {
            bytes = self.part_of(&bytes).to_vec();
        }
        Value::Bytes(bytes)
    }

    fn stream(&self, source: &Source, span: Span) -> Result<Value, Error> {
        let (mut span, mut partial) = (span, self.partial);
        // Where the file has CRLF throughout, offsets are those of the file.
        if let Some(asked) = partial
            && span.len == span.crlf_len
        {
            let (offset, len) = clip(asked, span.len);
            span = Span {
                start: span.start + offset,
                len,
                crlf_len: len,
            };
            partial = None;
        }
        let reader = CrlfReader::new(source.reader(span)?, Nul::Replace);
        if partial.is_none() && span.crlf_len > 0 {
            return Ok(Value::Stream {
                reader: Stream::Text(reader),
                len: span.crlf_len,
                has_nul: false,
            });
        }
        Ok(clipped(reader, span.crlf_len, false, partial)?)
    }

    /// Fields of a header that is not in memory.
    fn filtered(&self, source: &Source, span: Span, keep: &Keep) -> Result<Value, Error> {
        let open = || -> Result<_, Error> {
            let crlf = CrlfReader::new(source.reader(span)?, Nul::Replace);
            Ok(FieldsReader::new(crlf, keep.clone()))
        };
        let mut head = Vec::new();
        let limit = Limits::DEFAULT.header as u64;
        open()?.take(limit + 1).read_to_end(&mut head)?;
        if head.len() as u64 <= limit {
            return Ok(self.value_of(head));
        }
        let len = measure(&mut open()?)?.len;
        Ok(clipped(open()?, len, false, self.partial)?)
    }
}

/// A piece of the whole message, read as far as needed.
fn piece(source: &Source, partial: Partial) -> Result<Value, Error> {
    let mut reader = CrlfReader::new(source.all()?, Nul::Replace);
    crlf::skip(&mut reader, partial.offset)?;
    let mut bytes = Vec::new();
    reader.take(partial.length).read_to_end(&mut bytes)?;
    Ok(Value::Bytes(bytes))
}

fn slice(bytes: &[u8], span: Span) -> Option<&[u8]> {
    let at = |n: u64| usize::try_from(n).ok();
    bytes.get(at(span.start)?..at(span.end())?)
}

/// What of `len` octets a partial names, as offset and length.
fn clip(partial: Partial, len: u64) -> (u64, u64) {
    let offset = partial.offset.min(len);
    (offset, partial.length.min(len - offset))
}

/// The part of a stream of `len` octets that is asked for.
pub(super) fn clipped(
    mut reader: impl Read + Send + 'static,
    len: u64,
    has_nul: bool,
    partial: Option<Partial>,
) -> io::Result<Value> {
    let (offset, len) = match partial {
        Some(partial) => clip(partial, len),
        None => (0, len),
    };
    if len == 0 {
        return Ok(Value::Bytes(Vec::new()));
    }
    crlf::skip(&mut reader, offset)?;
    Ok(Value::Stream {
        reader: Stream::Other(Box::new(reader)),
        len,
        has_nul,
    })
}

/// What [`measure`] finds.
#[derive(Clone, Copy, Default)]
pub(super) struct Measure {
    pub len: u64,
    pub has_nul: bool,
}

/// Reads a stream to its end.
pub(super) fn measure(reader: &mut dyn Read) -> io::Result<Measure> {
    let mut found = Measure::default();
    let mut buf = vec![0; 32 * 1024];
    loop {
        let n = match reader.read(&mut buf) {
            Ok(0) => return Ok(found),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let piece = buf.get(..n).unwrap_or_default();
        found.len += n as u64;
        found.has_nul = found.has_nul || memchr::memchr(0, piece).is_some();
    }
}
