//! The records in memory: names in one heap string, fixed rows in UID order,
//! and a hash index from name to row. A hundred thousand records take about
//! 8 MB and no allocation each.

use std::hash::{BuildHasher, RandomState};

/// A record's place in the heap: its fields, then its base name.
#[derive(Clone, Copy, Debug)]
struct Row {
    uid: u32,
    start: u32,
    fields: u16,
    name: u16,
}

/// A record as it stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record<'a> {
    pub uid: u32,
    /// Extension fields as they stand, separated by spaces; none: empty.
    pub fields: &'a [u8],
    pub base: &'a [u8],
}

/// The heap, or one of a row's lengths, is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// What [`Table::push`] did about a name that was there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pushed {
    New,
    /// The earlier record of that name is dead now: see
    /// [`Table::drop_dead`].
    Replaced,
}

#[derive(Default, Debug)]
pub(super) struct Table {
    heap: Vec<u8>,
    rows: Vec<Row>,
    /// Open addressing; row number plus one, 0 is free.
    slots: Vec<u32>,
    hasher: RandomState,
    dead: usize,
}

impl Table {
    pub fn with_capacity(heap: usize, rows: usize) -> Self {
        let mut table = Self {
            heap: Vec::with_capacity(heap),
            rows: Vec::with_capacity(rows),
            ..Self::default()
        };
        table.reindex(rows);
        table
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn last_uid(&self) -> u32 {
        self.rows.last().map_or(0, |row| row.uid)
    }

    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        self.rows.get(index).and_then(|row| self.record(row))
    }

    fn record(&self, row: &Row) -> Option<Record<'_>> {
        let start = row.start as usize;
        let middle = start + usize::from(row.fields);
        Some(Record {
            uid: row.uid,
            fields: self.heap.get(start..middle)?,
            base: self.heap.get(middle..middle + usize::from(row.name))?,
        })
    }

    fn base(&self, index: usize) -> &[u8] {
        self.get(index).map_or(&[], |record| record.base)
    }

    pub fn find(&self, base: &[u8]) -> Option<usize> {
        let slot = self.slot_of(base)?;
        let number = *self.slots.get(slot)?;
        (number as usize).checked_sub(1)
    }

    /// The row of a UID, or where it would stand.
    pub fn find_uid(&self, uid: u32) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&uid, |row| row.uid)
    }

    /// Adds a record behind the others. That UIDs rise is the caller's care.
    pub fn push(&mut self, record: Record<'_>) -> Result<Pushed, Full> {
        let row = Row {
            uid: record.uid,
            start: u32::try_from(self.heap.len()).map_err(|_| Full)?,
            fields: u16::try_from(record.fields.len()).map_err(|_| Full)?,
            name: u16::try_from(record.base.len()).map_err(|_| Full)?,
        };
        let number = u32::try_from(self.rows.len() + 1).map_err(|_| Full)?;
        if (self.rows.len() + 1) * 2 > self.slots.len() {
            self.reindex((self.rows.len() + 1) * 2);
        }
        let slot = self.slot_of(record.base).ok_or(Full)?;
        self.heap.extend_from_slice(record.fields);
        self.heap.extend_from_slice(record.base);
        self.rows.push(row);
        let Some(place) = self.slots.get_mut(slot) else {
            return Err(Full);
        };
        let earlier = std::mem::replace(place, number);
        if earlier == 0 {
            return Ok(Pushed::New);
        }
        if let Some(row) = self.rows.get_mut(earlier as usize - 1) {
            row.name = 0;
            self.dead += 1;
        }
        Ok(Pushed::Replaced)
    }

    /// The same records in the same order.
    pub fn equals(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|i| self.get(i) == other.get(i))
    }

    /// Removes records whose name came again under a later UID; true if there
    /// were any. Row numbers change then.
    pub fn drop_dead(&mut self) -> bool {
        if self.dead == 0 {
            return false;
        }
        self.retain(|_| true);
        true
    }

    /// Keeps the rows that `keep` wants, by number, and those that are not
    /// dead.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut index = 0;
        self.rows.retain(|row| {
            index += 1;
            row.name > 0 && keep(index - 1)
        });
        self.dead = 0;
        self.reindex(self.rows.len());
    }

    /// Takes back the rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if let Some(row) = self.rows.get(len) {
            self.heap.truncate(row.start as usize);
            self.rows.truncate(len);
            self.reindex(len);
        }
    }

    /// A heap without the names of removed rows.
    pub fn compact_heap(&mut self) {
        let needed: usize = (self.rows.iter())
            .map(|row| usize::from(row.fields) + usize::from(row.name))
            .sum();
        if needed * 2 > self.heap.len() {
            return;
        }
        let mut heap = Vec::with_capacity(needed);
        for row in &mut self.rows {
            let start = row.start as usize;
            let end = start + usize::from(row.fields) + usize::from(row.name);
            // Smaller than the old heap, whose offsets fitted.
            row.start = heap.len() as u32;
            heap.extend_from_slice(self.heap.get(start..end).unwrap_or_default());
        }
        self.heap = heap;
    }

    /// Where the name is, or the free place where it would go.
    fn slot_of(&self, base: &[u8]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = self.hasher.hash_one(base) as usize & mask;
        loop {
            match *self.slots.get(slot)? {
                0 => return Some(slot),
                number if self.base(number as usize - 1) == base => return Some(slot),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// A new index with room for `rows` rows, at most half full.
    fn reindex(&mut self, rows: usize) {
        let size = (rows.max(self.rows.len()).max(8) * 2).next_power_of_two();
        self.slots.clear();
        self.slots.resize(size, 0);
        for index in 0..self.rows.len() {
            let base = self.base(index);
            if base.is_empty() {
                continue;
            }
            let slot = self.slot_of(base);
            if let Some(place) = slot.and_then(|slot| self.slots.get_mut(slot)) {
                // Checked when the row was pushed.
                *place = index as u32 + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn record(uid: u32, base: &str) -> Record<'_> {
        Record {
            uid,
            fields: b"",
            base: base.as_bytes(),
        }
    }

    #[test]
    fn fields_and_names_come_back() {
        let mut table = Table::default();
        assert_eq!(table.find(b"a"), None);
        let one = Record {
            uid: 3,
            fields: b"S5 W7",
            base: b"a",
        };
        table.push(one).unwrap();
        table.push(record(9, "b")).unwrap();
        assert_eq!(table.get(0), Some(one));
        assert_eq!(table.find(b"b"), Some(1));
        assert_eq!((table.find_uid(9), table.find_uid(4)), (Ok(1), Err(1)));
        assert_eq!(table.last_uid(), 9);
        let long = vec![b'x'; 70_000];
        let too_long = Record { base: &long, ..one };
        assert_eq!(table.push(too_long), Err(Full));
        assert_eq!(table.len(), 2);
    }

    proptest! {
        #[test]
        fn a_table_equals_a_map(
            names in prop::collection::vec("[a-e]{1,3}", 0..80),
            cut in 0usize..80,
            keep in any::<u64>(),
        ) {
            let mut table = Table::default();
            let mut model: BTreeMap<&str, u32> = BTreeMap::new();
            for (i, name) in names.iter().enumerate() {
                let uid = i as u32 + 1;
                let pushed = table.push(record(uid, name)).unwrap();
                let was = model.insert(name, uid);
                prop_assert_eq!(pushed == Pushed::Replaced, was.is_some());
            }
            table.drop_dead();
            let check = |table: &Table, model: &BTreeMap<&str, u32>| {
                assert_eq!(table.len(), model.len());
                for (name, uid) in model {
                    let row = table.find(name.as_bytes()).unwrap();
                    assert_eq!(table.get(row).unwrap(), record(*uid, name));
                    assert_eq!(table.find_uid(*uid), Ok(row));
                }
                assert_eq!(table.find(b"zz"), None);
            };
            check(&table, &model);
            let cut = cut.min(table.len());
            let gone: Vec<u32> = (cut..table.len()).map(|i| table.get(i).unwrap().uid).collect();
            table.truncate(cut);
            model.retain(|_, uid| !gone.contains(uid));
            check(&table, &model);
            let kept: Vec<u32> = (0..table.len())
                .filter(|i| keep >> (i % 64) & 1 == 1)
                .map(|i| table.get(i).unwrap().uid)
                .collect();
            table.retain(|i| keep >> (i % 64) & 1 == 1);
            table.compact_heap();
            model.retain(|_, uid| kept.contains(uid));
            check(&table, &model);
        }
    }
}
