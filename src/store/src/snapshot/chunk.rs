//! A run of about a thousand messages: the unit that pictures share.

use super::cold::{Cold, ColdData, ColdRow, Facts};
use super::keywords::KeywordSetId;
use roost_types::SystemFlags;
use std::sync::Arc;

/// Messages in a full chunk.
pub(crate) const CHUNK: usize = 1024;

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

#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    rows: Vec<HotRow>,
    cold: Arc<Cold>,
    pub counts: Counts,
    /// No row has a higher one.
    highest: u64,
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
    fn of(row: &HotRow) -> Self {
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

impl Chunk {
    pub fn new(rows: Vec<HotRow>, cold: Arc<Cold>) -> Self {
        let mut counts = Counts::default();
        let mut highest = 0;
        for row in &rows {
            counts.add(Counts::of(row));
            highest = highest.max(row.modseq);
        }
        Self {
            rows,
            cold,
            counts,
            highest,
        }
    }

    /// Whether a row can have been touched after the change `modseq`.
    pub fn changed_since(&self, modseq: u64) -> bool {
        self.highest > modseq
    }

    pub fn rows(&self) -> &[HotRow] {
        &self.rows
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn first_uid(&self) -> u32 {
        self.rows.first().map_or(0, |r| r.uid)
    }

    pub fn last_uid(&self) -> u32 {
        self.rows.last().map_or(0, |r| r.uid)
    }

    pub fn position(&self, uid: u32) -> Option<usize> {
        self.rows.binary_search_by_key(&uid, |r| r.uid).ok()
    }

    pub fn cold(&self, uid: u32) -> Option<ColdRow<'_>> {
        self.cold.row(&self.rows, uid)
    }

    pub fn cold_side(&self) -> &Cold {
        &self.cold
    }

    /// The cold facts of all rows.
    pub fn cold_data(&self) -> Arc<ColdData> {
        self.cold.data(&self.rows)
    }

    /// Adds a row behind the others where no other picture can see it.
    pub fn push_unshared(&mut self, row: HotRow, facts: &Facts<'_>) -> bool {
        let unshared = Arc::get_mut(&mut self.cold).is_some_and(|cold| cold.push_unshared(facts));
        if unshared {
            self.rows.push(row);
            self.counts.add(Counts::of(&row));
            self.highest = self.highest.max(row.modseq);
        }
        unshared
    }

    /// Changes one row and the counts with it.
    pub fn update(&mut self, at: usize, change: impl FnOnce(&mut HotRow)) {
        if let Some(row) = self.rows.get_mut(at) {
            self.counts.subtract(Counts::of(row));
            change(row);
            self.highest = self.highest.max(row.modseq);
            self.counts.add(Counts::of(row));
        }
    }

    pub fn retain(&mut self, keep: impl FnMut(&HotRow) -> bool) {
        self.rows.retain(keep);
        *self = Self::new(std::mem::take(&mut self.rows), Arc::clone(&self.cold));
    }

    /// [`update`](Self::update) for the rows with UIDs from `first` to `last`.
    pub fn update_range(&mut self, (first, last): (u32, u32), mut change: impl FnMut(&mut HotRow)) {
        let from = self.rows.partition_point(|r| r.uid < first);
        let to = self.rows.partition_point(|r| r.uid <= last);
        for at in from..to {
            self.update(at, &mut change);
        }
    }

    /// Most of what the cold chunk holds is about messages that are gone.
    pub fn is_sparse(&self) -> bool {
        self.rows.len() * 2 < self.cold.len()
    }

    /// Adds this chunk's messages to a chunk under construction.
    pub fn copy_into(&self, rows: &mut Vec<HotRow>, cold: &mut ColdData) {
        let data = self.cold_data();
        for row in &self.rows {
            rows.push(*row);
            cold.push(&data.facts(row.uid).unwrap_or(Facts::none(row.uid)));
        }
    }
}
