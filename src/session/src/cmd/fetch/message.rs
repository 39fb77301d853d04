//! The FETCH response of one message, item by item.

use super::Trouble;
use super::binary::Binary;
use super::body::{Body, Value};
use super::plan::Item;
use super::source::Source;
use super::{envelope, structure};
use crate::changes::Style;
use crate::error::{Error, Fatal};
use crate::job::STEP_OCTETS;
use crate::session::Session;
use crate::view::ViewRow;
use roost_imap::write::{self, Dialect, FetchLine};
use roost_store::Mailbox;
use roost_types::{SeqNum, Uid};
use std::io::Read;

/// The message being answered.
pub(super) struct Message {
    row: ViewRow,
    /// Not there if no item needs it, or if the message is gone.
    source: Option<Source>,
    line: Line,
    /// Items begun, those counted that were not asked for as one.
    begun: usize,
    sending: Option<Sending>,
}

/// What items need besides their message.
pub(super) struct Context<'a> {
    pub style: Style,
    pub dialect: Dialect,
    pub mailbox: &'a Mailbox,
    pub trouble: &'a mut Trouble,
    pub session: &'a mut Session,
}

/// The response, opened with the first item that can be answered.
struct Line {
    seq: SeqNum,
    open: Option<FetchLine>,
}

impl Line {
    /// Goes on to the next item, whose name follows.
    fn next(&mut self, out: &mut Vec<u8>) {
        self.open
            .get_or_insert_with(|| FetchLine::open(out, self.seq))
            .next(out);
    }

    fn item(&mut self, out: &mut Vec<u8>, name: &str) {
        self.next(out);
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
    }
}

/// A literal under way.
struct Sending {
    reader: Box<dyn Read + Send>,
    left: u64,
}

impl Message {
    pub fn new(row: ViewRow, source: Option<Source>) -> Self {
        Self {
            line: Line {
                seq: row.seq,
                open: None,
            },
            row,
            source,
            begun: 0,
            sending: None,
        }
    }

    pub fn uid(&self) -> Uid {
        self.row.row.uid
    }

    /// Something of the response has been written.
    pub fn is_open(&self) -> bool {
        self.line.open.is_some()
    }

    /// The index of the next item; `None` once, for those that were not asked
    /// for.
    pub fn next_item(&mut self) -> Option<usize> {
        let before = self.begun;
        self.begun += 1;
        before.checked_sub(1)
    }

    /// Items that the client gets though it did not name them.
    pub fn unasked(
        &mut self,
        uid: bool,
        flags: bool,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if uid {
            self.write_uid(out);
        }
        if flags {
            self.write_flags(context, out)?;
        }
        Ok(())
    }

    /// Writes one item, or begins to, or leaves it out and says why.
    pub fn item(
        &mut self,
        item: &Item,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match item {
            Item::Uid => self.write_uid(out),
            Item::Flags => self.write_flags(context, out)?,
            Item::InternalDate => self.write_date(context, out)?,
            Item::Size => self.write_size(context, out)?,
            Item::Envelope => self.write_envelope(context, out),
            Item::Structure { extended } => self.write_structure(*extended, context, out),
            Item::Body(body) => self.write_body(body, context, out),
            Item::Binary(binary) => self.write_binary(binary, context, out),
            Item::BinarySize(binary) => self.write_binary_size(binary, context, out),
        }
        Ok(())
    }

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

    pub fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(line) = self.line.open.take() {
            line.close(out);
        }
    }

    fn write_uid(&mut self, out: &mut Vec<u8>) {
        self.line.item(out, "UID");
        write::number(out, self.uid().get());
    }

    fn write_flags(&mut self, context: &Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.line.item(out, "FLAGS");
        let selected = context.session.selected()?;
        selected.write_flags(out, &self.row.row, context.style);
        Ok(())
    }

    fn write_date(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let snapshot = context.session.selected()?.view().snapshot();
        let date = snapshot.known_internal_date(self.uid()).or_else(|| {
            let asked = context.mailbox.internal_date(self.uid());
            context.trouble.note(asked.map_err(Error::from))
        });
        if let Some(date) = date {
            self.line.item(out, "INTERNALDATE");
            write::internal_date(out, date);
        }
        Ok(())
    }

    /// What was measured counts more than what the file's name says.
    fn write_size(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let snapshot = context.session.selected()?.view().snapshot();
        let measured = self.source.as_ref().and_then(Source::size);
        let known = measured.or_else(|| snapshot.known_size(self.uid()));
        let size = known.or_else(|| {
            let asked = context.mailbox.size(self.uid());
            context.trouble.note(asked.map_err(Error::from))
        });
        if let Some(size) = size {
            self.line.item(out, "RFC822.SIZE");
            write::number64(out, size);
        }
        Ok(())
    }

    fn write_envelope(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(source) = &self.source
            && let Some(header) = context.trouble.note(source.header())
        {
            self.line.item(out, "ENVELOPE");
            envelope::write(out, &header, context.dialect);
        }
    }

    fn write_structure(&mut self, extended: bool, context: &Context<'_>, out: &mut Vec<u8>) {
        if let Some(structure) = self.source.as_ref().and_then(Source::structure) {
            let name = if extended { "BODYSTRUCTURE" } else { "BODY" };
            self.line.item(out, name);
            structure::write(out, &structure.root, extended, context.dialect);
        }
    }

    fn write_body(&mut self, body: &Body, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(source) = &self.source
            && let Some(value) = context.trouble.note(body.value(source))
        {
            count(context.session, body, &value);
            self.line.next(out);
            body.write_name(out);
            self.write_value(value, out);
        }
    }

    fn write_binary(&mut self, binary: &Binary, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(source) = &self.source
            && let Some(found) = context.trouble.note(binary.value(source))
            && let Some(value) = context.trouble.note_encoding(found)
        {
            self.line.next(out);
            binary.write_name(out);
            self.write_value(value, out);
        }
    }

    fn write_binary_size(&mut self, binary: &Binary, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(source) = &self.source
            && let Some(found) = context.trouble.note(binary.size(source))
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
        out.push(b' ');
        match value {
            Value::Nil => out.extend_from_slice(b"NIL"),
            Value::Bytes(bytes) if bytes.is_empty() => out.extend_from_slice(b"\"\""),
            Value::Bytes(bytes) => write::literal(out, &bytes),
            Value::Stream {
                reader,
                len,
                has_nul,
            } => {
                match has_nul {
                    true => write::literal8_header(out, len),
                    false => write::literal_header(out, len),
                }
                self.sending = Some(Sending { reader, left: len });
            }
        }
    }
}

fn count(session: &mut Session, body: &Body, value: &Value) {
    let counters = session.counters_mut();
    let (count, bytes) = match body.is_header() {
        true => (&mut counters.header_count, &mut counters.header_bytes),
        false => (&mut counters.body_count, &mut counters.body_bytes),
    };
    *count += 1;
    *bytes += value.len();
}

impl Sending {
    /// Appends another piece; true when the literal is complete.
    fn pump(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let room = self.left.min(STEP_OCTETS as u64);
        let appended = (&mut self.reader).take(room).read_to_end(out);
        let n = appended.map_err(|error| {
            log::warn!("reading a message half-way: {error}");
            Fatal::Truncated
        })?;
        self.left -= n as u64;
        if (n as u64) < room {
            return Err(Fatal::Truncated.into());
        }
        Ok(self.left == 0)
    }
}
