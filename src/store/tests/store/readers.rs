//! Others who read a mailbox, each with a `\Seen` of its own.

use crate::support::*;
use roost_store::{FlagMode, Sight};
use roost_types::SystemFlags;
use std::sync::Arc;

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
