//! Roost's own index: what opening a mailbox would otherwise have to find out
//! again, and the history of changes that no Maildir format has.
//!
//! What must stay true:
//! - the Maildir and its sidecars are the truth; deleting anything in the
//!   index folder costs no mail, flag, keyword or UID;
//! - change numbers never fall: history that is lost starts anew above every
//!   number that was ever given out;
//! - one process writes an index, and one mailbox at a time.

pub(crate) mod folder;
pub(crate) mod history;

pub(crate) use folder::{Folder, IndexFolder, IndexPlace};

use std::time::{SystemTime, UNIX_EPOCH};

/// Change numbers follow the clock at a million a second, so that a history
/// that starts anew starts above all that came before.
const PER_SECOND: u32 = 20;

/// The number for a change after `last`.
pub(crate) fn next_modseq(last: u64) -> u64 {
    last.saturating_add(1).max(clock_modseq())
}

/// The number for a history that begins now.
pub(crate) fn clock_modseq() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // Microseconds fit below a second's bits: what begins anew within a second
    // is above what was given out in it, too.
    now.map_or(0, |t| {
        t.as_secs() << PER_SECOND | u64::from(t.subsec_micros())
    })
}
