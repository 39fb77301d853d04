//! `maildirsize` as Roost and others keep it.

use super::support::*;
use roost_store::{
    CopyMode, Error, Finding, FlagChange, FlagMode, Known, QuotaOptions, Usage, Within,
};
use roost_types::{QuotaLimits, SystemFlags, UidSet};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// 20 octets as it is stored.
const TEXT: &str = "Subject: x\r\n\r\nbody123\r\n";
const SIZE: u64 = 20;

fn site(storage: u64, messages: u64) -> Site {
    site_with(QuotaOptions {
        limits: Some(QuotaLimits { storage, messages }),
        ..QuotaOptions::default()
    })
}

fn site_with(quota: QuotaOptions) -> Site {
    let mut site = Site::new();
    site.set_quota(quota);
    site
}

fn without_trash(storage: u64) -> Site {
    let messages = 0;
    site_with(QuotaOptions {
        limits: Some(QuotaLimits { storage, messages }),
        count_trash: false,
        ..QuotaOptions::default()
    })
}

fn written(site: &Site) -> String {
    std::fs::read_to_string(site.root().join("maildirsize")).unwrap()
}

fn write(site: &Site, text: &str) {
    std::fs::write(site.root().join("maildirsize"), text).unwrap();
}

fn sum(site: &Site) -> (i64, i64) {
    let text = written(site);
    let numbers = text.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace().map(|w| w.parse::<i64>().unwrap());
        (words.next().unwrap(), words.next().unwrap())
    });
    numbers.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

fn usage(site: &Site) -> Usage {
    let known = match site.account.quota().unwrap() {
        Known::Unknown(_) => site.account.count_quota().unwrap().finish().unwrap(),
        known => known,
    };
    match known {
        Known::Used(usage) => usage,
        other => panic!("{other:?}"),
    }
}

fn used(site: &Site) -> (u64, u64) {
    let usage = usage(site);
    (usage.octets, usage.messages)
}

#[test]
fn without_limits_there_is_no_file() {
    let site = Site::new();
    let inbox = site.inbox();
    append(&inbox, TEXT, SystemFlags::DELETED, &[]);
    inbox.expunge(None).unwrap();
    assert_eq!(site.account.quota().unwrap(), Known::Unlimited);
    let counted = site.account.count_quota().unwrap().finish().unwrap();
    assert_eq!(counted, Known::Unlimited);
    assert!(!site.root().join("maildirsize").exists());
}

#[test]
fn every_way_of_mail_is_a_line() {
    let site = site(10_000, 100);
    let (inbox, work) = (site.inbox(), site.create("Work"));
    deliver(&site.root(), "1.a.host", "To: y\n\n");
    append(&inbox, TEXT, SystemFlags::DELETED, &[]);
    assert_eq!(written(&site), "10000S,100C\n7 1\n20 1\n");
    inbox.copy(&uids(&[1, 2]), &work, CopyMode::Copy).unwrap();
    assert_eq!(sum(&site), (54, 4));
    inbox.copy(&uids(&[1, 2]), &work, CopyMode::Move).unwrap();
    assert_eq!(written(&site).lines().count(), 4, "MOVE changes nothing");
    work.expunge(None).unwrap();
    assert_eq!(sum(&site), (14, 2));
    let mut new = work.append().unwrap();
    new.begin_message(SystemFlags::NONE, &[], None).unwrap();
    new.write(TEXT.as_bytes()).unwrap();
    new.finish_message().unwrap();
    let old = work.snapshot().iter().next().unwrap().1.uid;
    new.replace(&work, old).unwrap();
    assert_eq!(sum(&site), (27, 2));
    assert_eq!(used(&site), (27, 2));
    site.account.delete(&name("Work")).unwrap();
    assert_eq!(sum(&site), (0, 0));
    let counted = site.account.count_quota().unwrap().finish().unwrap();
    assert!(matches!(counted, Known::Used(u) if (u.octets, u.messages) == (0, 0)));
}

#[test]
fn a_full_account_takes_nothing_and_keeps_all() {
    let site = site(50, 0);
    let (inbox, work) = (site.inbox(), site.create("Work"));
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    let mut third = inbox.append().unwrap();
    assert!(matches!(third.announce(2000, None), Err(Error::OverQuota)));
    third.announce(22, None).unwrap_err();
    third.announce(20, None).unwrap();
    third.begin_message(SystemFlags::NONE, &[], None).unwrap();
    third.write(TEXT.as_bytes()).unwrap();
    third.finish_message().unwrap();
    assert!(matches!(third.commit(), Err(Error::OverQuota)));
    assert!(files(&site.root().join("tmp")).is_empty());
    let copied = inbox.copy(&uids(&[1]), &work, CopyMode::Copy);
    assert!(matches!(copied, Err(Error::OverQuota)));
    assert_eq!(work.snapshot().len(), 0);
    // Without a check: nothing becomes more.
    inbox.copy(&uids(&[1]), &work, CopyMode::Move).unwrap();
    let replaced = inbox.weight(uid(2));
    assert_eq!(replaced, SIZE);
    let mut new = inbox.append().unwrap();
    new.announce(22, Some(replaced)).unwrap();
    new.begin_message(SystemFlags::NONE, &[], None).unwrap();
    new.write(TEXT.as_bytes()).unwrap();
    new.finish_message().unwrap();
    new.replace(&inbox, uid(2)).unwrap();
    assert_eq!(used(&site), (40, 2));
}

#[test]
fn nobody_is_refused_for_sums_that_are_wrong() {
    let site = site(100, 0);
    let inbox = site.inbox();
    for wrong in [
        "100S\n90 1\n5 1\n",
        "100S\n-90 1\n",
        "100S\n90\n",
        "100S\n\0\0\0\n",
        "50S\n20 1\n",
        "",
        "100S\n",
    ] {
        write(&site, wrong);
        let uid = append(&inbox, TEXT, SystemFlags::DELETED, &[]);
        assert_eq!(sum(&site), (20, 1), "{wrong:?}");
        inbox.expunge(Some(&UidSet::range(uid, uid))).unwrap();
    }
    // One line, but older than a quarter of an hour.
    write(&site, "100S\n90 1\n");
    let path = site.root().join("maildirsize");
    let file = std::fs::File::options().append(true).open(path).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(16 * 60);
    file.set_modified(old).unwrap();
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    assert_eq!(sum(&site), (20, 1));
    // One line, and young: others have counted just now.
    write(&site, "100S\n90 1\n");
    let mut more = inbox.append().unwrap();
    assert!(matches!(more.announce(200, None), Err(Error::OverQuota)));
    assert!(more.begin_message(SystemFlags::NONE, &[], None).is_ok());
}

#[test]
fn courier_keeps_limits_in_the_file_and_pads_its_lines() {
    let site = Site::new();
    let inbox = site.inbox();
    write(
        &site,
        "60S,2C\n           0            0\n          40            1\n",
    );
    append(&inbox, "x\r\n", SystemFlags::NONE, &[]);
    assert_eq!(used(&site), (42, 2));
    let usage = usage(&site);
    assert_eq!((usage.limits.storage, usage.limits.messages), (60, 2));
    assert_eq!(usage.percent(), 100);
    // Too many: counted first, and there is but one.
    append(&inbox, "x\r\n", SystemFlags::NONE, &[]);
    assert_eq!(written(&site), "60S,2C\n2 1\n2 1\n");
    let mut third = inbox.append().unwrap();
    assert!(matches!(third.announce(3, None), Err(Error::OverQuota)));
    assert!(third.begin_message(SystemFlags::NONE, &[], None).is_ok());
}

#[test]
fn a_long_file_is_counted_anew_by_nobody_who_waits() {
    let site = site(100_000, 0);
    append(&site.inbox(), TEXT, SystemFlags::NONE, &[]);
    let lines = "         100            1\n        -100           -1\n".repeat(100);
    write(
        &site,
        &format!("100000S\n          20            1\n{lines}"),
    );
    assert_eq!(used(&site), (20, 1));
    wait_until("counted", || written(&site) == "100000S\n20 1\n");
}

#[test]
fn sizes_are_asked_of_files_whose_names_do_not_tell() {
    let site = site(1 << 20, 0);
    site.create("Work");
    for n in 0..2500 {
        let path = site.root().join(format!(".Work/cur/{n}.a.host:2,S"));
        std::fs::write(path, "abc").unwrap();
    }
    let path = site.root().join("cur/5.a.host,S=77:2,");
    std::fs::write(path, "abc").unwrap();
    std::fs::create_dir_all(site.root().join("..DOVECOT-TRASHED/cur")).unwrap();
    std::fs::write(site.root().join("..DOVECOT-TRASHED/cur/1"), "abc").unwrap();
    let mut count = site.account.count_quota().unwrap();
    let mut steps = 0;
    while !count.step().unwrap() {
        steps += 1;
    }
    assert!(steps >= 6, "{steps}");
    count.finish().unwrap();
    assert_eq!(used(&site), (7577, 2501));
    let mut of_sums = |f: Finding| assert_ne!(f.file, "maildirsize");
    site.account.check(&[], false, &mut of_sums).unwrap();
    write(&site, "1048576S\n7577 2500\n");
    let mut wrong = Vec::new();
    let mut note = |f: Finding| wrong.push(f.file);
    site.account.check(&[], false, &mut note).unwrap();
    assert!(wrong.contains(&"maildirsize".to_owned()));
}

#[test]
fn thrown_away_mail_can_be_left_out() {
    let site = without_trash(1000);
    let (inbox, trash) = (site.inbox(), site.create("Trash"));
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    append(&trash, TEXT, SystemFlags::NONE, &[]);
    assert_eq!(sum(&site), (40, 2));
    store(&inbox, &[1], FlagMode::Add, SystemFlags::DELETED, &[]);
    assert_eq!(sum(&site), (20, 1));
    store(&inbox, &[1, 2], FlagMode::Replace, SystemFlags::SEEN, &[]);
    assert_eq!(sum(&site), (40, 2));
    store(&inbox, &[1], FlagMode::Add, SystemFlags::DELETED, &[]);
    inbox.expunge(None).unwrap();
    assert_eq!(sum(&site), (20, 1));
    inbox.copy(&uids(&[2]), &trash, CopyMode::Move).unwrap();
    assert_eq!(sum(&site), (0, 0));
    trash.copy(&uids(&[1, 2]), &inbox, CopyMode::Move).unwrap();
    assert_eq!(sum(&site), (40, 2));
    write(&site, "broken");
    assert_eq!(used(&site), (40, 2));
}

/// What does not count until it is moved or kept after all.
#[test]
fn mail_that_begins_to_count_needs_room() {
    let site = without_trash(50);
    let (inbox, trash) = (site.inbox(), site.create("Trash"));
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    for _ in 0..3 {
        append(&trash, TEXT, SystemFlags::NONE, &[]);
        append(&inbox, TEXT, SystemFlags::DELETED, &[]);
    }
    let moved = trash.copy(&uids(&[1, 2]), &inbox, CopyMode::Move);
    assert!(matches!(moved, Err(Error::OverQuota)), "{moved:?}");
    assert_eq!(trash.snapshot().len(), 3);
    let keep = |mode, system| {
        let change = FlagChange {
            mode,
            system,
            keywords: &[],
            unchanged_since: None,
        };
        inbox.store_flags(&uids(&[1, 2, 3, 4]), &change)
    };
    for kept in [
        keep(FlagMode::Remove, SystemFlags::DELETED),
        keep(FlagMode::Replace, SystemFlags::SEEN),
    ] {
        assert!(matches!(kept, Err(Error::OverQuota)), "{kept:?}");
    }
    assert_eq!(sum(&site), (20, 1));
    keep(FlagMode::Add, SystemFlags::SEEN).unwrap();
    trash.copy(&uids(&[1]), &inbox, CopyMode::Move).unwrap();
    assert_eq!(used(&site), (40, 2));
    // Files that cannot be renamed from one to the other: the other way.
    use std::os::unix::fs::PermissionsExt;
    let wide = std::fs::Permissions::from_mode(0o770);
    std::fs::set_permissions(site.root().join(".Trash"), wide).unwrap();
    drop(trash);
    let mut site = site;
    site.restart();
    let moved = site
        .open("Trash")
        .copy(&uids(&[2]), &site.inbox(), CopyMode::Move);
    assert!(matches!(moved, Err(Error::OverQuota)), "{moved:?}");
    assert_eq!(site.open("Trash").snapshot().len(), 2);
}

/// Some guests may change some flags only.
#[test]
fn a_part_of_the_flags_replaced_may_count_too() {
    let site = without_trash(1000);
    let inbox = site.inbox();
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    append(&inbox, TEXT, SystemFlags::DELETED, &[]);
    let of = |system| {
        FlagMode::ReplaceOf(Within {
            system,
            keywords: false,
        })
    };
    store(
        &inbox,
        &[1, 2],
        of(SystemFlags::SEEN),
        SystemFlags::DELETED,
        &[],
    );
    assert_eq!(sum(&site), (20, 1));
    store(
        &inbox,
        &[2],
        of(SystemFlags::DELETED),
        SystemFlags::NONE,
        &[],
    );
    assert_eq!(sum(&site), (40, 2));
}

/// Counting while mail comes and goes ends with what is there.
#[test]
fn counting_beside_changes_is_right() {
    let site = site(1 << 30, 0);
    let (inbox, work) = (site.inbox(), site.create("Work"));
    append(&inbox, TEXT, SystemFlags::NONE, &[]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..150 {
                let uid = append(&inbox, TEXT, SystemFlags::DELETED, &[]);
                let one = UidSet::range(uid, uid);
                let to = inbox.copy(&one, &work, CopyMode::Copy).unwrap().pairs[0].1;
                inbox.expunge(Some(&one)).unwrap();
                work.copy(&UidSet::range(to, to), &inbox, CopyMode::Move)
                    .unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            site.account.count_quota().unwrap().finish().unwrap();
        }
    });
    let held = u64::from(inbox.snapshot().len());
    assert_eq!(held, 151);
    assert_eq!(used(&site), (held * SIZE, held));
}

#[test]
fn the_file_has_the_maildirs_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let site = site(1000, 0);
    std::fs::set_permissions(site.root(), std::fs::Permissions::from_mode(0o770)).unwrap();
    append(&site.inbox(), TEXT, SystemFlags::NONE, &[]);
    let mode = std::fs::metadata(site.root().join("maildirsize"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn mailboxes_have_a_limit_of_their_own() {
    let site = site_with(QuotaOptions {
        max_mailboxes: 3,
        ..QuotaOptions::default()
    });
    site.create("a/b");
    site.account.create(&name("d"), true, None).unwrap();
    assert_eq!(site.account.mailboxes().unwrap(), 3);
    let over = site.account.create(&name("c"), false, None);
    assert!(matches!(over, Err(Error::OverQuota)));
    let over = site.account.rename(&name("INBOX"), &name("c"));
    assert!(matches!(over, Err(Error::OverQuota)));
    // It has been counted before.
    site.account.create(&name("d"), false, None).unwrap();
    site.account.rename(&name("d"), &name("c")).unwrap();
    site.account.delete(&name("a/b")).unwrap();
    site.create("e");
}
