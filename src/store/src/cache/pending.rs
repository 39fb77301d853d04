//! Records that wait to be written together.

use super::block::{self, MAX_COUNT, first_of, group_of};
use std::collections::BTreeMap;
use std::ops::Range;

/// A block's payload is no larger than this, or else a single record.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Pending {
    /// By column and UID.
    records: BTreeMap<(u8, u32), Range<usize>>,
    octets: Vec<u8>,
}

impl Pending {
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    pub fn put(&mut self, column: u8, uid: u32, record: &[u8]) {
        let start = self.octets.len();
        self.octets.extend_from_slice(record);
        self.records.insert((column, uid), start..self.octets.len());
    }

    pub fn of_group(&self, column: u8, group: u32) -> impl Iterator<Item = (u32, &[u8])> {
        self.records
            .range((column, first_of(group))..=(column, u32::MAX))
            .take_while(move |((_, uid), _)| group_of(*uid) == group)
            .map(|((_, uid), range)| (*uid, self.octets.get(range.clone()).unwrap_or_default()))
    }

    /// All records as blocks; nothing waits afterwards.
    pub fn take(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.octets.len() + self.records.len() * 16);
        let mut blocks = Blocks::new(&mut out);
        for (&(column, uid), range) in &self.records {
            let record = self.octets.get(range.clone()).unwrap_or_default();
            blocks.push(column, uid, record);
        }
        blocks.flush();
        *self = Self::default();
        out
    }
}

/// Puts records together to blocks.
pub(super) struct Blocks<'a> {
    out: &'a mut Vec<u8>,
    column: u8,
    records: Vec<(u32, &'a [u8])>,
    payload: usize,
}

impl<'a> Blocks<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            column: 0,
            records: Vec::new(),
            payload: 0,
        }
    }

    /// The next record, by column and rising UID.
    pub fn push(&mut self, column: u8, uid: u32, record: &'a [u8]) {
        let same = |&(last, _): &(u32, &[u8])| group_of(last) == group_of(uid);
        let fits = self.column == column
            && self.records.last().is_none_or(same)
            && self.records.len() < MAX_COUNT
            && self.payload + record.len() <= MAX_PAYLOAD;
        if !fits {
            self.flush();
        }
        self.column = column;
        self.payload += record.len();
        self.records.push((uid, record));
    }

    pub fn flush(&mut self) {
        if !self.records.is_empty() {
            block::write(self.out, self.column, &self.records);
        }
        self.records.clear();
        self.payload = 0;
    }
}
