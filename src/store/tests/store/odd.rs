//! What may be found in `cur` and `new` besides messages with usual names.

use crate::support::*;
use roost_store::Details;
use roost_store::FlagMode;
use roost_types::SystemFlags;
use std::fs;

#[test]
fn two_files_with_one_base_name_become_two_messages() {
    let site = Site::new();
    let inbox = site.inbox();
    let cur = site.root().join("cur");
    fs::write(cur.join("1.M1P1.h:2,S"), "first").unwrap();
    assert_eq!(uids_in(&inbox.refresh().unwrap()), [1]);
    tick();
    fs::write(cur.join("1.M1P1.h:2,F"), "second").unwrap();
    let picture = inbox.refresh().unwrap();
    assert_eq!(uids_in(&picture), [1, 2]);
    let mut bodies = [body(&inbox, 1), body(&inbox, 2)];
    bodies.sort();
    assert_eq!(bodies, ["first", "second"]);
    assert_eq!(
        view(&picture)[&1].0 | view(&picture)[&2].0,
        SystemFlags::SEEN | SystemFlags::FLAGGED
    );
    assert_eq!(files(&cur).len(), 2);
}

#[test]
fn two_new_files_with_one_base_name_are_two_messages() {
    let site = Site::new();
    fs::create_dir_all(site.root()).unwrap();
    for sub in ["cur", "new", "tmp"] {
        fs::create_dir_all(site.root().join(sub)).unwrap();
    }
    fs::write(site.root().join("new/1.M1P1.h"), "first").unwrap();
    fs::write(site.root().join("cur/1.M1P1.h:2,S"), "second").unwrap();
    let inbox = site.inbox();
    assert_eq!(uids_in(&inbox.snapshot()), [1, 2]);
    let mut bodies = [body(&inbox, 1), body(&inbox, 2)];
    bodies.sort();
    assert_eq!(bodies, ["first", "second"]);
}

#[test]
fn a_young_second_link_is_left_alone() {
    let site = Site::new();
    let inbox = site.inbox();
    let cur = site.root().join("cur");
    fs::write(cur.join("1.M1P1.h:2,"), "x").unwrap();
    fs::hard_link(cur.join("1.M1P1.h:2,"), cur.join("1.M1P1.h:2,S")).unwrap();
    assert_eq!(uids_in(&inbox.refresh().unwrap()), [1]);
    assert_eq!(files(&cur).len(), 2);
}

#[test]
fn what_is_no_message_is_put_aside_or_ignored() {
    let site = Site::new();
    let cur = site.root().join("cur");
    fs::create_dir(cur.join("empty")).unwrap();
    fs::create_dir_all(cur.join("full/sub")).unwrap();
    fs::write(cur.join(":2,S"), "nameless").unwrap();
    fs::write(cur.join(".nfs0001"), "x").unwrap();
    fs::write(cur.join(".hidden"), "x").unwrap();
    fs::write(cur.join("bad\nname"), "x").unwrap();
    let inbox = site.inbox();
    let picture = inbox.snapshot();
    assert_eq!(picture.len(), 1);
    assert_eq!(body(&inbox, 1), "nameless");
    assert_eq!(files(&cur), [".hidden", ".nfs0001", "bad\nname"]);
    assert!(site.root().join("extra-full/sub").is_dir());
}

#[test]
fn odd_names_keep_working() {
    let site = Site::new();
    let (new, cur) = (site.root().join("new"), site.root().join("cur"));
    fs::write(cur.join("1.h"), "no info").unwrap();
    fs::write(cur.join("2.h:1,experimental"), "old info").unwrap();
    fs::write(new.join("3.h:2,S"), "info in new").unwrap();
    fs::write(cur.join("4.h:2,SF"), "letters not sorted").unwrap();
    let inbox = site.inbox();
    let picture = inbox.snapshot();
    assert_eq!(uids_in(&picture), [1, 2, 3, 4]);
    let texts = ["no info", "old info", "info in new", "letters not sorted"];
    for (n, text) in (1..).zip(texts) {
        assert_eq!(body(&inbox, n), text);
    }
    assert_eq!(view(&picture)[&3].0, SystemFlags::SEEN);
    store(
        &inbox,
        &[1, 2, 3, 4],
        FlagMode::Add,
        SystemFlags::DRAFT,
        &[],
    );
    let expected = ["1.h:2,D", "2.h:2,D", "3.h:2,DS", "4.h:2,DFS"];
    assert_eq!(files(&cur), expected);
    for (n, text) in (1..).zip(texts) {
        assert_eq!(body(&inbox, n), text);
    }
}

#[test]
fn sizes_that_names_do_not_tell_are_counted() {
    let site = Site::new();
    let cur = site.root().join("cur");
    fs::write(cur.join("1.h:2,"), "a\nb\r\nc").unwrap();
    fs::write(cur.join("2.h,S=4:2,T"), "a\nb\n").unwrap();
    let inbox = site.inbox();
    assert_eq!(inbox.snapshot().known_size(uid(1)), None);
    assert_eq!(inbox.size(uid(1)).unwrap(), 7);
    assert_eq!(inbox.snapshot().known_size(uid(1)), Some(7));
    let sizes = inbox.status(Details::Sizes).unwrap().sizes.unwrap();
    assert_eq!((sizes.all, sizes.deleted), (13, 6));
}
