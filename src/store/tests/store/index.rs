//! Change numbers, history of expunged messages, identities.

use crate::support::*;
use roost_store::{CopyMode, FlagChange, FlagMode};
use roost_types::{ModSeq, SystemFlags};

#[test]
fn a_message_touched_since_is_left_as_it_is() {
    let site = Site::new();
    let inbox = site.inbox();
    for _ in 0..3 {
        append(&inbox, "x", SystemFlags::SEEN, &[]);
    }
    let since = inbox.snapshot().highest_modseq();
    store(&inbox, &[2], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    // Another program counts as well.
    let cur = site.root().join("cur");
    let name = file_of(&site.root(), 3);
    std::fs::rename(cur.join(&name), cur.join(format!("{name}T"))).unwrap();
    let change = FlagChange {
        mode: FlagMode::Add,
        system: SystemFlags::ANSWERED,
        keywords: &[],
        unchanged_since: Some(since),
    };
    let outcome = inbox.store_flags(&uids(&[1, 2, 3]), &change).unwrap();
    assert_eq!(outcome.modified, uids(&[2, 3]));
    let seen = SystemFlags::SEEN;
    let flags: Vec<_> = view(&outcome.snapshot).values().map(|v| v.0).collect();
    let expected = [
        seen | SystemFlags::ANSWERED,
        seen | SystemFlags::FLAGGED,
        seen | SystemFlags::DELETED,
    ];
    assert_eq!(flags, expected);
    let changed = outcome.snapshot.changed_since(since);
    assert_eq!(changed.count(), 3);
}

#[test]
fn expunged_messages_are_remembered() {
    let site = Site::new();
    let inbox = site.inbox();
    let floor = inbox.snapshot().highest_modseq();
    for _ in 0..4 {
        append(&inbox, "x", SystemFlags::DELETED, &[]);
    }
    let before = inbox.snapshot().highest_modseq();
    inbox.expunge(Some(&uids(&[1]))).unwrap();
    let between = inbox.snapshot().highest_modseq();
    assert!(between > before);
    std::fs::remove_file(site.root().join("cur").join(file_of(&site.root(), 3))).unwrap();
    tick();
    inbox.refresh().unwrap();
    assert!(inbox.snapshot().highest_modseq() > between);
    assert_eq!(inbox.vanished_since(before), Some(uids(&[1, 3])));
    assert_eq!(inbox.vanished_since(between), Some(uids(&[3])));
    assert_eq!(inbox.vanished_since(floor), Some(uids(&[1, 3])));
    assert_eq!(inbox.vanished_since(ModSeq(floor.0 - 1)), None);
}

#[test]
fn identities_survive_rename_and_copy() {
    let site = Site::new();
    let (inbox, other) = (site.inbox(), site.create("Other"));
    let one = append(&inbox, "x", SystemFlags::SEEN, &[]);
    let copied = inbox.copy(&uids(&[1]), &other, CopyMode::Copy).unwrap();
    let copy = copied.pairs[0].1;
    let guid = inbox.message_guid(one).unwrap();
    assert_eq!(other.message_guid(copy).unwrap(), guid);
    assert!(inbox.message_guid(uid(9)).is_err());
    let id = other.guid().unwrap();
    assert_ne!(Some(id), inbox.guid());
    drop(other);
    site.account.rename(&name("Other"), &name("New")).unwrap();
    let status = site.account.status(&name("New"), false).unwrap();
    assert_eq!(status.mailbox_id, Some(id));
}
