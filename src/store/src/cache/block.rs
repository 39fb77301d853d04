//! Blocks: records of one column for messages whose UIDs lie close together.
//!
//! ```text
//! block     = mark column 0 count group payload-length payload-crc crc
//!             directory payload
//! directory = count times: uid, where its record ends in the payload, crc
//! ```
//! Numbers have the low octet first. The CRC of the header is that of what
//! stands before it and of the directory. Those of the records are for who
//! reads one without the rest; who reads the whole block compares one.

use super::{COLUMNS, bytes};

const MARK: [u8; 4] = *b"RPB2";
pub(super) const HEADER: usize = 24;
pub(super) const ENTRY: usize = 12;

/// UIDs that differ in these bits alone belong to one group.
const GROUP_BITS: u32 = 7;
pub(super) const MAX_COUNT: usize = 1 << GROUP_BITS;

pub(super) fn group_of(uid: u32) -> u32 {
    uid >> GROUP_BITS
}

/// The lowest UID of a group.
pub(super) fn first_of(group: u32) -> u32 {
    group << GROUP_BITS
}

/// The beginning of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub column: u8,
    pub count: u16,
    pub group: u32,
    pub payload: u32,
    /// Of the payload.
    pub crc: u32,
}

/// A record within a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub uid: u32,
    /// Where it lies in the payload.
    pub start: u32,
    pub end: u32,
    pub crc: u32,
}

impl Header {
    /// `None` if no block begins so.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let (mark, rest) = octets.split_first_chunk()?;
        let &[column, zero, low, high] = rest.first_chunk()?;
        let header = Self {
            column,
            count: u16::from_le_bytes([low, high]),
            group: bytes::u32_at(octets, 8)?,
            payload: bytes::u32_at(octets, 12)?,
            crc: bytes::u32_at(octets, 16)?,
        };
        let sane = *mark == MARK
            && zero == 0
            && usize::from(column) < COLUMNS
            && (1..=MAX_COUNT).contains(&usize::from(header.count));
        sane.then_some(header)
    }

    /// Octets of header and directory.
    pub fn directory_end(&self) -> usize {
        HEADER + usize::from(self.count) * ENTRY
    }

    /// Octets of the whole block.
    pub fn len(&self) -> u64 {
        self.directory_end() as u64 + u64::from(self.payload)
    }
}

/// The entries of a block, of which `octets` are header and directory at
/// least; `None` if they are damaged.
pub(super) fn directory(octets: &[u8]) -> Option<(Header, Vec<Entry>)> {
    let header = Header::parse(octets)?;
    let (fixed, directory) = octets
        .get(..header.directory_end())?
        .split_at_checked(HEADER)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(fixed.get(..HEADER - 4)?), directory);
    if crc != bytes::u32_at(fixed, HEADER - 4)? {
        return None;
    }
    let mut start = 0;
    let entries = directory.chunks_exact(ENTRY).map(|entry| {
        let entry = Entry {
            uid: bytes::u32_at(entry, 0)?,
            start,
            end: bytes::u32_at(entry, 4)?,
            crc: bytes::u32_at(entry, 8)?,
        };
        start = entry.end;
        let sane = entry.start <= entry.end && entry.end <= header.payload;
        sane.then_some(entry)
    });
    Some((header, entries.collect::<Option<_>>()?))
}

/// Appends a block of these records, which are of one group, by rising UID
/// and no more than [`MAX_COUNT`].
pub(super) fn write(out: &mut Vec<u8>, column: u8, records: &[(u32, &[u8])]) {
    let start = out.len();
    let group = records.first().map_or(0, |(uid, _)| group_of(*uid));
    let payload: usize = records.iter().map(|(_, record)| record.len()).sum();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[column, 0]);
    out.extend_from_slice(&(records.len() as u16).to_le_bytes());
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&(payload as u32).to_le_bytes());
    let crc = records
        .iter()
        .fold(0, |crc, (_, record)| crc32c::crc32c_append(crc, record));
    out.extend_from_slice(&crc.to_le_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut end = 0_u32;
    for (uid, record) in records {
        end += record.len() as u32;
        for number in [*uid, end, crc32c::crc32c(record)] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    let fixed = out.get(start..at).unwrap_or_default();
    let directory = out.get(at + 4..).unwrap_or_default();
    let crc = crc32c::crc32c_append(crc32c::crc32c(fixed), directory);
    if let Some(room) = out.get_mut(at..at + 4) {
        room.copy_from_slice(&crc.to_le_bytes());
    }
    for (_, record) in records {
        out.extend_from_slice(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let mut out = Vec::new();
        write(&mut out, 1, &[(256, b"abc"), (260, b""), (300, b"de")]);
        let (header, entries) = directory(&out).unwrap();
        assert_eq!((header.column, header.count, header.group), (1, 3, 2));
        assert_eq!(header.len(), out.len() as u64);
        let spans: Vec<_> = entries.iter().map(|e| (e.uid, e.start, e.end)).collect();
        assert_eq!(spans, [(256, 0, 3), (260, 3, 3), (300, 3, 5)]);
        assert_eq!(entries.first().unwrap().crc, crc32c::crc32c(b"abc"));
        assert_eq!(header.crc, crc32c::crc32c(b"abcde"));
        for at in 0..header.directory_end() {
            let mut damaged = out.clone();
            *damaged.get_mut(at).unwrap() ^= 1;
            assert_eq!(directory(&damaged), None, "octet {at}");
        }
        assert_eq!(directory(out.get(..30).unwrap()), None);
    }
}
