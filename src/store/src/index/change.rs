//! One change of a mailbox as it stands in the log: all that differs between
//! two pictures. Rows that have become alike are one range, so a STORE on a
//! whole mailbox takes a few octets.

use super::bytes::{Put, Take};
use super::history::{Gone, History};
use crate::format::name::Letters;
use crate::snapshot::diff::{Step, walk};
use crate::snapshot::keywords::{KeywordSetId, KeywordTable, SetKey, TableParts};
use crate::snapshot::{ColdData, Draft, Facts, HotRow, NO_SIZE, NO_TIME, ODD_NAME, Snapshot};
use roost_types::{SystemFlags, Uid};
use std::collections::HashMap;
use std::sync::Arc;

/// File names that do not follow from the rows.
pub(crate) type OddNames = HashMap<u32, Box<[u8]>>;

/// Rows from `first` to `last` that look like `row` now.
struct Run {
    first: u32,
    last: u32,
    row: HotRow,
    /// Rows that did not change, or others, lie behind it.
    closed: bool,
}

impl Run {
    fn takes(&self, row: &HotRow) -> bool {
        let looks = |r: &HotRow| (r.flags, r.state, r.keywords, r.modseq);
        !self.closed && looks(&self.row) == looks(row)
    }
}

/// Appends what leads from `old` to `new`. `odd` has the names of `new`;
/// those of `renamed` are written though their rows may not have changed.
pub(super) fn encode(
    out: &mut Vec<u8>,
    (old, new): (&Snapshot, &Snapshot),
    odd: &OddNames,
    renamed: &[u32],
) {
    let mut gone: Vec<(u32, u32)> = Vec::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut added: Vec<HotRow> = Vec::new();
    let mut named: Vec<u32> = renamed.to_vec();
    walk(old, new, |step| match step {
        Step::Gone(_, row) => match gone.last_mut() {
            // What the old picture does not have between them is gone anyway.
            Some(last) if last.0 > 0 => last.1 = row.uid,
            Some(last) => *last = (row.uid, row.uid),
            None => gone.push((row.uid, row.uid)),
        },
        Step::Both(_, before, row) => {
            keep_apart(&mut gone);
            if before == row {
                return close(&mut runs);
            }
            if row.is(ODD_NAME) {
                named.push(row.uid);
            }
            match runs.last_mut() {
                Some(run) if run.takes(row) => run.last = row.uid,
                _ => runs.push(Run {
                    first: row.uid,
                    last: row.uid,
                    row: *row,
                    closed: false,
                }),
            }
        }
        Step::New(row) => {
            if row.is(ODD_NAME) {
                named.push(row.uid);
            }
            added.push(*row);
        }
        Step::Shared => {
            close(&mut runs);
            keep_apart(&mut gone);
        }
    });
    gone.retain(|g| g.0 > 0);
    out.u64(new.highest_modseq().0);
    out.u32(new.uid_next().get());
    let table = (!Arc::ptr_eq(old.table_arc(), new.table_arc())).then(|| new.table());
    out.u8(u8::from(table.is_some()));
    if let Some(table) = table {
        put_table(out, table);
    }
    out.count(gone.len());
    for (first, last) in gone {
        out.u32(first);
        out.u32(last);
    }
    out.count(runs.len());
    for run in runs {
        out.u32(run.last);
        put_row(
            out,
            &HotRow {
                uid: run.first,
                ..run.row
            },
        );
    }
    put_added(out, new, &added);
    named.sort_unstable();
    named.dedup();
    let names: Vec<_> = named
        .iter()
        .filter_map(|uid| odd.get_key_value(uid))
        .collect();
    put_odd(out, names.into_iter());
}

fn close(runs: &mut [Run]) {
    if let Some(run) = runs.last_mut() {
        run.closed = true;
    }
}

/// Marks that what goes from now on is another range.
fn keep_apart(gone: &mut Vec<(u32, u32)>) {
    if gone.last().is_some_and(|g| g.0 > 0) {
        gone.push((0, 0));
    }
}

fn put_added(out: &mut Vec<u8>, new: &Snapshot, added: &[HotRow]) {
    out.count(added.len());
    let mut rows = added.iter().peekable();
    for chunk in new.chunks() {
        let last = chunk.last_uid();
        if rows.peek().is_none_or(|row| row.uid > last) {
            continue;
        }
        let data = chunk.cold_data();
        while let Some(row) = rows.next_if(|row| row.uid <= last) {
            put_row(out, row);
            put_facts(out, &data.facts(row.uid).unwrap_or(Facts::none(row.uid)));
        }
    }
}

/// Makes the change that [`encode`] wrote; `None`, with some of it done, if it
/// cannot be one of this picture.
pub(super) fn apply(
    payload: &[u8],
    draft: &mut Draft,
    history: &mut History,
    odd: &mut OddNames,
) -> Option<()> {
    let take = &mut Take(payload);
    let (modseq, uid_next) = (take.u64()?, Uid::new(take.u32()?)?);
    let table = match take.u8()? {
        0 => None,
        _ => Some(take_table(take)?),
    };
    if modseq < draft.modseq() {
        return None;
    }
    draft.replay(modseq, uid_next, table);
    let sets = draft.table().set_count();
    let mut removed = roost_types::UidSet::new();
    for _ in 0..take.count(8)? {
        let (first, last) = (take.u32()?, take.u32()?);
        history.push(Gone {
            first,
            last,
            modseq,
        });
        removed.insert_range(Uid::new(first)?, Uid::new(last)?);
    }
    draft.remove(&removed);
    if !odd.is_empty() && !removed.is_empty() {
        odd.retain(|&uid, _| Uid::new(uid).is_some_and(|uid| !removed.contains(uid)));
    }
    for _ in 0..take.count(20)? {
        let last = take.u32()?;
        let row = take_row(take, sets)?;
        draft.update_range(row.uid, last, |r| *r = HotRow { uid: r.uid, ..row });
    }
    for _ in 0..take.count(16)? {
        let row = take_row(take, sets)?;
        let facts = take_facts(take, row.uid)?;
        if row.uid <= draft.last_uid() {
            return None;
        }
        draft.push_row(row, &facts);
    }
    take_odd(take, odd)?;
    take.is_empty().then_some(())
}

pub(super) const ROW: usize = 16;

pub(super) fn put_row(out: &mut impl Put, row: &HotRow) {
    out.u32(row.uid);
    out.u8(row.flags.bits());
    out.u8(row.state);
    out.u16(row.keywords.0);
    out.u64(row.modseq);
}

/// A row whose set of keywords is one of the first `sets`.
pub(super) fn take_row(take: &mut Take<'_>, sets: usize) -> Option<HotRow> {
    let row = HotRow {
        uid: take.u32()?,
        flags: SystemFlags::from_bits(take.u8()?),
        state: take.u8()?,
        keywords: KeywordSetId(take.u16()?),
        modseq: take.u64()?,
    };
    (row.uid > 0 && usize::from(row.keywords.0) < sets).then_some(row)
}

fn put_facts(out: &mut Vec<u8>, facts: &Facts<'_>) {
    for size in [facts.stored, facts.size] {
        out.u64(size.unwrap_or(NO_SIZE));
    }
    for time in [facts.internal, facts.saved] {
        out.bytes(&time.unwrap_or(NO_TIME).to_le_bytes());
    }
    out.name(facts.base);
    out.name(facts.guid.unwrap_or_default());
}

fn take_facts<'a>(take: &mut Take<'a>, uid: u32) -> Option<Facts<'a>> {
    let size = |n: u64| (n != NO_SIZE).then_some(n);
    let time = |n: i64| (n != NO_TIME).then_some(n);
    Some(Facts {
        uid,
        stored: size(take.u64()?),
        size: size(take.u64()?),
        internal: time(take.i64()?),
        saved: time(take.i64()?),
        base: take.name()?,
        guid: Some(take.name()?).filter(|g| !g.is_empty()),
    })
}

/// The facts of a chunk's rows, as they stand in the index.
pub(super) fn put_block<'a>(out: &mut Vec<u8>, rows: impl Iterator<Item = Facts<'a>>) {
    let at = out.len();
    out.u32(0);
    let mut count = 0u32;
    for facts in rows {
        count += 1;
        out.u32(facts.uid);
        put_facts(out, &facts);
    }
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&count.to_le_bytes());
    }
}

pub(super) fn take_block(block: &[u8]) -> Option<ColdData> {
    let take = &mut Take(block);
    let count = take.count(40)?;
    let mut data = ColdData::with_capacity(0);
    let mut last = 0;
    for _ in 0..count {
        let uid = take.u32()?;
        if uid <= last {
            return None;
        }
        last = uid;
        data.push(&take_facts(take, uid)?);
    }
    data.shrink();
    take.is_empty().then_some(data)
}

pub(super) fn put_odd<'a>(
    out: &mut Vec<u8>,
    names: impl ExactSizeIterator<Item = (&'a u32, &'a Box<[u8]>)>,
) {
    out.count(names.len());
    for (uid, name) in names {
        out.u32(*uid);
        out.name(name);
    }
}

pub(super) fn take_odd(take: &mut Take<'_>, odd: &mut OddNames) -> Option<()> {
    for _ in 0..take.count(6)? {
        odd.insert(take.u32()?, take.name()?.into());
    }
    Some(())
}

pub(super) fn put_table(out: &mut Vec<u8>, table: &KeywordTable) {
    let parts = table.parts();
    out.count(parts.letters.len());
    for (letter, name) in &parts.letters {
        out.u8(*letter);
        out.name(name.as_str().as_bytes());
    }
    out.count(parts.extras.len());
    for name in &parts.extras {
        out.name(name.as_str().as_bytes());
    }
    out.count(parts.sets.len());
    for set in &parts.sets {
        out.u32(set.letters.bits());
        out.count(set.extras.len());
        for &extra in &set.extras {
            out.u16(extra);
        }
    }
}

pub(super) fn take_table(take: &mut Take<'_>) -> Option<KeywordTable> {
    let letters: Option<Vec<_>> = (0..take.count(3)?)
        .map(|_| Some((take.u8()?, take.keyword()?)))
        .collect();
    let extras: Option<Vec<_>> = (0..take.count(2)?).map(|_| take.keyword()).collect();
    let sets: Option<Vec<_>> = (0..take.count(8)?)
        .map(|_| {
            let letters = Letters::from_bits(take.u32()?);
            let extras: Option<Vec<u16>> = (0..take.count(2)?).map(|_| take.u16()).collect();
            Some(SetKey {
                letters,
                extras: extras?.into(),
            })
        })
        .collect();
    KeywordTable::from_parts(TableParts {
        letters: letters?,
        extras: extras?,
        sets: sets?,
    })
}
