use super::*;
use roost_types::Uid;
use std::path::PathBuf;
use std::time::Duration;

struct Place {
    dir: Dir,
    file: PathBuf,
    lock: UidListLock,
    temp: tempfile::TempDir,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open(temp.path()).unwrap();
    Place {
        lock: UidListLock::acquire(&dir, Duration::ZERO).unwrap(),
        dir,
        file: temp.path().join(FILE),
        temp,
    }
}

fn validity(n: u32) -> UidValidity {
    UidValidity::new(n).unwrap()
}

fn change(keyword: &str, set: bool, first: u32, last: u32) -> Change {
    Change {
        keyword: Keyword::new(keyword).unwrap(),
        set,
        uids: UidSet::range(Uid::new(first).unwrap(), Uid::new(last).unwrap()),
    }
}

fn shown(extra: &ExtraKeywords) -> Vec<String> {
    extra
        .iter()
        .map(|(k, uids)| format!("{k} {uids}"))
        .collect()
}

fn names(place: &Place) -> Vec<String> {
    let all = std::fs::read_dir(place.temp.path()).unwrap();
    all.map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| !n.ends_with(".lock"))
        .collect()
}

#[test]
fn changes_are_appended_and_read_by_others() {
    let mut p = place();
    let mut ours = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    let mut theirs = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    assert!(!theirs.refresh().unwrap());
    let first = [
        change("a", true, 1, 5),
        change("b", false, 1, 5),
        change("A", false, 3, 3),
    ];
    ours.change(&mut p.lock, Fsync::Always, &first).unwrap();
    let text = std::fs::read_to_string(&p.file).unwrap();
    assert_eq!(text, "roost-keywords 1 7\n= 26 a\n+ 26 1:2,4:5\n");
    assert!(theirs.refresh().unwrap());
    theirs
        .change(&mut p.lock, Fsync::Always, &[change("b", true, 9, 9)])
        .unwrap();
    ours.change(&mut p.lock, Fsync::Always, &[change("a", false, 2, 2)])
        .unwrap();
    let text = std::fs::read_to_string(&p.file).unwrap();
    assert_eq!(
        text,
        "roost-keywords 1 7\n= 26 a\n+ 26 1:2,4:5\n= 27 b\n+ 27 9\n- 26 2\n"
    );
    assert_eq!(shown(&ours), ["a 1,4:5", "b 9"]);
    assert!(theirs.refresh().unwrap());
    assert_eq!(shown(&theirs), shown(&ours));
    let nothing = [change("new", false, 1, 1)];
    ours.change(&mut p.lock, Fsync::Always, &nothing).unwrap();
    assert!(!theirs.refresh().unwrap());
}

#[test]
fn another_uidvalidity_sets_the_file_aside() {
    let mut p = place();
    let mut old = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    old.change(&mut p.lock, Fsync::Never, &[change("a", true, 1, 5)])
        .unwrap();
    let mut new = ExtraKeywords::load(&p.dir, validity(8)).unwrap();
    assert!(shown(&new).is_empty());
    assert!(!new.refresh().unwrap());
    new.change(&mut p.lock, Fsync::Never, &[change("b", true, 1, 1)])
        .unwrap();
    assert_eq!(shown(&new), ["b 1"]);
    assert_eq!(
        names(&p).iter().filter(|n| n.contains(".stale-")).count(),
        1
    );
}

#[test]
fn a_later_version_is_left_alone() {
    let p = place();
    std::fs::write(&p.file, "roost-keywords 2 whatever\nx\n").unwrap();
    let later = ExtraKeywords::load(&p.dir, validity(7));
    assert!(matches!(later, Err(FormatError::Version { .. })));
}

/// Cut anywhere, the file gives what its whole lines say, and the next change
/// leaves a good file with that change.
#[test]
fn a_file_torn_anywhere_keeps_its_whole_lines() {
    let text = "roost-keywords 1 7\n= 26 a\n+ 26 1:5\n= 27 b\n- 26 2\n+ 27 30\n";
    for cut in 0..text.len() {
        let mut p = place();
        std::fs::write(&p.file, &text[..cut]).unwrap();
        let mut extra = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
        let whole = &text[..text[..cut].rfind('\n').map_or(0, |at| at + 1)];
        let q = place();
        std::fs::write(&q.file, whole).unwrap();
        let expected = shown(&ExtraKeywords::load(&q.dir, validity(7)).unwrap());
        assert_eq!(shown(&extra), expected, "cut at {cut}");
        extra
            .change(&mut p.lock, Fsync::Never, &[change("z", true, 8, 8)])
            .unwrap();
        let again = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
        assert_eq!(shown(&again), [expected, vec!["z 8".to_owned()]].concat());
        assert_eq!(again.flaw, None);
    }
}

#[test]
fn a_damaged_line_costs_that_line() {
    let mut p = place();
    let text = "roost-keywords 1 7\n= 26 a\n\0\0\0\n+ 26 1:5\n+ 99 1\n";
    std::fs::write(&p.file, text).unwrap();
    let mut extra = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    assert_eq!(shown(&extra), ["a 1:5"]);
    extra
        .change(&mut p.lock, Fsync::Never, &[change("a", true, 6, 6)])
        .unwrap();
    assert_eq!(
        shown(&ExtraKeywords::load(&p.dir, validity(7)).unwrap()),
        ["a 1:6"]
    );
    let aside = names(&p)
        .into_iter()
        .find(|n| n.contains(".damaged-"))
        .unwrap();
    let kept = std::fs::read_to_string(p.temp.path().join(aside)).unwrap();
    assert_eq!(kept, text);

    // Without a header nobody knows whose the UIDs are; the names stay.
    std::fs::write(&p.file, "???\n= 26 a\n+ 26 1:5\n").unwrap();
    assert!(extra.refresh().unwrap());
    assert_eq!(shown(&extra), ["a "]);
}

#[test]
fn the_file_does_not_grow_for_ever() {
    let mut p = place();
    let mut extra = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    for i in 0..4000 {
        let toggle = [change("a", i % 2 == 0, 1, 10)];
        extra.change(&mut p.lock, Fsync::Never, &toggle).unwrap();
    }
    assert!(std::fs::metadata(&p.file).unwrap().len() <= SMALL + 64);
    extra
        .change(&mut p.lock, Fsync::Never, &[change("a", true, 1, 10)])
        .unwrap();
    let live = UidSet::range(Uid::new(9).unwrap(), Uid::new(99).unwrap());
    extra.compact(&mut p.lock, Fsync::Always, &live).unwrap();
    let text = std::fs::read_to_string(&p.file).unwrap();
    assert_eq!(text, "roost-keywords 1 7\n= 26 a\n+ 26 9:10\n");
}

#[test]
fn names_have_a_limit() {
    let mut p = place();
    let mut extra = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    let many: Vec<Change> = (0..MAX_KEYWORDS)
        .map(|i| change(&format!("k{i}"), true, 1, 1))
        .collect();
    extra.change(&mut p.lock, Fsync::Never, &many).unwrap();
    let more = extra.change(&mut p.lock, Fsync::Never, &[change("more", true, 1, 1)]);
    assert!(matches!(more, Err(FormatError::Exhausted { .. })));
    let all = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    assert_eq!(all.iter().count(), MAX_KEYWORDS);
}

/// What Dovecot's index was told is true until the next change, what was taken
/// from it for ever; of a damaged file nothing is.
#[test]
fn how_it_stands_to_dovecots_index() {
    let mut p = place();
    let mut extra = ExtraKeywords::load(&p.dir, validity(7)).unwrap();
    let taken = Shared::Taken(Uid::new(12).unwrap());
    let read = |p: &Place| ExtraKeywords::load(&p.dir, validity(7)).unwrap().shared();
    for (shared, then) in [(taken, taken), (Shared::Given, Shared::Apart)] {
        extra.share(&mut p.lock, Fsync::Never, shared).unwrap();
        assert_eq!((extra.shared(), read(&p)), (shared, shared));
        let set = [change("a", shared == taken, 1, 1)];
        extra.change(&mut p.lock, Fsync::Never, &set).unwrap();
        assert_eq!((extra.shared(), read(&p)), (then, then));
    }
    for shared in [Shared::Given, taken] {
        extra.share(&mut p.lock, Fsync::Never, shared).unwrap();
        let live = UidSet::range(Uid::MIN, Uid::MAX);
        extra.compact(&mut p.lock, Fsync::Never, &live).unwrap();
        assert_eq!((extra.shared(), read(&p)), (shared, shared));
    }
    let text = std::fs::read_to_string(&p.file).unwrap();
    assert_eq!(text, "roost-keywords 1 7\n= 26 a\n@ taken 12\n");
    std::fs::write(&p.file, text + "???\n").unwrap();
    assert!(extra.refresh().unwrap());
    assert_eq!((extra.shared(), read(&p)), (Shared::Apart, Shared::Apart));
}
