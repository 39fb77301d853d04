//! Reading pieces, best by rising UIDs: whole blocks then come in one read
//! each. Whoever asks for single messages gets single records.

use super::block::{self, Entry, HEADER};
use super::pending::Pending;
use super::table::BlockRef;
use super::{COLUMNS, Pieces};
use crate::mailbox::lock;
use roost_types::Uid;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A larger block is not read whole.
const WINDOW: u32 = 1 << 20;
/// A block no larger is always read whole.
const SMALL: u32 = 16 << 10;

/// Reads the pieces of a mailbox; holds one block of each column in memory.
#[derive(Debug)]
pub struct PieceReader {
    pieces: Arc<Pieces>,
    windows: Box<[Window; COLUMNS]>,
    /// Whole blocks are wanted from the first on.
    ahead: bool,
}

/// A record that was found; holds until the next is looked for in its column.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    column: u8,
    start: usize,
    end: usize,
}

/// What is at hand of one group.
#[derive(Debug, Default)]
struct Window {
    group: Option<u32>,
    /// [`Pieces::version`] when it was looked at.
    version: u64,
    /// Records are asked for one after the other.
    in_order: bool,
    records: Vec<Record>,
    /// The place of the record that is likely to be next.
    next: usize,
    /// Only the first of them are in use: the rest need not be cleared.
    octets: Vec<u8>,
    used: usize,
    file: Option<Arc<File>>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    uid: u32,
    /// Which of several of one UID: the highest counts.
    age: usize,
    len: usize,
    /// `None` once the octets have been found to be whole.
    crc: Option<u32>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the window's octets.
    Here(usize),
    Disk(u64),
}

impl PieceReader {
    pub(super) fn new(pieces: Arc<Pieces>) -> Self {
        Self {
            pieces,
            windows: Default::default(),
            ahead: false,
        }
    }

    /// Says whether the records of many messages will be asked for, by rising
    /// UID.
    pub fn read_ahead(&mut self, ahead: bool) {
        self.ahead = ahead;
    }

    /// Looks for a message's record in a column below [`COLUMNS`].
    pub fn find(&mut self, column: u8, uid: Uid) -> Option<Piece> {
        let window = self.windows.get_mut(usize::from(column))?;
        let record = window.record(&self.pieces, column, uid.get(), self.ahead)?;
        let Some((start, end)) = window.bring(record) else {
            // What is put in its place must be found.
            window.records.retain(|r| r.uid != uid.get());
            return None;
        };
        Some(Piece { column, start, end })
    }

    /// Whether there is a record, by the directory alone.
    pub fn has(&mut self, column: u8, uid: Uid) -> bool {
        let window = self.windows.get_mut(usize::from(column));
        window.is_some_and(|w| {
            let record = w.record(&self.pieces, column, uid.get(), self.ahead);
            record.is_some()
        })
    }

    /// The octets of a piece.
    pub fn octets(&self, piece: Piece) -> &[u8] {
        let window = self.windows.get(usize::from(piece.column));
        window
            .and_then(|w| w.octets.get(piece.start..piece.end))
            .unwrap_or_default()
    }
}

impl Window {
    fn record(&mut self, pieces: &Pieces, column: u8, uid: u32, ahead: bool) -> Option<Record> {
        let group = block::group_of(uid);
        let is_here = self.group == Some(group);
        if is_here && let Some(found) = self.search(uid) {
            return Some(found);
        }
        let version = pieces.version(column, group);
        if is_here && self.version == version {
            return None;
        }
        if !is_here {
            self.in_order = ahead || self.group.is_some_and(|last| last < group);
        }
        self.load(pieces, column, group, version);
        self.search(uid)
    }

    fn search(&mut self, uid: u32) -> Option<Record> {
        let likely = self.records.get(self.next).filter(|r| r.uid == uid);
        let at = match likely {
            Some(_) => self.next,
            None => self.records.binary_search_by_key(&uid, |r| r.uid).ok()?,
        };
        self.next = at + 1;
        self.records.get(at).copied()
    }

    fn load(&mut self, pieces: &Pieces, column: u8, group: u32, version: u64) {
        self.group = Some(group);
        self.version = version;
        self.records.clear();
        self.next = 0;
        self.used = 0;
        let blocks: Vec<BlockRef> = {
            let inner = lock(&pieces.inner);
            let Some(inner) = inner.as_ref() else {
                return;
            };
            self.file = Some(Arc::clone(&inner.file.file));
            self.take_pending(&inner.pending, column, group);
            inner.file.table.group(column, group).to_vec()
        };
        for (age, block) in blocks.into_iter().enumerate() {
            if self.read(block, age, self.in_order).is_none() {
                pieces.damaged(column, block, self.file.as_ref());
            }
        }
        // Of several records of one message the newest counts.
        self.records
            .sort_unstable_by_key(|r| (r.uid, std::cmp::Reverse(r.age)));
        self.records.dedup_by_key(|r| r.uid);
    }

    fn take_pending(&mut self, pending: &Pending, column: u8, group: u32) {
        for (uid, octets) in pending.of_group(column, group) {
            self.records.push(Record {
                uid,
                age: usize::MAX,
                len: octets.len(),
                crc: None,
                place: Place::Here(self.used),
            });
            let start = self.used;
            if let Some(room) = self.room(octets.len()) {
                room.copy_from_slice(octets);
                self.used = start + octets.len();
            }
        }
    }

    /// The octets behind those in use.
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.used + len;
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        self.octets.get_mut(self.used..end)
    }

    /// Reads a block, or only its directory; `None` if it is damaged.
    fn read(&mut self, block: BlockRef, age: usize, in_order: bool) -> Option<()> {
        let file = Arc::clone(self.file.as_ref()?);
        let directory = HEADER + usize::from(block.count) * block::ENTRY;
        let whole = block.payload <= if in_order { WINDOW } else { SMALL };
        let from = self.used;
        let len = directory + if whole { block.payload as usize } else { 0 };
        let room = self.room(len)?;
        file.read_exact_at(room, block.offset).ok()?;
        let (header, entries) = block::directory(room)?;
        if header.group != block.group || header.payload != block.payload {
            return None;
        }
        let payload = room.get(directory..).filter(|_| whole);
        let checked = payload.is_some_and(|p| crc32c::crc32c(p) == header.crc);
        self.used += len;
        let place = |entry: &Entry| match whole {
            true => Place::Here(from + directory + entry.start as usize),
            false => Place::Disk(block.offset + directory as u64 + u64::from(entry.start)),
        };
        self.records.extend(entries.iter().map(|entry| Record {
            uid: entry.uid,
            age,
            len: (entry.end - entry.start) as usize,
            crc: (!checked).then_some(entry.crc),
            place: place(entry),
        }));
        Some(())
    }

    /// Sees to it that a record is in the window, and whole.
    fn bring(&mut self, record: Record) -> Option<(usize, usize)> {
        let start = match record.place {
            Place::Here(start) => start,
            Place::Disk(offset) => {
                let (start, file) = (self.used, Arc::clone(self.file.as_ref()?));
                file.read_exact_at(self.room(record.len)?, offset).ok()?;
                self.used += record.len;
                self.note(record.uid, start);
                start
            }
        };
        let end = start + record.len;
        let octets = self.octets.get(start..end)?;
        let whole = record.crc.is_none_or(|crc| crc32c::crc32c(octets) == crc);
        whole.then_some((start, end))
    }

    fn note(&mut self, uid: u32, start: usize) {
        if let Ok(at) = self.records.binary_search_by_key(&uid, |r| r.uid)
            && let Some(record) = self.records.get_mut(at)
        {
            record.place = Place::Here(start);
        }
    }
}
