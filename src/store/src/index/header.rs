//! The beginning of a snapshot file.

use super::bytes::{Put, Take};
use super::log::{Fault, VERSION};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const MAGIC: &[u8; 8] = b"ROOSTIDX";
/// Magic, version, checksum, and what the checksum is of.
pub(super) const LEN: usize = 16 + BODY;
const BODY: usize = 8 + 16 + 24 + 4 + 4 + 8 + 4 + 4 + 8 + 8 + 8 + 4;

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
    /// The directory of chunks and all behind it.
    pub tail_at: u64,
    pub tail_len: u64,
    pub tail_crc: u32,
}

impl Header {
    /// # Errors
    /// Where it is damaged, or of another version.
    pub fn read(file: &File) -> Result<Self, Fault> {
        let mut bytes = [0; LEN];
        match file.read_exact_at(&mut bytes, 0) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(Fault::Damaged),
            other => other?,
        }
        let take = &mut Take(&bytes);
        let crc = take.beginning(MAGIC, VERSION)?;
        if crc32c::crc32c(take.0) != crc {
            return Err(Fault::Damaged);
        }
        Self::take(take).ok_or(Fault::Damaged)
    }

    fn take(take: &mut Take<'_>) -> Option<Self> {
        Some(Self {
            generation: take.u64()?,
            guid: take.array()?,
            inodes: [take.u64()?, take.u64()?, take.u64()?],
            uid_validity: take.u32()?,
            uid_next: take.u32()?,
            modseq: take.u64()?,
            rows: take.u32()?,
            chunks: take.u32()?,
            hot_at: take.u64()?,
            tail_at: take.u64()?,
            tail_len: take.u64()?,
            tail_crc: take.u32()?,
        })
    }

    /// As it stands in the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(BODY);
        body.u64(self.generation);
        body.bytes(&self.guid);
        for inode in self.inodes {
            body.u64(inode);
        }
        body.u32(self.uid_validity);
        body.u32(self.uid_next);
        body.u64(self.modseq);
        body.u32(self.rows);
        body.u32(self.chunks);
        body.u64(self.hot_at);
        body.u64(self.tail_at);
        body.u64(self.tail_len);
        body.u32(self.tail_crc);
        let mut bytes = Vec::with_capacity(LEN);
        bytes.bytes(MAGIC);
        bytes.u32(VERSION);
        bytes.u32(crc32c::crc32c(&body));
        bytes.bytes(&body);
        bytes
    }
}
