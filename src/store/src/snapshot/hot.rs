//! The hot side of a chunk: its rows, which are read from the index when
//! somebody needs one of them, and what SELECT and STATUS tell without them.
//!
//! What must stay true: there are always as many rows as the summary says,
//! with rising UIDs between its first and last, also where the index turns out
//! to be damaged; sequence numbers follow from that.

use super::cold::Cold;
use super::keywords::KeywordSetId;
use crate::index::RowBlock;
use crate::mailbox::lock;
use roost_types::SystemFlags;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

/// The hot columns of one message: 16 octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HotRow {
    pub uid: u32,
    pub flags: SystemFlags,
    pub state: u8,
    pub keywords: KeywordSetId,
    /// The number of the change that touched it last.
    pub modseq: u64,
}

const _: () = assert!(size_of::<HotRow>() == 16);

/// `\Recent` is still to be claimed.
pub(crate) const RECENT: u8 = 1;
/// The file lies in `new/`.
pub(crate) const IN_NEW: u8 = 2;
/// The name does not follow from base name, flags and letters; the mailbox
/// has it in its table of odd names.
pub(crate) const ODD_NAME: u8 = 4;

impl HotRow {
    pub fn is(&self, state: u8) -> bool {
        self.state & state != 0
    }

    pub fn set(&mut self, state: u8, on: bool) {
        if on {
            self.state |= state;
        } else {
            self.state &= !state;
        }
    }
}

/// Numbers that SELECT and STATUS tell, kept up to date with the rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub messages: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub recent: u32,
}

impl Counts {
    pub fn of(row: &HotRow) -> Self {
        Self {
            messages: 1,
            unseen: u32::from(!row.flags.contains(SystemFlags::SEEN)),
            deleted: u32::from(row.flags.contains(SystemFlags::DELETED)),
            recent: u32::from(row.is(RECENT)),
        }
    }

    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.unseen += other.unseen;
        self.deleted += other.deleted;
        self.recent += other.recent;
    }

    pub fn subtract(&mut self, other: Self) {
        self.messages -= other.messages;
        self.unseen -= other.unseen;
        self.deleted -= other.deleted;
        self.recent -= other.recent;
    }
}

/// What is known of a chunk without its rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Summary {
    pub counts: Counts,
    /// UIDs of the first row and the last one.
    pub first: u32,
    pub last: u32,
    /// No row has a higher change number.
    pub highest: u64,
    /// How many rows lie before the first one without `\Seen`, if there is one.
    pub before_unseen: u32,
}

impl Summary {
    pub fn of(rows: &[HotRow]) -> Self {
        let mut summary = Self {
            first: rows.first().map_or(0, |r| r.uid),
            last: rows.last().map_or(0, |r| r.uid),
            before_unseen: before_unseen(rows).unwrap_or(0),
            ..Self::default()
        };
        for row in rows {
            summary.counts.add(Counts::of(row));
            summary.highest = summary.highest.max(row.modseq);
        }
        summary
    }
}

pub(super) fn before_unseen(rows: &[HotRow]) -> Option<u32> {
    let unseen = |row: &HotRow| !row.flags.contains(SystemFlags::SEEN);
    u32::try_from(rows.iter().position(unseen)?).ok()
}

/// The rows of a chunk, in memory or still in the index.
#[derive(Debug)]
pub(super) struct Hot {
    rows: OnceLock<Vec<HotRow>>,
    /// Where they stand until they have been read.
    block: Mutex<Option<RowBlock>>,
    /// The index was damaged: flags and keywords are not what they were.
    rebuilt: AtomicBool,
}

impl Hot {
    pub fn new(rows: Vec<HotRow>) -> Self {
        Self {
            rows: OnceLock::from(rows),
            block: Mutex::default(),
            rebuilt: AtomicBool::new(false),
        }
    }

    pub fn in_index(block: RowBlock) -> Self {
        Self {
            rows: OnceLock::new(),
            block: Mutex::new(Some(block)),
            rebuilt: AtomicBool::new(false),
        }
    }

    pub fn rows(&self, summary: &Summary, cold: &Cold) -> &[HotRow] {
        self.rows.get_or_init(|| self.load(summary, cold))
    }

    /// The rows if nothing has to be read for them.
    pub fn at_hand(&self) -> Option<&[HotRow]> {
        self.rows.get().map(Vec::as_slice)
    }

    /// To be changed, if they are at hand.
    pub fn at_hand_mut(&mut self) -> Option<&mut Vec<HotRow>> {
        self.rows.get_mut()
    }

    fn load(&self, summary: &Summary, cold: &Cold) -> Vec<HotRow> {
        let Some(block) = lock(&self.block).take() else {
            return Vec::new();
        };
        block.read(summary).unwrap_or_else(|| {
            self.note_rebuilt();
            block.rebuild(summary, cold.uids())
        })
    }

    /// Where they stand, as long as nobody has read them.
    pub fn block(&self) -> Option<RowBlock> {
        lock(&self.block).clone()
    }

    /// From now on they are to be read from there.
    pub fn relieve_to(&self, block: &RowBlock) {
        if let Some(old) = lock(&self.block).as_mut() {
            *old = block.clone();
        }
    }

    pub fn note_rebuilt(&self) {
        self.rebuilt.store(true, Ordering::Release);
    }

    pub fn is_rebuilt(&self) -> bool {
        self.rebuilt.load(Ordering::Acquire)
    }

    pub fn forget_rebuilt(&mut self) {
        *self.rebuilt.get_mut() = false;
    }

    /// Of rows that have been loaded.
    pub fn copy(&self, rows: &[HotRow]) -> Self {
        let copy = Self::new(rows.to_vec());
        copy.rebuilt.store(self.is_rebuilt(), Ordering::Release);
        copy
    }
}
