use crate::support::*;
use roost_store::{FlagChange, FlagMode, Fsync, Options, Snapshot};
use roost_types::SystemFlags;

const SEEN: SystemFlags = SystemFlags::SEEN;
const DELETED: SystemFlags = SystemFlags::DELETED;

#[test]
fn flags_are_added_removed_and_replaced() {
    let mut site = Site::with(Options {
        fsync: Fsync::Always,
        ..options()
    });
    let inbox = site.inbox();
    for _ in 0..3 {
        append(&inbox, "x", SystemFlags::NONE, &[]);
    }
    let old = inbox.snapshot();
    store(&inbox, &[1, 2], FlagMode::Add, SEEN, &["a", "b"]);
    store(&inbox, &[2], FlagMode::Remove, SEEN, &["A"]);
    store(&inbox, &[3], FlagMode::Replace, DELETED, &["c"]);
    let new = inbox.snapshot();
    let diff = Snapshot::diff(&old, &new);
    assert_eq!(diff.changed.len(), 3);
    assert!(diff.keywords_changed);
    let expected = [
        (1, (SEEN, vec!["a".to_owned(), "b".to_owned()])),
        (2, (SystemFlags::NONE, vec!["b".to_owned()])),
        (3, (DELETED, vec!["c".to_owned()])),
    ];
    assert_eq!(view(&new), expected.clone().into());
    assert_eq!(files(&site.root().join("cur")).len(), 3);
    drop(inbox);
    site.restart();
    assert_eq!(view(&site.inbox().snapshot()), expected.into());
}

#[test]
fn more_keywords_than_letters() {
    let mut site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SEEN, &[]);
    append(&inbox, "y", SEEN, &[]);
    let words: Vec<String> = (0..40).map(|i| format!("k{i:02}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    store(&inbox, &[1, 2], FlagMode::Add, SEEN, &words);
    store(&inbox, &[2], FlagMode::Remove, SEEN, &["k01", "k30"]);
    let third = append(&inbox, "z", SEEN, &["k39", "k00"]);
    assert_eq!(third, uid(3));
    let expected = view(&inbox.snapshot());
    assert_eq!(expected[&1].1.len(), 40);
    assert_eq!(expected[&2].1.len(), 38);
    assert_eq!(expected[&3].1, ["k00", "k39"]);
    drop(inbox);
    site.restart();
    let inbox = site.inbox();
    assert_eq!(view(&inbox.snapshot()), expected);
    store(&inbox, &[1], FlagMode::Replace, SEEN, &["k35"]);
    assert_eq!(view(&inbox.snapshot())[&1].1, ["k35"]);
    drop(inbox);
    site.restart();
    assert_eq!(view(&site.inbox().snapshot())[&1].1, ["k35"]);
}

#[test]
fn letters_of_others_survive() {
    let site = Site::new();
    let cur = site.root().join("cur");
    std::fs::write(cur.join("1.M1P1.h:2,PSx,extra=1"), "x").unwrap();
    let inbox = site.inbox();
    assert_eq!(
        view(&inbox.snapshot())[&1],
        (SEEN, vec!["unknown-23".to_owned()])
    );
    store(&inbox, &[1], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    assert_eq!(files(&cur), ["1.M1P1.h:2,FPSx,extra=1"]);
    store(&inbox, &[1], FlagMode::Replace, SystemFlags::NONE, &[]);
    assert_eq!(files(&cur), ["1.M1P1.h:2,P,extra=1"]);
    assert_eq!(body(&inbox, 1), "x");
}

#[test]
fn a_change_is_made_on_top_of_another_programs() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SEEN, &[]);
    let cur = site.root().join("cur");
    let old = cur.join(&files(&cur)[0]);
    let new = old.to_str().unwrap().replace(":2,S", ":2,RS");
    std::fs::rename(&old, new).unwrap();
    store(&inbox, &[1], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    let all = SEEN | SystemFlags::ANSWERED | SystemFlags::FLAGGED;
    assert_eq!(view(&inbox.snapshot())[&1].0, all);
    assert!(files(&cur)[0].ends_with(":2,FRS"));
}

#[test]
fn messages_that_are_gone_are_reported() {
    let site = Site::new();
    let inbox = site.inbox();
    for _ in 0..4 {
        append(&inbox, "x", SEEN, &[]);
    }
    let cur = site.root().join("cur");
    std::fs::remove_file(cur.join(file_of(&site.root(), 2))).unwrap();
    let change = FlagChange {
        mode: FlagMode::Add,
        system: DELETED,
        keywords: &[],
        unchanged_since: None,
    };
    let outcome = inbox.store_flags(&uids(&[2, 3, 9]), &change).unwrap();
    assert_eq!(outcome.missing, uids(&[2, 9]));
    assert_eq!(view(&outcome.snapshot)[&3].0, SEEN | DELETED);
}

#[test]
fn expunge_takes_what_is_deleted_now() {
    let site = Site::new();
    let inbox = site.inbox();
    for _ in 0..5 {
        append(&inbox, "x", DELETED, &[]);
    }
    let view_of_another = inbox.snapshot();
    let mut open = inbox.open_message(uid(2)).unwrap();
    // Another program takes \Deleted from the third message.
    let cur = site.root().join("cur");
    let third = cur.join(file_of(&site.root(), 3));
    std::fs::rename(&third, third.to_str().unwrap().replace(":2,T", ":2,")).unwrap();
    let gone = inbox.expunge(Some(&uids(&[1, 2, 3, 4]))).unwrap();
    assert_eq!(gone, uids(&[1, 2, 4]));
    assert_eq!(uids_in(&inbox.snapshot()), [3, 5]);
    assert_eq!(files(&cur).len(), 2);
    // Who has not been told yet still sees the flags, and reads what is open.
    assert_eq!(view_of_another.row_of(uid(2)).unwrap().1.flags, DELETED);
    assert!(view_of_another.known_size(uid(2)).is_some());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut open, &mut text).unwrap();
    assert_eq!(text, "x");
    let error = inbox.open_message(uid(2)).err().unwrap();
    assert!(matches!(error, roost_store::Error::Expunged));
    assert_eq!(inbox.expunge(None).unwrap(), uids(&[5]));
    assert_eq!(append(&inbox, "x", SEEN, &[]), uid(6));
}

#[test]
fn recent_belongs_to_one_session() {
    let mut site = Site::new();
    let inbox = site.inbox();
    deliver(&site.root(), "1.M1P1.h", "x");
    deliver(&site.root(), "2.M1P1.h", "y");
    let view = inbox.refresh().unwrap();
    assert_eq!(view.recent(), 2);
    deliver(&site.root(), "3.M1P1.h", "z");
    assert_eq!(inbox.refresh().unwrap().recent(), 3);
    assert_eq!(inbox.claim_recent(&view).unwrap(), uids(&[1, 2]));
    assert!(inbox.claim_recent(&view).unwrap().is_empty());
    assert_eq!(inbox.snapshot().recent(), 1);
    assert_eq!(
        files(&site.root().join("cur")),
        ["1.M1P1.h:2,", "2.M1P1.h:2,"]
    );
    assert_eq!(files(&site.root().join("new")), ["3.M1P1.h"]);
    assert_eq!(body(&inbox, 1), "x");
    drop(inbox);
    site.restart();
    let picture = site.inbox().snapshot();
    assert_eq!((picture.recent(), uids_in(&picture)), (1, vec![1, 2, 3]));
}
