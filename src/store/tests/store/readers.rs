//! Others who read a mailbox, each with a `\Seen` of its own.

use crate::support::*;
use roost_store::{AccountOptions, Error, FlagMode, Options, Sight, Store};
use roost_types::SystemFlags;
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[test]
fn readers_who_look_in_turns_make_no_picture_twice() {
    let site = Site::new();
    let work = site.create("Work");
    for _ in 0..3 {
        append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    }
    let service = &["$Service"];
    store(&work, &[2], FlagMode::Add, SystemFlags::NONE, service);
    let readers = ["bob", "carol"].map(|who| work.reader(who).unwrap());
    for (reader, uid) in readers.iter().zip([1, 3]) {
        work.mark_seen(reader, &uids(&[uid]), true).unwrap();
    }
    let look = || {
        let shown = readers.iter().map(|reader| {
            let picture = reader.picture(&work.snapshot());
            reader.shown(&picture, Sight::USUAL)
        });
        shown.collect::<Vec<_>>()
    };
    let (before, after) = (look(), look());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.len(), before.unseen()), (2, 1));
        assert!(Arc::ptr_eq(before, after));
    }
}

#[test]
fn who_was_forgotten_and_comes_back_sees_no_lower_change_numbers() {
    let mut site = Site::new();
    let work = site.create("Work");
    append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    let bob = work.reader("bob").unwrap();
    work.mark_seen(&bob, &uids(&[1]), true).unwrap();
    let before = bob.picture(&work.snapshot()).highest_modseq();
    drop((bob, work));
    site.restart();
    site.account.forget_reader(&name("Work"), "bob");
    site.restart();
    let work = site.open("Work");
    let picture = work.reader("bob").unwrap().picture(&work.snapshot());
    assert_eq!(picture.unseen(), 1);
    assert!(picture.highest_modseq() > before);
}

#[test]
fn what_the_owner_changes_after_a_file_was_put_back_has_higher_numbers() {
    let site = Site::new();
    let work = site.create("Work");
    append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    let bob = work.reader("bob").unwrap();
    work.mark_seen(&bob, &uids(&[1]), true).unwrap();
    let file = site.root().join(".Work/roost-seen");
    let text = std::fs::read_to_string(&file).unwrap();
    let (header, _) = text.split_once('\n').unwrap();
    // Of a host whose clock was ahead.
    let ahead = bob.picture(&work.snapshot()).highest_modseq().0 + (1 << 40);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, format!("{header}\n+ 5 1 carol\n+ {ahead} 1 bob\n")).unwrap();
    let carol = work.reader("carol").unwrap();
    let heard = bob.picture(&work.snapshot()).highest_modseq();
    assert!(heard.0 > ahead);
    store(&work, &[1], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    for reader in [bob, carol] {
        assert!(reader.picture(&work.snapshot()).highest_modseq() > heard);
    }
}

#[test]
fn two_processes_lose_no_marks_of_each_other() {
    let site = Site::new();
    let work = site.create("Work");
    for _ in 0..100 {
        append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    }
    // It has no index, as another process has none.
    let other = Store::new(options()).unwrap();
    let other = other.account("test", &site.root(), AccountOptions::default());
    let theirs = other.unwrap().open(&name("Work")).unwrap();
    assert!(work.keeps_modseqs() && !theirs.keeps_modseqs());
    std::thread::scope(|scope| {
        for (mailbox, who) in [(&work, "bob"), (&theirs, "carol")] {
            scope.spawn(move || {
                let reader = mailbox.reader(who).unwrap();
                for n in 1..=100 {
                    mailbox.mark_seen(&reader, &uids(&[n]), true).unwrap();
                }
            });
        }
    });
    for mailbox in [&work, &theirs] {
        for who in ["bob", "carol"] {
            let reader = mailbox.reader(who).unwrap();
            assert_eq!(reader.picture(&mailbox.snapshot()).unseen(), 0, "{who}");
        }
    }
}

#[test]
fn another_programs_lock_holds_up_marks_and_nothing_else() {
    let site = Site::with(Options {
        lock_timeout: Duration::ZERO,
        ..options()
    });
    let work = site.create("Work");
    append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    let bob = work.reader("bob").unwrap();
    let lock = site.root().join(".Work/roost-seen.lock");
    std::fs::write(&lock, "1:elsewhere.example").unwrap();
    let refused = work.mark_seen(&bob, &uids(&[1]), true);
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(bob.picture(&work.snapshot()).unseen(), 1);
    assert_eq!(work.refresh().unwrap().len(), 1);
    std::fs::remove_file(&lock).unwrap();
    work.mark_seen(&bob, &uids(&[1]), true).unwrap();
    assert_eq!(bob.picture(&work.snapshot()).unseen(), 0);
}

#[test]
fn a_reader_whose_messages_are_chosen_keeps_no_other_waiting() {
    let site = Site::new();
    let work = site.create("Work");
    append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    let bob = work.reader("bob").unwrap();
    std::thread::scope(|scope| {
        let (done, waiting) = mpsc::channel();
        let chosen = work.mark_those_seen(&bob, true, || {
            let work = &work;
            scope.spawn(move || {
                let carol = work.reader("carol").unwrap();
                work.mark_seen(&carol, &uids(&[1]), true).unwrap();
                done.send(()).unwrap();
            });
            let marked = waiting.recv_timeout(Duration::from_secs(30)).is_ok();
            Ok::<_, Error>((uids(&[1]), marked))
        });
        assert!(chosen.unwrap(), "carol waits for bob");
    });
    assert_eq!(bob.picture(&work.snapshot()).unseen(), 0);
}

#[test]
fn those_who_lack_other_messages_do_not_take_each_others_pictures() {
    let site = Site::new();
    let work = site.create("Work");
    for _ in 0..3 {
        append(&work, "Subject: a\n\n", SystemFlags::NONE, &[]);
    }
    store(&work, &[2], FlagMode::Add, SystemFlags::NONE, &["$Service"]);
    let whole = work.snapshot();
    let shown = [Sight::USUAL, Sight::ALL].map(|sight| work.shown(&whole, sight));
    let look = || {
        let pictures = shown
            .iter()
            .flat_map(|shown| [1, 3].map(|lacks| work.shown_without(shown, &uids(&[lacks]))));
        pictures.collect::<Vec<_>>()
    };
    let (before, after) = (look(), look());
    for (before, after) in before.iter().zip(&after) {
        assert!(Arc::ptr_eq(before, after));
    }
}
