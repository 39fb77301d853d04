//! What is kept of a mailbox goes with it.

use crate::support::*;
use roost_store::cache::COLUMNS;
use roost_store::{FlagChange, FlagMode, Guid};
use roost_types::SystemFlags;
use std::path::Path;

/// Files that are kept of a mailbox.
fn kept(site: &Site, guid: Guid) -> Vec<String> {
    let all = files(&site.root().join("roost-index")).into_iter();
    all.filter(|n| n.starts_with(&guid.to_string())).collect()
}

fn record(column: usize) -> [Option<&'static [u8]>; COLUMNS] {
    let mut records = [None; COLUMNS];
    records[column] = Some(&b"piece"[..]);
    records
}

/// A mailbox with everything that can be kept of one.
fn made(site: &Site, text: &str) -> Guid {
    let mailbox = site.create(text);
    let uid = append(&mailbox, "x", SystemFlags::SEEN, &[]);
    let pieces = mailbox.pieces().unwrap();
    pieces.put(uid, record(0));
    pieces.flush();
    let guid = mailbox.guid().unwrap();
    assert_eq!(kept(site, guid).len(), 3, "{:?}", kept(site, guid));
    guid
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for name in files(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        match from.is_dir() {
            true => copy_tree(&from, &to),
            false => drop(std::fs::copy(from, to).unwrap()),
        }
    }
}

#[test]
fn delete_removes_what_is_kept_of_a_mailbox() {
    let mut site = Site::new();
    let (closed, other) = (made(&site, "Closed"), made(&site, "Other"));
    site.restart();
    site.account.delete(&name("Closed")).unwrap();
    assert_eq!(kept(&site, closed), [""; 0]);
    assert_eq!(kept(&site, other).len(), 3);
}

#[test]
fn who_still_has_it_selected_brings_nothing_back() {
    for later in [false, true] {
        let site = Site::new();
        let guid = made(&site, "Work");
        let work = site.open("Work");
        if !later {
            work.pieces().unwrap().put(uid(1), record(1));
        }
        site.account.delete(&name("Work")).unwrap();
        let words = &[];
        let change = FlagChange {
            mode: FlagMode::Add,
            system: SystemFlags::DELETED,
            keywords: words,
            unchanged_since: None,
        };
        assert!(work.store_flags(&uids(&[1]), &change).is_err());
        assert!(work.refresh().is_err() && !work.exists());
        work.pieces().unwrap().put(uid(1), record(0));
        work.pieces().unwrap().flush();
        let again = site.create("Work");
        assert_ne!(again.guid(), Some(guid));
        drop(work);
        assert_eq!(kept(&site, guid), [""; 0]);
    }
}

#[test]
fn pieces_that_were_never_asked_for_are_not_made_for_a_mailbox_that_is_gone() {
    let mut site = Site::new();
    let guid = made(&site, "Work");
    site.restart();
    let work = site.open("Work");
    site.account.delete(&name("Work")).unwrap();
    assert!(work.pieces().is_none());
    drop(work);
    assert_eq!(kept(&site, guid), [""; 0]);
}

#[test]
fn the_index_of_a_copy_stays() {
    for open in [false, true] {
        let mut site = Site::new();
        let guid = made(&site, "Work");
        site.restart();
        copy_tree(&site.root().join(".Work"), &site.root().join(".Copy"));
        tick();
        // Now the index is of the copy.
        let copy = site.open("Copy");
        let highest = copy.snapshot().highest_modseq();
        if !open {
            drop(copy);
            site.restart();
        }
        site.account.delete(&name("Work")).unwrap();
        assert!(kept(&site, guid).len() >= 2, "open: {open}");
        let copy = site.open("Copy");
        assert_eq!(copy.snapshot().highest_modseq(), highest, "open: {open}");
    }
}

#[test]
fn check_and_reindex_find_what_others_left() {
    for with_check in [true, false] {
        let mut site = Site::new();
        let (gone, other) = (made(&site, "Gone"), made(&site, "Other"));
        site.restart();
        std::fs::remove_dir_all(site.root().join(".Gone")).unwrap();
        tick();
        let check = |mend| {
            let mut found = Vec::new();
            let tell = &mut |f: roost_store::Finding| found.push((f.file, f.mended));
            site.account.check(&[], mend, tell).unwrap();
            found
        };
        assert_eq!(check(false), [("index".to_owned(), false)]);
        assert_eq!(kept(&site, gone).len(), 3, "looking changes nothing");
        if with_check {
            assert_eq!(check(true), [("index".to_owned(), true)]);
        } else {
            site.account.reindex(&[], &mut |_| ()).unwrap();
        }
        assert_eq!(kept(&site, gone), [""; 0]);
        assert!(kept(&site, other).len() >= 2);
        assert_eq!(check(false), []);
    }
}

#[test]
fn nothing_is_removed_while_a_list_cannot_be_read() {
    let mut site = Site::new();
    let (gone, other) = (made(&site, "Gone"), made(&site, "Other"));
    site.restart();
    std::fs::remove_dir_all(site.root().join(".Gone")).unwrap();
    let list = site.root().join(".Other/dovecot-uidlist");
    std::fs::write(list, "of no version that there is\n").unwrap();
    tick();
    site.account.check(&[], true, &mut |_| ()).unwrap();
    assert_eq!((kept(&site, gone).len(), kept(&site, other).len()), (3, 3));
}
