//! `BINARY[…]` and `BINARY.SIZE[…]` (RFC 9051 §6.4.5, RFC 3516): parts
//! without their transfer encoding.

use super::body::{Measure, Value, clipped, measure};
use super::source::Source;
use crate::error::Error;
use roost_imap::command::{Partial, SectionPart};
use roost_imap::write;
use roost_message::decode::{Decoded, Encoding};
use roost_message::{Error as MessageError, Span};
use std::collections::HashMap;
use std::io::Read;

/// A part that is asked for.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Binary {
    part: SectionPart,
    partial: Option<Partial>,
    path: Vec<u32>,
}

type Reader = Decoded<Box<dyn Read + Send>>;

impl Binary {
    pub fn new(part: SectionPart, partial: Option<Partial>) -> Self {
        Self {
            path: part.iter().map(|n| n.get()).collect(),
            part,
            partial,
        }
    }

    pub fn write_name(&self, out: &mut Vec<u8>) {
        write::binary_name(out, &self.part, self.partial);
    }

    pub fn write_size_name(&self, out: &mut Vec<u8>) {
        write::binary_size_name(out, &self.part);
    }

    /// The decoded part; `None` if its encoding is not known.
    pub fn value(&self, source: &Source, measured: &mut Measured) -> Result<Option<Value>, Error> {
        let Some((span, encoding)) = source.places()?.body(&self.path) else {
            return Ok(Some(Value::Nil));
        };
        let Some(found) = measured.part(&self.path, source, span, encoding)? else {
            return Ok(None);
        };
        let Some(reader) = open(source, span, encoding)? else {
            return Ok(None);
        };
        Ok(Some(clipped(
            reader,
            found.len,
            found.has_nul,
            self.partial,
        )?))
    }

    /// Octets of the decoded part, 0 if there is none; `None` if its encoding
    /// is not known.
    pub fn size(&self, source: &Source, measured: &mut Measured) -> Result<Option<u64>, Error> {
        let Some((span, encoding)) = source.places()?.body(&self.path) else {
            return Ok(Some(0));
        };
        let found = measured.part(&self.path, source, span, encoding)?;
        Ok(found.map(|m| m.len))
    }
}

/// What was found out about the parts of one message, each read once however
/// many items ask for it. `None` is a part whose encoding is not known.
#[derive(Default)]
pub(super) struct Measured(HashMap<Vec<u32>, Option<Measure>>);

impl Measured {
    fn part(
        &mut self,
        path: &[u32],
        source: &Source,
        span: Span,
        encoding: Encoding,
    ) -> Result<Option<Measure>, Error> {
        if let Some(known) = self.0.get(path) {
            return Ok(*known);
        }
        let found = match open(source, span, encoding)? {
            Some(mut reader) => Some(measure(&mut reader)?),
            None => None,
        };
        self.0.insert(path.to_vec(), found);
        Ok(found)
    }
}

fn open(source: &Source, span: Span, encoding: Encoding) -> Result<Option<Reader>, Error> {
    match Decoded::new(source.reader(span)?, encoding) {
        Ok(reader) => Ok(Some(reader)),
        Err(MessageError::UnknownEncoding) => Ok(None),
        Err(MessageError::Io(error)) => Err(error.into()),
    }
}
