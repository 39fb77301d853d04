//! Items that are octets of a message, out of its records or its file.

use super::binary::Binary;
use super::body::{Body, Stream, Value};
use super::message::{Context, Message};
use crate::error::{Error, Fatal};
use crate::job::STEP_OCTETS;
use crate::session::Session;
use roost_imap::write;
use roost_message::crlf::{self, Nul};
use std::sync::Arc;

/// A literal under way.
pub(super) struct Sending {
    reader: Stream,
    left: u64,
}

impl Message {
    /// Goes on with the literal under way; false if there is none.
    pub fn pump(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(sending) = &mut self.sending else {
            return Ok(false);
        };
        if sending.pump(out)? {
            self.sending = None;
        }
        Ok(true)
    }

    pub fn write_body(&mut self, body: &Body, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if body.may_be_kept()
            && let Some(facts) = context.trouble.note(context.facts.get(self.uid()))
            && body.kept(&facts, context.scratch)
        {
            let bytes = body.part_of(context.scratch);
            count(context.session, body, bytes.len() as u64);
            self.line.next(out);
            body.write_name(out);
            return write_bytes(bytes, out);
        }
        let value = match self.source(context) {
            Some(source) => {
                if body.is_whole()
                    && let Some(raw) = source.in_memory()
                {
                    let raw = Arc::clone(raw);
                    return self.write_whole(body, &raw, context, out);
                }
                body.value(source)
            }
            None => return,
        };
        if let Some(value) = context.trouble.note(value) {
            count(context.session, body, value.len());
            self.line.next(out);
            body.write_name(out);
            self.write_value(value, out);
        }
    }

    /// A message in memory, its line ends made CRLF where it is written.
    fn write_whole(
        &mut self,
        body: &Body,
        raw: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) {
        let len = crlf::len(raw);
        count(context.session, body, len);
        self.line.next(out);
        body.write_name(out);
        if raw.is_empty() {
            return write_bytes(&[], out);
        }
        out.push(b' ');
        write::literal_header(out, len);
        out.reserve(usize::try_from(len).unwrap_or(raw.len()));
        crlf::append(raw, Nul::Replace, out);
    }

    pub fn write_binary(&mut self, binary: &Binary, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let value = match self.opened(context) {
            Some(opened) => binary.value(&opened.source, &mut opened.measured),
            None => return,
        };
        if let Some(found) = context.trouble.note(value)
            && let Some(value) = context.trouble.note_encoding(found)
        {
            self.line.next(out);
            binary.write_name(out);
            self.write_value(value, out);
        }
    }

    pub fn write_binary_size(
        &mut self,
        binary: &Binary,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) {
        let size = match self.opened(context) {
            Some(opened) => binary.size(&opened.source, &mut opened.measured),
            None => return,
        };
        if let Some(found) = context.trouble.note(size)
            && let Some(size) = context.trouble.note_encoding(found)
        {
            self.line.next(out);
            binary.write_size_name(out);
            out.push(b' ');
            write::number64(out, size);
        }
    }

    /// Writes a value, or the head of a literal that is sent from now on.
    fn write_value(&mut self, value: Value, out: &mut Vec<u8>) {
        match value {
            Value::Nil => out.extend_from_slice(b" NIL"),
            Value::Bytes(bytes) => write_bytes(&bytes, out),
            Value::Stream {
                reader,
                len,
                has_nul,
            } => {
                out.push(b' ');
                match has_nul {
                    true => write::literal8_header(out, len),
                    false => write::literal_header(out, len),
                }
                self.sending = Some(Sending { reader, left: len });
            }
        }
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b' ');
    match bytes.is_empty() {
        true => out.extend_from_slice(b"\"\""),
        false => write::literal(out, bytes),
    }
}

fn count(session: &mut Session, body: &Body, len: u64) {
    let counters = session.counters_mut();
    let (count, bytes) = match body.is_header() {
        true => (&mut counters.header_count, &mut counters.header_bytes),
        false => (&mut counters.body_count, &mut counters.body_bytes),
    };
    *count += 1;
    *bytes += len;
}

impl Sending {
    /// Appends another piece; true when the literal is complete.
    fn pump(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let room = usize::try_from(self.left).map_or(STEP_OCTETS, |left| left.min(STEP_OCTETS));
        let appended = self.reader.append(out, room);
        let n = appended.map_err(|error| {
            log::warn!("reading a message half-way: {error}");
            Fatal::Truncated
        })?;
        self.left -= n as u64;
        if n < room {
            return Err(Fatal::Truncated.into());
        }
        Ok(self.left == 0)
    }
}
