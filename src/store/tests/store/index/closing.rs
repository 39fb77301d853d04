//! What a log says when everybody has gone, and who believes it.

use super::*;

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
