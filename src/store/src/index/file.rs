//! The snapshot of a mailbox on disk: written once, never touched again, and
//! replaced as a whole.
//!
//! ```text
//! header      versions, whose it is, counts, where the rest stands
//! blocks      for each chunk what is seldom asked for (names, sizes, dates)
//! hot         the rows of all chunks, 16 octets each
//! chunks      for each chunk what SELECT and STATUS tell of it, where its
//!             rows and block stand, and their checksums
//! rest        keywords, odd names, history of expunged messages
//! ```
//! Opening reads the header and what stands behind the rows; the rows of a
//! chunk and its block are read when somebody asks.

use super::block::{Block, RowBlock};
use super::bytes::{Put, Take};
use super::change::{OddNames, ROW, take_odd, take_table};
use super::folder::IndexPlace;
use super::header::Header;
use super::history::{Gone, History};
use super::log::Fault;
use super::salvage::Salvaged;
use crate::format::Dir;
use crate::format::uidlist::Guid;
use crate::mailbox::lock;
use crate::snapshot::{CHUNK, Chunk, Cold, ColdData, Counts, Parts, Snapshot, Summary};
use roost_os::file;
use roost_types::{Uid, UidValidity};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Summary, checksum of the rows, block's place, length and checksum.
const ENTRY: usize = SUMMARY + 4 + 8 + 4 + 4;
/// Five counts, two UIDs, a change number.
const SUMMARY: usize = 5 * 2 + 2 * 4 + 8;
pub(super) const KIND: &str = "index";

/// Blocks that stay in memory after they were used.
const RECENT: usize = 24;
/// Largest tail read, in octets.
const MAX_TAIL: u64 = 1 << 30;

/// An open snapshot file.
pub(crate) struct IndexFile {
    file: File,
    /// Who is asked should a part be damaged.
    maildir: Dir,
    damaged: AtomicBool,
    /// See [`super::Index::take_lost`].
    lost: Arc<AtomicBool>,
    salvaged: OnceLock<Salvaged>,
    recent: Mutex<VecDeque<Arc<ColdData>>>,
}

/// A snapshot file read.
pub(super) struct Read {
    pub header: Header,
    pub file: Arc<IndexFile>,
    /// Inode and size.
    pub snapshot: [u64; 2],
    pub picture: Snapshot,
    pub history: History,
    pub odd: OddNames,
}

/// The name of a mailbox's snapshot.
pub(super) fn file_of(guid: Guid) -> String {
    format!("{guid}.{KIND}")
}

impl IndexFile {
    pub(super) fn new(file: File, maildir: &Dir, lost: &Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self {
            file,
            maildir: maildir.clone(),
            damaged: AtomicBool::new(false),
            lost: Arc::clone(lost),
            salvaged: OnceLock::new(),
            recent: Mutex::default(),
        })
    }

    /// Part of it could not be read: it is to be written anew.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Inode and size.
    pub(super) fn id(&self) -> io::Result<[u64; 2]> {
        let stat = file::stat(&self.file)?;
        Ok([stat.ino, stat.size])
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn remember(&self, data: &Arc<ColdData>) {
        let mut recent = lock(&self.recent);
        recent.push_back(Arc::clone(data));
        if recent.len() > RECENT {
            recent.pop_front();
        }
    }

    /// Lets go of what was only kept because it was used lately.
    pub fn forget_recent(&self) {
        *lock(&self.recent) = VecDeque::new();
    }

    /// So many octets from there, if they are those that were written.
    pub(super) fn checked(&self, at: u64, len: usize, crc: u32) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at)?;
        if crc32c::crc32c(&bytes) != crc {
            return Err(Fault::Damaged);
        }
        Ok(bytes)
    }

    /// Tells of damage, once for a file.
    pub(super) fn complain(&self, fault: &Fault) {
        if !self.damaged.swap(true, Ordering::Relaxed) {
            let path = self.maildir.path().display();
            log::warn!("{path}: index: {fault}; the Maildir and its UID list are asked instead");
        }
    }

    pub(super) fn maildir(&self) -> &Dir {
        &self.maildir
    }

    /// Rows were made up for damage: their flags are to be read from names.
    pub(super) fn note_lost(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn salvaged(&self) -> &OnceLock<Salvaged> {
        &self.salvaged
    }
}

/// Reads the snapshot of the mailbox in `maildir`, whose UIDVALIDITY is known.
pub(super) fn read(
    place: &IndexPlace,
    (maildir, inodes, uid_validity): (&Dir, [u64; 3], UidValidity),
    lost: &Arc<AtomicBool>,
) -> Result<Read, Fault> {
    let open = match file::open(place.dir(), place.file(KIND).as_bytes()) {
        Ok(open) => open,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Fault::Missing),
        Err(e) => return Err(e.into()),
    };
    let stat = file::stat(&open)?;
    let size = stat.size;
    let header = Header::read(&open)?;
    let owner = (header.guid, header.inodes, header.uid_validity);
    if owner != (place.guid().0, inodes, uid_validity.get()) {
        return Err(Fault::Foreign);
    }
    let file = IndexFile::new(open, maildir, lost);
    let tail = read_tail(&file, &header, size)?;
    let directory = header.chunks as usize * ENTRY;
    let (directory, rest) = tail.split_at_checked(directory).ok_or(Fault::Damaged)?;
    let rest = &mut Take(rest);
    let table = take_table(rest).ok_or(Fault::Damaged)?;
    let mut odd = OddNames::new();
    take_odd(rest, &mut odd).ok_or(Fault::Damaged)?;
    let history = take_history(rest).ok_or(Fault::Damaged)?;
    let chunks = take_chunks(directory, &file, (&header, table.set_count()));
    let chunks = chunks.ok_or(Fault::Damaged)?;
    let picture = Snapshot::assemble(Parts {
        uid_validity,
        uid_next: Uid::new(header.uid_next).ok_or(Fault::Damaged)?,
        modseq: header.modseq,
        chunks,
        table: table.into(),
    });
    Ok(Read {
        header,
        file,
        snapshot: [stat.ino, size],
        picture,
        history,
        odd,
    })
}

/// Of the directories of the mailbox that a snapshot is of; `None` if there is
/// none that can be read.
pub(super) fn inodes_of(dir: &Dir, guid: Guid) -> Option<[u64; 3]> {
    let open = file::open(dir, file_of(guid).as_bytes()).ok()?;
    Header::read(&open).ok().map(|header| header.inodes)
}

fn read_tail(file: &IndexFile, header: &Header, size: u64) -> Result<Vec<u8>, Fault> {
    let (at, len) = (header.tail_at, header.tail_len);
    let fits = at.checked_add(len).is_some_and(|end| end <= size);
    if !fits || len > MAX_TAIL {
        return Err(Fault::Damaged);
    }
    let len = usize::try_from(len).map_err(|_| Fault::Damaged)?;
    file.checked(at, len, header.tail_crc)
}

fn take_chunks(
    directory: &[u8],
    file: &Arc<IndexFile>,
    (header, sets): (&Header, usize),
) -> Option<Vec<Arc<Chunk>>> {
    let mut chunks = Vec::with_capacity(header.chunks as usize);
    let (mut rows, mut last) = (0, 0);
    for entry in directory.chunks_exact(ENTRY) {
        let take = &mut Take(entry);
        let summary = take_summary(take, last, header)?;
        last = summary.last;
        let hot = RowBlock {
            file: Arc::clone(file),
            at: header.hot_at.checked_add(rows * ROW as u64)?,
            crc: take.u32()?,
            sets,
        };
        let block = Block {
            file: Arc::clone(file),
            at: take.u64()?,
            len: take.u32()?,
            crc: take.u32()?,
        };
        rows += u64::from(summary.counts.messages);
        let cold = Cold::in_index(block, summary.counts.messages as usize);
        chunks.push(Arc::new(Chunk::in_index(summary, hot, cold)));
    }
    (rows == u64::from(header.rows)).then_some(chunks)
}

/// Of a chunk behind the UID `before`.
fn take_summary(take: &mut Take<'_>, before: u32, header: &Header) -> Option<Summary> {
    let mut count = || take.u16().map(u32::from);
    let counts = Counts {
        messages: count()?,
        unseen: count()?,
        deleted: count()?,
        recent: count()?,
    };
    let summary = Summary {
        counts,
        before_unseen: count()?,
        first: take.u32()?,
        last: take.u32()?,
        highest: take.u64()?,
    };
    let all = counts.messages;
    let fits = (1..=CHUNK as u32).contains(&all)
        && [counts.unseen, counts.deleted, counts.recent]
            .iter()
            .all(|&n| n <= all)
        && summary.before_unseen < all
        && summary.first > before
        && summary.last.checked_sub(summary.first)? >= all - 1
        && summary.last < header.uid_next
        && summary.highest <= header.modseq;
    fits.then_some(summary)
}

pub(super) fn put_entry(out: &mut Vec<u8>, summary: &Summary, rows: &RowBlock, block: &Block) {
    let counts = &summary.counts;
    for count in [
        counts.messages,
        counts.unseen,
        counts.deleted,
        counts.recent,
        summary.before_unseen,
    ] {
        // A chunk has no more than `CHUNK`.
        out.u16(u16::try_from(count).unwrap_or(u16::MAX));
    }
    out.u32(summary.first);
    out.u32(summary.last);
    out.u64(summary.highest);
    out.u32(rows.crc);
    out.u64(block.at);
    out.u32(block.len);
    out.u32(block.crc);
}

fn take_history(take: &mut Take<'_>) -> Option<History> {
    let mut history = History::new(take.u64()?);
    for _ in 0..take.count(16)? {
        history.push(Gone {
            first: take.u32()?,
            last: take.u32()?,
            modseq: take.u64()?,
        });
    }
    take.is_empty().then_some(history)
}
