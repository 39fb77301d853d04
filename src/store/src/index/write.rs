//! Writing the snapshot of a mailbox: to a temporary file, block by block,
//! which takes its name when it is whole.

use super::block::{Block, RowBlock};
use super::bytes::Put;
use super::change::{OddNames, put_block, put_odd, put_row, put_table};
use super::file::{IndexFile, KIND, put_entry};
use super::folder::{FILE_MODE, IndexPlace};
use super::header::{self, Header};
use super::history::History;
use crate::format::Dir;
use crate::snapshot::{Chunk, ColdData, Facts, Snapshot};
use roost_os::file;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const TEMPORARY: &str = "index.tmp";
/// Octets written at once.
const PIECE: usize = 1 << 20;

/// A snapshot on its way to the disk; dropped, it leaves nothing behind.
pub(crate) struct Writer {
    place: Arc<IndexPlace>,
    file: Arc<IndexFile>,
    inodes: [u64; 3],
    /// What is not yet in the file, and where it goes.
    pending: Vec<u8>,
    at: u64,
    error: Option<io::Error>,
    done: bool,
}

/// What is written besides the messages.
pub(crate) struct Rest<'a> {
    pub history: &'a History,
    pub odd: &'a OddNames,
}

/// A snapshot that is whole but for its name.
pub(crate) struct Written {
    pub(super) generation: u64,
    /// One of each for each chunk of the picture.
    blocks: Vec<(RowBlock, Block)>,
    writer: Writer,
}

impl Written {
    /// Gives the file its name.
    pub(super) fn publish(&mut self) -> io::Result<Arc<IndexFile>> {
        let place = &self.writer.place;
        let (temporary, name) = (place.file(TEMPORARY), place.file(KIND));
        file::rename(
            place.dir(),
            temporary.as_bytes(),
            place.dir(),
            name.as_bytes(),
        )?;
        self.writer.done = true;
        Ok(Arc::clone(&self.writer.file))
    }

    /// Lets go of what `picture`, which was written, keeps in memory.
    pub fn relieve(&self, picture: &Snapshot) {
        for (chunk, (rows, block)) in picture.chunks().iter().zip(&self.blocks) {
            chunk.relieve_rows_to(rows);
            chunk.cold_side().relieve_to(block);
        }
    }
}

impl Writer {
    pub fn create(
        place: &Arc<IndexPlace>,
        (maildir, inodes): (&Dir, [u64; 3]),
        lost: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let temporary = place.file(TEMPORARY);
        let _ = file::unlink(place.dir(), temporary.as_bytes());
        let made = file::create_excl(place.dir(), temporary.as_bytes(), FILE_MODE)?;
        Ok(Self {
            place: Arc::clone(place),
            file: IndexFile::new(made, maildir, lost),
            inodes,
            pending: vec![0; header::LEN],
            at: 0,
            error: None,
            done: false,
        })
    }

    /// Writes a chunk's facts; `None` after an error, which
    /// [`finish`](Self::finish) will tell.
    pub fn block(&mut self, data: &ColdData) -> Option<Block> {
        let start = self.pending.len();
        put_block(&mut self.pending, data.iter());
        self.block_from(start)
    }

    /// What was put behind `start` is a block.
    fn block_from(&mut self, start: usize) -> Option<Block> {
        let bytes = self.pending.get(start..).unwrap_or_default();
        let block = Block {
            file: Arc::clone(&self.file),
            at: self.at + start as u64,
            len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            crc: crc32c::crc32c(bytes),
        };
        // It may be read at once.
        self.flush();
        self.error.is_none().then_some(block)
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.file.file().write_all_at(&self.pending, self.at).err();
        }
        self.at += self.pending.len() as u64;
        self.pending.clear();
    }

    fn chunk(&mut self, chunk: &Chunk) -> Option<Block> {
        // What is learnt from now on may be missing.
        let known = chunk.cold_side().begin_writing(chunk.len());
        if let Some(block) = &known {
            if Arc::ptr_eq(&block.file, &self.file) {
                return known;
            }
            if let Ok(raw) = block.raw() {
                let start = self.pending.len();
                self.pending.bytes(&raw);
                return self.block_from(start);
            }
        }
        let data = chunk.cold_data();
        let start = self.pending.len();
        let facts = |uid| data.facts(uid).unwrap_or(Facts::none(uid));
        put_block(
            &mut self.pending,
            chunk.rows().iter().map(|row| facts(row.uid)),
        );
        self.block_from(start)
    }

    /// Writes what is missing of `picture`.
    pub fn finish(mut self, picture: &Snapshot, rest: &Rest<'_>) -> io::Result<Written> {
        let blocks: Vec<Block> = picture
            .chunks()
            .iter()
            .map_while(|chunk| self.chunk(chunk))
            .collect();
        let mut generation = [0; 8];
        getrandom::fill(&mut generation).map_err(io::Error::other)?;
        let generation = u64::from_le_bytes(generation);
        let mut header = Header {
            generation,
            guid: self.place.guid().0,
            inodes: self.inodes,
            uid_validity: picture.uid_validity().get(),
            uid_next: picture.uid_next().get(),
            modseq: picture.highest_modseq().0,
            rows: picture.len(),
            chunks: u32::try_from(blocks.len()).unwrap_or(u32::MAX),
            hot_at: self.position(),
            tail_at: 0,
            tail_len: 0,
            tail_crc: 0,
        };
        let mut tail = Vec::new();
        let mut places = Vec::with_capacity(blocks.len());
        let sets = picture.table().set_count();
        for (chunk, block) in picture.chunks().iter().zip(blocks) {
            let rows = self.rows(chunk, sets);
            put_entry(&mut tail, &chunk.summary(), &rows, &block);
            places.push((rows, block));
        }
        put_table(&mut tail, picture.table());
        put_odd(&mut tail, rest.odd.iter());
        rest.history.put(&mut tail);
        header.tail_at = self.position();
        header.tail_len = tail.len() as u64;
        header.tail_crc = crc32c::crc32c(&tail);
        self.pending.bytes(&tail);
        self.flush();
        self.at = 0;
        self.pending = header.encode();
        self.flush();
        if let Some(e) = self.error.take() {
            return Err(e);
        }
        // Written, they would pass for what clients were told.
        if picture.chunks().iter().any(|chunk| chunk.is_rebuilt()) {
            return Err(io::Error::other("flags are to be read from file names"));
        }
        Ok(Written {
            generation,
            blocks: places,
            writer: self,
        })
    }

    fn position(&self) -> u64 {
        self.at + self.pending.len() as u64
    }

    /// Rows that nobody has needed are copied as they stand.
    fn rows(&mut self, chunk: &Chunk, sets: usize) -> RowBlock {
        let at = self.position();
        let start = self.pending.len();
        match chunk.row_block().and_then(|b| b.raw(&chunk.summary()).ok()) {
            Some(raw) => self.pending.bytes(&raw),
            None => {
                for row in chunk.rows() {
                    put_row(&mut self.pending, row);
                }
            }
        }
        let rows = self.pending.get(start..).unwrap_or_default();
        let block = RowBlock {
            file: Arc::clone(&self.file),
            at,
            crc: crc32c::crc32c(rows),
            sets,
        };
        if self.pending.len() >= PIECE {
            self.flush();
        }
        block
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.done {
            let _ = file::unlink(self.place.dir(), self.place.file(TEMPORARY).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Cold, HotRow};
    use roost_types::SystemFlags;

    fn hot(uid: u32) -> HotRow {
        HotRow {
            uid,
            flags: SystemFlags::NONE,
            state: 0,
            keywords: Default::default(),
            modseq: 1,
        }
    }

    /// Facts of two messages, and a block that says the same.
    fn written(temp: &tempfile::TempDir) -> (Cold, Block) {
        let dir = crate::format::Dir::open(temp.path()).unwrap();
        let path = temp.path().join("x");
        std::fs::write(&path, "").unwrap();
        let open = std::fs::File::options().read(true).write(true).open(path);
        let file = IndexFile::new(open.unwrap(), &dir, &Arc::default());
        let mut data = ColdData::with_capacity(2);
        for (uid, base) in [(1, b"a"), (2, b"b")] {
            data.push(&Facts {
                base,
                ..Facts::none(uid)
            });
        }
        let mut bytes = Vec::new();
        put_block(&mut bytes, data.iter());
        file.file().write_all_at(&bytes, 0).unwrap();
        let block = Block {
            file,
            at: 0,
            len: u32::try_from(bytes.len()).unwrap(),
            crc: crc32c::crc32c(&bytes),
        };
        (Cold::new(data), block)
    }

    #[test]
    fn what_is_learnt_while_the_index_is_written_stays() {
        let temp = tempfile::tempdir().unwrap();
        let (cold, block) = written(&temp);
        let rows = [hot(1), hot(2)];
        assert!(cold.begin_writing(2).is_none());
        cold.row(|| &rows, 1).unwrap().set_size(7);
        cold.relieve_to(&block);
        assert!(cold.has_learnt());
        assert_eq!(cold.row(|| &rows, 1).unwrap().size(), Some(7));
        assert!(cold.begin_writing(2).is_none());
        assert!(!cold.has_learnt());
    }

    #[test]
    fn who_still_has_the_facts_at_hand_learns_for_all() {
        let temp = tempfile::tempdir().unwrap();
        let (cold, block) = written(&temp);
        let rows = [hot(1), hot(2)];
        let before = cold.row(|| &rows, 1).unwrap();
        cold.begin_writing(2);
        cold.relieve_to(&block);
        assert!(cold.block(2).is_some());
        let after = cold.row(|| &rows, 2).unwrap();
        before.set_size(7);
        after.set_dates(8, 9);
        drop((before, after));
        assert_eq!(cold.row(|| &rows, 1).unwrap().size(), Some(7));
        assert_eq!(cold.row(|| &rows, 2).unwrap().internal_date(), Some(8));
        assert_eq!(cold.row(|| &rows, 1).unwrap().base(), b"a");
    }
}
