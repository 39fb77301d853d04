//! The snapshot of a mailbox on disk: written once, never touched again, and
//! replaced as a whole.
//!
//! ```text
//! header      versions, whose it is, counts, where the rest stands
//! blocks      for each chunk what is seldom asked for (names, sizes, dates)
//! hot         the rows that SELECT needs, 16 octets each
//! chunks      for each chunk its rows and block, with their checksums
//! rest        keywords, odd names, history of expunged messages
//! ```
//! Blocks are read one at a time, when somebody asks; everything else at once.

use super::bytes::Take;
use super::change::{OddNames, ROW, take_block, take_odd, take_row, take_table};
use super::folder::IndexPlace;
use super::history::{Gone, History};
use super::log::{Fault, VERSION};
use crate::format::name::FileName;
use crate::format::uidlist::Guid;
use crate::format::{Dir, UidList};
use crate::mailbox::lock;
use crate::snapshot::{CHUNK, Chunk, Cold, ColdData, Facts, HotRow, Parts, Snapshot};
use roost_os::file;
use roost_types::{Uid, UidValidity};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(super) const MAGIC: &[u8; 8] = b"ROOSTIDX";
/// Magic, version, checksum, and what the checksum is of.
pub(super) const HEADER: usize = 16 + HEADER_BODY;
pub(super) const HEADER_BODY: usize = 8 + 16 + 24 + 4 + 4 + 8 + 4 + 4 + 8 + 8 + 4 + 8 + 8 + 4;
/// Rows, checksum of the hot rows, block's place, length and checksum.
pub(super) const ENTRY: usize = 4 + 4 + 8 + 4 + 4;
pub(super) const KIND: &str = "index";

/// Blocks that stay in memory after they were used.
const RECENT: usize = 24;
/// Largest part read at once besides the rows, in octets.
const MAX_REST: u64 = 1 << 30;

/// An open snapshot file.
pub(crate) struct IndexFile {
    file: File,
    /// Whose UID list knows the names, should a block be damaged.
    maildir: Dir,
    damaged: AtomicBool,
    recent: Mutex<VecDeque<Arc<ColdData>>>,
}

/// Where a chunk's cold facts stand.
#[derive(Clone)]
pub(crate) struct Block {
    pub(super) file: Arc<IndexFile>,
    pub(super) at: u64,
    pub(super) len: u32,
    pub(super) crc: u32,
}

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub generation: u64,
    pub guid: [u8; 16],
    pub inodes: [u64; 3],
    pub uid_validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    pub rows: u32,
    pub chunks: u32,
    pub hot_at: u64,
    pub chunks_at: u64,
    pub chunks_crc: u32,
    pub rest_at: u64,
    pub rest_len: u64,
    pub rest_crc: u32,
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
    pub(super) fn new(file: File, maildir: &Dir) -> Arc<Self> {
        Arc::new(Self {
            file,
            maildir: maildir.clone(),
            damaged: AtomicBool::new(false),
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

    fn remember(&self, data: &Arc<ColdData>) {
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

    /// What can be known of these messages without the index.
    fn rebuild(&self, rows: &[HotRow]) -> ColdData {
        let list = UidList::load(&self.maildir).ok().flatten();
        let mut data = ColdData::with_capacity(rows.len());
        for row in rows {
            let uid = Uid::new(row.uid);
            let of = |list: &UidList| {
                let uid = uid?;
                let base = list.base_of(uid)?.to_vec();
                Some((base, list.message_guid(uid).map(<[u8]>::to_vec)))
            };
            let (base, guid) = list.as_ref().and_then(of).unwrap_or_default();
            let name = FileName::parse(&base);
            data.push(&Facts {
                base: &base,
                guid: guid.as_deref(),
                stored: name.size(),
                size: name.virtual_size(),
                ..Facts::none(row.uid)
            });
        }
        data
    }
}

impl Block {
    /// The facts; for a damaged block, what the UID list knows of `rows`.
    pub fn read(&self, rows: &[HotRow]) -> Arc<ColdData> {
        let data = match self.try_read() {
            Ok(data) => data,
            Err(e) => {
                if !self.file.damaged.swap(true, Ordering::Relaxed) {
                    let path = self.file.maildir.path().display();
                    log::warn!("{path}: index: {e}; the UID list is asked instead");
                }
                self.file.rebuild(rows)
            }
        };
        let data = Arc::new(data);
        self.file.remember(&data);
        data
    }

    fn try_read(&self) -> Result<ColdData, Fault> {
        take_block(&self.raw()?).ok_or(Fault::Damaged)
    }

    /// The octets, checked.
    pub(super) fn raw(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; self.len as usize];
        self.file.file.read_exact_at(&mut bytes, self.at)?;
        if crc32c::crc32c(&bytes) != self.crc {
            return Err(Fault::Damaged);
        }
        Ok(bytes)
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({}, {})", self.at, self.len)
    }
}

/// Reads the snapshot of the mailbox in `maildir`, whose UIDVALIDITY is known.
pub(super) fn read(
    place: &IndexPlace,
    maildir: &Dir,
    inodes: [u64; 3],
    uid_validity: UidValidity,
) -> Result<Read, Fault> {
    let open = match file::open(place.dir(), place.file(KIND).as_bytes()) {
        Ok(open) => open,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Fault::Missing),
        Err(e) => return Err(e.into()),
    };
    let stat = file::stat(&open)?;
    let size = stat.size;
    let header = read_header(&open)?;
    let owner = (header.guid, header.inodes, header.uid_validity);
    if owner != (place.guid().0, inodes, uid_validity.get()) {
        return Err(Fault::Foreign);
    }
    let file = IndexFile::new(open, maildir);
    let rest = Part {
        at: header.rest_at,
        len: header.rest_len,
        crc: header.rest_crc,
    };
    let rest = rest.read(&file, size)?;
    let rest = &mut Take(&rest);
    let table = take_table(rest).ok_or(Fault::Damaged)?;
    let mut odd = OddNames::new();
    take_odd(rest, &mut odd).ok_or(Fault::Damaged)?;
    let history = take_history(rest).ok_or(Fault::Damaged)?;
    let chunks = read_chunks(&file, &header, size, table.set_count())?;
    let picture = Snapshot::assemble(Parts {
        uid_validity,
        uid_next: Uid::new(header.uid_next).ok_or(Fault::Damaged)?,
        modseq: header.modseq,
        chunks,
        table,
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
    read_header(&open).ok().map(|header| header.inodes)
}

fn read_header(file: &File) -> Result<Header, Fault> {
    let mut bytes = [0; HEADER];
    match file.read_exact_at(&mut bytes, 0) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(Fault::Damaged),
        other => other?,
    }
    let take = &mut Take(&bytes);
    let crc = take.beginning(MAGIC, VERSION)?;
    if crc32c::crc32c(take.0) != crc {
        return Err(Fault::Damaged);
    }
    take_header(take).ok_or(Fault::Damaged)
}

fn take_header(take: &mut Take<'_>) -> Option<Header> {
    Some(Header {
        generation: take.u64()?,
        guid: take.array()?,
        inodes: [take.u64()?, take.u64()?, take.u64()?],
        uid_validity: take.u32()?,
        uid_next: take.u32()?,
        modseq: take.u64()?,
        rows: take.u32()?,
        chunks: take.u32()?,
        hot_at: take.u64()?,
        chunks_at: take.u64()?,
        chunks_crc: take.u32()?,
        rest_at: take.u64()?,
        rest_len: take.u64()?,
        rest_crc: take.u32()?,
    })
}

/// Some octets of the file.
struct Part {
    at: u64,
    len: u64,
    crc: u32,
}

impl Part {
    fn read(&self, file: &IndexFile, size: u64) -> Result<Vec<u8>, Fault> {
        let bytes = read_at(file, size, (self.at, self.len))?;
        if crc32c::crc32c(&bytes) != self.crc {
            return Err(Fault::Damaged);
        }
        Ok(bytes)
    }
}

fn read_at(file: &IndexFile, size: u64, (at, len): (u64, u64)) -> Result<Vec<u8>, Fault> {
    let fits = at.checked_add(len).is_some_and(|end| end <= size);
    if !fits || len > MAX_REST {
        return Err(Fault::Damaged);
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| Fault::Damaged)?];
    file.file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// Hot rows read at once, in chunks.
const WINDOW: usize = 64;

fn read_chunks(
    file: &Arc<IndexFile>,
    header: &Header,
    size: u64,
    sets: usize,
) -> Result<Vec<Arc<Chunk>>, Fault> {
    let directory = Part {
        at: header.chunks_at,
        len: u64::from(header.chunks) * ENTRY as u64,
        crc: header.chunks_crc,
    };
    let directory = directory.read(file, size)?;
    let mut chunks = Vec::with_capacity(header.chunks as usize);
    let mut at = header.hot_at;
    let mut last = 0;
    for entries in directory.chunks(WINDOW * ENTRY) {
        let rows = |entry: &[u8]| u64::from(Take(entry).u32().unwrap_or(0));
        let len: u64 = entries.chunks(ENTRY).map(|e| rows(e) * ROW as u64).sum();
        let hot = read_at(file, size, (at, len))?;
        at += len;
        let hot = &mut Take(&hot);
        for entry in entries.chunks(ENTRY) {
            let chunk = take_chunk(&mut Take(entry), hot, file, (header, sets, &mut last));
            chunks.push(Arc::new(chunk.ok_or(Fault::Damaged)?));
        }
    }
    let all: usize = chunks.iter().map(|c| c.len()).sum();
    if all != header.rows as usize {
        return Err(Fault::Damaged);
    }
    Ok(chunks)
}

fn take_chunk(
    entry: &mut Take<'_>,
    hot: &mut Take<'_>,
    file: &Arc<IndexFile>,
    (header, sets, last): (&Header, usize, &mut u32),
) -> Option<Chunk> {
    let (count, crc) = (entry.u32()? as usize, entry.u32()?);
    let block = Block {
        file: Arc::clone(file),
        at: entry.u64()?,
        len: entry.u32()?,
        crc: entry.u32()?,
    };
    if count == 0 || count > CHUNK {
        return None;
    }
    let bytes = hot.bytes(count * ROW)?;
    if crc32c::crc32c(bytes) != crc {
        return None;
    }
    let take = &mut Take(bytes);
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        let row = take_row(take, sets)?;
        if row.uid <= *last || row.uid >= header.uid_next || row.modseq > header.modseq {
            return None;
        }
        *last = row.uid;
        rows.push(row);
    }
    let cold = Cold::in_index(block, count);
    Some(Chunk::new(rows, Arc::new(cold)))
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
