//! The FETCH response of one message, item by item.

use super::Trouble;
use super::binary::Binary;
use super::body::{Body, Stream, Value};
use super::plan::{Item, Need, Plan};
use super::source::Source;
use crate::changes::Style;
use crate::error::{Error, Fatal};
use crate::facts::{FactsReader, Wants};
use crate::job::STEP_OCTETS;
use crate::object_id;
use crate::session::Session;
use crate::view::ViewRow;
use roost_imap::write::{self, Dialect, FetchLine};
use roost_message::crlf::{self, Nul};
use roost_store::Mailbox;
use roost_types::{SeqNum, Uid};
use std::sync::Arc;

/// The message being answered.
pub(super) struct Message {
    row: ViewRow,
    source: File,
    line: Line,
    /// Items begun, those counted that were not asked for as one.
    begun: usize,
    sending: Option<Sending>,
}

/// The message's file.
enum File {
    /// No item has needed it yet.
    Closed,
    Open(Box<Source>),
    /// The message is gone, or cannot be read.
    Missing,
}

/// What items need besides their message.
pub(super) struct Context<'a> {
    pub style: Style,
    pub dialect: Dialect,
    pub mailbox: &'a Arc<Mailbox>,
    pub plan: &'a Plan,
    pub facts: &'a mut FactsReader,
    /// For what is put together before its length is known.
    pub scratch: &'a mut Vec<u8>,
    pub trouble: &'a mut Trouble,
    pub session: &'a mut Session,
}

/// Items that the client gets though it did not name them.
#[derive(Clone, Copy, Default)]
pub(super) struct Unasked {
    uid: bool,
    flags: bool,
    modseq: bool,
}

impl Unasked {
    /// For a message that has just got `\Seen`, or has not: that is a change
    /// to be told (RFC 9051 §7.5.2, RFC 7162 §3.2.4).
    pub fn of(plan: &Plan, style: Style, seen: bool) -> Self {
        let enabled = style.enabled;
        let flags = seen && !plan.asks(&Item::Flags);
        let uid = style.uid || enabled.rev2 && flags || enabled.condstore && seen;
        Self {
            uid: uid && !enabled.uid_only && !plan.asks(&Item::Uid),
            flags,
            modseq: enabled.condstore && seen && !plan.asks(&Item::ModSeq),
        }
    }
}

/// The response, opened with the first item that can be answered.
struct Line {
    seq: SeqNum,
    uid: Uid,
    style: Style,
    open: Option<FetchLine>,
}

impl Line {
    /// Goes on to the next item, whose name follows.
    fn next(&mut self, out: &mut Vec<u8>) {
        self.open
            .get_or_insert_with(|| self.style.open(out, self.seq, self.uid))
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
    reader: Stream,
    left: u64,
}

impl Message {
    pub fn new(row: ViewRow, style: Style) -> Self {
        Self {
            line: Line {
                seq: row.seq,
                uid: row.row.uid,
                style,
                open: None,
            },
            row,
            source: File::Closed,
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

    pub fn unasked(
        &mut self,
        unasked: Unasked,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if unasked.uid {
            self.write_uid(out);
        }
        if unasked.flags {
            self.write_flags(context, out)?;
        }
        if unasked.modseq {
            self.write_modseq(out);
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
            Item::ModSeq => self.write_modseq(out),
            Item::Envelope => self.write_envelope(context, out),
            Item::Structure { extended } => self.write_structure(*extended, context, out),
            Item::Preview { lazy } => self.write_preview(*lazy, context, out),
            Item::Body(body) => self.write_body(body, context, out),
            Item::Binary(binary) => self.write_binary(binary, context, out),
            Item::BinarySize(binary) => self.write_binary_size(binary, context, out),
            Item::SaveDate => self.write_save_date(context, out),
            Item::EmailId => self.write_email_id(context, out),
            Item::ThreadId => self.write_thread_id(out),
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

    fn write_modseq(&mut self, out: &mut Vec<u8>) {
        self.line.item(out, "MODSEQ");
        out.push(b'(');
        write::number64(out, self.row.row.modseq.0);
        out.push(b')');
    }

    fn write_flags(&mut self, context: &Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.line.item(out, "FLAGS");
        let selected = context.session.selected()?;
        selected.write_flags(out, &self.row.row, context.style);
        Ok(())
    }

    fn write_date(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let uid = self.uid();
        let snapshot = context.session.selected()?.view().snapshot();
        let kept = || context.facts.known(uid, Wants::HEAD)?.internal_date();
        let date = snapshot.known_internal_date(uid).or_else(kept).or_else(|| {
            let asked = context.mailbox.internal_date(uid);
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
        let uid = self.uid();
        let reads_file = context.plan.need() > Need::Header;
        let mut size = match reads_file {
            true => self.source(context).and_then(Source::size),
            false => None,
        };
        if size.is_none() && context.plan.uses_facts() {
            let facts = context.trouble.note(context.facts.get(uid));
            size = facts.and_then(|facts| facts.size());
        }
        let snapshot = context.session.selected()?.view().snapshot();
        let size = size.or_else(|| snapshot.known_size(uid)).or_else(|| {
            let wants = context.plan.wants();
            let facts = context.facts.get_wanting(
                uid,
                Wants {
                    size: true,
                    ..wants
                },
            );
            context.trouble.note(facts)?.size()
        });
        if let Some(size) = size {
            self.line.item(out, "RFC822.SIZE");
            write::number64(out, size);
        }
        Ok(())
    }

    fn write_save_date(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let asked = context.mailbox.save_date(self.uid());
        if let Some(date) = context.trouble.note(asked.map_err(Error::from)) {
            self.line.item(out, "SAVEDATE");
            write::internal_date(out, date);
        }
    }

    fn write_email_id(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let asked = object_id::email(context.mailbox, self.uid());
        if let Some(id) = context.trouble.note(asked) {
            self.line.item(out, "EMAILID");
            out.push(b'(');
            out.extend_from_slice(&id.text());
            out.push(b')');
        }
    }

    /// No threads are kept (RFC 8474 §5.2).
    fn write_thread_id(&mut self, out: &mut Vec<u8>) {
        self.line.item(out, "THREADID");
        out.extend_from_slice(b"NIL");
    }

    fn write_envelope(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(facts) = context.trouble.note(context.facts.get(self.uid()))
            && let Some(envelope) = facts.envelope(context.dialect)
        {
            self.line.item(out, "ENVELOPE");
            out.extend_from_slice(envelope);
        }
    }

    fn write_structure(&mut self, extended: bool, context: &mut Context<'_>, out: &mut Vec<u8>) {
        if let Some(facts) = context.trouble.note(context.facts.get(self.uid()))
            && let Some(answers) = facts.answers()
        {
            let name = if extended { "BODYSTRUCTURE" } else { "BODY" };
            self.line.item(out, name);
            answers.append_structure(extended, context.dialect, out);
        }
    }

    /// NIL only where it may be: the client asks again then.
    fn write_preview(&mut self, lazy: bool, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let facts = match lazy {
            true => context.facts.known(self.uid(), Wants::PREVIEW),
            false => match context.trouble.note(context.facts.get(self.uid())) {
                Some(facts) => Some(facts),
                None => return,
            },
        };
        let preview = facts.and_then(|facts| facts.preview());
        self.line.item(out, "PREVIEW");
        write::nstring(out, preview, context.dialect);
    }

    fn write_body(&mut self, body: &Body, context: &mut Context<'_>, out: &mut Vec<u8>) {
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

    fn write_binary(&mut self, binary: &Binary, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let value = match self.source(context) {
            Some(source) => binary.value(source),
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

    fn write_binary_size(&mut self, binary: &Binary, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let size = match self.source(context) {
            Some(source) => binary.size(source),
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

    /// The file, opened when it is first needed.
    fn source(&mut self, context: &mut Context<'_>) -> Option<&Source> {
        if let File::Closed = self.source {
            let opened = open(self.uid(), context);
            self.source = match context.trouble.note(opened) {
                Some(source) => File::Open(Box::new(source)),
                None => File::Missing,
            };
        }
        match &self.source {
            File::Open(source) => Some(source),
            File::Closed | File::Missing => None,
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

/// Reads of a message what the command needs of its file.
fn open(uid: Uid, context: &mut Context<'_>) -> Result<Source, Error> {
    let mut source = Source::read(context.mailbox, uid, context.plan.need())?;
    let wants = context.plan.wants();
    if wants.structure || source.on_disk() {
        let facts = context.facts.get_wanting(uid, Wants::STRUCTURE)?;
        if let Some(places) = facts.places() {
            source.set_places(places);
        }
    }
    Ok(source)
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
