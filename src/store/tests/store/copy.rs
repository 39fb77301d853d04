use crate::support::*;
use roost_store::{CopyMode, Mailbox};
use roost_types::{SystemFlags, UnixTime};
use std::sync::Arc;

fn filled(mailbox: &Arc<Mailbox>) {
    append(mailbox, "one", SystemFlags::NONE, &[]);
    append(mailbox, "two", SystemFlags::SEEN, &["red", "green"]);
    append(mailbox, "three", SystemFlags::FLAGGED, &["blue"]);
}

#[test]
fn a_copy_has_text_flags_keywords_and_date() {
    let mut site = Site::new();
    let inbox = site.inbox();
    filled(&inbox);
    let work = site.create("Work");
    // Letters mean other keywords there.
    append(&work, "zero", SystemFlags::SEEN, &["blue", "x"]);
    let outcome = inbox
        .copy(&uids(&[1, 2, 3]), &work, CopyMode::Copy)
        .unwrap();
    assert_eq!(
        outcome.pairs,
        [(uid(1), uid(2)), (uid(2), uid(3)), (uid(3), uid(4))]
    );
    assert_eq!(outcome.uid_validity, work.snapshot().uid_validity());
    let expected = view(&work.snapshot());
    assert_eq!(
        expected[&3],
        (
            SystemFlags::SEEN,
            vec!["red".to_owned(), "green".to_owned()]
        )
    );
    assert_eq!(
        expected[&4],
        (SystemFlags::FLAGGED, vec!["blue".to_owned()])
    );
    assert_eq!(body(&work, 4), "three");
    assert_eq!(work.internal_date(uid(4)).unwrap(), UnixTime(1_000_000_000));
    assert_eq!(inbox.snapshot().len(), 3);
    // One file with two names.
    use std::os::unix::fs::MetadataExt;
    let cur = site.root().join(".Work/cur");
    let links = |name: &String| std::fs::metadata(cur.join(name)).unwrap().nlink();
    assert_eq!(files(&cur).iter().map(links).sum::<u64>(), 5);
    drop((inbox, work));
    site.restart();
    assert_eq!(view(&site.open("Work").snapshot()), expected);
}

#[test]
fn a_copy_into_the_same_mailbox_is_another_message() {
    let mut site = Site::new();
    let inbox = site.inbox();
    filled(&inbox);
    let outcome = inbox.copy(&uids(&[2]), &inbox, CopyMode::Copy).unwrap();
    assert_eq!(outcome.pairs, [(uid(2), uid(4))]);
    let outcome = inbox.copy(&uids(&[3]), &inbox, CopyMode::Move).unwrap();
    assert_eq!(outcome.pairs, [(uid(3), uid(5))]);
    let picture = inbox.refresh().unwrap();
    assert_eq!(uids_in(&picture), [1, 2, 4, 5]);
    assert_eq!(
        (body(&inbox, 4), body(&inbox, 5)),
        ("two".into(), "three".into())
    );
    assert_eq!(
        view(&picture)[&5],
        (SystemFlags::FLAGGED, vec!["blue".to_owned()])
    );
    drop(inbox);
    site.restart();
    assert_eq!(uids_in(&site.inbox().snapshot()), [1, 2, 4, 5]);
}

#[test]
fn a_move_there_and_back_never_uses_a_uid_twice() {
    let site = Site::new();
    let inbox = site.inbox();
    filled(&inbox);
    let work = site.create("Work");
    let there = inbox
        .copy(&uids(&[1, 2, 3]), &work, CopyMode::Move)
        .unwrap();
    assert_eq!(there.pairs.len(), 3);
    assert!(inbox.snapshot().is_empty());
    let back = work
        .copy(&uids(&[1, 2, 3]), &inbox, CopyMode::Move)
        .unwrap();
    assert_eq!(
        back.pairs,
        [(uid(1), uid(4)), (uid(2), uid(5)), (uid(3), uid(6))]
    );
    assert!(work.refresh().unwrap().is_empty());
    assert_eq!(uids_in(&inbox.refresh().unwrap()), [4, 5, 6]);
    assert_eq!(body(&inbox, 5), "two");
    let total = ["cur", "new", "tmp"].map(|s| files(&site.root().join(".Work").join(s)).len());
    assert_eq!(total, [0, 0, 0]);
}

#[test]
fn copy_is_all_or_nothing_and_move_takes_what_is_there() {
    let site = Site::new();
    let inbox = site.inbox();
    filled(&inbox);
    let work = site.create("Work");
    let cur = site.root().join("cur");
    std::fs::remove_file(cur.join(file_of(&site.root(), 2))).unwrap();
    let outcome = inbox
        .copy(&uids(&[1, 2, 3]), &work, CopyMode::Copy)
        .unwrap();
    assert!(outcome.pairs.is_empty());
    assert_eq!(outcome.missing, uids(&[2]));
    assert!(work.refresh().unwrap().is_empty());
    let outcome = inbox
        .copy(&uids(&[1, 2, 3]), &work, CopyMode::Move)
        .unwrap();
    assert_eq!(outcome.pairs, [(uid(1), uid(1)), (uid(3), uid(2))]);
    assert_eq!(outcome.missing, uids(&[2]));
    assert!(files(&site.root().join(".Work/tmp")).is_empty());
}

#[test]
fn other_permissions_make_a_file_of_its_own() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let site = Site::new();
    let inbox = site.inbox();
    filled(&inbox);
    site.account.create(&name("Shared"), false, None).unwrap();
    let dir = site.root().join(".Shared");
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o750)).unwrap();
    let shared = site.open("Shared");
    inbox.copy(&uids(&[2]), &shared, CopyMode::Copy).unwrap();
    let cur = dir.join("cur");
    let file = std::fs::metadata(cur.join(&files(&cur)[0])).unwrap();
    assert_eq!((file.mode() & 0o777, file.nlink()), (0o640, 1));
    assert_eq!(file.mtime(), 1_000_000_000);
    assert_eq!(body(&shared, 1), "two");
}

#[test]
fn two_mailboxes_exchange_messages_without_waiting_for_ever() {
    let site = Site::new();
    let (a, b) = (site.create("A"), site.create("B"));
    for n in 0..40 {
        append(&a, &format!("a{n}"), SystemFlags::NONE, &[]);
        append(&b, &format!("b{n}"), SystemFlags::SEEN, &[]);
    }
    let shuffle = |from: &Arc<Mailbox>, to: &Arc<Mailbox>| {
        for _ in 0..30 {
            let picture = from.refresh().unwrap();
            let some = picture.iter().take(5).map(|(_, row)| row.uid).collect();
            from.copy(&some, to, CopyMode::Move).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| shuffle(&a, &b));
        scope.spawn(|| shuffle(&b, &a));
    });
    let mut texts: Vec<String> = Vec::new();
    for mailbox in [&a, &b] {
        let picture = mailbox.refresh().unwrap();
        texts.extend(uids_in(&picture).into_iter().map(|n| body(mailbox, n)));
    }
    texts.sort();
    let mut expected: Vec<String> = (0..40)
        .flat_map(|n| [format!("a{n}"), format!("b{n}")])
        .collect();
    expected.sort();
    assert_eq!(texts, expected);
}

#[test]
fn a_file_that_somebody_renames_comes_along_all_the_same() {
    let site = Site::new();
    let inbox = site.inbox();
    filled(&inbox);
    let work = site.create("Work");
    let cur = site.root().join("cur");
    for (mode, flag, left) in [(CopyMode::Copy, "R", 3), (CopyMode::Move, "RT", 0)] {
        let old = file_of(&site.root(), 2);
        let new = format!("{}:2,{flag}Sab", old.split(':').next().unwrap());
        std::fs::rename(cur.join(&old), cur.join(new)).unwrap();
        let outcome = inbox.copy(&uids(&[1, 2, 3]), &work, mode).unwrap();
        assert_eq!((outcome.pairs.len(), outcome.missing.len()), (3, 0));
        assert_eq!(inbox.refresh().unwrap().len(), left);
    }
    assert_eq!(work.refresh().unwrap().len(), 6);
    assert_eq!(
        (body(&work, 2), body(&work, 5)),
        ("two".into(), "two".into())
    );
    let left = ["tmp", ".Work/tmp"].map(|d| files(&site.root().join(d)).len());
    assert_eq!(left, [0, 0]);
}
