//! Numbers and names as they stand in the index files: little-endian, names
//! behind their lengths. Reading never goes beyond the end.

use super::log::Fault;
use roost_types::Keyword;

/// Appends to a buffer.
pub(super) trait Put {
    fn bytes(&mut self, bytes: &[u8]);

    fn u8(&mut self, n: u8) {
        self.bytes(&[n]);
    }

    fn u16(&mut self, n: u16) {
        self.bytes(&n.to_le_bytes());
    }

    fn u32(&mut self, n: u32) {
        self.bytes(&n.to_le_bytes());
    }

    fn u64(&mut self, n: u64) {
        self.bytes(&n.to_le_bytes());
    }

    /// A count of what follows; what is beyond 32 bits cannot be in memory.
    fn count(&mut self, n: usize) {
        self.u32(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// At most 65535 octets: names are never longer.
    fn name(&mut self, name: &[u8]) {
        let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.u16(len);
        self.bytes(name.get(..usize::from(len)).unwrap_or_default());
    }
}

impl Put for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Reads from the front; `None` at the end and for what cannot be.
pub(super) struct Take<'a>(pub &'a [u8]);

impl<'a> Take<'a> {
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A count of things that take at least `least` octets each: more of them
    /// than there is room for is damage, and nothing is allocated for it.
    pub fn count(&mut self, least: usize) -> Option<usize> {
        let count = self.u32()? as usize;
        (count.checked_mul(least)? <= self.0.len()).then_some(count)
    }

    /// What every index file begins with: its magic, its version, and the
    /// checksum of what follows.
    pub fn beginning(&mut self, magic: &[u8; 8], version: u32) -> Result<u32, Fault> {
        if self.array().ok_or(Fault::Damaged)? != *magic {
            return Err(Fault::Damaged);
        }
        if self.u32().ok_or(Fault::Damaged)? != version {
            return Err(Fault::Version);
        }
        self.u32().ok_or(Fault::Damaged)
    }

    pub fn name(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.bytes(usize::from(len))
    }

    pub fn keyword(&mut self) -> Option<Keyword> {
        Keyword::new(std::str::from_utf8(self.name()?).ok()?).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
