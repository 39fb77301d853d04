//! REPLACE (RFC 8508) where the message and the mailbox for its successor are in
//! two accounts: the new one is added, and when it is safe the old one goes, as
//! with MOVE. Where that fails both are there, and the client has been told of
//! the new one.

use super::append::Append;
use super::fetching::{Removed, Removing};
use super::{ClientFrame, Event, Next, Task, Turn, lost};
use crate::cmd::append::{self as here, Appending, Ended};
use crate::error::Error;
use crate::job::Reply;
use crate::session::Progress;
use roost_imap::ResponseCode;
use roost_imap::command::Replaced;
use roost_imap::frame::AppendStart;
use roost_imap::parse::{appended, found};
use roost_imap::write::{self, Status};
use roost_store::Mailbox;
use roost_types::{SetBound, Uid, UidSet};
use std::sync::Arc;

/// The message that goes.
pub(super) enum Old {
    Here(Arc<Mailbox>, Uid),
    /// In the selected mailbox of this account.
    There(String, Replaced),
}

/// Where the new one goes.
pub(super) enum To {
    Here(Option<Box<AppendStart>>),
    There(Append),
}

pub(super) struct Replacing {
    old: Old,
    to: To,
    stage: Stage,
    /// The old message there, if others had marked it as deleted before.
    marked: UidSet,
}

enum Stage {
    Begins,
    /// Which message it is is asked for.
    Finds(Option<UidSet>),
    /// Whether it is marked as deleted.
    Looks(UidSet),
    Appends(Option<Box<Appending>>, UidSet),
    Removes(Removing),
}

impl Replacing {
    pub fn new(old: Old, to: To) -> Self {
        Self {
            old,
            to,
            stage: Stage::Begins,
            marked: UidSet::new(),
        }
    }

    fn begin(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let (shown, replaced) = match &self.old {
            Old::Here(_, uid) => return self.append(turn, UidSet::range(*uid, *uid)),
            Old::There(shown, replaced) => (shown, replaced),
        };
        let id = turn.link(shown).map_err(|_| lost())?;
        let uid = if replaced.uid { "UID " } else { "" };
        let message = match replaced.message {
            SetBound::Number(n) => n.to_string(),
            SetBound::Star => "*".into(),
        };
        let command = format!("{} UID SEARCH RETURN (ALL) {uid}{message}", turn.tag);
        self.stage = Stage::Finds(None);
        turn.send(id, command.as_bytes())
    }

    /// The new message is asked for.
    fn append(&mut self, turn: &mut Turn<'_>, old: UidSet) -> Result<Next, Error> {
        match &mut self.to {
            To::There(append) => {
                self.stage = Stage::Appends(None, old);
                append.on(turn, Event::Go)
            }
            To::Here(start) => {
                let start = start.take().ok_or_else(lost)?;
                let (appending, progress) = here::begin(turn.session, *start, Ok(()), turn.out);
                self.stage = Stage::Appends(Some(Box::new(appending)), old);
                Ok(wanted(progress))
            }
        }
    }

    /// The client sends the message, which stays here.
    fn frame(&mut self, turn: &mut Turn<'_>, frame: ClientFrame) -> Result<Next, Error> {
        let Stage::Appends(appending, old) = &mut self.stage else {
            return Err(lost());
        };
        let mut appending = appending.take().ok_or_else(lost)?;
        let progress = match frame {
            ClientFrame::Data(octets) => appending.data(&octets, turn.out),
            ClientFrame::Next(message) => appending.next(turn.session, &message, turn.out),
            ClientFrame::End => {
                let old = std::mem::take(old);
                let (_, _, result) = appending.end(turn.session, turn.out);
                // It is one message.
                let Ended::Done(reply) = result? else {
                    return Err(lost());
                };
                return self.added(turn, reply.code.as_ref(), &old);
            }
            ClientFrame::Done => return Err(lost()),
        };
        self.stage = Stage::Appends(Some(appending), std::mem::take(old));
        Ok(wanted(progress))
    }

    /// The new message is safe. The client learns its UID before the old one
    /// goes (RFC 8508 §4.3).
    fn added(
        &mut self,
        turn: &mut Turn<'_>,
        code: Option<&ResponseCode>,
        old: &UidSet,
    ) -> Result<Next, Error> {
        if code.is_some() {
            let text = "Replacement message ready";
            write::untagged(turn.out, Status::Ok, code, text);
        }
        match &self.old {
            Old::Here(mailbox, _) => {
                turn.session.permit_here_still(turn.kind, turn.out)?;
                let gone = mailbox.remove(old)?;
                turn.session.counters.expunged += gone.len();
                Ok(replaced())
            }
            Old::There(shown, _) => {
                let id = turn.link(shown).map_err(|_| lost())?;
                let mut removing = Removing::new(old, std::mem::take(&mut self.marked));
                let removed = removing.go(turn, id)?;
                self.stage = Stage::Removes(removing);
                Ok(goes_on(turn, removed))
            }
        }
    }
}

fn wanted(progress: Progress) -> Next {
    match progress {
        Progress::AcceptAppend => Next::Accept,
        Progress::RefuseAppend => Next::Refuse,
        _ => Next::Frame,
    }
}

fn replaced() -> Next {
    Next::Done(Reply::ok("Replace completed"))
}

fn goes_on(turn: &mut Turn<'_>, removed: Removed) -> Next {
    match removed {
        Removed::All => replaced(),
        other => other.ends(turn),
    }
}

impl Task for Replacing {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match (&mut self.stage, event) {
            (Stage::Begins, Event::Go) => self.begin(turn),
            (Stage::Finds(uids), Event::Text(id, text)) => {
                match text.begins && text.bytes.starts_with(b"* ESEARCH ") {
                    true => *uids = found(text.bytes),
                    false => turn.pass(text),
                }
                Ok(Next::Read(id))
            }
            (Stage::Finds(uids), Event::Tagged(id, Status::Ok, _)) => {
                let uids = uids.take().filter(|uids| !uids.is_empty());
                let none = || {
                    let text = "No message has this UID";
                    Error::refused(ResponseCode::NonExistent, text)
                };
                let uids = uids.ok_or_else(none)?;
                let command = format!("{} UID SEARCH RETURN (ALL) UID {uids} DELETED", turn.tag);
                self.stage = Stage::Looks(uids);
                turn.send(id, command.as_bytes())
            }
            (Stage::Looks(_), Event::Text(id, text)) => {
                match text.begins && text.bytes.starts_with(b"* ESEARCH ") {
                    true => self.marked = found(text.bytes).unwrap_or_default(),
                    false => turn.pass(text),
                }
                Ok(Next::Read(id))
            }
            (Stage::Looks(uids), Event::Tagged(_, Status::Ok, _)) => {
                let uids = std::mem::take(uids);
                self.append(turn, uids)
            }
            (Stage::Appends(None, old), event) => {
                let To::There(append) = &mut self.to else {
                    return turn.usual(&event);
                };
                match event {
                    // Without the right nothing is added either.
                    Event::Frame(ClientFrame::End) if matches!(self.old, Old::Here(..)) => {
                        turn.session.permit_here_still(turn.kind, turn.out)?;
                        append.on(turn, event)
                    }
                    Event::Tagged(_, Status::Ok, line) if append.is_complete() => {
                        let old = std::mem::take(old);
                        let code = appended(line);
                        let code =
                            code.map(|(validity, uids)| ResponseCode::AppendUid { validity, uids });
                        self.added(turn, code.as_ref(), &old)
                    }
                    event => append.on(turn, event),
                }
            }
            (Stage::Appends(Some(_), _), Event::Go) => Ok(Next::Frame),
            (Stage::Appends(Some(_), _), Event::Frame(frame)) => self.frame(turn, frame),
            (Stage::Removes(removing), Event::Tagged(id, status, line)) => {
                let removed = removing.answered(turn, id, status, line)?;
                Ok(goes_on(turn, removed))
            }
            (_, event) => turn.usual(&event),
        }
    }
}

/// A task that gets a message of the client's: where it ends before the message
/// does, the rest is read away, and then the client is told why.
pub(super) struct Taking {
    inner: Box<dyn Task>,
    ended: bool,
    refusal: Option<Refusal>,
}

enum Refusal {
    Answer(Vec<u8>),
    Error(Error),
}

impl Taking {
    pub fn new(inner: Box<dyn Task>) -> Self {
        Self {
            inner,
            ended: false,
            refusal: None,
        }
    }
}

impl Task for Taking {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        self.ended |= matches!(event, Event::Frame(ClientFrame::End));
        if let Some(refusal) = self.refusal.take() {
            if !self.ended {
                self.refusal = Some(refusal);
                return Ok(Next::Refuse);
            }
            return match refusal {
                Refusal::Error(error) => Err(error),
                Refusal::Answer(line) => {
                    turn.out.extend_from_slice(&line);
                    Ok(Next::Passed)
                }
            };
        }
        let before = turn.out.len();
        self.refusal = Some(match self.inner.on(turn, event) {
            Err(error) if !self.ended => Refusal::Error(error),
            Ok(Next::Passed) if !self.ended => Refusal::Answer(turn.out.split_off(before)),
            other => return other,
        });
        Ok(Next::Refuse)
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        self.inner.progress()
    }
}
