//! What a picture knows of its messages besides the hot columns: base names,
//! GUIDs, sizes, dates. Shared by all pictures that have the message; kept in
//! memory, or read from the index a chunk at a time when somebody asks. What
//! has to be asked of the disk is filled in later, through atomics.

use super::hot::HotRow;
use crate::index::Block;
use crate::mailbox::lock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// What stands for a size that is not known.
pub(crate) const NO_SIZE: u64 = u64::MAX;
/// What stands for a time that is not known.
pub(crate) const NO_TIME: i64 = i64::MIN;

/// Facts about up to a chunk's worth of messages, by rising UID.
#[derive(Debug, Default)]
pub(crate) struct ColdData {
    uids: Vec<u32>,
    names: Vec<u8>,
    /// Where each base name begins in `names`, and its length; its GUID, if
    /// it has one of its own, stands between that and the next.
    starts: Vec<(u32, u32)>,
    stored: Vec<AtomicU64>,
    sizes: Vec<AtomicU64>,
    internal: Vec<AtomicI64>,
    saved: Vec<AtomicI64>,
}

/// The facts of one message, as they are written and read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts<'a> {
    pub uid: u32,
    pub base: &'a [u8],
    /// Where it is not the base name.
    pub guid: Option<&'a [u8]>,
    /// Octets of the uncompressed file.
    pub stored: Option<u64>,
    /// RFC822.SIZE.
    pub size: Option<u64>,
    pub internal: Option<i64>,
    pub saved: Option<i64>,
}

impl Facts<'_> {
    /// Of a message of which nothing is known.
    pub fn none(uid: u32) -> Self {
        Self {
            uid,
            base: &[],
            guid: None,
            stored: None,
            size: None,
            internal: None,
            saved: None,
        }
    }
}

impl ColdData {
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            uids: Vec::with_capacity(rows),
            names: Vec::with_capacity(rows * 64),
            starts: Vec::with_capacity(rows),
            stored: Vec::with_capacity(rows),
            sizes: Vec::with_capacity(rows),
            internal: Vec::with_capacity(rows),
            saved: Vec::with_capacity(rows),
        }
    }

    pub fn len(&self) -> usize {
        self.uids.len()
    }

    pub fn shrink(&mut self) {
        self.uids.shrink_to_fit();
        self.names.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.stored.shrink_to_fit();
        self.sizes.shrink_to_fit();
        self.internal.shrink_to_fit();
        self.saved.shrink_to_fit();
    }

    /// Adds a message above all others.
    pub fn push(&mut self, facts: &Facts<'_>) {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.uids.push(facts.uid);
        self.starts
            .push((small(self.names.len()), small(facts.base.len())));
        self.names.extend_from_slice(facts.base);
        self.names.extend_from_slice(facts.guid.unwrap_or_default());
        self.stored
            .push(AtomicU64::new(facts.stored.unwrap_or(NO_SIZE)));
        self.sizes
            .push(AtomicU64::new(facts.size.unwrap_or(NO_SIZE)));
        self.internal
            .push(AtomicI64::new(facts.internal.unwrap_or(NO_TIME)));
        self.saved
            .push(AtomicI64::new(facts.saved.unwrap_or(NO_TIME)));
    }

    pub fn iter(&self) -> impl Iterator<Item = Facts<'_>> {
        (0..self.len()).filter_map(|slot| self.facts_at(slot))
    }

    pub fn facts(&self, uid: u32) -> Option<Facts<'_>> {
        self.facts_at(self.slot(uid)?)
    }

    fn slot(&self, uid: u32) -> Option<usize> {
        self.uids.binary_search(&uid).ok()
    }

    fn facts_at(&self, slot: usize) -> Option<Facts<'_>> {
        let &(start, len) = self.starts.get(slot)?;
        let end = match self.starts.get(slot + 1) {
            Some(&(next, _)) => next as usize,
            None => self.names.len(),
        };
        let both = self.names.get(start as usize..end)?;
        let (base, guid) = both.split_at_checked(len as usize)?;
        Some(Facts {
            uid: *self.uids.get(slot)?,
            base,
            guid: (!guid.is_empty()).then_some(guid),
            stored: load_size(&self.stored, slot),
            size: load_size(&self.sizes, slot),
            internal: load_time(&self.internal, slot),
            saved: load_time(&self.saved, slot),
        })
    }
}

/// The cold side of a chunk.
#[derive(Debug)]
pub(crate) struct Cold {
    state: Mutex<State>,
    rows: usize,
}

#[derive(Debug)]
struct State {
    source: Source,
    /// Something was learnt that the index does not have: it is in memory.
    learnt: bool,
}

#[derive(Debug)]
enum Source {
    Memory(Arc<ColdData>),
    Index { block: Block, read: Weak<ColdData> },
}

impl Source {
    fn block(&self) -> Option<&Block> {
        match self {
            Self::Memory(_) => None,
            Self::Index { block, .. } => Some(block),
        }
    }
}

impl Cold {
    pub fn new(data: ColdData) -> Self {
        let rows = data.len();
        Self::of(Source::Memory(Arc::new(data)), rows)
    }

    pub fn in_index(block: Block, rows: usize) -> Self {
        let read = Weak::new();
        Self::of(Source::Index { block, read }, rows)
    }

    fn of(source: Source, rows: usize) -> Self {
        let learnt = false;
        Self {
            state: Mutex::new(State { source, learnt }),
            rows,
        }
    }

    /// How many messages it has facts of.
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn has_learnt(&self) -> bool {
        lock(&self.state).learnt
    }

    /// The block that still says everything there is to say of `rows`
    /// messages.
    pub fn block(&self, rows: usize) -> Option<Block> {
        let state = lock(&self.state);
        state.source.block().filter(|_| rows == self.rows).cloned()
    }

    /// [`block`](Self::block) for who writes the index: without one, the facts
    /// as they are from now on. What is learnt later counts as not written.
    pub fn begin_writing(&self, rows: usize) -> Option<Block> {
        let mut state = lock(&self.state);
        state.learnt = false;
        state.source.block().filter(|_| rows == self.rows).cloned()
    }

    /// From now on the facts are read from there, unless more was learnt
    /// since [`begin_writing`](Self::begin_writing).
    pub fn relieve_to(&self, block: &Block) {
        let mut state = lock(&self.state);
        if state.learnt {
            return;
        }
        // Who has them at hand may still learn something.
        let read = match &state.source {
            Source::Memory(data) => Arc::downgrade(data),
            Source::Index { read, .. } => Weak::clone(read),
        };
        let block = block.clone();
        state.source = Source::Index { block, read };
    }

    /// The facts; `rows` are those of the chunk, should a block be damaged.
    pub fn data<'a>(&self, rows: impl FnOnce() -> &'a [HotRow]) -> Arc<ColdData> {
        match self.known() {
            Ok(data) => data,
            // Not while the state is locked: the rows may need our UIDs.
            Err(damaged) => self.make_up(&damaged, rows()),
        }
    }

    /// The facts, or their block if it is damaged.
    fn known(&self) -> Result<Arc<ColdData>, Block> {
        match &mut lock(&self.state).source {
            Source::Memory(data) => Ok(Arc::clone(data)),
            Source::Index { block, read } => {
                if let Some(data) = read.upgrade() {
                    return Ok(data);
                }
                let data = block.read().ok_or_else(|| block.clone())?;
                *read = Arc::downgrade(&data);
                Ok(data)
            }
        }
    }

    fn make_up(&self, damaged: &Block, rows: &[HotRow]) -> Arc<ColdData> {
        let mut state = lock(&self.state);
        let Source::Index { read, .. } = &mut state.source else {
            return damaged.rebuild(rows);
        };
        read.upgrade().unwrap_or_else(|| {
            let data = damaged.rebuild(rows);
            *read = Arc::downgrade(&data);
            data
        })
    }

    /// Which messages it has facts of, unless they are lost.
    pub fn uids(&self) -> Option<Vec<u32>> {
        self.known().ok().map(|data| data.uids.clone())
    }

    pub fn row<'a>(&self, rows: impl FnOnce() -> &'a [HotRow], uid: u32) -> Option<ColdRow<'_>> {
        let data = self.data(rows);
        let slot = data.slot(uid)?;
        Some(ColdRow {
            cold: self,
            data,
            slot,
        })
    }

    /// Adds a message where nobody else can see these facts.
    pub fn push_unshared(&mut self, facts: &Facts<'_>) -> bool {
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Source::Memory(data) = &mut state.source
            && let Some(data) = Arc::get_mut(data)
        {
            data.push(facts);
            self.rows = data.len();
            return true;
        }
        false
    }

    /// What was learnt must not be let go of before the index has it.
    fn keep(&self, data: &Arc<ColdData>) {
        let mut state = lock(&self.state);
        if !std::mem::replace(&mut state.learnt, true) {
            state.source = Source::Memory(Arc::clone(data));
        }
    }
}

/// The cold facts of one message.
pub(crate) struct ColdRow<'a> {
    cold: &'a Cold,
    data: Arc<ColdData>,
    slot: usize,
}

impl ColdRow<'_> {
    /// The base name, up to the first `:`.
    pub fn base(&self) -> &[u8] {
        self.data.facts_at(self.slot).map_or(&[], |f| f.base)
    }

    /// The GUID where it is not the base name.
    pub fn guid(&self) -> Option<&[u8]> {
        self.data.facts_at(self.slot)?.guid
    }

    /// Octets of the uncompressed file.
    pub fn stored(&self) -> Option<u64> {
        load_size(&self.data.stored, self.slot)
    }

    /// RFC822.SIZE.
    pub fn size(&self) -> Option<u64> {
        load_size(&self.data.sizes, self.slot)
    }

    pub fn set_size(&self, size: u64) {
        if let Some(to) = self.data.sizes.get(self.slot) {
            to.store(size, Ordering::Relaxed);
            self.cold.keep(&self.data);
        }
    }

    pub fn internal_date(&self) -> Option<i64> {
        load_time(&self.data.internal, self.slot)
    }

    pub fn save_date(&self) -> Option<i64> {
        load_time(&self.data.saved, self.slot)
    }

    /// The first answers stay: a save date is the file's change time, which a
    /// later rename moves.
    pub fn set_dates(&self, internal: i64, saved: i64) {
        let data = &self.data;
        for (column, time) in [(&data.internal, internal), (&data.saved, saved)] {
            if let Some(to) = column.get(self.slot)
                && to
                    .compare_exchange(NO_TIME, time, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                self.cold.keep(data);
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
