//! Pieces: what was once found out about messages, kept in the index folder
//! as `<guid>.cache`. To this crate they are octets, in a few columns by UID.
//!
//! What must stay true:
//! - whatever is lost, torn, damaged, foreign or of another version is as if
//!   it had never been: a piece that is given out is one that was put in;
//! - memory follows from how many blocks there are, some octets for each
//!   hundred messages, never from the size of the file;
//! - nothing waits for pieces to be written, and nothing fails because they
//!   cannot be: a full disk only means that they are made again;
//! - one process writes, since the index folder is locked.

mod block;
mod bytes;
mod compact;
mod file;
mod pending;
mod reader;
mod table;
#[cfg(test)]
mod tests;

pub use reader::{Piece, PieceReader};

use crate::format::Dir;
use crate::index::IndexPlace;
use crate::mailbox::{Mailbox, lock};
use crate::snapshot::Snapshot;
use file::{Owner, PiecesFile};
use pending::Pending;
use roost_types::{Uid, UidValidity};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use table::BlockRef;

/// How many records a message may have.
pub const COLUMNS: usize = 5;

/// A larger record is not kept.
pub const MAX_RECORD: usize = 256 * 1024;

/// Records are written when there are so many octets of them.
const BATCH: usize = 128 * 1024;

/// A group in more blocks than this is written anew as one.
const MAX_BLOCKS: usize = 8;

/// Groups share so many counters of what was put into them.
const VERSIONS: usize = 64;

/// The pieces of one mailbox.
pub struct Pieces {
    dir: Dir,
    name: String,
    owner: Owner,
    /// Nobody else opens the file before this one is closed.
    place: Option<Arc<IndexPlace>>,
    /// `None` once the file cannot be written any more.
    inner: Mutex<Option<Inner>>,
    /// Each rises with what is put into its groups, so that readers know when
    /// to look again.
    versions: [AtomicU64; VERSIONS],
    /// The file is being written anew.
    compacting: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    file: PiecesFile,
    pending: Pending,
}

impl Mailbox {
    /// The pieces of this mailbox; `None` without an index.
    pub fn pieces(&self) -> Option<&Arc<Pieces>> {
        let open = || {
            let place = self.index.as_ref().filter(|place| place.is_sole())?;
            let held = place.hold()?;
            let pieces = Pieces::open(place, self.snapshot().uid_validity())?;
            drop(held);
            let pieces = Arc::new(pieces);
            compact::begin(&pieces, self.snapshot());
            Some(pieces)
        };
        let pieces = self.pieces.get_or_init(open).as_ref()?;
        Some(pieces)
    }
}

impl Pieces {
    fn open(place: &Arc<IndexPlace>, uid_validity: UidValidity) -> Option<Self> {
        let owner = Owner {
            guid: place.guid(),
            uid_validity,
        };
        let mut pieces = Self::open_in(place.dir(), place.file("cache"), owner)?;
        pieces.place = Some(Arc::clone(place));
        Some(pieces)
    }

    fn open_in(dir: &Dir, name: String, owner: Owner) -> Option<Self> {
        match PiecesFile::open(dir, &name, owner) {
            Ok(file) => Some(Self {
                dir: dir.clone(),
                name,
                owner,
                place: None,
                inner: Mutex::new(Some(Inner {
                    file,
                    pending: Pending::default(),
                })),
                versions: std::array::from_fn(|_| AtomicU64::new(0)),
                compacting: AtomicBool::new(false),
            }),
            Err(e) => {
                log::info!("{}: {e}", dir.entry(name.as_bytes()).display());
                None
            }
        }
    }

    pub fn reader(self: &Arc<Self>) -> PieceReader {
        PieceReader::new(Arc::clone(self))
    }

    /// Keeps the records of a message, each by its column.
    pub fn put(&self, uid: Uid, records: [Option<&[u8]>; COLUMNS]) {
        let mut inner = lock(&self.inner);
        let Some(open) = inner.as_mut() else {
            return;
        };
        for (column, record) in (0..).zip(records) {
            if let Some(record) = record.filter(|r| r.len() <= MAX_RECORD) {
                open.pending.put(column, uid.get(), record);
                let version = self.version_of(column, block::group_of(uid.get()));
                version.fetch_add(1, Ordering::AcqRel);
            }
        }
        if open.pending.len() >= BATCH {
            self.write(&mut inner);
        }
    }

    /// Writes what is waiting.
    pub fn flush(&self) {
        self.write(&mut lock(&self.inner));
    }

    /// Does `work`, which gives a file the mailbox's name, unless the mailbox
    /// is gone: then `None`.
    fn while_there<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let Some(place) = &self.place else {
            return Some(work());
        };
        let _held = place.hold()?;
        Some(work())
    }

    /// Throws all of them away; they are made again when they are wanted.
    pub(crate) fn reset(&self) {
        self.while_there(|| self.make_anew());
    }

    fn make_anew(&self) {
        let mut inner = lock(&self.inner);
        *inner = match PiecesFile::create(&self.dir, &self.name, self.owner) {
            Ok(file) => Some(Inner {
                file,
                pending: Pending::default(),
            }),
            Err(e) => {
                log::info!("{}: {e}", self.dir.entry(self.name.as_bytes()).display());
                None
            }
        };
        for version in &self.versions {
            version.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// What is to be done now and then: the file written anew where much of it
    /// is of no use.
    pub(crate) fn maintain(self: &Arc<Self>, picture: Arc<Snapshot>) {
        compact::begin(self, picture);
    }

    fn write(&self, inner: &mut Option<Inner>) {
        let Some(open) = inner else {
            return;
        };
        let blocks = open.pending.take();
        let written = open
            .file
            .append(&blocks)
            .and_then(|()| compact::merge(&mut open.file, &blocks));
        if let Err(e) = written {
            log::info!("{}: {e}", self.dir.entry(self.name.as_bytes()).display());
            *inner = None;
        }
    }

    fn version(&self, column: u8, group: u32) -> u64 {
        self.version_of(column, group).load(Ordering::Acquire)
    }

    fn version_of(&self, column: u8, group: u32) -> &AtomicU64 {
        let [first, ..] = &self.versions;
        let at = (group as usize * COLUMNS + usize::from(column)) % VERSIONS;
        self.versions.get(at).unwrap_or(first)
    }

    /// A block of `file` turned out to be no good.
    fn damaged(&self, column: u8, block: BlockRef, file: Option<&Arc<File>>) {
        if let Some(inner) = lock(&self.inner).as_mut()
            && file.is_some_and(|file| Arc::ptr_eq(file, &inner.file.file))
        {
            let path = self.dir.entry(self.name.as_bytes());
            log::info!("{}: damaged at octet {}", path.display(), block.offset);
            inner.file.table.drop_block(column, block.offset);
        }
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        let mut inner = lock(&self.inner);
        self.write(&mut inner);
        if let Some(inner) = inner.as_mut()
            && let Err(e) = inner.file.close()
        {
            log::info!("{}: {e}", self.dir.entry(self.name.as_bytes()).display());
        }
    }
}
