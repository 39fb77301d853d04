//! Pieces as their users see them, with files that are torn, damaged, deleted
//! and compacted.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use tempfile::TempDir;

fn owner(validity: u32) -> Owner {
    Owner {
        guid: crate::format::uidlist::Guid([3; 16]),
        uid_validity: UidValidity::new(validity).unwrap(),
    }
}

fn open(dir: &TempDir) -> Arc<Pieces> {
    open_as(dir, owner(5))
}

fn open_as(dir: &TempDir, owner: Owner) -> Arc<Pieces> {
    let dir = Dir::open(dir.path()).unwrap();
    Arc::new(Pieces::open_in(&dir, "x.cache".into(), owner).unwrap())
}

fn uid(n: u32) -> Uid {
    Uid::new(n).unwrap()
}

fn record(column: u8, n: u32) -> Vec<u8> {
    format!("{column}/{n};")
        .repeat(n as usize % 7 * 20)
        .into_bytes()
}

fn fill(pieces: &Pieces, uids: impl IntoIterator<Item = u32>) {
    for n in uids {
        let records = [0, 1, 2].map(|column| record(column, n));
        let [a, b, c] = &records;
        pieces.put(
            uid(n),
            [
                Some(a),
                Some(b),
                (n.is_multiple_of(3)).then_some(c),
                None,
                None,
            ],
        );
    }
}

fn get(reader: &mut PieceReader, column: u8, n: u32) -> Option<Vec<u8>> {
    let piece = reader.find(column, uid(n))?;
    Some(reader.octets(piece).to_vec())
}

fn check(reader: &mut PieceReader, n: u32) {
    assert_eq!(get(reader, 0, n), Some(record(0, n)), "UID {n}");
    assert_eq!(get(reader, 1, n), Some(record(1, n)), "UID {n}");
    assert_eq!(
        get(reader, 2, n),
        (n.is_multiple_of(3)).then(|| record(2, n))
    );
    assert!(reader.has(0, uid(n)) && reader.has(2, uid(n)) == (n.is_multiple_of(3)));
}

/// One for the first column.
fn records(first: &[u8]) -> [Option<&[u8]>; COLUMNS] {
    let mut records = [None; COLUMNS];
    records[0] = Some(first);
    records
}

fn path(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("x.cache")
}

#[test]
fn what_was_put_is_there_before_and_after_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, (1..2000).step_by(2));
    let mut reader = pieces.reader();
    (1..2000).step_by(2).for_each(|n| check(&mut reader, n));
    assert_eq!(get(&mut reader, 0, 4), None);
    fill(&pieces, (2..2000).step_by(2));
    (1..2000).for_each(|n| check(&mut reader, n));
    pieces.flush();
    (1..2000).rev().for_each(|n| check(&mut reader, n));
    drop((reader, pieces));
    let pieces = open(&dir);
    let mut reader = pieces.reader();
    (1..2000).for_each(|n| check(&mut reader, n));
    assert_eq!(get(&mut reader, 0, 2000), None);
    assert_eq!(get(&mut reader, 3, 1), None);
}

#[test]
fn the_newest_record_counts_and_small_blocks_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    for round in 0..40_u32 {
        let text = round.to_le_bytes();
        pieces.put(uid(round + 1), [Some(&text), None, None, None, None]);
        pieces.put(uid(100), [Some(&text), None, None, None, None]);
        pieces.flush();
        assert_eq!(get(&mut pieces.reader(), 0, 100), Some(text.to_vec()));
    }
    let blocks = lock(&pieces.inner)
        .as_ref()
        .unwrap()
        .file
        .table
        .column(0)
        .len();
    assert!(blocks <= MAX_BLOCKS + 1, "{blocks} blocks");
    drop(pieces);
    // The table is gone, as after a crash.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path(&dir))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    let pieces = open(&dir);
    let mut reader = pieces.reader();
    assert_eq!(
        get(&mut reader, 0, 100),
        Some(39_u32.to_le_bytes().to_vec())
    );
    assert_eq!(get(&mut reader, 0, 7), Some(6_u32.to_le_bytes().to_vec()));
}

#[test]
fn another_owner_or_version_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = |owner| {
        let pieces = open_as(&dir, owner);
        let found = get(&mut pieces.reader(), 0, 1).is_some();
        fill(&pieces, 1..10);
        !found
    };
    assert!(fresh(owner(5)));
    assert!(!fresh(owner(5)));
    assert!(fresh(owner(6)));
    let mut octets = std::fs::read(path(&dir)).unwrap();
    *octets.get_mut(7).unwrap() += 1;
    std::fs::write(path(&dir), octets).unwrap();
    assert!(fresh(owner(6)));
    std::fs::write(path(&dir), "short").unwrap();
    assert!(fresh(owner(6)));
}

#[test]
fn deleting_the_file_while_it_is_open_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, 1..500);
    pieces.flush();
    std::fs::remove_file(path(&dir)).unwrap();
    let mut reader = pieces.reader();
    (1..500).for_each(|n| check(&mut reader, n));
    fill(&pieces, 500..600);
    (1..600).for_each(|n| check(&mut reader, n));
    drop((reader, pieces));
    assert_eq!(get(&mut open(&dir).reader(), 0, 1), None);
}

#[test]
fn a_file_cut_short_while_it_is_open_is_as_if_it_had_less() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, 1..500);
    pieces.flush();
    std::fs::write(path(&dir), "").unwrap();
    let mut reader = pieces.reader();
    assert_eq!(get(&mut reader, 0, 8), None);
    fill(&pieces, 500..600);
    pieces.flush();
    check(&mut reader, 550);
    drop((reader, pieces));
    assert_eq!(get(&mut open(&dir).reader(), 0, 550), None);
}

#[test]
fn a_full_disk_stops_the_writing_alone() {
    let full = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/full");
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, 1..10);
    pieces.flush();
    if let Some(inner) = lock(&pieces.inner).as_mut() {
        inner.file.file = Arc::new(full.unwrap());
    }
    fill(&pieces, 10..20);
    pieces.flush();
    assert_eq!(get(&mut pieces.reader(), 0, 15), None);
    fill(&pieces, 20..30);
    pieces.flush();
    drop(pieces);
    check(&mut open(&dir).reader(), 9);
}

#[test]
fn compaction_keeps_what_is_alive() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, 1..3000);
    pieces.flush();
    let before = std::fs::metadata(path(&dir)).unwrap().len();
    compact::compact(&Arc::downgrade(&pieces), |uid| uid >= 2000).unwrap();
    let mut reader = pieces.reader();
    assert_eq!(get(&mut reader, 0, 1999), None);
    (2000..3000).for_each(|n| check(&mut reader, n));
    fill(&pieces, 3000..3100);
    drop((reader, pieces));
    let after = std::fs::metadata(path(&dir)).unwrap().len();
    assert!(after < before / 2, "{after} of {before} octets");
    assert!(!dir.path().join("x.cache.tmp").exists());
    let pieces = open(&dir);
    let mut reader = pieces.reader();
    (2000..3100).for_each(|n| check(&mut reader, n));
}

#[test]
fn pieces_thrown_away_during_a_compaction_stay_away() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, 1..1000);
    pieces.flush();
    let reset = std::cell::Cell::new(false);
    let live = |_| {
        if !reset.replace(true) {
            pieces.reset();
        }
        true
    };
    compact::compact(&Arc::downgrade(&pieces), live).unwrap();
    assert!(reset.get() && !dir.path().join("x.cache.tmp").exists());
    let mut reader = pieces.reader();
    assert_eq!(get(&mut reader, 0, 8), None);
    fill(&pieces, 1..10);
    check(&mut reader, 8);
}

#[test]
fn a_compaction_that_fails_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    fill(&pieces, 1..100);
    pieces.flush();
    let live = |_| {
        let _ = std::fs::remove_file(path(&dir));
        std::fs::create_dir_all(path(&dir)).unwrap();
        true
    };
    assert!(compact::compact(&Arc::downgrade(&pieces), live).is_err());
    assert!(!dir.path().join("x.cache.tmp").exists());
    (1..100).for_each(|n| check(&mut pieces.reader(), n));
}

#[test]
fn large_records_are_not_written_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    let record = vec![b'x'; 200 << 10];
    for n in 0..128 {
        pieces.put(uid(1024 + n), records(&record));
    }
    pieces.flush();
    let end = lock(&pieces.inner).as_ref().unwrap().file.end;
    let payload = 128 * record.len() as u64;
    assert!(end < 5 * payload, "{end} octets for {payload}");
    let mut reader = pieces.reader();
    assert_eq!(get(&mut reader, 0, 1024 + 127), Some(record));
}

#[test]
fn only_what_is_put_into_a_group_makes_readers_look_again() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = open(&dir);
    let before = [pieces.version(0, 0), pieces.version(0, 1)];
    pieces.put(uid(200), records(b"x"));
    assert_eq!(pieces.version(0, 0), before[0]);
    assert!(pieces.version(0, 1) > before[1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_never_gives_a_wrong_record(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        batches in prop::collection::vec(1_u32..300, 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let pieces = open(&dir);
        let mut next = 1;
        for batch in batches {
            fill(&pieces, next..next + batch);
            pieces.flush();
            next += batch;
        }
        drop(pieces);
        let mut octets = std::fs::read(path(&dir)).unwrap();
        for (at, value) in &damage {
            *at.get_mut(&mut octets) = *value;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        std::fs::write(path(&dir), octets).unwrap();
        let pieces = open(&dir);
        let mut reader = pieces.reader();
        let mut lost = HashMap::new();
        for n in 1..next {
            for column in 0..COLUMNS as u8 {
                match get(&mut reader, column, n) {
                    Some(found) => prop_assert_eq!(found, record(column, n)),
                    None => drop(lost.insert((column, n), ())),
                }
            }
        }
        if damage.is_empty() && cut.is_none() {
            // Two columns have something of every message, one of every third.
            let all = (next - 1) * COLUMNS as u32;
            prop_assert_eq!(lost.len() as u32, all - 2 * (next - 1) - (next - 1) / 3);
        }
        // What was lost can be put again.
        fill(&pieces, 1..next);
        (1..next).for_each(|n| check(&mut reader, n));
        drop((reader, pieces));
        let pieces = open(&dir);
        let mut reader = pieces.reader();
        (1..next).for_each(|n| check(&mut reader, n));
    }
}
