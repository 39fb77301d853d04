//! The FETCH response of one message, item by item.

use super::Trouble;
use super::binary::Measured;
use super::pieces::Sending;
use super::plan::{Item, Plan};
use super::source::Source;
use crate::changes::Style;
use crate::error::Error;
use crate::facts::{FactsReader, Wants};
use crate::session::Session;
use crate::view::ViewRow;
use roost_imap::write::{Dialect, FetchLine};
use roost_store::Mailbox;
use roost_types::{SeqNum, Uid};
use std::sync::Arc;

/// The message being answered.
pub(super) struct Message {
    pub row: ViewRow,
    source: File,
    pub line: Line,
    /// Items begun, those counted that were not asked for as one.
    begun: usize,
    pub sending: Option<Sending>,
}

/// The message's file.
enum File {
    /// No item has needed it yet.
    Closed,
    Open(Box<Opened>),
    /// The message is gone, or cannot be read.
    Missing,
}

/// A file, and what was found out about it.
pub(super) struct Opened {
    pub source: Source,
    pub measured: Measured,
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
    pub uid: bool,
    flags: bool,
    modseq: bool,
}

impl Unasked {
    /// For a message that has just got `\Seen`, or has not: that is a change
    /// to be told (RFC 9051 §7.5.2, RFC 7162 §3.2.4).
    pub fn of(plan: &Plan, style: Style, seen: bool) -> Self {
        let enabled = style.enabled;
        let flags = seen && !plan.asks.flags;
        let uid = style.uid || enabled.rev2 && flags || enabled.condstore && seen;
        Self {
            uid: uid && !enabled.uid_only && !plan.asks.uid,
            flags,
            modseq: enabled.condstore && seen && !plan.asks.modseq,
        }
    }
}

/// The response, opened with the first item that can be answered.
pub(super) struct Line {
    seq: SeqNum,
    uid: Uid,
    style: Style,
    open: Option<FetchLine>,
}

impl Line {
    /// Goes on to the next item, whose name follows.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        self.open
            .get_or_insert_with(|| self.style.open(out, self.seq, self.uid))
            .next(out);
    }

    pub fn item(&mut self, out: &mut Vec<u8>, name: &str) {
        self.next(out);
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
    }
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

    /// Items read the message's file.
    pub fn has_file(&self) -> bool {
        !matches!(self.source, File::Closed)
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

    pub fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(line) = self.line.open.take() {
            line.close(out);
        }
    }

    /// The file, opened when it is first needed.
    pub fn opened(&mut self, context: &mut Context<'_>) -> Option<&mut Opened> {
        if let File::Closed = self.source {
            let opened = open(self.uid(), context);
            self.source = match context.trouble.note(opened) {
                Some(source) => File::Open(Box::new(Opened {
                    source,
                    measured: Measured::default(),
                })),
                None => File::Missing,
            };
        }
        match &mut self.source {
            File::Open(opened) => Some(opened),
            File::Closed | File::Missing => None,
        }
    }

    pub fn source(&mut self, context: &mut Context<'_>) -> Option<&Source> {
        self.opened(context).map(|opened| &opened.source)
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
