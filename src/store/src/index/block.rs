//! Parts of a snapshot file that are read when somebody asks: the rows of a
//! chunk, and what else is known of their messages.

use super::bytes::Take;
use super::change::{ROW, take_block, take_row};
use super::file::IndexFile;
use super::log::Fault;
use crate::snapshot::{ColdData, HotRow, Summary};
use std::sync::Arc;

/// Where a chunk's cold facts stand.
#[derive(Clone)]
pub(crate) struct Block {
    pub(super) file: Arc<IndexFile>,
    pub(super) at: u64,
    pub(super) len: u32,
    pub(super) crc: u32,
}

impl Block {
    /// The facts; `None`, with a word in the log, if they are damaged.
    pub fn read(&self) -> Option<Arc<ColdData>> {
        let data = self
            .raw()
            .and_then(|raw| take_block(&raw).ok_or(Fault::Damaged));
        let data = data.inspect_err(|e| self.file.complain(e)).ok()?;
        Some(self.kept(data))
    }

    /// What the UID list knows of `rows`.
    pub fn rebuild(&self, rows: &[HotRow]) -> Arc<ColdData> {
        self.kept(self.file.rebuild_facts(rows))
    }

    fn kept(&self, data: ColdData) -> Arc<ColdData> {
        let data = Arc::new(data);
        self.file.remember(&data);
        data
    }

    /// The octets, checked.
    pub(super) fn raw(&self) -> Result<Vec<u8>, Fault> {
        self.file.checked(self.at, self.len as usize, self.crc)
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({}, {})", self.at, self.len)
    }
}

/// Where a chunk's rows stand.
#[derive(Clone)]
pub(crate) struct RowBlock {
    pub(super) file: Arc<IndexFile>,
    pub(super) at: u64,
    pub(super) crc: u32,
    /// Sets of keywords that there were.
    pub(super) sets: usize,
}

impl RowBlock {
    /// The rows that `summary` is of; `None`, with a word in the log, if they
    /// are damaged.
    pub fn read(&self, summary: &Summary) -> Option<Vec<HotRow>> {
        let raw = self.raw(summary);
        let rows = raw.and_then(|raw| self.take(&raw, summary).ok_or(Fault::Damaged));
        rows.inspect_err(|e| self.file.complain(e)).ok()
    }

    fn take(&self, raw: &[u8], summary: &Summary) -> Option<Vec<HotRow>> {
        let take = &mut Take(raw);
        let mut rows = Vec::with_capacity(raw.len() / ROW);
        while !take.is_empty() {
            rows.push(take_row(take, self.sets)?);
        }
        let whole = rows.is_sorted_by(|a, b| a.uid < b.uid) && Summary::of(&rows) == *summary;
        whole.then_some(rows)
    }

    /// As many rows as there were, of the messages with these UIDs, if they
    /// are known. Flags and keywords have to be read from file names.
    pub fn rebuild(&self, summary: &Summary, uids: Option<Vec<u32>>) -> Vec<HotRow> {
        let rows = self.file.rebuild_rows(summary, uids);
        self.file.note_lost();
        rows
    }

    /// The octets, checked.
    pub(super) fn raw(&self, summary: &Summary) -> Result<Vec<u8>, Fault> {
        let len = summary.counts.messages as usize * ROW;
        self.file.checked(self.at, len, self.crc)
    }
}

impl std::fmt::Debug for RowBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowBlock({})", self.at)
    }
}
