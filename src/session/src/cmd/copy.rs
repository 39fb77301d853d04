//! COPY, MOVE and their UID forms (RFC 9051 §6.4.7 and §6.4.8, RFC 6851,
//! RFC 4315 §3).

use super::append::destination;
use super::store::READ_ONLY;
use crate::error::Error;
use crate::job::Reply;
use crate::selected::Selected;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::CopyArgs;
use roost_imap::write::{self, Status};
use roost_store::{CopyMode, CopyOutcome, Error as StoreError, Mailbox};
use roost_types::UidSet;
use std::sync::Arc;

/// Messages that others take away meanwhile are left out so many times.
const TRIES: usize = 5;

/// The store copies all messages or none, so this is one piece of work.
pub(super) fn run(
    session: &mut Session,
    args: &CopyArgs,
    mode: CopyMode,
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let selected = session.selected()?;
    let seqs = selected.resolve(&args.set, args.uid)?;
    if mode == CopyMode::Move && selected.read_only() {
        return Err(Error::refused(ResponseCode::ReadOnly, READ_ONLY));
    }
    let to = destination(session, &args.mailbox)?;
    let uids = selected.view().uids_of(&seqs);
    // By its number the client means a message; nothing is copied if that is
    // not there any more (RFC 2180 §4.4).
    if !args.uid && !uids.ghosts.is_empty() {
        return Err(StoreError::Expunged.into());
    }
    let (nothing, done) = match mode {
        CopyMode::Copy => ("No messages to copy", "Copy completed"),
        CopyMode::Move => ("No messages to move", "Move completed"),
    };
    if uids.live.is_empty() {
        return Ok(Reply::ok(nothing));
    }
    let before = session.before_adding(&to);
    let outcome = match copy_some(selected, uids.live, &to, mode, args.uid)? {
        Some(outcome) => outcome,
        None => return Ok(Reply::ok(nothing)),
    };
    let moved = outcome.pairs.len() as u64;
    let added = outcome.pairs.iter().map(|&(_, uid)| uid).collect();
    session.after_adding(&to, &before, &added);
    let code = ResponseCode::CopyUid {
        validity: outcome.uid_validity,
        pairs: outcome.pairs,
    };
    match mode {
        CopyMode::Copy => Ok(Reply::ok_code(code, done)),
        // The client needs it before the messages go (RFC 9051 §6.4.8).
        CopyMode::Move => {
            session.counters.expunged += moved;
            write::untagged(out, Status::Ok, Some(&code), "Moved");
            Ok(Reply::ok(done))
        }
    }
}

/// Copies what is there of messages that are named by their UIDs (RFC 9051
/// §6.4.9), or all of those named by their numbers. `None`: none is there.
fn copy_some(
    selected: &Selected,
    mut uids: UidSet,
    to: &Arc<Mailbox>,
    mode: CopyMode,
    by_uid: bool,
) -> Result<Option<CopyOutcome>, Error> {
    for _ in 0..TRIES {
        if uids.is_empty() {
            return Ok(None);
        }
        let copied = selected.mailbox().copy(&uids, to, mode);
        let outcome = copied.map_err(Error::Destination)?;
        if !outcome.pairs.is_empty() {
            return Ok(Some(outcome));
        }
        if !by_uid {
            break;
        }
        uids = uids.difference(&outcome.missing);
    }
    Err(StoreError::Expunged.into())
}
