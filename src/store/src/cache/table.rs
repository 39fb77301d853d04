//! Which blocks hold which messages: some octets for each hundred of them.

use super::{COLUMNS, bytes};

/// A block by its place in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BlockRef {
    pub group: u32,
    pub count: u16,
    pub payload: u32,
    pub offset: u64,
}

const PACKED: usize = 20;
/// The CRC of all the rest, how much that is, and a mark.
const TRAILER: usize = 16;
const MARK: [u8; 8] = *b"RPTABLE1";

/// The blocks of a file, for each column by rising group; of one group the
/// later ones behind the older, whose records they replace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Table {
    columns: [Vec<BlockRef>; COLUMNS],
    /// Octets of blocks that have been replaced.
    pub dead: u64,
}

impl Table {
    pub fn add(&mut self, column: u8, block: BlockRef) {
        if let Some(blocks) = self.columns.get_mut(usize::from(column)) {
            let at = blocks.partition_point(|b| b.group <= block.group);
            blocks.insert(at, block);
        }
    }

    /// The blocks of one group, the oldest first.
    pub fn group(&self, column: u8, group: u32) -> &[BlockRef] {
        let blocks = self.column(column);
        let first = blocks.partition_point(|b| b.group < group);
        let rest = blocks.get(first..).unwrap_or_default();
        let len = rest.partition_point(|b| b.group == group);
        rest.get(..len).unwrap_or_default()
    }

    pub fn column(&self, column: u8) -> &[BlockRef] {
        let blocks = self.columns.get(usize::from(column));
        blocks.map_or(&[], |blocks| blocks)
    }

    /// Takes the blocks of one group out, as good for nothing.
    pub fn drop_group(&mut self, column: u8, group: u32) {
        self.drop_where(column, |b| b.group == group);
    }

    pub fn drop_block(&mut self, column: u8, offset: u64) {
        self.drop_where(column, |b| b.offset == offset);
    }

    fn drop_where(&mut self, column: u8, is: impl Fn(&BlockRef) -> bool) {
        if let Some(blocks) = self.columns.get_mut(usize::from(column)) {
            let dropped = blocks.iter().filter(|b| is(b));
            self.dead += dropped.map(|b| u64::from(b.payload)).sum::<u64>();
            blocks.retain(|b| !is(b));
        }
    }

    /// Records of all blocks of the first column; expunged messages count.
    pub fn records(&self) -> u64 {
        self.column(0).iter().map(|b| u64::from(b.count)).sum()
    }

    /// Appends the table in its form on disk.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.dead.to_le_bytes());
        for blocks in &self.columns {
            out.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
            for block in blocks {
                out.extend_from_slice(&block.group.to_le_bytes());
                out.extend_from_slice(&u32::from(block.count).to_le_bytes());
                out.extend_from_slice(&block.payload.to_le_bytes());
                out.extend_from_slice(&block.offset.to_le_bytes());
            }
        }
        let table = out.get(start..).unwrap_or_default();
        let (len, crc) = (table.len() as u32, crc32c::crc32c(table));
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&MARK);
    }

    /// How many octets a table takes at the end of a file that ends so.
    pub fn packed_len(tail: &[u8]) -> Option<u64> {
        let trailer = tail.last_chunk::<TRAILER>()?;
        let len = bytes::u32_at(trailer, 4)?;
        (trailer.get(8..)? == MARK).then_some(u64::from(len) + TRAILER as u64)
    }

    /// Reads what [`Table::pack`] wrote; `None` if it is damaged or speaks of
    /// blocks at or behind `end`.
    pub fn unpack(packed: &[u8], end: u64) -> Option<Self> {
        let (table, trailer) = packed.split_at_checked(packed.len().checked_sub(TRAILER)?)?;
        if bytes::u32_at(trailer, 0)? != crc32c::crc32c(table) {
            return None;
        }
        let mut found = Self {
            dead: bytes::u64_at(table, 0)?,
            ..Self::default()
        };
        let mut rest = table.get(8..)?;
        for blocks in &mut found.columns {
            let count = bytes::u32_at(rest, 0)? as usize;
            let (now, later) = rest
                .get(4..)?
                .split_at_checked(count.checked_mul(PACKED)?)?;
            rest = later;
            let unpacked = now.chunks_exact(PACKED).map(|block| {
                let block = BlockRef {
                    group: bytes::u32_at(block, 0)?,
                    count: u16::try_from(bytes::u32_at(block, 4)?).ok()?,
                    payload: bytes::u32_at(block, 8)?,
                    offset: bytes::u64_at(block, 12)?,
                };
                (block.offset < end).then_some(block)
            });
            *blocks = unpacked.collect::<Option<_>>()?;
        }
        Some(found)
    }
}

pub(super) const TRAILER_LEN: u64 = TRAILER as u64;

#[cfg(test)]
mod tests {
    use super::*;

    fn block(group: u32, offset: u64) -> BlockRef {
        BlockRef {
            group,
            count: 3,
            payload: 100,
            offset,
        }
    }

    #[test]
    fn blocks_of_a_group_in_the_order_they_came() {
        let mut table = Table::default();
        for (group, offset) in [(5, 40), (1, 80), (5, 90), (2, 95)] {
            table.add(1, block(group, offset));
        }
        let offsets = |table: &Table, group| -> Vec<u64> {
            table.group(1, group).iter().map(|b| b.offset).collect()
        };
        assert_eq!(offsets(&table, 5), [40, 90]);
        assert_eq!(offsets(&table, 3), [0; 0]);
        assert!(table.group(0, 5).is_empty());
        let mut packed = Vec::new();
        table.pack(&mut packed);
        assert_eq!(Table::packed_len(&packed), Some(packed.len() as u64));
        assert_eq!(Table::unpack(&packed, 1000).as_ref(), Some(&table));
        assert_eq!(Table::unpack(&packed, 95), None);
        for at in 0..packed.len() - 12 {
            let mut damaged = packed.clone();
            *damaged.get_mut(at).unwrap() ^= 4;
            assert_eq!(Table::unpack(&damaged, 1000), None, "octet {at}");
        }
        table.drop_group(1, 5);
        assert_eq!((offsets(&table, 5), table.dead), (Vec::new(), 200));
    }
}
