//! Change numbers, history of expunged messages, identities.

mod closing;
mod damage;

use crate::support::*;
use roost_store::Details;
use roost_store::{CopyMode, FlagChange, FlagMode};
use roost_types::{ModSeq, SystemFlags};
use std::sync::atomic::{AtomicBool, Ordering};

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
    let status = site.account.status(&name("New"), Details::Counts).unwrap();
    assert_eq!(status.mailbox_id, Some(id));
}

/// Everything that clients see.
type All = (View, u32, Vec<Vec<u8>>);

fn all(site: &Site) -> All {
    let inbox = site.inbox();
    let picture = inbox.snapshot();
    let guids = uids_in(&picture).into_iter();
    let guids = guids.map(|n| inbox.message_guid(uid(n)).unwrap()).collect();
    (view(&picture), picture.uid_next().get(), guids)
}

/// Messages with flags, keywords with and without letters, odd names, a copy.
fn filled(site: &Site) {
    let inbox = site.inbox();
    let many: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
    for n in 0..40u32 {
        let words: Vec<&str> = many.iter().skip(n as usize).take(2).map(|w| &**w).collect();
        let flags = SystemFlags::from_bits(n as u8);
        append(&inbox, "Subject: x\n\n1\n2\n", flags, &words);
    }
    let cur = site.root().join("cur");
    let name = file_of(&site.root(), 7);
    std::fs::rename(cur.join(&name), cur.join(format!("{name}Q,x=1"))).unwrap();
    inbox.copy(&uids(&[3, 4]), &inbox, CopyMode::Copy).unwrap();
    store(&inbox, &[1], FlagMode::Add, SystemFlags::DELETED, &[]);
    inbox.expunge(Some(&uids(&[1, 2]))).unwrap();
    wait_until("the odd name is seen", || {
        inbox.refresh().unwrap();
        body(&inbox, 7).starts_with("Subject")
    });
}

fn index_files(site: &Site) -> Vec<std::path::PathBuf> {
    let dir = site.root().join("roost-index");
    let names = files(&dir).into_iter();
    let mut kept: Vec<_> = names
        .filter(|n| n.ends_with(".index") || n.ends_with(".log"))
        .map(|n| dir.join(n))
        .collect();
    kept.sort();
    kept
}

#[test]
fn change_numbers_and_history_survive_a_restart() {
    let mut site = Site::new();
    filled(&site);
    let inbox = site.inbox();
    let since = ModSeq(inbox.snapshot().highest_modseq().0 - 1);
    inbox.expunge(None).unwrap();
    store(&inbox, &[9], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    let picture = inbox.snapshot();
    let (changed, gone) = (
        picture.changed_since(since).collect::<Vec<_>>(),
        inbox.vanished_since(since),
    );
    assert!(!changed.is_empty() && gone.as_ref().is_some_and(|g| !g.is_empty()));
    let highest = picture.highest_modseq();
    drop((inbox, picture));
    site.restart();
    let inbox = site.inbox();
    assert_eq!(inbox.snapshot().highest_modseq(), highest);
    assert_eq!(
        inbox.snapshot().changed_since(since).collect::<Vec<_>>(),
        changed
    );
    assert_eq!(inbox.vanished_since(since), gone);
}

#[test]
fn nothing_is_lost_with_the_index() {
    for what in ["all", "index", "log", "lock"] {
        let mut site = Site::new();
        filled(&site);
        let (before, highest) = (all(&site), site.inbox().snapshot().highest_modseq());
        let dir = site.root().join("roost-index");
        site.restart();
        for name in files(&dir) {
            if what == "all" || name.ends_with(what) {
                std::fs::remove_file(dir.join(name)).unwrap();
            }
        }
        assert_eq!(all(&site), before, "{what}");
        let inbox = site.inbox();
        assert!(inbox.snapshot().highest_modseq() >= highest, "{what}");
        if what != "lock" {
            assert!(inbox.vanished_since(highest).is_none(), "{what}");
        }
        drop(inbox);
        site.restart();
        assert_eq!(all(&site), before, "{what}, and made anew");
    }
}

#[test]
fn what_others_did_meanwhile_is_found() {
    let mut site = Site::new();
    filled(&site);
    let highest = site.inbox().snapshot().highest_modseq();
    site.restart();
    let cur = site.root().join("cur");
    let (flagged, removed) = (file_of(&site.root(), 10), file_of(&site.root(), 11));
    std::fs::rename(cur.join(&flagged), cur.join(format!("{flagged}zz"))).unwrap();
    std::fs::remove_file(cur.join(removed)).unwrap();
    deliver(&site.root(), "9999999999.M1P1.h", "new");
    let inbox = site.inbox();
    let picture = inbox.snapshot();
    let changed: Vec<u32> = (picture.changed_since(highest))
        .map(|(_, row)| row.uid.get())
        .collect();
    assert_eq!(changed, [10, 43]);
    assert_eq!(inbox.vanished_since(highest), Some(uids(&[11])));
    assert_eq!(body(&inbox, 43), "new");
}

#[test]
fn a_second_process_goes_without() {
    let site = Site::new();
    filled(&site);
    let before = all(&site);
    let other = roost_store::Store::new(options()).unwrap();
    let account = other
        .account("test", &site.root(), roost_store::AccountOptions::default())
        .unwrap();
    let inbox = account.open(&roost_types::MailboxName::inbox()).unwrap();
    let files_before: Vec<_> = index_files(&site)
        .iter()
        .map(|p| std::fs::read(p).unwrap())
        .collect();
    assert_eq!(view(&inbox.snapshot()), before.0);
    drop((inbox, account, other));
    let files_after: Vec<_> = index_files(&site)
        .iter()
        .map(|p| std::fs::read(p).unwrap())
        .collect();
    assert!(files_before == files_after);
}

#[test]
fn a_check_changes_nothing() {
    let mut site = Site::new();
    filled(&site);
    let before = all(&site);
    site.restart();
    let inbox = site.inbox();
    let log = index_files(&site)
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "log"))
        .unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend_from_slice(b"torn");
    std::fs::write(&log, &bytes).unwrap();
    let names = [roost_types::MailboxName::inbox()];
    site.account.check(&names, false, &mut |_| {}).unwrap();
    assert!(std::fs::read(&log).unwrap() == bytes);
    drop(inbox);
    site.restart();
    assert!(all(&site) == before);
}

#[test]
fn folders_of_a_later_version_are_a_finding() {
    let site = Site::new();
    drop(site.inbox());
    std::fs::write(site.root().join("roost-folders"), "roost-folders 99\n").unwrap();
    let mut found = Vec::new();
    // Nothing else of the account can be looked at then.
    let _ = site.account.check(&[], false, &mut |f| found.push(f.file));
    assert_eq!(found, ["roost-folders"]);
}
