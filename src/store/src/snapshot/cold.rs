//! What a picture knows of its messages besides the hot columns: base names,
//! sizes, dates. Shared by all pictures that have the message; what has to be
//! asked of the disk is filled in later, through atomics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

const NO_SIZE: u64 = u64::MAX;
const NO_TIME: i64 = i64::MIN;

/// Facts about up to a chunk's worth of messages, by rising UID.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    uids: Vec<u32>,
    names: Vec<u8>,
    /// Where each name ends in `names`.
    ends: Vec<u32>,
    stored: Vec<AtomicU64>,
    sizes: Vec<AtomicU64>,
    internal: Vec<AtomicI64>,
    saved: Vec<AtomicI64>,
}

/// The cold facts of one message.
#[derive(Clone, Copy)]
pub(crate) struct ColdRow<'a> {
    cold: &'a Cold,
    slot: usize,
}

impl Cold {
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            uids: Vec::with_capacity(rows),
            names: Vec::with_capacity(rows * 64),
            ends: Vec::with_capacity(rows),
            stored: Vec::with_capacity(rows),
            sizes: Vec::with_capacity(rows),
            internal: Vec::with_capacity(rows),
            saved: Vec::with_capacity(rows),
        }
    }

    pub fn len(&self) -> usize {
        self.uids.len()
    }

    /// Adds a message above all others.
    pub fn push(&mut self, uid: u32, base: &[u8], stored: Option<u64>, size: Option<u64>) {
        self.uids.push(uid);
        self.names.extend_from_slice(base);
        self.ends
            .push(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.stored.push(AtomicU64::new(stored.unwrap_or(NO_SIZE)));
        self.sizes.push(AtomicU64::new(size.unwrap_or(NO_SIZE)));
        self.internal.push(AtomicI64::new(NO_TIME));
        self.saved.push(AtomicI64::new(NO_TIME));
    }

    /// Adds a message of another chunk with all that is known of it.
    pub fn push_row(&mut self, uid: u32, row: ColdRow<'_>) {
        self.push(uid, row.base(), row.stored(), row.size());
        if let (Some(to), Some(time)) = (self.internal.last(), row.internal_date()) {
            to.store(time, Ordering::Relaxed);
        }
        if let (Some(to), Some(time)) = (self.saved.last(), row.save_date()) {
            to.store(time, Ordering::Relaxed);
        }
    }

    pub fn row(&self, uid: u32) -> Option<ColdRow<'_>> {
        let slot = self.uids.binary_search(&uid).ok()?;
        Some(ColdRow { cold: self, slot })
    }
}

impl<'a> ColdRow<'a> {
    /// The base name, up to the first `:`.
    pub fn base(self) -> &'a [u8] {
        let at = |slot: usize| self.cold.ends.get(slot).map_or(0, |&end| end as usize);
        let start = self.slot.checked_sub(1).map_or(0, at);
        self.cold
            .names
            .get(start..at(self.slot))
            .unwrap_or_default()
    }

    /// Octets of the uncompressed file.
    pub fn stored(self) -> Option<u64> {
        load_size(&self.cold.stored, self.slot)
    }

    /// RFC822.SIZE.
    pub fn size(self) -> Option<u64> {
        load_size(&self.cold.sizes, self.slot)
    }

    pub fn set_size(self, size: u64) {
        if let Some(to) = self.cold.sizes.get(self.slot) {
            to.store(size, Ordering::Relaxed);
        }
    }

    pub fn internal_date(self) -> Option<i64> {
        load_time(&self.cold.internal, self.slot)
    }

    pub fn save_date(self) -> Option<i64> {
        load_time(&self.cold.saved, self.slot)
    }

    /// The first answers stay: a save date is the file's change time, which a
    /// later rename moves.
    pub fn set_dates(self, internal: i64, saved: i64) {
        for (column, time) in [(&self.cold.internal, internal), (&self.cold.saved, saved)] {
            if let Some(to) = column.get(self.slot) {
                let _ = to.compare_exchange(NO_TIME, time, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }
}

fn load_size(column: &[AtomicU64], slot: usize) -> Option<u64> {
    let value = column.get(slot)?.load(Ordering::Relaxed);
    (value != NO_SIZE).then_some(value)
}

fn load_time(column: &[AtomicI64], slot: usize) -> Option<i64> {
    let value = column.get(slot)?.load(Ordering::Relaxed);
    (value != NO_TIME).then_some(value)
}
