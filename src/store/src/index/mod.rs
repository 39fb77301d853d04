//! Roost's own index: what opening a mailbox would otherwise have to find out
//! again, and the history of changes that no Maildir format has.
//!
//! What must stay true:
//! - the Maildir and its sidecars are the truth; deleting anything in the
//!   index folder costs no mail, flag, keyword or UID;
//! - change numbers never fall: history that is lost starts anew above every
//!   number that was ever given out;
//! - one process writes an index, and one mailbox at a time.

mod block;
mod bytes;
mod change;
mod closing;
mod file;
pub(crate) mod folder;
mod header;
pub(crate) mod history;
mod keeper;
mod log;
mod salvage;
mod sweep;
mod told;
mod write;

pub(crate) use block::{Block, RowBlock};
pub(crate) use change::OddNames;
pub(crate) use folder::{Folder, Folders, IndexFolder, IndexPlace};
pub(crate) use keeper::{Index, Kept};
pub(crate) use told::{LeftOut, Settled, Told};
pub(crate) use write::{Rest, Writer};

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Change numbers follow the clock, so that a history that starts anew starts
/// above all that came before: seconds since 1970, and in the lower bits
/// microseconds, of which there are fewer than 2^20.
const PER_SECOND: u32 = 20;

/// The last number that a reader's change has got ([`crate::seen`]), or any
/// that was ahead of the clock; the mailbox's later changes have higher ones,
/// though it knows of none of those.
static LAST_OF_READERS: AtomicU64 = AtomicU64::new(0);

/// The number for a change after `last`.
pub(crate) fn next_modseq(last: u64) -> u64 {
    let next = last.saturating_add(1).max(first_modseq());
    if next > clock() {
        // A history that begins anew knows the clock alone, which is behind.
        LAST_OF_READERS.fetch_max(next, Ordering::AcqRel);
    }
    next
}

/// The number for a reader's change after `last`.
pub(crate) fn next_modseq_of_reader(last: u64) -> u64 {
    let next = next_modseq(last);
    LAST_OF_READERS.fetch_max(next, Ordering::AcqRel);
    next
}

/// Numbers that readers' changes had up to now.
pub(crate) fn note_modseq_of_reader(highest: u64) {
    LAST_OF_READERS.fetch_max(highest, Ordering::AcqRel);
}

/// The number for a history that begins now.
pub(crate) fn first_modseq() -> u64 {
    let last = LAST_OF_READERS.load(Ordering::Acquire);
    last.saturating_add(1).max(clock())
}

fn clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    now.as_secs() << PER_SECOND | u64::from(now.subsec_micros())
}
