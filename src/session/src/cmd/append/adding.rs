//! The end of an APPEND: its messages become visible. Many do so in steps, so that
//! the client hears that the command runs (not how far: it has been told of octets
//! so far, and such numbers must not fall); where one fails, or the client goes,
//! those before it are removed again.

use super::{Ended, Open};
use crate::error::Error;
use crate::job::{Job, Pace, Reply, Step};
use crate::session::{Named, Session};
use roost_imap::ResponseCode;
use roost_store::Append;
use roost_types::{UidSet, UidValidity};
use std::sync::Arc;
use std::time::Instant;

/// Messages of one step, at most. In tests a few are many.
const STEP_ADDED: u64 = if cfg!(test) { 2 } else { 10_000 };

struct Adding {
    append: Append,
    named: Named,
    /// The places of those that the client has seen.
    seen: Vec<u64>,
    /// Those that are visible.
    added: UidSet,
    validity: Option<UidValidity>,
    pace: Pace,
    total: u64,
}

/// Messages that are all here and that may be added.
pub(super) fn start(session: &mut Session, open: Open, out: &mut Vec<u8>) -> Result<Ended, Error> {
    let Open {
        mut append,
        named,
        seen,
        ..
    } = open;
    append.prepare().map_err(Error::Destination)?;
    let mut adding = Adding {
        total: append.waiting() as u64,
        append,
        named,
        seen,
        added: UidSet::new(),
        validity: None,
        pace: Pace::new(STEP_ADDED, session.settings.running_interval),
    };
    if adding.total <= adding.pace.messages()
        && let Step::Done(reply) = adding.step(session, out)?
    {
        return Ok(Ended::Done(reply));
    }
    Ok(Ended::Job(Box::new(adding)))
}

impl Adding {
    fn go_on(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let begun = Instant::now();
        let mailbox = Arc::clone(self.append.mailbox());
        let before = session.before_adding(&mailbox);
        let most = usize::try_from(self.pace.messages()).unwrap_or(usize::MAX);
        let outcome = self.append.commit_some(most).map_err(Error::Destination)?;
        session.after_adding(&mailbox, &before, &outcome.uids);
        if self.validity.replace(outcome.uid_validity) != Some(outcome.uid_validity) {
            // UIDs from before mean nothing any more.
            self.added = UidSet::new();
        }
        self.added.extend_set(&outcome.uids);
        self.pace.took(outcome.uids.len(), begun.elapsed());
        match self.append.waiting() {
            0 => Ok(Step::Done(self.finish(session, out))),
            _ => Ok(Step::More),
        }
    }

    fn finish(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Reply {
        let uids = std::mem::take(&mut self.added);
        session.counters.appended += self.total;
        session.tell_normalized(&self.named, false, out);
        let text = "Append completed";
        let Some(validity) = self.validity.filter(|_| uids.len() == self.total) else {
            return Reply::ok(text);
        };
        let mut seen = UidSet::new();
        for &at in &self.seen {
            seen.extend_set(&uids.at_places(at..at + 1));
        }
        session.seen_in(self.append.mailbox(), &seen);
        Reply::ok_code(ResponseCode::AppendUid { validity, uids }, text)
    }

    /// What the client has not been told of was not added.
    fn undo(&mut self) {
        let added = std::mem::take(&mut self.added);
        if added.is_empty() {
            return;
        }
        if let Err(e) = self.append.mailbox().remove(&added) {
            log::error!(
                "{} messages stay of an APPEND that failed: {e}",
                added.len()
            );
        }
    }
}

/// Its client may be gone before it is done.
impl Drop for Adding {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Job for Adding {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let added = self.go_on(session, out);
        if added.is_err() {
            self.undo();
        }
        added
    }
}
