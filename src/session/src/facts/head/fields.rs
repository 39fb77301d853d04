//! Some of the fields that are kept of a message.

use super::ENTRY;

/// Fields of a header, and how many octets they are.
#[derive(Clone, Copy, Debug)]
pub struct KeptFields<'a> {
    /// Entries up to the last field that is wanted.
    table: &'a [u8],
    block: &'a [u8],
    wanted: u64,
    octets: usize,
}

impl<'a> KeptFields<'a> {
    /// `None` if the table is damaged.
    pub(super) fn new(table: &'a [u8], block: &'a [u8], wanted: u64) -> Option<Self> {
        let (mut start, mut octets, mut used) = (0, 0, 0);
        for (at, entry) in table.chunks_exact(ENTRY).enumerate() {
            let (is_wanted, end) = read(entry, wanted);
            if is_wanted {
                octets += block.get(start..end)?.len();
                used = at + 1;
            }
            start = end;
        }
        let table = table.get(..used * ENTRY)?;
        Some(Self {
            table,
            block,
            wanted,
            octets,
        })
    }

    /// Octets, those of the empty line included.
    pub fn octets(&self) -> usize {
        self.octets + 2
    }

    /// Appends the fields, neighbours together, and the empty line.
    pub fn append(&self, out: &mut Vec<u8>) {
        let (mut from, mut start) = (0, 0);
        for entry in self.table.chunks_exact(ENTRY) {
            let (is_wanted, end) = read(entry, self.wanted);
            if !is_wanted {
                if from < start {
                    out.extend_from_slice(self.block.get(from..start).unwrap_or_default());
                }
                from = end;
            }
            start = end;
        }
        out.extend_from_slice(self.block.get(from..start).unwrap_or_default());
        out.extend_from_slice(b"\r\n");
    }
}

/// Whether the field of an entry is wanted, and where it ends in the block.
fn read(entry: &[u8], wanted: u64) -> (bool, usize) {
    let &[id, low, high] = entry else {
        return (false, 0);
    };
    let is_wanted = wanted
        .checked_shr(u32::from(id))
        .is_some_and(|w| w & 1 != 0);
    (is_wanted, usize::from(u16::from_le_bytes([low, high])))
}
