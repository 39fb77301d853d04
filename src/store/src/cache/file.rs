//! The file of pieces: a header, blocks, and, where it was closed in order, a
//! table of the blocks at its end, so that they are found without a walk over
//! the file. Blocks are only ever added; the table is written over by the next
//! block.

use super::block::{self, Header};
use super::table::{BlockRef, TRAILER_LEN, Table};
use crate::format::Dir;
use crate::format::uidlist::Guid;
use crate::index::folder::FILE_MODE;
use roost_os::file;
use roost_types::UidValidity;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const MAGIC: [u8; 8] = *b"RoostPc3";
const FILE_HEADER: usize = 32;

/// Whose messages the pieces are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owner {
    pub guid: Guid,
    pub uid_validity: UidValidity,
}

impl Owner {
    fn header(self) -> Vec<u8> {
        let mut header = Vec::with_capacity(FILE_HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&self.guid.0);
        header.extend_from_slice(&self.uid_validity.get().to_le_bytes());
        let crc = crc32c::crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        header
    }
}

/// A file and what is known of it.
#[derive(Debug)]
pub(super) struct PiecesFile {
    pub file: Arc<File>,
    pub table: Table,
    /// Where the next block goes.
    pub end: u64,
    /// There is a table on disk behind the blocks.
    tabled: bool,
}

impl PiecesFile {
    /// Makes a new file under `name`, over whatever is there.
    pub fn create(dir: &Dir, name: &str, owner: Owner) -> io::Result<Self> {
        match file::unlink(dir, name.as_bytes()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = file::create_excl(dir, name.as_bytes(), FILE_MODE)?;
        file.write_all_at(&owner.header(), 0)?;
        Ok(Self {
            file: Arc::new(file),
            table: Table::default(),
            end: FILE_HEADER as u64,
            tabled: false,
        })
    }

    /// Opens what is there, or makes it. What is no such file of this owner is
    /// thrown away; of one that is torn, what is whole is kept.
    pub fn open(dir: &Dir, name: &str, owner: Owner) -> io::Result<Self> {
        let file = match file::open_for_update(dir, name.as_bytes()) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Self::create(dir, name, owner);
            }
            Err(e) => return Err(e),
        };
        let size = file::stat(&file)?.size;
        let mut header = [0; FILE_HEADER];
        let whole = size >= FILE_HEADER as u64 && file.read_exact_at(&mut header, 0).is_ok();
        if !whole || header != *owner.header() {
            let path = dir.entry(name.as_bytes());
            log::info!(
                "{}: not of this mailbox or version: made anew",
                path.display()
            );
            return Self::create(dir, name, owner);
        }
        let mut opened = Self {
            file: Arc::new(file),
            table: Table::default(),
            end: size,
            tabled: false,
        };
        if !opened.read_table(size)? {
            opened.walk(size)?;
            if opened.end < size {
                let path = dir.entry(name.as_bytes());
                log::info!("{}: torn at octet {}", path.display(), opened.end);
            }
        }
        Ok(opened)
    }

    /// False if there is no table at the end, or it is damaged.
    fn read_table(&mut self, size: u64) -> io::Result<bool> {
        let mut trailer = [0; TRAILER_LEN as usize];
        let Some(at) = size.checked_sub(TRAILER_LEN) else {
            return Ok(false);
        };
        self.file.read_exact_at(&mut trailer, at)?;
        let begin = Table::packed_len(&trailer).and_then(|len| size.checked_sub(len));
        let Some(begin) = begin.filter(|&b| b >= FILE_HEADER as u64) else {
            return Ok(false);
        };
        let len = usize::try_from(size - begin).unwrap_or(usize::MAX);
        let mut packed = vec![0; len];
        self.file.read_exact_at(&mut packed, begin)?;
        let Some(table) = Table::unpack(&packed, begin) else {
            return Ok(false);
        };
        (self.table, self.end, self.tabled) = (table, begin, true);
        Ok(true)
    }

    /// Goes from block to block up to the first that is not whole.
    fn walk(&mut self, size: u64) -> io::Result<()> {
        self.end = FILE_HEADER as u64;
        let mut octets = Vec::new();
        while self.end < size {
            let most = block::HEADER + block::MAX_COUNT * block::ENTRY;
            let room = usize::try_from(size - self.end).unwrap_or(most).min(most);
            octets.resize(room, 0);
            self.file.read_exact_at(&mut octets, self.end)?;
            let Some((header, _)) = block::directory(&octets) else {
                return Ok(());
            };
            if header.len() > size - self.end {
                return Ok(());
            }
            self.table.add(header.column, self.place(header));
            self.end += header.len();
        }
        Ok(())
    }

    fn place(&self, header: Header) -> BlockRef {
        BlockRef {
            group: header.group,
            count: header.count,
            payload: header.payload,
            offset: self.end,
        }
    }

    /// Adds blocks as [`block::write`] made them. After an error the file is
    /// as it was, as far as that is possible.
    pub fn append(&mut self, blocks: &[u8]) -> io::Result<()> {
        if self.tabled {
            self.file.set_len(self.end)?;
            self.tabled = false;
        }
        if let Err(e) = self.file.write_all_at(blocks, self.end) {
            let _ = self.file.set_len(self.end);
            return Err(e);
        }
        let mut rest = blocks;
        while let Some(header) = Header::parse(rest) {
            self.table.add(header.column, self.place(header));
            self.end += header.len();
            let len = usize::try_from(header.len()).unwrap_or(usize::MAX);
            rest = rest.get(len..).unwrap_or_default();
        }
        Ok(())
    }

    /// Puts the table behind the blocks, for the next one who opens the file.
    pub fn close(&mut self) -> io::Result<()> {
        if self.tabled {
            return Ok(());
        }
        let mut packed = Vec::new();
        self.table.pack(&mut packed);
        self.file.write_all_at(&packed, self.end)?;
        self.file.set_len(self.end + packed.len() as u64)?;
        self.tabled = true;
        Ok(())
    }
}
