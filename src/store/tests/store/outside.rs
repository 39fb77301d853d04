//! Other programs at work in the Maildir.

use crate::support::*;
use roost_store::{Error, Snapshot};
use roost_types::SystemFlags;

#[test]
fn deliveries_renames_and_removals_are_seen() {
    let site = Site::new();
    // Before anybody watches: both are seen at once.
    deliver(&site.root(), "5.M1P1.h", "five");
    deliver(&site.root(), "4.M1P1.h", "four");
    let inbox = site.inbox();
    let first = inbox.refresh().unwrap();
    // UIDs follow the order of delivery, not that of the directory.
    assert_eq!(
        (body(&inbox, 1), body(&inbox, 2)),
        ("four".into(), "five".into())
    );
    let (new, cur) = (site.root().join("new"), site.root().join("cur"));
    std::fs::rename(new.join("4.M1P1.h"), cur.join("4.M1P1.h:2,S")).unwrap();
    let second = inbox.refresh().unwrap();
    assert_eq!(view(&second)[&1].0, SystemFlags::SEEN);
    let diff = Snapshot::diff(&first, &second);
    assert_eq!(
        (diff.changed.len(), diff.expunged.len(), diff.added),
        (1, 0, 0)
    );
    std::fs::remove_file(new.join("5.M1P1.h")).unwrap();
    let third = inbox.refresh().unwrap();
    assert_eq!(uids_in(&third), [1]);
    assert_eq!(third.uid_next(), uid(3));
    tick();
    std::fs::remove_file(cur.join("4.M1P1.h:2,S")).unwrap();
    assert!(inbox.refresh().unwrap().is_empty());
}

#[test]
fn a_message_renamed_out_of_the_known_names_is_found() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    let cur = site.root().join("cur");
    let old = files(&cur).remove(0);
    std::fs::rename(cur.join(&old), cur.join(old.replace(":2,S", ":2,DFRSTabc"))).unwrap();
    assert_eq!(body(&inbox, 1), "x");
    assert_eq!(view(&inbox.snapshot())[&1].0, SystemFlags::ALL);
}

#[test]
fn uids_that_another_program_gave_out_are_taken_over() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::NONE, &[]);
    let list = site.root().join("dovecot-uidlist");
    let mut text = std::fs::read_to_string(&list).unwrap();
    text.push_str("50 :9.M1P1.h\n");
    // Appended in place, as Dovecot does it.
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&list)
        .unwrap();
    file.write_all(b"50 :9.M1P1.h\n").unwrap();
    std::fs::write(site.root().join("new/9.M1P1.h"), "nine").unwrap();
    deliver(&site.root(), "8.M1P1.h", "eight");
    let picture = inbox.refresh().unwrap();
    assert_eq!(uids_in(&picture), [1, 50, 51]);
    assert_eq!(body(&inbox, 50), "nine");
    assert_eq!(append(&inbox, "y", SystemFlags::NONE, &[]), uid(52));
}

#[test]
fn a_restart_gives_no_new_uids() {
    let mut site = Site::new();
    for n in 0..50 {
        deliver(&site.root(), &format!("{n}.M1P1.h"), "x");
    }
    let before = view(&site.inbox().snapshot());
    assert_eq!(before.len(), 50);
    let list = std::fs::read(site.root().join("dovecot-uidlist")).unwrap();
    site.restart();
    assert_eq!(view(&site.inbox().snapshot()), before);
    assert_eq!(
        std::fs::read(site.root().join("dovecot-uidlist")).unwrap(),
        list
    );
}

#[test]
fn what_comes_back_is_a_new_message() {
    let mut site = Site::new();
    let inbox = site.inbox();
    for _ in 0..3 {
        append(&inbox, "x", SystemFlags::SEEN, &[]);
    }
    let cur = site.root().join("cur");
    let name = file_of(&site.root(), 2);
    std::fs::rename(cur.join(&name), site.temp.path().join("away")).unwrap();
    assert_eq!(uids_in(&inbox.refresh().unwrap()), [1, 3]);
    std::fs::rename(site.temp.path().join("away"), cur.join(&name)).unwrap();
    let picture = inbox.refresh().unwrap();
    assert_eq!(uids_in(&picture), [1, 3, 4]);
    assert_eq!(view(&picture)[&4].0, SystemFlags::SEEN);
    drop(inbox);
    site.restart();
    assert_eq!(uids_in(&site.inbox().snapshot()), [1, 3, 4]);
}

#[test]
fn what_comes_back_while_nobody_looks_is_new() {
    let mut site = Site::new();
    let inbox = site.inbox();
    for _ in 0..3 {
        append(&inbox, "x", SystemFlags::SEEN, &[]);
    }
    drop(inbox);
    let cur = site.root().join("cur");
    let name = file_of(&site.root(), 2);
    site.restart();
    std::fs::rename(cur.join(&name), site.temp.path().join("away")).unwrap();
    assert_eq!(uids_in(&site.inbox().snapshot()), [1, 3]);
    site.restart();
    std::fs::rename(site.temp.path().join("away"), cur.join(&name)).unwrap();
    // Clients may have been told that it is gone.
    assert_eq!(uids_in(&site.inbox().snapshot()), [1, 3, 4]);
}

#[test]
fn a_mailbox_removed_behind_our_back_is_gone() {
    let site = Site::new();
    let work = site.create("Work");
    let mut changes = work.changes();
    std::fs::remove_dir_all(site.root().join(".Work")).unwrap();
    wait_until("it is noticed", || !work.exists());
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), u64::MAX);
    assert!(matches!(work.refresh(), Err(Error::NoSuchMailbox)));
    assert!(matches!(
        site.account.open(&name("Work")),
        Err(Error::NoSuchMailbox)
    ));
    let again = site.create("Work");
    assert!(again.snapshot().uid_validity() > work.snapshot().uid_validity());
}

#[test]
fn a_lost_uid_list_is_written_again_from_memory() {
    let mut site = Site::new();
    let inbox = site.inbox();
    for _ in 0..3 {
        append(&inbox, "x", SystemFlags::SEEN, &[]);
    }
    std::fs::remove_file(site.root().join("dovecot-uidlist")).unwrap();
    deliver(&site.root(), "9999999999.M1P1.h", "x");
    assert_eq!(uids_in(&inbox.refresh().unwrap()), [1, 2, 3, 4]);
    let before = inbox.snapshot();
    drop(inbox);
    site.restart();
    let after = site.inbox().snapshot();
    assert_eq!(view(&after), view(&before));
    assert_eq!(after.uid_validity(), before.uid_validity());
}

#[test]
fn a_courier_mailbox_keeps_its_uids_and_keywords() {
    let mut site = Site::new();
    let dir = site.root().join(".Work");
    for sub in ["cur", "new", "tmp", "courierimapkeywords"] {
        std::fs::create_dir_all(dir.join(sub)).unwrap();
    }
    std::fs::write(dir.join("cur/10.h:2,S"), "ten").unwrap();
    std::fs::write(dir.join("cur/11.h:2,"), "eleven").unwrap();
    let list = "1 795324101 30\n7 10.h\n9 11.h\n";
    std::fs::write(dir.join("courierimapuiddb"), list).unwrap();
    std::fs::write(
        dir.join("courierimapkeywords/:list"),
        "Red\nBlue\n\n11.h:0 1\n",
    )
    .unwrap();
    let expected = view(&site.open("Work").snapshot());
    assert_eq!(expected.keys().copied().collect::<Vec<_>>(), [7, 9]);
    assert_eq!(expected[&9].1.len(), 2);
    assert_eq!(body(&site.open("Work"), 7), "ten");
    let picture = site.open("Work").snapshot();
    assert_eq!(
        (picture.uid_validity().get(), picture.uid_next()),
        (795_324_101, uid(30))
    );
    site.restart();
    assert_eq!(view(&site.open("Work").snapshot()), expected);
}

#[test]
fn a_message_renumbered_by_another_program_is_a_new_one() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    append(&inbox, "y", SystemFlags::SEEN, &[]);
    let base = file_of(&site.root(), 1)
        .split(':')
        .next()
        .unwrap()
        .to_owned();
    use std::io::Write;
    let list = site.root().join("dovecot-uidlist");
    let mut file = std::fs::OpenOptions::new().append(true).open(list).unwrap();
    writeln!(file, "9 :{base}").unwrap();
    deliver(&site.root(), "9999999999.h", "z");
    let picture = inbox.refresh().unwrap();
    assert_eq!(uids_in(&picture), [2, 9, 10]);
    assert_eq!(
        (body(&inbox, 9), body(&inbox, 10)),
        ("x".into(), "z".into())
    );
}

#[test]
fn keywords_named_by_another_program_are_taken_over() {
    let site = Site::new();
    let cur = site.root().join("cur");
    std::fs::write(cur.join("1.h:2,Se"), "x").unwrap();
    let inbox = site.inbox();
    assert_eq!(view(&inbox.snapshot())[&1].1, ["unknown-4"]);
    std::fs::write(site.root().join("dovecot-keywords"), "4 Important\n").unwrap();
    std::fs::write(cur.join("2.h:2,"), "y").unwrap();
    assert_eq!(view(&inbox.refresh().unwrap())[&1].1, ["Important"]);
}

#[test]
fn a_crash_in_the_middle_of_an_append_leaves_a_new_delivery() {
    let mut site = Site::new();
    let inbox = site.inbox();
    for text in ["one", "two", "three"] {
        append(&inbox, text, SystemFlags::SEEN, &["k"]);
    }
    let validity = inbox.snapshot().uid_validity();
    drop(inbox);
    // The last record was torn, a file has none yet, another is in tmp.
    let list = site.root().join("dovecot-uidlist");
    let text = std::fs::read(&list).unwrap();
    std::fs::write(&list, &text[..text.len() - 5]).unwrap();
    std::fs::write(site.root().join("cur/9999999999.h:2,"), "four").unwrap();
    std::fs::write(site.root().join("tmp/9999999999.M1P1.h"), "fi").unwrap();
    site.restart();
    let inbox = site.inbox();
    let picture = inbox.refresh().unwrap();
    assert_eq!(picture.uid_validity(), validity);
    let texts: Vec<_> = uids_in(&picture)
        .into_iter()
        .map(|n| body(&inbox, n))
        .collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    assert_eq!(uids_in(&picture)[..2], [1, 2]);
    let expected = view(&picture);
    drop(inbox);
    site.restart();
    assert_eq!(view(&site.inbox().snapshot()), expected);
}

#[test]
fn the_list_is_compacted_once_many_messages_are_gone() {
    let mut site = Site::new();
    let inbox = site.inbox();
    for n in 0..200 {
        deliver(&site.root(), &format!("{n}.h"), "x");
    }
    let picture = inbox.refresh().unwrap();
    assert_eq!(inbox.claim_recent(&picture).unwrap().len(), 200);
    let lines = || {
        std::fs::read_to_string(site.root().join("dovecot-uidlist"))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(lines(), 201);
    for n in 0..190 {
        std::fs::remove_file(site.root().join(format!("cur/{n}.h:2,"))).unwrap();
    }
    assert_eq!(inbox.refresh().unwrap().len(), 10);
    let before = inbox.snapshot();
    wait_until("the list is compacted", || lines() == 11);
    drop(inbox);
    site.restart();
    let inbox = site.inbox();
    let after = inbox.snapshot();
    assert_eq!(
        (view(&after), after.uid_next()),
        (view(&before), before.uid_next())
    );
    assert_eq!(append(&inbox, "x", SystemFlags::NONE, &[]), uid(201));
}
