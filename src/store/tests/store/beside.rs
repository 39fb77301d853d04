//! Dovecot at work in the same mailbox: its order of doing things.

use crate::support::*;
use roost_store::FlagMode;
use roost_types::SystemFlags;
use std::io::Write;
use std::path::Path;

/// As a program of this host that lives would hold it.
fn lock(root: &Path) -> std::path::PathBuf {
    let path = root.join("dovecot-uidlist.lock");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    std::fs::write(&path, format!("1:{}", host.trim())).unwrap();
    path
}

fn record(root: &Path, line: &str) {
    let mut list = std::fs::OpenOptions::new()
        .append(true)
        .open(root.join("dovecot-uidlist"))
        .unwrap();
    list.write_all(line.as_bytes()).unwrap();
}

#[test]
fn a_file_moved_back_waits_for_the_record_of_who_has_the_lock() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    let cur = site.root().join("cur");
    let name = files(&cur).remove(0);
    let away = site.root().join("away");
    std::fs::rename(cur.join(&name), &away).unwrap();
    tick();
    assert!(inbox.refresh().unwrap().is_empty());
    // MOVE keeps the name: first the file comes, then its record.
    let held = lock(&site.root());
    std::fs::rename(&away, cur.join(&name)).unwrap();
    inbox.refresh().unwrap();
    assert_eq!(files(&cur), [name.as_str()], "not renamed meanwhile");
    let base = name.split(':').next().unwrap();
    record(&site.root(), &format!("7 :{base}\n"));
    std::fs::remove_file(held).unwrap();
    wait_until("the message with its new UID", || {
        uids_in(&inbox.refresh().unwrap()) == [7]
    });
    assert_eq!(files(&cur), [name.as_str()]);
}

#[test]
fn a_letter_is_named_once_its_name_is_written() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    let cur = site.root().join("cur");
    let name = files(&cur).remove(0);
    std::fs::rename(cur.join(&name), cur.join(format!("{name}d"))).unwrap();
    tick();
    let names = |site: &Site| {
        let picture = site.inbox().refresh().unwrap();
        picture.keywords().to_vec()
    };
    assert_eq!(names(&site), keywords(&["unknown-3"]));
    tick();
    std::fs::write(site.root().join("dovecot-keywords"), "3 Named\n").unwrap();
    assert_eq!(names(&site), keywords(&["Named"]));
}

#[test]
fn flags_change_while_another_holds_the_lock() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, "x", SystemFlags::NONE, &[]);
    let held = lock(&site.root());
    store(&inbox, &[1], FlagMode::Add, SystemFlags::SEEN, &[]);
    assert!(held.exists());
    assert_eq!(view(&inbox.snapshot())[&1].0, SystemFlags::SEEN);
}

#[test]
fn a_copy_has_a_name_of_its_own() {
    let site = Site::new();
    let inbox = site.inbox();
    let other = site.create("Other");
    append(&inbox, "x", SystemFlags::SEEN, &[]);
    let before = files(&site.root().join("cur"));
    for _ in 0..2 {
        let there = inbox.snapshot().last_uid().unwrap();
        let both = [(&inbox, &other), (&other, &inbox)];
        let mut at = there;
        for (from, to) in both {
            let set = uids(&[at.get()]);
            let moved = from.copy(&set, to, roost_store::CopyMode::Move).unwrap();
            at = moved.pairs[0].1;
        }
        assert!(at > there);
        assert_ne!(files(&site.root().join("cur")), before);
    }
}
