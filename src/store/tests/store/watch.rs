//! Changes that nobody asks about.

use crate::support::*;
use roost_store::FlagMode;
use roost_types::SystemFlags;
use std::time::Duration;

#[test]
fn a_delivery_shows_without_polling() {
    let site = Site::with(roost_store::Options {
        poll_interval: Duration::from_secs(3600),
        ..options()
    });
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    for n in 0..5 {
        let mut changes = inbox.changes();
        changes.mark_unchanged();
        deliver(&site.root(), &format!("{n}.M1P1.h"), "x");
        wait_until("the delivery shows", || inbox.snapshot().len() == n + 2);
        assert!(changes.has_changed().unwrap());
    }
}

#[test]
fn renames_and_removals_show() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    let cur = site.root().join("cur");
    let old = files(&cur).remove(0);
    let new = old.replace(":2,S", ":2,FS");
    std::fs::rename(cur.join(&old), cur.join(&new)).unwrap();
    let flagged = SystemFlags::SEEN | SystemFlags::FLAGGED;
    wait_until("the flag shows", || {
        view(&inbox.snapshot())[&1].0 == flagged
    });
    std::fs::remove_file(cur.join(new)).unwrap();
    wait_until("the removal shows", || inbox.snapshot().is_empty());
}

#[test]
fn our_own_changes_wake_once() {
    let site = Site::new();
    let inbox = site.inbox();
    let other = site.create("other");
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    tick();
    let before = inbox.snapshot().generation();
    store(&inbox, &[1], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    append(&inbox, "y", SystemFlags::NONE, &[]);
    // What comes later and is seen shows that the earlier has been.
    deliver(&site.root().join(".other"), "1.M1P1.h", "z");
    wait_until("the delivery shows", || other.snapshot().len() == 1);
    assert_eq!(inbox.snapshot().generation(), before + 2);
}

#[test]
fn a_mailbox_that_is_closed_can_be_opened_again() {
    let site = Site::new();
    for n in 0..50 {
        let mailbox = site.create(&format!("m{n}"));
        append(&mailbox, "x", SystemFlags::NONE, &[]);
    }
    let first = site.open("m0");
    deliver(&site.root().join(".m0"), "1.M1P1.h", "x");
    wait_until("the delivery shows", || first.snapshot().len() == 2);
}
