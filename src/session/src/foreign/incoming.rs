//! COPY and MOVE out of a mailbox of another account into an own one.
//!
//! Messages become visible here in steps, but all are copied or none: what has
//! come before an error goes again. Those of a MOVE are expunged there in steps
//! when all are safe here. Where that fails before one is gone, and none is left
//! marked as deleted, the copies go again, too; otherwise all of them stay, and
//! the client is told of them: better two than none.

use super::fetching::{self, Removed, Removing};
use super::{Event, Next, STEP, Task, Turn, lost};
use crate::cmd::encrypted::append::Sealing;
use crate::error::Error;
use crate::flag_names;
use crate::job::Reply;
use crate::link::LinkId;
use crate::session::State;
use roost_imap::ResponseCode;
use roost_imap::command::CopyArgs;
use roost_imap::parse::{fetched, write_set};
use roost_imap::write::{self, Status};
use roost_smime::Recipient;
use roost_store::{Append, CopyMode, Mailbox, Within};
use roost_types::{Keyword, SeqNum, SequenceSet, SystemFlags, Uid, UidSet, UidValidity};
use std::sync::Arc;

pub(super) struct Incoming {
    shown: String,
    args: CopyArgs,
    mode: CopyMode,
    to: Arc<Mailbox>,
    /// The flags that may be set here.
    within: Within,
    /// Messages are encrypted before they are stored.
    sealing: Option<Sealing>,
    append: Option<Append>,
    /// How many have come, and of how many where that is known.
    come: u64,
    expected: Option<u64>,
    /// The message whose octets come.
    current: Option<Uid>,
    /// Those in `append`.
    waiting: Vec<Uid>,
    /// Old and new UIDs of those that are here.
    pairs: Vec<(Uid, Uid)>,
    validity: Option<UidValidity>,
    /// Messages that were marked as deleted there.
    marked: UidSet,
    removing: Option<Removing>,
    told: bool,
    /// The client has been told, or nothing can be undone any more.
    kept: bool,
}

impl Incoming {
    pub fn new(
        shown: String,
        args: CopyArgs,
        mode: CopyMode,
        (to, within, recipient): (Arc<Mailbox>, Within, Option<Arc<Recipient>>),
    ) -> Self {
        Self {
            shown,
            args,
            mode,
            to,
            within,
            sealing: recipient.map(Sealing::new),
            append: None,
            come: 0,
            expected: None,
            current: None,
            waiting: Vec::new(),
            pairs: Vec::new(),
            validity: None,
            marked: UidSet::new(),
            removing: None,
            told: false,
            kept: false,
        }
    }

    fn append(&mut self) -> Result<&mut Append, Error> {
        if self.append.is_none() {
            let append = self.to.append().map_err(Error::Destination)?;
            self.append = Some(match self.sealing {
                // The sizes that count are those before.
                Some(_) => append.of_any_size(),
                None => append,
            });
        }
        self.append.as_mut().ok_or_else(lost)
    }

    /// A message begins, or it is something else, which is passed on.
    fn begins(&mut self, turn: &mut Turn<'_>, text: super::reader::Text<'_>) -> Result<(), Error> {
        if self
            .removing
            .as_ref()
            .is_some_and(|r| r.may_be_told(text.bytes))
        {
            self.tell(turn);
        }
        let message = match self.removing.is_none() && text.literal.is_some() {
            true => fetched(text.bytes),
            false => None,
        };
        let Some(mut message) = message else {
            turn.pass(text);
            return Ok(());
        };
        flag_names::settle(&mut message.flags.keywords, false);
        let keywords: &[Keyword] = match self.within.keywords {
            true => &message.flags.keywords,
            false => &[],
        };
        let system = message.flags.system & self.within.system;
        self.append()?
            .begin_message(system, keywords, message.date)
            .map_err(Error::Destination)?;
        if let Some(sealing) = &mut self.sealing {
            sealing.begin(message.size);
        }
        self.current = Some(message.uid);
        if message.flags.system.contains(SystemFlags::DELETED) {
            self.marked.insert(message.uid);
        }
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        match (&mut self.sealing, &mut self.append) {
            (Some(sealing), Some(append)) => sealing.write(octets, append),
            _ => self.append()?.write(octets).map_err(Error::Destination),
        }
    }

    /// A message is complete.
    fn ends(&mut self, turn: &mut Turn<'_>, uid: Uid) -> Result<(), Error> {
        if let (Some(sealing), Some(append)) = (&mut self.sealing, &mut self.append) {
            sealing.finish(append)?;
        }
        self.append()?
            .finish_message()
            .map_err(Error::Destination)?;
        self.waiting.push(uid);
        self.come += 1;
        match self.waiting.len() < STEP {
            true => Ok(()),
            false => self.commit(turn),
        }
    }

    /// Makes what has come visible.
    fn commit(&mut self, turn: &mut Turn<'_>) -> Result<(), Error> {
        let Some(append) = self.append.take() else {
            return Ok(());
        };
        let before = turn.session.before_adding(&self.to);
        let outcome = append.commit().map_err(Error::Destination)?;
        turn.session.after_adding(&self.to, &before, &outcome.uids);
        if self.validity.replace(outcome.uid_validity) != Some(outcome.uid_validity) {
            // UIDs from before mean nothing any more.
            self.pairs.clear();
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.pairs
            .extend(waiting.into_iter().zip(outcome.uids.iter()));
        Ok(())
    }

    fn code(&self) -> Option<ResponseCode> {
        let pairs = self.pairs.clone();
        let validity = self.validity.filter(|_| !pairs.is_empty())?;
        Some(ResponseCode::CopyUid { validity, pairs })
    }

    /// The client needs the new UIDs before it hears that the old ones are
    /// gone (RFC 6851 §4.3).
    fn tell(&mut self, turn: &mut Turn<'_>) {
        if !std::mem::replace(&mut self.told, true)
            && let Some(code) = self.code()
        {
            write::untagged(turn.out, Status::Ok, Some(&code), "Moved");
        }
    }

    /// All have come.
    fn complete(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
        self.commit(turn)?;
        let code = self.code();
        if self.mode == CopyMode::Copy || code.is_none() {
            self.kept = true;
            return Ok(Next::Done(Reply {
                status: Status::Ok,
                text: match (&code, self.mode) {
                    (Some(_), _) => "Copy completed",
                    (None, CopyMode::Copy) => "No messages to copy",
                    (None, CopyMode::Move) => "No messages to move",
                }
                .into(),
                code,
            }));
        }
        let uids: UidSet = self.pairs.iter().map(|&(old, _)| old).collect();
        let mut removing = Removing::new(&uids, std::mem::take(&mut self.marked));
        let removed = removing.go(turn, id)?;
        self.kept = removing.needs_copies();
        self.removing = Some(removing);
        Ok(removed.ends(turn))
    }

    fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        id: LinkId,
        status: Status,
        line: &[u8],
    ) -> Result<Next, Error> {
        if let Some(mut removing) = self.removing.take() {
            if removing.is_expunging() && status == Status::Ok {
                self.tell(turn);
            }
            let removed = removing.answered(turn, id, status, line)?;
            self.kept = removing.needs_copies();
            self.removing = Some(removing);
            if self.kept && matches!(removed, Removed::Refused(_)) {
                self.tell(turn);
            }
            return Ok(removed.ends(turn));
        }
        if status == Status::Ok {
            return self.complete(turn, id);
        }
        turn.usual(&Event::Tagged(id, status, line))
    }

    /// The client has not been told of the copies: they go again. Not if it is
    /// not sure that the messages are still where they were.
    fn undo(&mut self) {
        let copies: UidSet = self.pairs.drain(..).map(|(_, uid)| uid).collect();
        if self.kept || copies.is_empty() {
            return;
        }
        if let Err(e) = self.to.remove(&copies) {
            log::error!("{} copies stay of a COPY that failed: {e}", copies.len());
        }
    }
}

/// How many messages a set of numbers means in a mailbox of so many. Of UIDs
/// only the session there knows.
fn by_number(args: &CopyArgs, exists: u32) -> Option<u64> {
    let known = !args.uid && args.set != SequenceSet::Saved;
    known.then(|| args.set.resolve::<SeqNum>(SeqNum::new(exists)).len())
}

/// Its client may be gone before it is done.
impl Drop for Incoming {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Task for Incoming {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => match turn.link(&self.shown) {
                Ok(id) => {
                    if let State::Foreign(remote) = &turn.session.state {
                        self.expected = by_number(&self.args, remote.told.exists);
                    }
                    let mut set = Vec::new();
                    write_set(&mut set, &self.args.set);
                    let command = fetching::command(turn, self.args.uid, &set);
                    turn.send(id, &command)
                }
                Err(ask) => Ok(ask),
            },
            Event::Text(id, text) => {
                match self.current {
                    _ if text.begins => self.begins(turn, text)?,
                    None => turn.pass(text),
                    Some(uid) => {
                        self.current = None;
                        self.ends(turn, uid)?;
                    }
                }
                Ok(Next::Read(id))
            }
            Event::Literal(id, octets) => {
                match self.current {
                    Some(_) => self.write(octets)?,
                    None => turn.pass_octets(octets),
                }
                Ok(Next::Read(id))
            }
            Event::Tagged(id, status, line) => self.answered(turn, id, status, line),
            Event::Lost(_) if self.kept => {
                self.tell(turn);
                Err(lost())
            }
            other => turn.usual(&other),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some((self.come, self.expected))
    }
}
