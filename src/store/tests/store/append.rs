use crate::support::*;
use roost_store::{CopyMode, Error, Fsync, Options};
use roost_types::{SystemFlags, UnixTime};
use std::sync::Arc;

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let mut site = Site::with(Options {
        fsync: Fsync::Always,
        ..options()
    });
    let inbox = site.inbox();
    let a = append(&inbox, "Subject: a\r\n\r\nbody\r\n", SystemFlags::NONE, &[]);
    let b = append(&inbox, "Subject: b\n", SystemFlags::SEEN, &["$Work"]);
    assert_eq!((a, b), (uid(1), uid(2)));
    let before = view(&inbox.snapshot());
    let validity = inbox.snapshot().uid_validity();
    assert_eq!(body(&inbox, 1), "Subject: a\n\nbody\n");
    assert_eq!(inbox.size(a).unwrap(), 20);
    assert_eq!(inbox.size(b).unwrap(), 12);
    assert_eq!(inbox.internal_date(a).unwrap(), UnixTime(1_000_000_000));
    // Without flags a message is new to other programs too.
    assert_eq!(files(&site.root().join("new")).len(), 1);
    let cur = files(&site.root().join("cur"));
    assert!(cur[0].ends_with(",S=11,W=12:2,Sa"), "{cur:?}");
    assert!(files(&site.root().join("tmp")).is_empty());
    drop(inbox);
    site.restart();
    let inbox = site.inbox();
    assert_eq!(view(&inbox.snapshot()), before);
    assert_eq!(inbox.snapshot().uid_validity(), validity);
    assert_eq!(inbox.snapshot().uid_next(), uid(3));
    // Nobody has claimed them.
    assert_eq!(inbox.snapshot().recent(), 2);
}

#[test]
fn several_messages_come_together_or_not_at_all() {
    let site = Site::new();
    let inbox = site.inbox();
    let mut append = inbox.append().unwrap();
    for text in ["one", "two", "three"] {
        append.begin_message(SystemFlags::NONE, &[], None).unwrap();
        append.write(text.as_bytes()).unwrap();
        append.finish_message().unwrap();
    }
    assert!(inbox.refresh().unwrap().is_empty());
    let outcome = append.commit().unwrap();
    assert_eq!(outcome.uids, uids(&[1, 2, 3]));
    assert_eq!(
        (body(&inbox, 1), body(&inbox, 3)),
        ("one".into(), "three".into())
    );
    let mut given_up = inbox.append().unwrap();
    given_up
        .begin_message(SystemFlags::NONE, &[], None)
        .unwrap();
    given_up.write(b"x").unwrap();
    given_up.finish_message().unwrap();
    given_up
        .begin_message(SystemFlags::NONE, &[], None)
        .unwrap();
    drop(given_up);
    assert!(files(&site.root().join("tmp")).is_empty());
    assert_eq!(inbox.refresh().unwrap().len(), 3);
}

#[test]
fn a_message_over_the_limit_leaves_nothing() {
    let site = Site::with(Options {
        max_message_size: 10,
        ..options()
    });
    let inbox = site.inbox();
    let mut append = inbox.append().unwrap();
    append.begin_message(SystemFlags::NONE, &[], None).unwrap();
    append.write(b"1234567890").unwrap();
    let error = append.write(b"1").unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 10 }));
    drop(append);
    assert!(files(&site.root().join("tmp")).is_empty());
}

#[test]
fn what_cannot_be_placed_is_taken_back() {
    let site = Site::new();
    let inbox = site.inbox();
    let mut append = inbox.append().unwrap();
    for flags in [SystemFlags::SEEN, SystemFlags::NONE] {
        append.begin_message(flags, &[], None).unwrap();
        append.write(b"x").unwrap();
        append.finish_message().unwrap();
    }
    // The second message's file is gone when its turn comes.
    let second = files(&site.root().join("tmp")).pop().unwrap();
    std::fs::remove_file(site.root().join("tmp").join(second)).unwrap();
    assert!(append.commit().is_err());
    for sub in ["cur", "new", "tmp"] {
        assert!(files(&site.root().join(sub)).is_empty(), "{sub}");
    }
    assert!(inbox.refresh().unwrap().is_empty());
    // Nothing was lost by it.
    assert_eq!(
        crate::support::append(&inbox, "y", SystemFlags::NONE, &[]),
        uid(1)
    );
}

#[test]
fn many_sessions_append_at_once() {
    let site = Site::with(Options {
        fsync: Fsync::Optimized,
        ..options()
    });
    let inbox = site.inbox();
    let mut all: Vec<u32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|t| {
                let inbox = Arc::clone(&inbox);
                scope.spawn(move || {
                    let one = |i| append(&inbox, &format!("{t}/{i}"), SystemFlags::NONE, &[]);
                    (0..20)
                        .map(|i| (one(i).get(), format!("{t}/{i}")))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let results = threads.into_iter().flat_map(|t| t.join().unwrap());
        results
            .map(|(n, text)| {
                assert_eq!(body(&inbox, n), text);
                n
            })
            .collect()
    });
    all.sort_unstable();
    assert_eq!(all, (1..=160).collect::<Vec<_>>());
    assert_eq!(uids_in(&inbox.refresh().unwrap()), all);
}

#[test]
fn an_append_waits_for_the_lock_and_gives_up_in_time() {
    let site = Site::with(Options {
        lock_timeout: std::time::Duration::from_millis(300),
        ..options()
    });
    let inbox = site.inbox();
    let lock = site.root().join("dovecot-uidlist.lock");
    std::fs::write(&lock, "1:another.host").unwrap();
    let mut append = inbox.append().unwrap();
    append.begin_message(SystemFlags::NONE, &[], None).unwrap();
    append.write(b"x").unwrap();
    append.finish_message().unwrap();
    assert!(matches!(append.commit().unwrap_err(), Error::Locked { .. }));
    // Others' deliveries wait without anybody noticing but by their absence.
    deliver(&site.root(), "1.M1P1.h", "x");
    assert!(inbox.refresh().unwrap().is_empty());
    std::fs::remove_file(lock).unwrap();
    wait_until("the delivery shows", || inbox.snapshot().len() == 1);
    assert!(files(&site.root().join("tmp")).is_empty());
}

/// A flag change moves the file's change time; SAVEDATE must not follow it.
#[test]
fn when_a_message_was_seen_to_come_is_known_without_its_file() {
    let mut site = Site::new();
    let begun = UnixTime::now();
    let (inbox, other) = (site.inbox(), site.create("Other"));
    append(&inbox, "one", SystemFlags::SEEN, &[]);
    deliver(&site.root(), "two.h", "two");
    inbox.refresh().unwrap();
    inbox.copy(&uids(&[1, 2]), &other, CopyMode::Copy).unwrap();
    drop((inbox, other));
    for restarted in [false, true] {
        if restarted {
            site.restart();
        }
        for mailbox in [site.inbox(), site.open("Other")] {
            for n in [1, 2] {
                let known = mailbox.snapshot().known_save_date(uid(n));
                let known = known.unwrap_or_else(|| panic!("{} {n}", mailbox.name()));
                assert!((begun..=UnixTime::now()).contains(&known));
                assert_eq!(mailbox.save_date(uid(n)).unwrap(), known);
            }
        }
    }
}

#[test]
fn moving_a_new_message_to_cur_keeps_its_save_date() {
    let site = Site::new();
    deliver(&site.root(), "one.h", "one");
    let inbox = site.inbox();
    assert_eq!(inbox.snapshot().known_save_date(uid(1)), None);
    let ctime = std::os::unix::fs::MetadataExt::ctime(
        &std::fs::metadata(site.root().join("new/one.h")).unwrap(),
    );
    inbox.claim_recent(&inbox.snapshot()).unwrap();
    let known = inbox.snapshot().known_save_date(uid(1));
    assert_eq!(known, Some(UnixTime(ctime)));
}
