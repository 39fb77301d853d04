//! COPY, MOVE and their UID forms (RFC 9051 §6.4.7 and §6.4.8, RFC 6851,
//! RFC 4315 §3).

use super::Started;
use super::append::destination;
use super::encrypted;
use super::store::READ_ONLY;
use crate::error::Error;
use crate::job::{Job, Pace, Reply, Step, UidPieces};
use crate::rights;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::CopyArgs;
use roost_imap::write::{self, Status};
use roost_store::{CopyMode, CopyOutcome, Error as StoreError, Mailbox, Within};
use roost_types::{Uid, UidSet, UidValidity};
use std::sync::Arc;
use std::time::Instant;

/// Messages moved in one step, at most. Each step waits for the disk and makes
/// a new picture of both mailboxes, so they are many.
const STEP_MOVED: u64 = 5000;

/// Messages copied in one step, at most, since each takes most of a kilobyte until its
/// step is done. In tests a few are many.
const STEP_COPIED: u64 = if cfg!(test) { 2 } else { 10_000 };

/// Messages that others take away meanwhile are left out so many times.
const TRIES: u32 = 5;

pub(super) fn start(session: &Session, args: &CopyArgs, mode: CopyMode) -> Result<Started, Error> {
    let live = chosen(session, args, mode)?;
    let to = destination(session, &args.mailbox)?;
    let within = rights::flags(session.rights(&to.name()));
    if let Some(data) = &args.encrypted {
        let order = encrypted::copy::Order {
            recipient: encrypted::recipient(session, data)?,
            to,
            within,
            uids: live,
            by_uid: args.uid,
            mode,
        };
        return encrypted::copy::start(session, order);
    }
    let bringing = Bringing {
        to,
        within,
        by_uid: args.uid,
        pairs: Vec::new(),
        uid_validity: None,
        pace: Pace::new(
            match mode {
                CopyMode::Copy => STEP_COPIED,
                CopyMode::Move => STEP_MOVED,
            },
            session.settings.running_interval,
        ),
    };
    Ok(Started::Job(match mode {
        CopyMode::Copy => Box::new(Copy {
            bringing,
            total: live.len(),
            done: 0,
            pieces: UidPieces::new(&live),
            piece: UidSet::new(),
            tries: TRIES,
        }),
        CopyMode::Move => Box::new(Move {
            bringing,
            total: live.len(),
            done: 0,
            pieces: UidPieces::new(&live),
        }),
    }))
}

/// The messages that are to be copied or moved.
pub(crate) fn chosen(session: &Session, args: &CopyArgs, mode: CopyMode) -> Result<UidSet, Error> {
    let selected = session.selected()?;
    let seqs = selected.resolve(&args.set, args.uid)?;
    if mode == CopyMode::Move && selected.read_only() {
        return Err(Error::refused(ResponseCode::ReadOnly, READ_ONLY));
    }
    let uids = selected.view().uids_of(&seqs);
    // By its number the client means a message; nothing is copied if that is
    // not there any more (RFC 2180 §4.4).
    match args.uid || uids.ghosts.is_empty() {
        true => Ok(uids.live),
        false => Err(StoreError::Expunged.into()),
    }
}

/// What COPY and MOVE have in common.
struct Bringing {
    to: Arc<Mailbox>,
    /// The flags that may be set there.
    within: Within,
    by_uid: bool,
    /// Old and new UIDs so far.
    pairs: Vec<(Uid, Uid)>,
    uid_validity: Option<UidValidity>,
    pace: Pace,
}

impl Bringing {
    /// Copies or moves messages; those that are missing.
    fn bring(
        &mut self,
        session: &mut Session,
        uids: &UidSet,
        mode: CopyMode,
    ) -> Result<UidSet, Error> {
        let begun = Instant::now();
        let before = session.before_adding(&self.to);
        let from = session.selected()?.mailbox();
        let copied = from.copy_within(uids, &self.to, mode, self.within);
        let CopyOutcome {
            uid_validity,
            pairs,
            missing,
        } = copied.map_err(Error::Destination)?;
        let added = pairs.iter().map(|&(_, uid)| uid).collect();
        session.after_adding(&self.to, &before, &added);
        session.seen_in_copies(&self.to, &pairs);
        if self.uid_validity.replace(uid_validity) != Some(uid_validity) {
            // UIDs from before mean nothing any more.
            self.pairs.clear();
        }
        self.pairs.extend(pairs);
        self.pace.took(uids.len(), begun.elapsed());
        Ok(missing)
    }

    fn code(&mut self) -> Option<ResponseCode> {
        let pairs = std::mem::take(&mut self.pairs);
        let validity = self.uid_validity.filter(|_| !pairs.is_empty())?;
        Some(ResponseCode::CopyUid { validity, pairs })
    }

    /// Nothing was there.
    fn nothing(&self, text: &'static str) -> Result<Step, Error> {
        match self.by_uid {
            true => Ok(Step::Done(Reply::ok(text))),
            false => Err(StoreError::Expunged.into()),
        }
    }
}

/// All or none: when a step fails, what was copied before it goes again.
struct Copy {
    bringing: Bringing,
    pieces: UidPieces,
    /// What is copied in the next step.
    piece: UidSet,
    tries: u32,
    done: u64,
    total: u64,
}

impl Copy {
    fn go_on(&mut self, session: &mut Session) -> Result<Step, Error> {
        if self.piece.is_empty() {
            let Some(piece) = self.pieces.next(self.bringing.pace.messages()) else {
                return self.finish();
            };
            (self.piece, self.tries) = (piece, TRIES);
        }
        let missing = self.bringing.bring(session, &self.piece, CopyMode::Copy)?;
        if missing.is_empty() {
            self.done += self.piece.len();
            self.piece = UidSet::new();
            return match self.done == self.total {
                true => self.finish(),
                false => Ok(Step::More),
            };
        }
        // UIDs of messages that are not there are passed over (RFC 9051 §6.4.9).
        self.piece = self.piece.difference(&missing);
        self.tries -= 1;
        match self.tries > 0 && self.bringing.by_uid {
            true => Ok(Step::More),
            false => Err(StoreError::Expunged.into()),
        }
    }

    fn finish(&mut self) -> Result<Step, Error> {
        let nothing = "No messages to copy";
        match self.bringing.code() {
            Some(code) => Ok(Step::Done(Reply::ok_code(code, "Copy completed"))),
            None if self.total == 0 => Ok(Step::Done(Reply::ok(nothing))),
            None => self.bringing.nothing(nothing),
        }
    }

    /// What the client has not been told of was not copied.
    fn undo(&mut self) {
        let copies = std::mem::take(&mut self.bringing.pairs);
        let copies: UidSet = copies.into_iter().map(|(_, uid)| uid).collect();
        if copies.is_empty() {
            return;
        }
        if let Err(e) = self.bringing.to.remove(&copies) {
            log::error!("{} copies stay of a COPY that failed: {e}", copies.len());
        }
    }
}

/// Its client may be gone before it is done.
impl Drop for Copy {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Job for Copy {
    fn step(&mut self, session: &mut Session, _: &mut Vec<u8>) -> Result<Step, Error> {
        let done = self.go_on(session);
        if done.is_err() {
            self.undo();
        }
        done
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some((self.done, Some(self.total)))
    }
}

/// Each message is moved or not (RFC 6851 §3.3), so they go in pieces.
struct Move {
    bringing: Bringing,
    pieces: UidPieces,
    done: u64,
    total: u64,
}

impl Move {
    /// The client needs the UIDs before the messages go (RFC 9051 §6.4.8).
    fn tell(&mut self, out: &mut Vec<u8>) -> bool {
        let code = self.bringing.code();
        if code.is_some() {
            write::untagged(out, Status::Ok, code.as_ref(), "Moved");
        }
        code.is_some()
    }
}

impl Job for Move {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let Some(uids) = self.pieces.next(self.bringing.pace.messages()) else {
            return match self.tell(out) {
                true => Ok(Step::Done(Reply::ok("Move completed"))),
                false if self.total == 0 => Ok(Step::Done(Reply::ok("No messages to move"))),
                false => self.bringing.nothing("No messages to move"),
            };
        };
        let before = self.bringing.pairs.len();
        let moved = self.bringing.bring(session, &uids, CopyMode::Move);
        let now = self.bringing.pairs.len();
        session.counters.expunged += now.saturating_sub(before) as u64;
        if moved.is_err() {
            // What was moved before stays so.
            self.tell(out);
        }
        moved?;
        self.done += uids.len();
        Ok(Step::More)
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some((self.done, Some(self.total)))
    }
}
