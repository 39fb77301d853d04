//! A run of about a thousand messages: the unit that pictures share.

use super::cold::{Cold, ColdData, ColdRow, Facts};
use super::hot::{Counts, Hot, HotRow, Summary, before_unseen};
use crate::index::RowBlock;
use std::sync::Arc;

/// Messages in a full chunk.
pub(crate) const CHUNK: usize = 1024;

#[derive(Debug)]
pub(crate) struct Chunk {
    hot: Hot,
    cold: Arc<Cold>,
    /// Kept up to date with the rows, but for `before_unseen`; `highest` may
    /// be higher than need be.
    summary: Summary,
    /// What it is a part of: that knows of all rows, should a block of the
    /// index be damaged.
    whole: Option<Arc<Chunk>>,
}

impl Clone for Chunk {
    /// To be changed, so the rows are wanted.
    fn clone(&self) -> Self {
        let rows = self.rows();
        Self {
            hot: self.hot.copy(rows),
            cold: Arc::clone(&self.cold),
            summary: Summary::of(rows),
            whole: self.whole.clone(),
        }
    }
}

impl Chunk {
    pub fn new(rows: Vec<HotRow>, cold: Arc<Cold>) -> Self {
        Self {
            summary: Summary::of(&rows),
            hot: Hot::new(rows),
            cold,
            whole: None,
        }
    }

    /// The same, of rows some of which may have been made up for damage.
    pub fn put_together(rows: Vec<HotRow>, cold: Arc<Cold>, rebuilt: bool) -> Self {
        let chunk = Self::new(rows, cold);
        if rebuilt {
            chunk.hot.note_rebuilt();
        }
        chunk
    }

    /// One whose rows are read when somebody needs them.
    pub fn in_index(summary: Summary, rows: RowBlock, cold: Cold) -> Self {
        Self {
            hot: Hot::in_index(rows),
            cold: Arc::new(cold),
            summary,
            whole: None,
        }
    }

    /// Whether a row can have been touched after the change `modseq`.
    pub fn changed_since(&self, modseq: u64) -> bool {
        self.summary.highest > modseq
    }

    /// Reads them from the index if nobody has needed them before.
    pub fn rows(&self) -> &[HotRow] {
        self.hot.rows(&self.summary, &self.cold)
    }

    pub fn counts(&self) -> Counts {
        self.summary.counts
    }

    pub fn len(&self) -> usize {
        self.summary.counts.messages as usize
    }

    pub fn first_uid(&self) -> u32 {
        self.summary.first
    }

    pub fn last_uid(&self) -> u32 {
        self.summary.last
    }

    /// How many rows lie before the first one without `\Seen`.
    pub fn before_unseen(&self) -> Option<u32> {
        if self.summary.counts.unseen == 0 {
            return None;
        }
        match self.hot.at_hand() {
            Some(rows) => before_unseen(rows),
            None => Some(self.summary.before_unseen),
        }
    }

    /// The UID of a row; the first and the last are known without the rows.
    pub fn uid_at(&self, at: usize) -> Option<u32> {
        match at {
            0 => Some(self.summary.first),
            _ if at + 1 == self.len() => Some(self.summary.last),
            _ => self.rows().get(at).map(|r| r.uid),
        }
    }

    /// How many rows have a UID below `uid`.
    pub fn count_below(&self, uid: u32) -> usize {
        if uid <= self.summary.first {
            0
        } else if uid > self.summary.last {
            self.len()
        } else {
            self.rows().partition_point(|r| r.uid < uid)
        }
    }

    pub fn position(&self, uid: u32) -> Option<usize> {
        if uid < self.summary.first {
            return None;
        }
        self.rows().binary_search_by_key(&uid, |r| r.uid).ok()
    }

    pub fn cold(&self, uid: u32) -> Option<ColdRow<'_>> {
        self.cold.row(|| self.all_rows(), uid)
    }

    pub fn cold_side(&self) -> &Cold {
        &self.cold
    }

    /// The cold facts of all rows.
    pub fn cold_data(&self) -> Arc<ColdData> {
        self.cold.data(|| self.all_rows())
    }

    fn all_rows(&self) -> &[HotRow] {
        self.whole.as_deref().unwrap_or(self).rows()
    }

    /// Those of its rows that `stays` says; itself where that is all of them.
    pub fn part(self: &Arc<Self>, stays: impl Fn(&HotRow) -> bool) -> Option<Arc<Self>> {
        let rows = self.rows();
        if rows.iter().all(&stays) {
            return Some(Arc::clone(self));
        }
        let rows: Vec<HotRow> = rows.iter().filter(|row| stays(row)).copied().collect();
        let whole = self.whole.as_ref().unwrap_or(self);
        (!rows.is_empty()).then(|| {
            Arc::new(Self {
                whole: Some(Arc::clone(whole)),
                ..Self::new(rows, Arc::clone(&self.cold))
            })
        })
    }

    /// Where the rows stand in the index, as long as nobody has needed them.
    pub fn row_block(&self) -> Option<RowBlock> {
        self.hot.block()
    }

    /// The same messages with other flags.
    pub fn with_rows(&self, rows: Vec<HotRow>) -> Self {
        Self::new(rows, Arc::clone(&self.cold))
    }

    /// From now on the rows are to be read from there.
    pub fn relieve_rows_to(&self, block: &RowBlock) {
        self.hot.relieve_to(block);
    }

    /// As it is written.
    pub fn summary(&self) -> Summary {
        match self.hot.at_hand() {
            Some(rows) => Summary::of(rows),
            None => self.summary,
        }
    }

    /// The index was damaged here.
    pub fn is_rebuilt(&self) -> bool {
        self.hot.is_rebuilt()
    }

    /// Gives all rows the number of a change that they may have seen.
    pub fn touch(&mut self, modseq: u64) {
        for at in 0..self.len() {
            self.update(at, |row| row.modseq = modseq);
        }
        self.hot.forget_rebuilt();
    }

    /// Adds a row behind the others where no other picture can see it.
    pub fn push_unshared(&mut self, row: HotRow, facts: &Facts<'_>) -> bool {
        let unshared = Arc::get_mut(&mut self.cold).is_some_and(|cold| cold.push_unshared(facts));
        if unshared && let Some((rows, summary)) = self.changing() {
            rows.push(row);
            summary.counts.add(Counts::of(&row));
            summary.last = row.uid;
            summary.highest = summary.highest.max(row.modseq);
        }
        unshared
    }

    /// The rows and their summary, to be changed together.
    fn changing(&mut self) -> Option<(&mut Vec<HotRow>, &mut Summary)> {
        if self.hot.at_hand().is_none() || self.is_rebuilt() {
            // Rows made up for damage are not those that were counted.
            self.summary = Summary::of(self.rows());
        }
        Some((self.hot.at_hand_mut()?, &mut self.summary))
    }

    /// Changes one row and the counts with it.
    pub fn update(&mut self, at: usize, change: impl FnOnce(&mut HotRow)) {
        if let Some((rows, summary)) = self.changing()
            && let Some(row) = rows.get_mut(at)
        {
            summary.counts.subtract(Counts::of(row));
            change(row);
            summary.highest = summary.highest.max(row.modseq);
            summary.counts.add(Counts::of(row));
        }
    }

    pub fn retain(&mut self, keep: impl FnMut(&HotRow) -> bool) {
        if let Some((rows, summary)) = self.changing() {
            rows.retain(keep);
            *summary = Summary::of(rows);
        }
    }

    /// [`update`](Self::update) for the rows with UIDs from `first` to `last`.
    pub fn update_range(&mut self, (first, last): (u32, u32), mut change: impl FnMut(&mut HotRow)) {
        let from = self.count_below(first);
        let to = self.count_below(last.saturating_add(1));
        for at in from..to {
            self.update(at, &mut change);
        }
    }

    /// Most of what the cold chunk holds is about messages that are gone.
    pub fn is_sparse(&self) -> bool {
        self.len() * 2 < self.cold.len()
    }

    /// Adds this chunk's messages to a chunk under construction; true where
    /// the index was damaged here.
    #[must_use]
    pub fn copy_into(&self, rows: &mut Vec<HotRow>, cold: &mut ColdData) -> bool {
        let data = self.cold_data();
        for row in self.rows() {
            rows.push(*row);
            cold.push(&data.facts(row.uid).unwrap_or(Facts::none(row.uid)));
        }
        self.is_rebuilt()
    }
}
