//! An own `\Seen` for everybody who reads a mailbox that is not his own.
//!
//! What the owner and his programs have seen stands in the file names. What
//! others have seen stands beside them ([`file`]), and is laid over each
//! picture of the mailbox ([`picture`]): all sessions of one reader share the
//! pictures that come of it, which share all else with the owner's.
//!
//! What must stay true: a reader's changes have numbers of the same kind as the
//! mailbox's own, and in one order with them ([`crate::Mailbox::mark_seen`]).
//! They are kept for a while only; for who comes with an older one, everything
//! has changed with the last.

pub(crate) mod file;
mod picture;

use crate::mailbox::lock;
use crate::snapshot::Snapshot;
use crate::snapshot::sight::{Sight, Sights};
use file::Entry;
use roost_types::{UidSet, UidValidity};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Changes that are known one by one.
const MAX_CHANGES: usize = 64;

/// Somebody who reads a mailbox of another account.
pub struct Reader {
    pub(crate) name: String,
    /// One of its sessions at a time marks messages.
    marking: Mutex<()>,
    state: Mutex<State>,
    /// What of its newest picture is shown.
    sights: Mutex<Sights>,
}

struct State {
    uid_validity: UidValidity,
    seen: UidSet,
    /// Rises with each change.
    version: u64,
    /// No message counts as changed before this.
    floor: u64,
    /// Changes since, by rising numbers.
    changes: VecDeque<(u64, UidSet)>,
    /// Changed since the last picture was made.
    touched: UidSet,
    last: Option<Last>,
}

/// A picture and what it was made of.
struct Last {
    base: Arc<Snapshot>,
    picture: Arc<Snapshot>,
}

impl Reader {
    pub(crate) fn new(name: &str, entry: &Entry, uid_validity: UidValidity) -> Self {
        Self {
            name: name.to_owned(),
            marking: Mutex::new(()),
            state: Mutex::new(State {
                uid_validity,
                seen: entry.seen.clone(),
                version: 0,
                floor: entry.modseq,
                changes: VecDeque::new(),
                touched: UidSet::new(),
                last: None,
            }),
            sights: Mutex::default(),
        }
    }

    /// What it sees of a mailbox that looks so. Older pictures than the newest
    /// that it has seen count for nothing. Does not block.
    pub fn picture(&self, base: &Arc<Snapshot>) -> Arc<Snapshot> {
        lock(&self.state).picture(base)
    }

    /// What of a picture of its own is shown: see [`crate::Mailbox::shown`].
    pub fn shown(&self, picture: &Arc<Snapshot>, sight: Sight) -> Arc<Snapshot> {
        match picture.effective(sight) {
            Sight::ALL => Arc::clone(picture),
            less => lock(&self.sights).shown(picture, less),
        }
    }

    /// Until it is dropped, nobody else marks messages for it.
    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        lock(&self.marking)
    }

    /// Those of `uids` that it has seen, or has not.
    pub(crate) fn those(&self, uids: &UidSet, seen: bool) -> UidSet {
        let state = lock(&self.state);
        match seen {
            true => uids.intersection(&state.seen),
            false => uids.difference(&state.seen),
        }
    }

    /// The number of its last change.
    pub(crate) fn highest(&self) -> u64 {
        lock(&self.state).highest()
    }

    pub(crate) fn ranges(&self) -> usize {
        lock(&self.state).seen.range_count()
    }

    /// A change that has been written down.
    pub(crate) fn change(&self, uids: &UidSet, seen: bool, modseq: u64) {
        let mut state = lock(&self.state);
        match seen {
            true => state.seen.extend_set(uids),
            false => state.seen = state.seen.difference(uids),
        }
        state.version += 1;
        state.touched.extend_set(uids);
        state.changes.push_back((modseq, uids.clone()));
        if state.changes.len() > MAX_CHANGES
            && let (Some((_, old)), Some((_, next))) =
                (state.changes.pop_front(), state.changes.front_mut())
        {
            next.extend_set(&old);
        }
    }

    /// Others have changed the file, or it has been forgotten.
    pub(crate) fn reset(&self, entry: &Entry, modseq: u64) {
        let mut state = lock(&self.state);
        state.seen = entry.seen.clone();
        state.version += 1;
        state.floor = entry.modseq.max(modseq);
        state.changes.clear();
        state.last = None;
    }

    /// A simpler set that says the same of the messages that there are.
    pub(crate) fn restate(&self, base: &Snapshot) -> UidSet {
        let mut state = lock(&self.state);
        state.seen = picture::simplified(base, &state.seen);
        state.seen.clone()
    }
}

impl State {
    fn highest(&self) -> u64 {
        self.changes
            .back()
            .map_or(self.floor, |(modseq, _)| *modseq)
    }
}
