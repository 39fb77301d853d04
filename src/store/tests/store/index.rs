//! Change numbers, history of expunged messages, identities.

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

/// The parts that an index consists of, and what was done to them.
fn damaged(bytes: &[u8], cut: bool, at: usize, bit: u8) -> Vec<u8> {
    let at = at % bytes.len().max(1);
    if cut {
        return bytes.get(..at).unwrap_or_default().to_vec();
    }
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << bit;
    bytes
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]
    #[test]
    fn damage_anywhere_costs_no_message(
        which in 0usize..2, cut: bool, at: usize, bit in 0u8..8
    ) {
        thread_local! {
            static SITE: std::cell::RefCell<Option<(Site, All)>> =
                const { std::cell::RefCell::new(None) };
        }
        SITE.with_borrow_mut(|kept| {
            let (site, before) = kept.get_or_insert_with(|| {
                let site = Site::new();
                filled(&site);
                let before = all(&site);
                (site, before)
            });
            site.restart();
            let path = index_files(site).swap_remove(which);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, damaged(&bytes, cut, at, bit)).unwrap();
            assert_eq!(without_keywords(all(site)), without_keywords(before.clone()));
            // What was found damaged has been put right by now.
            assert_eq!(all(site), *before);
            for n in uids_in(&site.inbox().snapshot()) {
                assert!(body(&site.inbox(), n).starts_with("Subject"));
            }
            // It can still be changed, and is whole again afterwards.
            store(&site.inbox(), &[5], FlagMode::Add, SystemFlags::NONE, &[]);
            site.restart();
            assert_eq!(all(site), *before);
        });
    }
}

/// Keywords are known once damage that was found has been seen to.
fn without_keywords(mut all: All) -> All {
    for message in all.0.values_mut() {
        message.1.clear();
    }
    all
}

/// Number at an octet of a file.
fn number(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// Where the rows begin, and where they end, stands in the header.
const ROWS_AT: usize = 88;
const HEADER: usize = 116;

/// What SELECT and STATUS tell.
fn told(site: &Site) -> impl PartialEq + std::fmt::Debug + use<> {
    let picture = site.inbox().snapshot();
    (
        (picture.len(), picture.unseen(), picture.first_unseen()),
        (picture.deleted(), picture.recent()),
        (picture.first_uid(), picture.last_uid(), picture.uid_next()),
        picture.highest_modseq(),
    )
}

#[test]
fn rows_that_are_lost_are_made_up_and_told_to_everybody() {
    for how in ["rows", "rows and names", "rows, and a log"] {
        let mut site = Site::new();
        filled(&site);
        site.restart();
        drop(all(&site));
        let before = all(&site);
        site.restart();
        let highest = site.inbox().snapshot().highest_modseq();
        let before_told = told(&site);
        site.restart();
        let path = index_files(&site).swap_remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        let (rows, end) = (number(&bytes, ROWS_AT), number(&bytes, ROWS_AT + 8));
        let from = if how == "rows and names" {
            HEADER
        } else {
            rows
        };
        bytes[from..end].fill(0);
        // The same file, so that the log still believes it.
        std::fs::write(&path, &bytes).unwrap();
        let mut after = before.clone();
        if how == "rows, and a log" {
            store(
                &site.inbox(),
                &[3, 5],
                FlagMode::Replace,
                SystemFlags::SEEN,
                &[],
            );
            for n in [3, 5] {
                after.0.get_mut(&n).unwrap().0 = SystemFlags::SEEN;
                after.0.get_mut(&n).unwrap().1.clear();
            }
            site.restart();
        }
        if how != "rows, and a log" {
            assert_eq!(told(&site), before_told, "{how}: no row is needed for it");
            assert_eq!(told(&site), before_told, "{how}: nor was one read");
        }
        let picture = site.inbox().snapshot();
        assert_eq!(picture.len() as usize, after.0.len(), "{how}");
        assert_eq!(
            without_keywords(all(&site)),
            without_keywords(after.clone()),
            "{how}"
        );
        assert_eq!(all(&site), after, "{how}");
        let changed = site.inbox().snapshot();
        let changed = changed.changed_since(highest).count();
        assert_eq!(
            changed,
            after.0.len(),
            "{how}: who knows what they were told"
        );
        site.restart();
        assert_eq!(all(&site), after, "{how}, written anew");
    }
}

/// Messages that came later are in the log, and go behind the lost ones; or
/// the index is written again before anybody has looked at the disk.
#[test]
fn rows_that_are_lost_stay_lost_until_somebody_has_looked() {
    for how in ["a message in the log", "written again"] {
        let mut site = Site::new();
        filled(&site);
        for _ in 0..2 {
            site.restart();
            drop(all(&site));
        }
        site.restart();
        let highest = site.inbox().snapshot().highest_modseq();
        if how == "a message in the log" {
            append(&site.inbox(), "Subject: y\n\n", SystemFlags::NONE, &[]);
            site.restart();
        }
        let path = index_files(&site).swap_remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        let (rows, end) = (number(&bytes, ROWS_AT), number(&bytes, ROWS_AT + 8));
        bytes[rows..end].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        if how == "written again" {
            assert!(site.inbox().snapshot().iter().count() > 0);
            site.restart();
        }
        drop(all(&site));
        let picture = site.inbox().snapshot();
        let changed = picture.changed_since(highest).count();
        assert_eq!(changed, picture.len() as usize, "{how}");
    }
}

/// The index knows every message, so that nobody had to read the UID list.
#[test]
fn a_uid_list_that_is_spoilt_before_it_was_read_is_written_from_the_index() {
    for how in ["removed", "overwritten", "cut"] {
        let mut site = Site::new();
        filled(&site);
        let before = all(&site);
        let validity = site.inbox().snapshot().uid_validity();
        // What the second opening finds settled, the third need not read.
        site.restart();
        assert!(all(&site) == before);
        site.restart();
        let inbox = site.inbox();
        let path = site.root().join("dovecot-uidlist");
        let text = std::fs::read(&path).unwrap();
        match how {
            "removed" => std::fs::remove_file(&path).unwrap(),
            "overwritten" => std::fs::write(&path, "garbage\n").unwrap(),
            _ => std::fs::write(&path, &text[..text.len() / 2]).unwrap(),
        }
        deliver(&site.root(), "9999999999.M1P1.h", "new");
        wait_until("the new message is there", || {
            inbox.refresh().unwrap();
            inbox.snapshot().len() as usize == before.0.len() + 1
        });
        drop(inbox);
        for round in ["memory", "disk"] {
            let (mut messages, next, mut guids) = all(&site);
            let (&newest, _) = messages.last_key_value().unwrap();
            assert!(newest >= before.1 && next > newest, "{how}, {round}");
            messages.remove(&newest);
            guids.pop();
            assert!(messages == before.0 && guids == before.2, "{how}, {round}");
            assert_eq!(site.inbox().snapshot().uid_validity(), validity, "{how}");
            site.restart();
            let _ = std::fs::remove_dir_all(site.root().join("roost-index"));
        }
    }
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

fn log_of(site: &Site) -> std::path::PathBuf {
    let mut files = index_files(site);
    files.retain(|path| path.extension().is_some_and(|e| e == "log"));
    files.swap_remove(0)
}

/// What the log's last record is, and its first octet.
fn last_record(log: &[u8]) -> Option<(u8, Option<u8>)> {
    let mut rest = log.get(40..)?;
    let mut last = None;
    while let Some((head, body)) = rest.split_at_checked(12) {
        let len = u32::from_le_bytes(*head.first_chunk()?) as usize;
        let (body, behind) = body.split_at_checked(len)?;
        last = Some((*body.first()?, body.get(1).copied()));
        rest = behind;
    }
    last
}

const SETTLED: (u8, Option<u8>) = (3, Some(1));
const SETTLED_WHILE_OPEN: u8 = 4;

#[test]
fn opening_what_nobody_changed_writes_nothing() {
    let mut site = Site::new();
    filled(&site);
    let path = log_of(&site);
    let contents = |site: &Site| -> Vec<_> {
        let files = index_files(site).into_iter();
        files
            .map(|f| (f.clone(), std::fs::read(f).unwrap()))
            .collect()
    };
    let mut killed = contents(&site);
    wait_until("the log says how everything looks", || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let before = std::mem::replace(&mut killed, contents(&site));
        let last = last_record(&killed[1].1).map(|(kind, _)| kind);
        before == killed && last == Some(SETTLED_WHILE_OPEN)
    });
    let before = all(&site);
    site.restart();
    let closed = std::fs::read(&path).unwrap();
    assert_eq!(last_record(&closed), Some(SETTLED));
    assert_eq!(all(&site), before);
    site.restart();
    assert!(std::fs::read(&path).unwrap() == closed);
    // As if the process before had been killed.
    for (file, bytes) in &killed {
        std::fs::write(file, bytes).unwrap();
    }
    assert_eq!(all(&site), before);
    let inbox = site.inbox();
    assert!(std::fs::read(&path).unwrap() == killed[1].1);
    drop(inbox);
}

#[test]
fn own_changes_are_settled_at_the_end() {
    let mut site = Site::new();
    filled(&site);
    // Only where no change can hide behind a stamp that was looked at.
    let probe = site.root().join("cur");
    let mut stamps = std::collections::HashSet::new();
    for n in 0..100 {
        let file = site.root().join("tmp").join(n.to_string());
        std::fs::write(&file, "").unwrap();
        std::fs::remove_file(&file).unwrap();
        let stat = std::fs::metadata(probe.with_file_name("tmp")).unwrap();
        stamps.insert(stat.modified().unwrap());
    }
    store(&site.inbox(), &[5], FlagMode::Add, SystemFlags::SEEN, &[]);
    site.inbox().expunge(None).unwrap();
    site.restart();
    if stamps.len() == 100 {
        let log = std::fs::read(log_of(&site)).unwrap();
        assert_eq!(last_record(&log), Some(SETTLED));
    }
    // What others do afterwards is found all the same.
    let name = file_of(&site.root(), 12);
    std::fs::remove_file(probe.join(name)).unwrap();
    assert!(!uids_in(&site.inbox().snapshot()).contains(&12));
}

/// A session may come while the last one's mailbox and account are being let
/// go of: the index is theirs for a moment more, and then its own.
#[test]
fn a_mailbox_opened_while_it_is_let_go_of_has_its_index() {
    let site = Site::new();
    for n in 0..300 {
        deliver(&site.root(), &format!("{n}.h"), "x");
    }
    let Site {
        temp,
        store,
        account,
        ..
    } = site;
    drop(account);
    let maildir = temp.path().join("Maildir");
    let open = || {
        let options = roost_store::AccountOptions::default();
        let account = store.account("test", &maildir, options).unwrap();
        (account.open(&name("INBOX")).unwrap(), account)
    };
    let mut session = open();
    for n in 0..300 {
        let flag = [FlagMode::Add, FlagMode::Remove][n % 2];
        let odd: Vec<u32> = (1..=300).step_by(2).collect();
        crate::support::store(&session.0, &odd, flag, SystemFlags::FLAGGED, &[]);
        let leaving = std::thread::spawn(move || drop(session));
        for _ in 0..(n % 7) * 40 {
            std::hint::spin_loop();
        }
        session = open();
        assert!(session.0.keeps_modseqs(), "round {n}");
        leaving.join().unwrap();
    }
}

/// The account may be let go of first.
#[test]
fn a_mailbox_that_outlives_its_account_keeps_its_index_to_the_end() {
    let Site {
        temp,
        store,
        account,
        ..
    } = Site::new();
    let last = account.open(&name("INBOX")).unwrap();
    drop(account);
    let opened = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let next = scope.spawn(|| {
            let options = roost_store::AccountOptions::default();
            let account = store
                .account("test", &temp.path().join("Maildir"), options)
                .unwrap();
            let inbox = account.open(&name("INBOX")).unwrap();
            opened.store(true, Ordering::Relaxed);
            inbox.keeps_modseqs()
        });
        for _ in 0..50 {
            if !opened.load(Ordering::Relaxed) {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        drop(last);
        assert!(next.join().unwrap());
    });
}

/// The log as the same process would have left it before the computer was
/// started again.
fn of_another_start(log: &[u8]) -> Vec<u8> {
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = &boot[..36];
    let mut log = log.to_vec();
    let found: Vec<usize> = (0..log.len() - 36)
        .filter(|&at| log[at..at + 36] == *boot)
        .collect();
    assert!(!found.is_empty());
    for at in found {
        log[at..at + 36].fill(b'0');
        // What the record is stands before it, and the checksum before that.
        let crc = crc32c::crc32c(&log[at - 1..at + 36]);
        log[at - 5..at - 1].copy_from_slice(&crc.to_le_bytes());
    }
    log
}

#[test]
fn a_log_left_open_is_believed_only_since_the_same_start() {
    let mut site = Site::new();
    filled(&site);
    let inbox = site.inbox();
    store(&inbox, &[9], FlagMode::Add, SystemFlags::FLAGGED, &[]);
    inbox.expunge(None).unwrap();
    let since = inbox.snapshot().highest_modseq();
    let files = index_files(&site);
    let killed: Vec<_> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    drop(inbox);
    let before = all(&site);
    for believed in [true, false] {
        site.restart();
        for (file, bytes) in files.iter().zip(&killed) {
            let is_log = file.extension().is_some_and(|e| e == "log");
            let bytes = match is_log && !believed {
                true => of_another_start(bytes),
                false => bytes.clone(),
            };
            std::fs::write(file, bytes).unwrap();
        }
        let inbox = site.inbox();
        let highest = inbox.snapshot().highest_modseq();
        assert_eq!(inbox.vanished_since(since).is_some(), believed);
        assert_eq!(highest == since, believed, "{highest:?}");
        assert!(highest >= since);
        assert_eq!(all(&site), before);
    }
}
