//! Keeps the file from growing for nothing: many small blocks of one group
//! become one, and a file that is mostly of no use is written anew.

use super::block::{self, Header, group_of};
use super::file::PiecesFile;
use super::pending::{Blocks, MAX_PAYLOAD};
use super::table::{BlockRef, Table};
use super::{COLUMNS, Inner, MAX_BLOCKS, Pieces};
use crate::mailbox::lock;
use crate::snapshot::Snapshot;
use roost_os::file as os_file;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// So much may be of no use before anything is done about it.
const DEAD_OCTETS: u64 = 1 << 20;
const DEAD_RECORDS: u64 = 1000;

/// Octets of the new file that are written at once.
const BATCH: usize = 1 << 20;

/// Merges the groups of `blocks`, which have just been added, where there
/// are too many blocks of one.
pub(super) fn merge(file: &mut PiecesFile, blocks: &[u8]) -> io::Result<()> {
    let mut rest = blocks;
    let mut merged = Vec::new();
    while let Some(header) = Header::parse(rest) {
        let many = file.table.group(header.column, header.group);
        if is_scattered(many) {
            let records = records(&file.file, many);
            write_group(&mut merged, header.column, &records, |_| true);
            file.table.drop_group(header.column, header.group);
        }
        let len = usize::try_from(header.len()).unwrap_or(usize::MAX);
        rest = rest.get(len..).unwrap_or_default();
    }
    match merged.is_empty() {
        true => Ok(()),
        false => file.append(&merged),
    }
}

/// Whether a group is in many more blocks than its octets need: large records
/// take many however they are written.
fn is_scattered(blocks: &[BlockRef]) -> bool {
    let octets: usize = blocks.iter().map(|b| b.payload as usize).sum();
    blocks.len() > MAX_BLOCKS + octets / (MAX_PAYLOAD / 2)
}

/// The records of blocks of one group; the later ones count.
fn records(file: &File, blocks: &[BlockRef]) -> BTreeMap<u32, Vec<u8>> {
    let mut found = BTreeMap::new();
    for block in blocks {
        let len = block::HEADER + usize::from(block.count) * block::ENTRY + block.payload as usize;
        let mut octets = vec![0; len];
        if file.read_exact_at(&mut octets, block.offset).is_err() {
            continue;
        }
        let Some((header, entries)) = block::directory(&octets) else {
            continue;
        };
        let payload = octets.get(header.directory_end()..).unwrap_or_default();
        for entry in entries {
            let record = payload.get(entry.start as usize..entry.end as usize);
            if let Some(record) = record.filter(|r| crc32c::crc32c(r) == entry.crc)
                && group_of(entry.uid) == block.group
            {
                found.insert(entry.uid, record.to_vec());
            }
        }
    }
    found
}

fn write_group(
    out: &mut Vec<u8>,
    column: u8,
    records: &BTreeMap<u32, Vec<u8>>,
    live: impl Fn(u32) -> bool,
) {
    let mut blocks = Blocks::new(out);
    for (&uid, record) in records.iter().filter(|(uid, _)| live(**uid)) {
        blocks.push(column, uid, record);
    }
    blocks.flush();
}

/// Whether a file is worth writing anew, of a mailbox of `live` messages.
fn is_due(file: &PiecesFile, live: u64) -> bool {
    let table = &file.table;
    table.dead > DEAD_OCTETS.max(file.end / 2) || table.records() > 2 * live + DEAD_RECORDS
}

/// Writes the file anew in the background if that is due; whoever uses it
/// meanwhile does not notice.
pub(super) fn begin(pieces: &Arc<Pieces>, picture: Arc<Snapshot>) {
    let due = lock(&pieces.inner)
        .as_ref()
        .is_some_and(|inner| is_due(&inner.file, u64::from(picture.len())));
    if !due || pieces.compacting.swap(true, Ordering::AcqRel) {
        return;
    }
    let weak = Arc::downgrade(pieces);
    // Messages that came after the picture are alive as well.
    let next = picture.uid_next().get();
    let live = move |uid| uid >= next || picture.hot(uid).is_some();
    let work = move || {
        if let Err(e) = compact(&weak, live) {
            log::info!("compaction of pieces: {e}");
        }
        if let Some(pieces) = weak.upgrade() {
            pieces.compacting.store(false, Ordering::Release);
        }
    };
    let thread = std::thread::Builder::new().name("compaction".into());
    if thread.spawn(work).is_err() {
        pieces.compacting.store(false, Ordering::Release);
    }
}

pub(super) fn compact(pieces: &Weak<Pieces>, live: impl Fn(u32) -> bool) -> io::Result<()> {
    let begun = pieces.upgrade().and_then(|pieces| {
        let inner = lock(&pieces.inner);
        let file = &inner.as_ref()?.file;
        let old = (Arc::clone(&file.file), file.table.clone(), file.end);
        Some((old, pieces.dir.clone(), pieces.name.clone(), pieces.owner))
    });
    let Some(((old, table, end), dir, name, owner)) = begun else {
        return Ok(());
    };
    let temporary = format!("{name}.tmp");
    let put = PiecesFile::create(&dir, &temporary, owner).and_then(|mut new| {
        copy_live(&old, &table, &mut new, live, || pieces.strong_count() > 0)?;
        // From here on nobody adds a block.
        let Some(pieces) = pieces.upgrade() else {
            return Ok(false);
        };
        let put = || put_in_place(&pieces, new, (&old, end), &temporary);
        pieces.while_there(put).unwrap_or(Ok(false))
    });
    if !matches!(put, Ok(true)) {
        let _ = os_file::unlink(&dir, temporary.as_bytes());
    }
    put.map(drop)
}

/// Gives the new file the old one's name and what was added to that meanwhile,
/// from `end` on; false if there is another one by now.
fn put_in_place(
    pieces: &Pieces,
    mut new: PiecesFile,
    (old, end): (&Arc<File>, u64),
    temporary: &str,
) -> io::Result<bool> {
    let mut inner = lock(&pieces.inner);
    let Some(Inner { file, .. }) = inner.as_mut().filter(|i| Arc::ptr_eq(&i.file.file, old)) else {
        return Ok(false);
    };
    let added = file.end.saturating_sub(end);
    let mut added = vec![0; usize::try_from(added).unwrap_or_default()];
    file.file.read_exact_at(&mut added, end)?;
    new.append(&added)?;
    let (dir, name) = (&pieces.dir, pieces.name.as_bytes());
    os_file::rename(dir, temporary.as_bytes(), dir, name)?;
    *file = new;
    Ok(true)
}

fn copy_live(
    old: &File,
    table: &Table,
    new: &mut PiecesFile,
    live: impl Fn(u32) -> bool,
    go_on: impl Fn() -> bool,
) -> io::Result<()> {
    let mut out = Vec::new();
    for column in 0..COLUMNS as u8 {
        let mut blocks = table.column(column);
        while let Some(first) = blocks.first().filter(|_| go_on()) {
            let (group, rest) = blocks.split_at(blocks.partition_point(|b| b.group == first.group));
            blocks = rest;
            write_group(&mut out, column, &records(old, group), &live);
            if out.len() >= BATCH {
                new.append(&out)?;
                out.clear();
            }
        }
    }
    new.append(&out)
}
