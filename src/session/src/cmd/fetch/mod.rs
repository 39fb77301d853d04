//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4 and §3.2.6).
//!
//! Messages are answered one by one, items in the client's order. What is
//! known of a message ([`crate::facts`]) is copied; what is not is found out
//! for some hundred messages at once. Files are opened for bodies alone, and
//! for header fields that are not kept. Large bodies leave in pieces from the
//! file.
//!
//! What must stay true:
//! - an item is begun only when its value, or the exact length of the literal,
//!   is known; from then on the response can only be completed or, should the
//!   file turn out shorter, the connection ended ([`crate::error::Fatal::Truncated`]);
//! - of a message that is gone all that is known is answered, the other items
//!   are left out (never empty: a client would keep that), and the command
//!   ends with NO (RFC 2180 §4.1.3).

mod binary;
mod body;
mod columns;
mod message;
mod pieces;
pub(crate) mod plan;
mod queue;
mod quick;
pub(crate) mod source;
#[cfg(test)]
mod tests;

use crate::changes::{Changes, Style};
use crate::cmd::sync::vanished_since;
use crate::error::Error;
use crate::facts::FactsReader;
use crate::job::{Job, Reply, STEP_OCTETS, Step, step_time};
use crate::session::Session;
use message::{Context, Message, Unasked};
use plan::Plan;
use queue::Queue;
use roost_imap::ResponseCode;
use roost_imap::command::{FetchArgs, FetchItem};
use roost_imap::write::{Dialect, Vanished};
use roost_store::Mailbox;
use roost_types::{ModSeq, SeqSet, UidSet};
use std::sync::Arc;
use std::time::Instant;

/// Begins the command.
pub(crate) fn start(session: &mut Session, args: FetchArgs) -> Result<Box<dyn Job>, Error> {
    let selected = session.selected()?;
    let mut seqs = selected.resolve(&args.set, args.uid)?;
    if let Some(range) = args.modifiers.partial {
        seqs = seqs.at_places(range.window(seqs.len()));
    }
    let mut vanished = UidSet::new();
    if let Some(since) = args.modifiers.changed_since {
        seqs = seqs.intersection(&selected.view().changed_since(since));
        if args.modifiers.vanished {
            vanished = vanished_since(selected, since, &selected.uids_in(&args.set));
        }
    }
    let fetch = Fetch::new(session, args.items, args.uid, &seqs, &vanished)?;
    Ok(Box::new(fetch))
}

/// Of new messages, unasked (RFC 5465 §5.2).
pub(crate) fn of_messages(
    session: &Session,
    items: Vec<FetchItem>,
    uids: &UidSet,
) -> Result<Box<dyn Job>, Error> {
    let seqs = session.selected()?.view().seqs_of(uids);
    let fetch = Fetch::new(session, items, true, &seqs, &UidSet::new())?;
    Ok(Box::new(fetch))
}

pub(super) struct Fetch {
    plan: Plan,
    style: Style,
    dialect: Dialect,
    mailbox: Arc<Mailbox>,
    facts: FactsReader,
    scratch: Vec<u8>,
    /// Told before any message.
    vanished: Vanished,
    queue: Queue,
    /// Messages of the present batch that have just got `\Seen`.
    unseen: UidSet,
    /// What others changed, found when setting `\Seen`.
    changes: Option<Changes>,
    current: Option<Message>,
    /// The file of a message has been opened.
    reads_files: bool,
    trouble: Trouble,
}

/// Why the command ends with NO, the first cause of each kind.
#[derive(Default)]
struct Trouble {
    gone: bool,
    unknown_encoding: bool,
    failure: Option<Error>,
}

impl Job for Fetch {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let (begun, start) = (Instant::now(), out.len());
        while out.len() - start < STEP_OCTETS {
            if !self.vanished.is_empty() {
                self.vanished.write_line(out);
            } else if let Some(changes) = &mut self.changes {
                if !changes.write(out, session.selected()?, self.style) {
                    return Ok(Step::More);
                }
                self.changes = None;
            } else if self.current.is_some() {
                self.go_on(session, out, start + STEP_OCTETS)?;
            } else if !self.begin(session, out, start + STEP_OCTETS)? {
                return self.reply().map(Step::Done);
            }
            if self.takes_time() && begun.elapsed() >= step_time() {
                break;
            }
        }
        Ok(Step::More)
    }

    fn mid_response(&self) -> bool {
        self.current.as_ref().is_some_and(Message::is_open)
    }
}

impl Fetch {
    fn new(
        session: &Session,
        items: Vec<FetchItem>,
        uid: bool,
        seqs: &SeqSet,
        vanished: &UidSet,
    ) -> Result<Self, Error> {
        let plan = Plan::new(items, uid);
        let mailbox = Arc::clone(session.selected()?.mailbox());
        Ok(Self {
            facts: FactsReader::with(&mailbox, plan.wants()),
            scratch: Vec::new(),
            style: session.style(uid),
            dialect: session.dialect(),
            vanished: Vanished::new(vanished, true),
            queue: Queue::new(seqs, plan.sets_seen()),
            mailbox,
            unseen: UidSet::new(),
            changes: None,
            current: None,
            reads_files: false,
            trouble: Trouble::default(),
            plan,
        })
    }

    /// What has changed in `uids` since a client was here, those that have
    /// vanished first (RFC 7162 §3.2.5.1).
    pub fn resync(
        session: &Session,
        since: ModSeq,
        uids: &UidSet,
        vanished: &UidSet,
    ) -> Result<Self, Error> {
        let view = session.selected()?.view();
        let seqs = view.seqs_of(uids).intersection(&view.changed_since(since));
        let items = vec![FetchItem::Flags, FetchItem::ModSeq];
        Self::new(session, items, true, &seqs, vanished)
    }

    /// Files are read, so that a step has to look at the clock.
    fn takes_time(&self) -> bool {
        self.reads_files || self.facts.has_read()
    }

    /// Answers what is at hand, and takes the next message; false when there
    /// is none.
    fn begin(
        &mut self,
        session: &mut Session,
        out: &mut Vec<u8>,
        until: usize,
    ) -> Result<bool, Error> {
        self.answer_quickly(session, out, until)?;
        if out.len() >= until {
            return Ok(true);
        }
        let Some(row) = self.queue.next_of_batch() else {
            return self.begin_batch(session);
        };
        self.current = Some(Message::new(row, self.style));
        Ok(true)
    }

    /// Takes the next messages together, and sets `\Seen` on them if that is
    /// asked for: one short write for all of them.
    fn begin_batch(&mut self, session: &mut Session) -> Result<bool, Error> {
        let seqs = self.queue.next_batch();
        if seqs.is_empty() {
            return Ok(false);
        }
        if self.plan.sets_seen() {
            let selected = session.selected_mut()?;
            let uids = selected.view().uids_of(&seqs).live;
            self.unseen = UidSet::new();
            match selected.mark_seen(&uids) {
                Ok((unseen, changes)) => {
                    self.unseen = unseen;
                    self.changes = Some(changes);
                }
                Err(fatal @ Error::Fatal(_)) => return Err(fatal),
                // Mail can be read all the same.
                Err(error) => log::warn!("{}: setting \\Seen: {error}", self.mailbox.name()),
            }
        }
        let uids = self.queue.begin(&seqs, session.selected()?.view());
        if self.plan.uses_facts() {
            self.facts.prefetch(&uids);
        }
        Ok(true)
    }

    /// Goes on with the literal under way, or with the items of the message:
    /// one if they need its file, otherwise as many as fit until `out` has
    /// grown to `until` octets.
    fn go_on(
        &mut self,
        session: &mut Session,
        out: &mut Vec<u8>,
        until: usize,
    ) -> Result<(), Error> {
        let Some(message) = &mut self.current else {
            return Ok(());
        };
        if message.pump(out)? {
            return Ok(());
        }
        let mut context = Context {
            style: self.style,
            dialect: self.dialect,
            mailbox: &self.mailbox,
            plan: &self.plan,
            facts: &mut self.facts,
            scratch: &mut self.scratch,
            trouble: &mut self.trouble,
            session,
        };
        loop {
            match message.next_item() {
                None => {
                    let unseen = self.unseen.contains(message.uid());
                    let unasked = Unasked::of(&self.plan, self.style, unseen);
                    message.unasked(unasked, &mut context, out)?;
                }
                Some(index) => match self.plan.items().get(index) {
                    Some(item) => message.item(item, &mut context, out)?,
                    None => {
                        message.close(out);
                        self.current = None;
                        return Ok(());
                    }
                },
            }
            self.reads_files |= message.has_file();
            if message.has_file() || out.len() >= until {
                return Ok(());
            }
        }
    }

    fn reply(&mut self) -> Result<Reply, Error> {
        if let Some(failure) = self.trouble.failure.take() {
            return Err(failure);
        }
        Ok(if self.trouble.gone {
            Reply::no(
                ResponseCode::ExpungeIssued,
                "Some of the messages have been expunged",
            )
        } else if self.trouble.unknown_encoding {
            Reply::no(
                ResponseCode::UnknownCte,
                "Content transfer encoding not known",
            )
        } else {
            Reply::ok("Fetch completed")
        })
    }
}

impl Trouble {
    /// What could be had, the trouble noted otherwise.
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(Error::Store(roost_store::Error::Expunged)) => self.gone = true,
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
        None
    }

    /// What could be decoded, noted otherwise.
    fn note_encoding<T>(&mut self, found: Option<T>) -> Option<T> {
        self.unknown_encoding |= found.is_none();
        found
    }
}
