//! What is written is read again, whatever happens to it.

use super::*;
use roost_types::Uid;
use std::fs;

fn uids(numbers: &[u32]) -> UidSet {
    numbers.iter().map(|&n| Uid::new(n).unwrap()).collect()
}

fn validity(n: u32) -> Option<UidValidity> {
    UidValidity::new(n)
}

fn open(dir: &tempfile::TempDir, of: u32) -> SeenFile {
    SeenFile::load(&Dir::open(dir.path()).unwrap(), validity(of)).unwrap()
}

fn held(dir: &tempfile::TempDir) -> Held {
    let dir = Dir::open(dir.path()).unwrap();
    Held::acquire(&dir, Fsync::Never, Duration::ZERO).unwrap()
}

fn forget(file: &mut SeenFile, keep: &str, modseq: u64, mut held: Held) -> Result<(), FormatError> {
    let gone = file.strangers(|who| who == keep);
    file.forget(&gone, modseq, &mut held)
}

#[test]
fn marks_come_back_and_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = open(&dir, 7);
    let mark = |file: &mut SeenFile, who: &str, set: &[u32], seen, modseq| {
        let change = (&uids(set), seen, modseq);
        file.mark(who, change, &mut held(&dir)).unwrap();
    };
    mark(&mut file, "bob", &[1, 2, 3, 9], true, 100);
    mark(&mut file, "carol ann", &[4], true, 101);
    mark(&mut file, "bob", &[2], false, 102);
    let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert_eq!(
        text,
        "roost-seen 1 7\n+ 100 1:3,9 bob\n+ 101 4 carol ann\n- 102 2 bob\n"
    );
    let again = open(&dir, 7);
    assert_eq!(again.said.readers, file.said.readers);
    assert_eq!(again.said.readers["bob"].seen, uids(&[1, 3, 9]));
    assert_eq!(again.highest(), 102);
    forget(&mut file, "bob", 103, held(&dir)).unwrap();
    assert_eq!(open(&dir, 7).said.readers.len(), 1);
    forget(&mut file, "bob", 104, held(&dir)).unwrap();
    assert_eq!(open(&dir, 7).highest(), 103, "nobody is forgotten twice");
    for bad in ["", "a\nb"] {
        assert!(
            file.mark(bad, (&uids(&[1]), true, 1), &mut held(&dir))
                .is_err()
        );
    }
}

#[test]
fn a_torn_line_counts_for_nothing_and_a_strange_file_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, "roost-seen 1 7\n+ 5 1:3 bob\n+ 6 4 bo").unwrap();
    let mut file = open(&dir, 7);
    assert_eq!(file.said.readers.len(), 1);
    assert_eq!(file.said.readers["bob"].seen, uids(&[1, 2, 3]));
    file.mark("bob", (&uids(&[9]), true, 8), &mut held(&dir))
        .unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "roost-seen 1 7\n+ 8 1:3,9 bob\n");
    // Of other messages.
    let mut file = open(&dir, 8);
    assert!(file.said.readers.is_empty());
    file.mark("bob", (&uids(&[1]), true, 9), &mut held(&dir))
        .unwrap();
    assert_eq!(open(&dir, 8).said.readers["bob"].seen, uids(&[1]));
    let aside = fs::read_dir(dir.path()).unwrap();
    let names: Vec<_> = aside.map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn no_change_has_a_number_that_leaves_none_for_later_ones() {
    let dir = tempfile::tempdir().unwrap();
    let most = u64::MAX;
    let text = format!("roost-seen 1 7\n+ 5 1 bob\n+ {most} 2 bob\nx {most} carol\n");
    fs::write(dir.path().join(FILE), text).unwrap();
    let file = open(&dir, 7);
    assert_eq!(file.highest(), 5);
    assert_eq!(file.entry("bob").seen, uids(&[1]));
    assert_eq!(file.flaw, Some(Flaw::Damaged));
}

#[test]
fn a_file_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = open(&dir, 7);
    for n in 0..3000u64 {
        let change = (&uids(&[5]), n % 2 == 0, n);
        file.mark("bob", change, &mut held(&dir)).unwrap();
    }
    assert!(fs::metadata(dir.path().join(FILE)).unwrap().len() <= SMALL + 100);
    let again = open(&dir, 7);
    assert!(again.said.readers["bob"].seen.is_empty());
    assert_eq!(again.highest(), 2999);
    let odd: UidSet = (0..20_001).map(|n| Uid::new(2 * n + 1).unwrap()).collect();
    let refused = file.mark("bob", (&odd, true, 4000), &mut held(&dir));
    assert!(matches!(refused, Err(FormatError::Full { .. })));
    assert_eq!(file.said.readers["bob"].modseq, 2999);
    let most: UidSet = (0..20_000).map(|n| Uid::new(2 * n + 1).unwrap()).collect();
    file.mark("bob", (&most, true, 4000), &mut held(&dir))
        .unwrap();
    assert_eq!(open(&dir, 7).said.readers["bob"].seen, most);
}

#[test]
fn who_comes_back_begins_above_all_that_he_knew() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = open(&dir, 7);
    for (who, modseq) in [("bob", 100), ("carol ann", 101)] {
        file.mark(who, (&uids(&[1, 2]), true, modseq), &mut held(&dir))
            .unwrap();
    }
    forget(&mut file, "bob", 102, held(&dir)).unwrap();
    let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert!(text.ends_with("\nx 102 carol ann\n"), "{text}");
    let nothing = Entry {
        seen: UidSet::new(),
        modseq: 102,
    };
    let mut again = open(&dir, 7);
    assert_eq!(again.entry("carol ann"), nothing);
    assert_eq!((again.entry("bob").modseq, again.highest()), (100, 102));
    again.write_whole(&mut held(&dir)).unwrap();
    let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert_eq!(text, "roost-seen 1 7\nx 102\n+ 100 1:2 bob\n");
    assert_eq!(open(&dir, 7).entry("carol ann"), nothing);
}

#[test]
fn what_cannot_be_written_down_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = open(&dir, 7);
    file.mark("bob", (&uids(&[1]), true, 100), &mut held(&dir))
        .unwrap();
    // Somebody else has been there.
    let path = dir.path().join(FILE);
    fs::write(&path, "roost-seen 1 7\n+ 100 1 bob\n+ 101 2 bob\n").unwrap();
    forget(&mut file, "nobody", 102, held(&dir)).unwrap_err();
    assert_eq!(file.entry("bob").seen, uids(&[1]));
    assert!(file.refresh().unwrap());
    assert_eq!(file.entry("bob").seen, uids(&[1, 2]));
}

#[test]
fn a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut file = open(&dir, 7);
    for later in ["roost-seen 2 7\n? bob\n", "roost-seen 3\n"] {
        fs::write(&path, later).unwrap();
        for _ in 0..2 {
            let refreshed = file.refresh();
            assert!(matches!(refreshed, Err(FormatError::Version { .. })));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), later);
    }
}

#[test]
fn a_file_that_could_not_be_read_is_read_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut file = open(&dir, 7);
    file.mark("bob", (&uids(&[1]), true, 100), &mut held(&dir))
        .unwrap();
    // A directory can be opened and not be read.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for _ in 0..2 {
        file.refresh().unwrap_err();
    }
    assert_eq!(file.entry("bob").seen, uids(&[1]));
}

#[test]
fn what_all_have_seen_never_outgrows_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = open(&dir, 7);
    let odd = |n: u32| Uid::new(4_000_000_000 + 2 * n).unwrap();
    let most: UidSet = (0..20_000).map(odd).collect();
    let refused = (0..400).find_map(|n| {
        let marked = file.mark(&format!("r{n}"), (&most, true, n + 1), &mut held(&dir));
        marked.err()
    });
    assert!(matches!(refused, Some(FormatError::Full { .. })));
    // What is too much may become less, and who has little is not in the way.
    for n in 0..120 {
        let change = (&most, n % 2 == 1, 1000 + n);
        file.mark("r0", change, &mut held(&dir)).unwrap();
    }
    assert!(fs::metadata(dir.path().join(FILE)).unwrap().len() < MAX_FILE);
    assert_eq!(open(&dir, 7).said, file.said);
}
