//! STATUS of mailboxes that nobody has open: the same numbers that opening
//! comes to, and without opening where nothing has happened.

use crate::support::*;
use roost_store::Details;
use roost_store::{FlagMode, Sight, Status};
use roost_types::{ModSeq, SystemFlags};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const LOG_VERSION_AT: u64 = 8;

/// One mailbox with all that STATUS tells of, let go and settled.
fn filled() -> (Site, Status) {
    let mut site = Site::new();
    let work = site.create("Work");
    append(&work, "Subject: a\n\nx\n", SystemFlags::SEEN, &["$Label1"]);
    append(&work, "Subject: b\n\nyy\n", SystemFlags::DELETED, &[]);
    work.claim_recent(&work.snapshot()).unwrap();
    deliver(&place(&site), "1000000000.M1P1.h", "Subject: c\n\nzzz\n");
    tick();
    work.refresh().unwrap();
    tick();
    drop(work);
    site.restart();
    let status = site.account.status(&name("Work"), Details::Sizes).unwrap();
    assert_eq!((status.messages, status.recent), (3, 1));
    assert_eq!((status.unseen, status.deleted), (2, 1));
    assert!(
        status
            .sizes
            .is_some_and(|s| s.all > s.deleted && s.deleted > 0)
    );
    tick();
    site.restart();
    (site, status)
}

fn place(site: &Site) -> PathBuf {
    site.root().join(".Work")
}

fn index_file(site: &Site, kind: &str) -> PathBuf {
    let dir = site.root().join("roost-index");
    let guid = site.account.status(&name("Work"), Details::Counts).unwrap();
    dir.join(format!("{}.{kind}", guid.mailbox_id.unwrap()))
}

fn status(site: &Site) -> Status {
    site.account.status(&name("Work"), Details::Sizes).unwrap()
}

/// What STATUS says, which is what opening comes to.
fn agreed(site: &Site) -> Status {
    let told = status(site);
    assert_eq!(site.open("Work").status(Details::Sizes).unwrap(), told);
    told
}

#[test]
fn a_mailbox_where_nothing_has_happened_is_not_opened() {
    let (mut site, before) = filled();
    // Opening would find this, and start a new history.
    let path = index_file(&site, "index");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let len = std::fs::metadata(&path).unwrap().len() as usize;
    file.write_all_at(&vec![0xff; len], 0).unwrap();
    assert_eq!(status(&site), before);
    site.restart();
    assert_eq!(status(&site), before, "in another process");
}

#[test]
fn select_and_status_tell_the_same_in_a_new_process() {
    let (mut site, before) = filled();
    assert_eq!(agreed(&site), before);
    site.restart();
    assert_eq!(site.open("Work").status(Details::Sizes).unwrap(), before);
    for file in files(&site.root().join("roost-index")) {
        site.restart();
        std::fs::remove_file(site.root().join("roost-index").join(&file)).unwrap();
        let now = agreed(&site);
        assert!(now.highest_modseq >= before.highest_modseq, "{file}");
        let same = Status {
            highest_modseq: before.highest_modseq,
            ..now
        };
        assert_eq!(same, before, "{file}");
        tick();
    }
    site.restart();
    std::fs::remove_dir_all(site.root().join("roost-index")).unwrap();
    let now = agreed(&site);
    assert!(now.highest_modseq > before.highest_modseq);
    assert_eq!((now.messages, now.sizes), (before.messages, before.sizes));
}

#[test]
fn what_others_did_is_seen() {
    type Deed = (&'static str, fn(&Site));
    let deeds: [Deed; 8] = [
        ("delivery", |site| {
            deliver(&place(site), "1100000000.M1P1.h", "x")
        }),
        ("flag", |site| {
            let (cur, name) = (place(site).join("cur"), file_of(&place(site), 2));
            std::fs::rename(cur.join(&name), cur.join(format!("{name}S"))).unwrap();
        }),
        ("expunge", |site| {
            let name = file_of(&place(site), 2);
            std::fs::remove_file(place(site).join("cur").join(name)).unwrap();
        }),
        ("uidvalidity", |site| {
            let path = place(site).join("dovecot-uidlist");
            let text = std::fs::read_to_string(&path).unwrap();
            let (head, rest) = text.split_once(' ').unwrap();
            let rest = rest.replacen('V', "V1", 1);
            std::fs::write(&path, format!("{head} {rest}")).unwrap();
        }),
        ("uidnext", |site| {
            let path = place(site).join("dovecot-uidlist");
            let mut text = std::fs::read_to_string(&path).unwrap();
            text.push_str("77 :1200000000.M1P1.h\n");
            std::fs::write(&path, text).unwrap();
            deliver(&place(site), "1200000000.M1P1.h", "x");
        }),
        ("no uidlist", |site| {
            std::fs::remove_file(place(site).join("dovecot-uidlist")).unwrap();
        }),
        ("names of keywords", |site| {
            std::fs::write(place(site).join("dovecot-keywords"), "0 other\n").unwrap();
        }),
        ("keywords without letters", |site| {
            let validity = status(site).uid_validity;
            let text = format!("roost-keywords 1 {validity}\n= 26 $Extra\n+ 26 1\n");
            std::fs::write(place(site).join("roost-keywords"), text).unwrap();
        }),
    ];
    for (what, deed) in deeds {
        let (site, before) = filled();
        deed(&site);
        let now = agreed(&site);
        assert_ne!(now, before, "{what}");
        assert!(now.highest_modseq > before.highest_modseq, "{what}");
    }
}

#[test]
fn a_log_that_cannot_be_used_is_not_believed() {
    type Damage = (&'static str, fn(&Site, &mut Vec<u8>));
    let damages: [Damage; 5] = [
        ("torn", |_, log| log.truncate(log.len() - 1)),
        ("damaged", |_, log| {
            let at = log.len() - 20;
            log[at] ^= 1;
        }),
        ("of another version", |_, log| {
            log[LOG_VERSION_AT as usize] = 1
        }),
        ("of another mailbox", |site, log| {
            drop(site.create("Other"));
            site.account
                .status(&name("Other"), Details::Counts)
                .unwrap();
            let guid = site.open("Other").guid().unwrap();
            let path = site.root().join(format!("roost-index/{guid}.log"));
            *log = std::fs::read(path).unwrap();
        }),
        ("not closed", |_, log| {
            // A record of no length that anybody has written.
            log.extend_from_slice(&[1, 0, 0, 0]);
        }),
    ];
    for (what, damage) in damages {
        let (site, before) = filled();
        let path = index_file(&site, "log");
        let mut log = std::fs::read(&path).unwrap();
        damage(&site, &mut log);
        std::fs::write(&path, log).unwrap();
        let now = agreed(&site);
        assert!(now.highest_modseq >= before.highest_modseq, "{what}");
        assert_eq!((now.messages, now.sizes), (before.messages, before.sizes));
    }
}

#[test]
fn a_process_without_the_index_numbers_nothing() {
    let (site, before) = filled();
    let other = roost_store::Store::new(options()).unwrap();
    let account = other
        .account("test", &site.root(), roost_store::AccountOptions::default())
        .unwrap();
    let log = std::fs::read(index_file(&site, "log")).unwrap();
    for _ in 0..2 {
        let now = account.status(&name("Work"), Details::Sizes).unwrap();
        assert_eq!(now.highest_modseq, ModSeq(0));
        assert_eq!((now.messages, now.sizes), (before.messages, before.sizes));
    }
    drop((account, other));
    assert_eq!(std::fs::read(index_file(&site, "log")).unwrap(), log);
}

#[test]
fn own_changes_are_told_with_the_mailbox_closed_and_open() {
    let (mut site, before) = filled();
    let work = site.open("Work");
    store(&work, &[1], FlagMode::Add, SystemFlags::DELETED, &[]);
    let now = status(&site);
    assert_eq!(now.deleted, before.deleted + 1);
    assert!(now.highest_modseq > before.highest_modseq);
    assert_ne!(now.sizes, before.sizes);
    drop(work);
    tick();
    site.restart();
    assert_eq!(status(&site), now);
    // A keyword that has no letter changes no file in `cur`.
    let words: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
    let words: Vec<&str> = words.iter().map(|w| &**w).collect();
    let work = site.open("Work");
    store(&work, &[1], FlagMode::Add, SystemFlags::default(), &words);
    let between = status(&site).highest_modseq;
    store(
        &work,
        &[1],
        FlagMode::Remove,
        SystemFlags::default(),
        &["k29"],
    );
    drop(work);
    tick();
    site.restart();
    assert!(agreed(&site).highest_modseq > between);
}

#[test]
fn renaming_a_mailbox_changes_nothing() {
    let (site, before) = filled();
    site.account.rename(&name("Work"), &name("Play")).unwrap();
    assert_eq!(
        site.account.status(&name("Play"), Details::Sizes).unwrap(),
        before
    );
    assert!(site.account.status(&name("Work"), Details::Sizes).is_err());
    let again = site.create("Work");
    let (old, new) = (before.mailbox_id, again.status(Details::Sizes).unwrap());
    assert!(new.mailbox_id != old && new.messages == 0);
}

#[test]
fn an_index_that_cannot_be_written_is_no_hindrance() {
    let (mut site, before) = filled();
    site.restart();
    let dir = site.root().join("roost-index");
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::write(&dir, "").unwrap();
    for _ in 0..2 {
        let now = agreed(&site);
        assert_eq!((now.messages, now.sizes), (before.messages, before.sizes));
        site.restart();
    }
}

#[test]
fn what_is_not_shown_is_not_counted_without_opening_either() {
    let mut site = Site::new();
    let work = site.create("Work");
    append(&work, "Subject: a\n\nx\n", SystemFlags::NONE, &["$Service"]);
    append(&work, "Subject: b\n\nyy\n", SystemFlags::NONE, &["$Hidden"]);
    append(&work, "Subject: c\n\nzzz\n", SystemFlags::NONE, &[]);
    tick();
    drop(work);
    site.restart();
    let opened = status(&site);
    assert_eq!((opened.messages, opened.left_out, opened.unseen), (2, 1, 2));
    let sizes = opened.sizes.unwrap();
    assert!(sizes.all < sizes.stored, "{sizes:?}");
    tick();
    site.restart();
    // Opening would find this.
    let path = index_file(&site, "index");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let len = std::fs::metadata(&path).unwrap().len() as usize;
    file.write_all_at(&vec![0xff; len], 0).unwrap();
    assert_eq!(status(&site), opened);
    // Others see other numbers, and have it opened.
    for (service, hidden, messages) in [(true, true, 3), (false, false, 1), (true, false, 2)] {
        let sight = Sight { service, hidden };
        let status = site
            .account
            .status_for(&name("Work"), sight, Details::Sizes);
        let status = status.unwrap();
        assert_eq!((status.messages, status.left_out), (messages, 3 - messages));
        assert_eq!(status.sizes.unwrap().stored, sizes.stored);
    }
    assert_eq!(status(&site).messages, 2);
}
