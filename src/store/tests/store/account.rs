use crate::support::*;
use roost_store::Details;
use roost_store::{AccountOptions, Error, Folders, Store};
use roost_types::{SpecialUse, SystemFlags};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn listed(folders: &Folders) -> Vec<String> {
    let one = |f: &roost_store::Folder| {
        let no = if f.selectable { "" } else { " noselect" };
        let children = if f.has_children { " +" } else { "" };
        format!("{}{no}{children}", f.name.join('/'))
    };
    folders.iter().map(one).collect()
}

fn list(site: &Site) -> Vec<String> {
    listed(&site.account.folders().unwrap())
}

#[test]
fn mailboxes_are_created_listed_and_deleted() {
    let mut site = Site::new();
    for text in ["Work/2024", "été", "a.b/c"] {
        site.account.create(&name(text), false, None).unwrap();
    }
    let expected = [
        "INBOX",
        "Work noselect +",
        "Work/2024",
        "a.b noselect +",
        "a.b/c",
        "été",
    ];
    assert_eq!(list(&site), expected);
    let again = site.account.create(&name("été"), false, None);
    assert!(matches!(again, Err(Error::AlreadyExists)));
    assert!(matches!(
        site.account.open(&name("Work")),
        Err(Error::NotSelectable)
    ));
    assert!(matches!(
        site.account.open(&name("none")),
        Err(Error::NoSuchMailbox)
    ));
    assert!(matches!(
        site.account.delete(&name("Work")),
        Err(Error::HasChildren)
    ));
    assert!(matches!(
        site.account.delete(&name("INBOX")),
        Err(Error::InboxImmutable)
    ));
    site.account.delete(&name("été")).unwrap();
    site.account.delete(&name("Work/2024")).unwrap();
    assert_eq!(list(&site), ["INBOX", "a.b noselect +", "a.b/c"]);
    site.restart();
    assert_eq!(list(&site), ["INBOX", "a.b noselect +", "a.b/c"]);
    assert!(!files(&site.root()).iter().any(|f| f.contains("TRASH")));
}

#[test]
fn a_directory_can_be_without_storage_or_lose_it() {
    let mut site = Site::new();
    site.account.create(&name("dir"), true, None).unwrap();
    assert_eq!(list(&site), ["INBOX", "dir noselect"]);
    let again = site.account.create(&name("dir"), true, None);
    assert!(matches!(again, Err(Error::AlreadyExists)));
    site.account.create(&name("dir"), false, None).unwrap();
    site.account
        .create(&name("dir/child"), false, None)
        .unwrap();
    assert_eq!(list(&site), ["INBOX", "dir +", "dir/child"]);
    let open = site.open("dir");
    site.account.delete(&name("dir")).unwrap();
    assert!(!open.exists());
    assert_eq!(list(&site), ["INBOX", "dir noselect +", "dir/child"]);
    site.account.delete(&name("dir/child")).unwrap();
    site.restart();
    assert_eq!(list(&site), ["INBOX", "dir noselect"]);
    site.account.delete(&name("dir")).unwrap();
    assert_eq!(list(&site), ["INBOX"]);
}

#[test]
fn a_created_mailbox_never_has_the_uidvalidity_of_another() {
    let site = Site::new();
    let first = site.create("x").snapshot().uid_validity();
    site.account.delete(&name("x")).unwrap();
    let second = site.create("x").snapshot().uid_validity();
    assert!(second > first);
}

#[test]
fn who_opens_the_new_name_in_mid_rename_gets_the_mailbox_that_is_open() {
    let site = Site::new();
    let work = site.create("a");
    append(&work, "one", SystemFlags::NONE, &[]);
    let child = site.create("a/sub");
    let stop = AtomicBool::new(false);
    let opened = thread::scope(|scope| {
        let opener = scope.spawn(|| {
            let mut opened = 0;
            while !stop.load(Ordering::Relaxed) {
                for (there, one) in [("a", &work), ("b", &work), ("b/sub", &child)] {
                    match site.account.open(&name(there)) {
                        Ok(found) => {
                            assert!(Arc::ptr_eq(&found, one), "{there}: a second picture");
                            opened += 1;
                        }
                        Err(Error::NoSuchMailbox) => {}
                        Err(e) => panic!("{there}: {e}"),
                    }
                }
            }
            opened
        });
        let renamed = (0..400).try_for_each(|i| {
            let (from, to) = [("a", "b"), ("b", "a")][i % 2];
            site.account.rename(&name(from), &name(to))
        });
        stop.store(true, Ordering::Relaxed);
        renamed.unwrap();
        opener.join().unwrap()
    });
    assert!(opened > 0);
}

#[test]
fn rename_takes_children_and_keeps_uids() {
    let site = Site::new();
    let work = site.create("Work");
    append(&work, "one", SystemFlags::SEEN, &["k"]);
    append(&work, "two", SystemFlags::NONE, &[]);
    let child = site.create("Work/sub");
    site.account.create(&name("Work/dir"), true, None).unwrap();
    site.account
        .create(&name("sent"), false, Some(SpecialUse::Sent))
        .unwrap();
    let (before, validity) = (view(&work.snapshot()), work.snapshot().uid_validity());
    site.account
        .rename(&name("Work"), &name("Old/Work"))
        .unwrap();
    let expected = [
        "INBOX",
        "Old noselect +",
        "Old/Work +",
        "Old/Work/dir noselect",
        "Old/Work/sub",
        "sent",
    ];
    assert_eq!(list(&site), expected);
    // Who has it open goes on with it.
    assert_eq!(
        (work.name(), child.name()),
        (name("Old/Work"), name("Old/Work/sub"))
    );
    assert_eq!(view(&work.refresh().unwrap()), before);
    append(&work, "three", SystemFlags::NONE, &[]);
    let again = site.open("Old/Work");
    assert_eq!(again.snapshot().uid_validity(), validity);
    assert_eq!(uids_in(&again.snapshot()), [1, 2, 3]);
    site.account.rename(&name("sent"), &name("gone")).unwrap();
    let folders = site.account.folders().unwrap();
    assert_eq!(
        folders.get(&name("gone")).unwrap().special_use,
        Some(SpecialUse::Sent)
    );
    let cases = [("none", "x"), ("Old", "gone"), ("Old", "Old/x")];
    for (from, to) in cases {
        assert!(
            site.account.rename(&name(from), &name(to)).is_err(),
            "{from} to {to}"
        );
    }
}

#[test]
fn renaming_inbox_moves_its_messages() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "one", SystemFlags::SEEN, &["k"]);
    site.create("INBOX/child");
    site.account.rename(&name("INBOX"), &name("Saved")).unwrap();
    assert!(inbox.refresh().unwrap().is_empty());
    assert!(inbox.exists());
    let saved = site.open("Saved");
    assert_eq!(
        view(&saved.snapshot())[&1],
        (SystemFlags::SEEN, vec!["k".to_owned()])
    );
    assert_eq!(list(&site), ["INBOX +", "INBOX/child", "Saved"]);
    assert_eq!(append(&inbox, "two", SystemFlags::NONE, &[]), uid(2));
}

#[test]
fn special_uses_come_from_create_or_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::new(options()).unwrap();
    let account_options = AccountOptions {
        special_use_names: vec![
            (SpecialUse::Sent, name("Sent")),
            (SpecialUse::Trash, name("Trash")),
        ],
        initial_subscriptions: vec![name("INBOX"), name("Sent")],
        ..AccountOptions::default()
    };
    let account = store
        .account("a", &temp.path().join("M"), account_options)
        .unwrap();
    assert_eq!(
        account.subscriptions().unwrap(),
        [name("INBOX"), name("Sent")]
    );
    account.create(&name("Sent"), false, None).unwrap();
    account.create(&name("Trash"), false, None).unwrap();
    account
        .create(&name("Bin"), false, Some(SpecialUse::Trash))
        .unwrap();
    let folders = account.folders().unwrap();
    let special = |text| folders.get(&name(text)).unwrap().special_use;
    assert_eq!(special("Sent"), Some(SpecialUse::Sent));
    assert_eq!(special("Bin"), Some(SpecialUse::Trash));
    assert_eq!(special("Trash"), None);
}

#[test]
fn subscriptions_are_kept_apart_from_mailboxes() {
    let mut site = Site::new();
    for text in ["été", "a/b", "nowhere"] {
        site.account.subscribe(&name(text)).unwrap();
    }
    site.account.unsubscribe(&name("nowhere")).unwrap();
    site.account.unsubscribe(&name("never")).unwrap();
    site.restart();
    assert_eq!(
        site.account.subscriptions().unwrap(),
        [name("a/b"), name("été")]
    );
}

#[test]
fn folders_of_others_are_seen_at_once() {
    let site = Site::new();
    assert_eq!(list(&site), ["INBOX"]);
    fs::create_dir_all(site.root().join(".New.Sub/cur")).unwrap();
    fs::write(site.root().join(".file"), "").unwrap();
    fs::create_dir(site.root().join("roost-index")).unwrap();
    let elsewhere = site.temp.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, site.root().join(".Link")).unwrap();
    assert_eq!(list(&site), ["INBOX", "Link", "New noselect +", "New/Sub"]);
    assert_eq!(
        append(&site.open("Link"), "x", SystemFlags::NONE, &[]),
        uid(1)
    );
    assert!(elsewhere.join("dovecot-uidlist").exists());
    site.account.delete(&name("Link")).unwrap();
    assert!(elsewhere.join("dovecot-uidlist").exists());
    assert_eq!(list(&site), ["INBOX", "New noselect +", "New/Sub"]);
}

#[test]
fn status_counts_without_opening_twice() {
    let site = Site::new();
    let work = site.create("Work");
    append(&work, "one\r\n", SystemFlags::SEEN, &[]);
    append(&work, "two\r\n", SystemFlags::DELETED, &[]);
    let validity = work.snapshot().uid_validity();
    drop(work);
    for _ in 0..3 {
        let status = site.account.status(&name("Work"), Details::Sizes).unwrap();
        assert_eq!((status.messages, status.unseen, status.deleted), (2, 1, 1));
        assert_eq!((status.uid_next, status.uid_validity), (uid(3), validity));
        let sizes = status.sizes.unwrap();
        assert_eq!((sizes.all, sizes.deleted), (10, 5));
    }
    deliver(&site.root().join(".Work"), "1.M1P1.h", "x");
    let status = site.account.status(&name("Work"), Details::Counts).unwrap();
    assert_eq!(
        (status.messages, status.recent, status.uid_next),
        (3, 3, uid(4))
    );
    assert!(matches!(
        site.account.status(&name("none"), Details::Counts),
        Err(Error::NoSuchMailbox)
    ));
}

#[test]
fn an_account_is_shared_while_in_use() {
    let site = Site::new();
    let other = site
        .store
        .account("test", &site.root(), AccountOptions::default())
        .unwrap();
    assert!(std::sync::Arc::ptr_eq(&site.account, &other));
    assert!(std::sync::Arc::ptr_eq(
        &site.inbox(),
        &other.open(&name("INBOX")).unwrap()
    ));
}
