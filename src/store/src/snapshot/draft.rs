//! The next picture under construction: copies a chunk at its first change.

use super::Snapshot;
use super::chunk::{CHUNK, Chunk};
use super::cold::{Cold, ColdData, Facts};
use super::hot::{Counts, HotRow};
use super::keywords::{KeywordSetId, KeywordTable, SetKey};
use crate::index::{Writer, next_modseq};
use roost_types::{Keyword, SystemFlags, Uid, UidSet, UidValidity};
use std::sync::Arc;

/// A message to be added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRow<'a> {
    pub uid: Uid,
    pub flags: SystemFlags,
    pub keywords: KeywordSetId,
    pub state: u8,
    pub base: &'a [u8],
    /// Where it is not the base name.
    pub guid: Option<&'a [u8]>,
    /// Octets of the uncompressed file, where known.
    pub stored: Option<u64>,
    /// RFC822.SIZE, where known.
    pub size: Option<u64>,
    /// SAVEDATE, of a message that was seen to come.
    pub saved: Option<i64>,
}

/// Changes on their way into the next picture. All rows touched get one new
/// change number.
pub(crate) struct Draft {
    generation: u64,
    uid_validity: UidValidity,
    uid_next: Uid,
    /// Of the picture before.
    before: u64,
    modseq: u64,
    chunks: Vec<Arc<Chunk>>,
    table: Arc<KeywordTable>,
    /// Rows behind `chunks`, not yet made into chunks.
    rows: Vec<HotRow>,
    cold: ColdData,
    /// Some of them were made up for damage.
    rebuilt: bool,
    /// Where full chunks' facts go at once: the first picture of a large
    /// mailbox would take too much memory with them.
    writer: Option<Writer>,
    sparse: bool,
    /// Something a session has to be told.
    changed: bool,
    touched: bool,
    removed: UidSet,
}

impl Draft {
    /// The first picture of a mailbox; `modseq` is the number of its rows.
    pub fn first(uid_validity: UidValidity, uid_next: Uid, modseq: u64) -> Self {
        Self {
            generation: 1,
            uid_validity,
            uid_next,
            before: modseq,
            modseq,
            chunks: Vec::new(),
            table: Arc::default(),
            rows: Vec::new(),
            cold: ColdData::default(),
            rebuilt: false,
            writer: None,
            sparse: false,
            changed: true,
            touched: true,
            removed: UidSet::new(),
        }
    }

    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            generation: snapshot.generation + 1,
            uid_validity: snapshot.uid_validity,
            uid_next: snapshot.uid_next,
            before: snapshot.modseq,
            modseq: next_modseq(snapshot.modseq),
            chunks: snapshot.chunks.clone(),
            table: Arc::clone(&snapshot.table),
            rows: Vec::new(),
            cold: ColdData::default(),
            rebuilt: false,
            writer: None,
            sparse: false,
            changed: false,
            touched: false,
            removed: UidSet::new(),
        }
    }

    /// True once a session would see a difference.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// True once anything differs, what sessions do not see included.
    pub fn touched(&self) -> bool {
        self.touched
    }

    pub fn table(&self) -> &KeywordTable {
        &self.table
    }

    /// Takes over the names of keywords; messages that carry one of another
    /// name now have changed.
    pub fn rename_keywords<'a>(
        &mut self,
        letters: impl Iterator<Item = (u8, &'a Keyword)>,
        extras: impl Iterator<Item = &'a Keyword>,
    ) {
        if let Some(names) = self.table.renamed(letters, extras)
            && self.table_mut().rename(names)
        {
            self.touch_keywords();
        }
    }

    fn table_mut(&mut self) -> &mut KeywordTable {
        self.touched = true;
        Arc::make_mut(&mut self.table)
    }

    /// The set's number, made if need be.
    pub fn intern(&mut self, key: &SetKey) -> Option<KeywordSetId> {
        if let Some(id) = self.table.find(key) {
            return Some(id);
        }
        self.table_mut().intern(key)
    }

    /// Marks every message that carries keywords as changed: their names are
    /// others now.
    fn touch_keywords(&mut self) {
        for at in 0..self.chunks.len() {
            let Some(chunk) = self.chunks.get_mut(at) else {
                break;
            };
            if chunk.rows().iter().all(|r| r.keywords.is_empty()) {
                continue;
            }
            let chunk = Arc::make_mut(chunk);
            for row in 0..chunk.len() {
                let modseq = self.modseq;
                chunk.update(row, |r| {
                    if !r.keywords.is_empty() {
                        r.modseq = modseq;
                    }
                });
            }
        }
        self.changed = true;
        self.touched = true;
    }

    /// Of messages whose flags were lost with a part of the index, nobody knows
    /// what a client was told last.
    pub fn touch_rebuilt(&mut self) {
        for chunk in self.chunks.iter_mut().filter(|c| c.is_rebuilt()) {
            Arc::make_mut(chunk).touch(self.modseq);
            self.changed = true;
            self.touched = true;
        }
    }

    /// Gives a message other flags and keywords.
    pub fn set_flags(&mut self, uid: u32, flags: SystemFlags, keywords: KeywordSetId) {
        let modseq = self.modseq;
        self.update(uid, |row| {
            row.flags = flags;
            row.keywords = keywords;
            row.modseq = modseq;
        });
        self.changed = true;
    }

    /// Changes what sessions do not see, or see only through `\Recent`.
    pub fn update(&mut self, uid: u32, change: impl FnOnce(&mut HotRow)) {
        let at = self.chunks.partition_point(|c| c.last_uid() < uid);
        if let Some(chunk) = self.chunks.get_mut(at)
            && let Some(row) = chunk.position(uid)
        {
            Arc::make_mut(chunk).update(row, change);
            self.touched = true;
        }
    }

    pub fn remove(&mut self, uids: &UidSet) {
        let Some(last) = uids.max() else { return };
        let mut emptied = false;
        let from = (self.chunks).partition_point(|c| Some(c.last_uid()) < uids.min().map(Uid::get));
        for chunk in self.chunks.iter_mut().skip(from) {
            if chunk.first_uid() > last.get() {
                break;
            }
            if !touches(uids, chunk) {
                continue;
            }
            let goes = |r: &HotRow| Uid::new(r.uid).filter(|&uid| uids.contains(uid));
            if !chunk.rows().iter().any(|r| goes(r).is_some()) {
                continue;
            }
            let chunk = Arc::make_mut(chunk);
            let removed = &mut self.removed;
            chunk.retain(|r| match goes(r) {
                Some(uid) => {
                    removed.insert(uid);
                    false
                }
                None => true,
            });
            self.changed = true;
            self.touched = true;
            self.sparse |= chunk.is_sparse();
            emptied |= chunk.len() == 0;
        }
        if emptied {
            self.chunks.retain(|c| c.len() > 0);
        }
    }

    /// What has been removed so far.
    pub fn removed(&self) -> &UidSet {
        &self.removed
    }

    /// Adds a message; its UID must be above all others.
    pub fn push(&mut self, row: &NewRow<'_>) {
        let hot = HotRow {
            uid: row.uid.get(),
            flags: row.flags,
            state: row.state,
            keywords: row.keywords,
            modseq: self.modseq,
        };
        let facts = Facts {
            uid: hot.uid,
            base: row.base,
            guid: row.guid,
            stored: row.stored,
            size: row.size,
            internal: None,
            saved: row.saved,
        };
        self.push_row(hot, &facts);
    }

    pub fn push_row(&mut self, row: HotRow, facts: &Facts<'_>) {
        if self.rows.len() >= CHUNK {
            self.flush();
        }
        self.changed = true;
        self.touched = true;
        if let Some(uid_next) = Uid::new(row.uid.saturating_add(1)) {
            self.raise_uid_next(uid_next);
        }
        if self.rows.is_empty() {
            if let Some(last) = self.chunks.last_mut().and_then(Arc::get_mut)
                && last.len() < CHUNK
                && last.push_unshared(row, facts)
            {
                return;
            }
            self.cold = ColdData::with_capacity(1);
            // A last chunk with room is taken up again; otherwise single
            // deliveries would make a chunk each.
            if let Some(last) = self.chunks.pop_if(|c| c.len() < CHUNK) {
                self.rebuilt = last.copy_into(&mut self.rows, &mut self.cold);
            }
        }
        self.cold.push(facts);
        self.rows.push(row);
    }

    pub fn raise_uid_next(&mut self, uid_next: Uid) {
        if uid_next > self.uid_next {
            self.uid_next = uid_next;
            self.touched = true;
        }
    }

    fn flush(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let data = std::mem::take(&mut self.cold);
        let written = match &mut self.writer {
            Some(writer) if rows.len() >= CHUNK => writer.block(&data),
            _ => None,
        };
        let cold = match written {
            Some(block) => Cold::in_index(block, data.len()),
            None => Cold::new(data),
        };
        let rebuilt = std::mem::take(&mut self.rebuilt);
        let chunk = Chunk::put_together(rows, Arc::new(cold), rebuilt);
        self.chunks.push(Arc::new(chunk));
    }

    pub fn set_writer(&mut self, writer: Option<Writer>) {
        self.writer = writer;
    }

    pub fn take_writer(&mut self) -> Option<Writer> {
        self.writer.take()
    }

    /// The number that all rows touched get.
    pub fn modseq(&self) -> u64 {
        self.modseq
    }

    /// The highest UID in it, 0 if it is empty.
    pub fn last_uid(&self) -> u32 {
        let last = self.rows.last().map(|r| r.uid);
        last.or_else(|| Some(self.chunks.last()?.last_uid()))
            .unwrap_or(0)
    }

    /// A draft that goes on from a picture nobody else has.
    pub fn resume(snapshot: Snapshot) -> Self {
        let mut draft = Self::of(&snapshot);
        drop(snapshot);
        draft.modseq = draft.before;
        draft
    }

    /// Puts in force what an index says of a change: its number, the next
    /// UID, and keywords.
    pub fn replay(&mut self, modseq: u64, uid_next: Uid, table: Option<KeywordTable>) {
        self.flush();
        self.modseq = self.modseq.max(modseq);
        self.raise_uid_next(uid_next);
        if let Some(table) = table {
            self.table = Arc::new(table);
        }
        self.changed = true;
        self.touched = true;
    }

    /// Changes all rows with UIDs from `first` to `last`.
    pub fn update_range(&mut self, first: u32, last: u32, mut change: impl FnMut(&mut HotRow)) {
        self.flush();
        let from = self.chunks.partition_point(|c| c.last_uid() < first);
        for chunk in self.chunks.iter_mut().skip(from) {
            if chunk.first_uid() > last {
                break;
            }
            Arc::make_mut(chunk).update_range((first, last), &mut change);
        }
        self.touched = true;
    }

    /// Merges neighbours that have become small, and drops what is known of
    /// messages that are gone.
    fn compact(&mut self) {
        let mut merged: Vec<Arc<Chunk>> = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks.drain(..) {
            let joins = |last: &mut Arc<Chunk>| {
                (last.is_sparse() || chunk.is_sparse()) && last.len() + chunk.len() <= CHUNK
            };
            let before = merged.pop_if(joins);
            if before.is_none() && !chunk.is_sparse() {
                merged.push(chunk);
                continue;
            }
            let mut rows = Vec::with_capacity(CHUNK);
            let mut cold = ColdData::with_capacity(chunk.len());
            let mut rebuilt = false;
            for chunk in before.iter().chain([&chunk]) {
                rebuilt |= chunk.copy_into(&mut rows, &mut cold);
            }
            let cold = Arc::new(Cold::new(cold));
            merged.push(Arc::new(Chunk::put_together(rows, cold, rebuilt)));
        }
        self.chunks = merged;
    }

    pub fn finish(mut self) -> Snapshot {
        self.flush();
        if self.sparse {
            self.compact();
        }
        let mut counts = Counts::default();
        let mut starts = Vec::with_capacity(self.chunks.len());
        for chunk in &self.chunks {
            starts.push(counts.messages);
            counts.add(chunk.counts());
        }
        Snapshot {
            generation: self.generation,
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            modseq: if self.changed {
                self.modseq
            } else {
                self.before
            },
            chunks: self.chunks,
            starts,
            counts,
            table: self.table,
            left_out: UidSet::new(),
        }
    }
}

/// One of the UIDs may be one of the chunk.
fn touches(uids: &UidSet, chunk: &Chunk) -> bool {
    let (first, last) = (Uid::new(chunk.first_uid()), Uid::new(chunk.last_uid()));
    first
        .zip(last)
        .is_some_and(|(first, last)| uids.meets(first, last))
}
