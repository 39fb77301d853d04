//! Maildirs that come from Dovecot and Courier, are changed through Roost, and
//! go back: no UID, flag, keyword or subscription may differ on the way.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::dovecot;
use roost_tests::process::in_namespace;
use roost_tests::roost::{self, MAIL_UID, Roost, Setup};
use roost_tests::site::Site;
use roost_tests::state::{Account, Mailbox, difference};
use roost_tests::{courier, mail, maildir};
use std::fs;
use std::path::Path;
use std::time::Duration;

const USER: &str = "maria";

fn new_site() -> Site {
    Site::new(&[USER]).unwrap()
}

fn start_roost(site: &Site, settings: &[(&'static str, &str)]) -> Roost {
    site.roost(Setup::of(&[USER]).with(settings)).unwrap()
}

fn read(addr: std::net::SocketAddr, password: &str) -> Account {
    let mut client = Client::login(addr, USER, password).unwrap();
    Account::read(&mut client).unwrap()
}

fn same(what: &str, a: &Account, b: &Account) {
    if let Some(d) = difference(a, b) {
        panic!("{what}: {d}");
    }
}

/// Puts `n` files into `new/` at once, as a mail store of some age has them.
fn deliver_files(maildir: &Path, n: u32) {
    let new = maildir.join("new");
    for i in 1..=n {
        let path = new.join(format!("1700{i:06}.M{i}P1.test"));
        let text: Vec<u8> = mail::small(i).into_iter().filter(|&b| b != b'\r').collect();
        fs::write(&path, text).unwrap();
        maildir::give(&path);
    }
}

/// A tree with all that a peer can hold, made through the peer itself.
fn furnish(client: &mut Client, dot: &str, prefix: &str) {
    for name in [
        "Work",
        &format!("Work{dot}2024"),
        "&AOk-t&AOk-",
        "Trash",
        "Spam",
    ] {
        client.ok(&format!("CREATE \"{prefix}{name}\"")).unwrap();
    }
    for i in 1..=12 {
        let flags = match i % 4 {
            0 => "(\\Seen)",
            1 => "(\\Seen \\Answered $Label1)",
            2 => "(\\Flagged $Forwarded Custom)",
            _ => "()",
        };
        let date = format!("{flags} \"{i:2}-Feb-2023 11:12:13 +0000\"");
        let answer = client.append("INBOX", &date, &mail::small(i)).unwrap();
        assert!(answer.ok(), "{}", answer.tagged);
        let answer = client
            .append(
                &format!("\"{prefix}Work{dot}2024\""),
                "(\\Draft)",
                &mail::small(i + 100),
            )
            .unwrap();
        assert!(answer.ok(), "{}", answer.tagged);
    }
    for name in ["Work", "&AOk-t&AOk-"] {
        client.ok(&format!("SUBSCRIBE \"{prefix}{name}\"")).unwrap();
    }
    client.ok("SUBSCRIBE INBOX").unwrap();
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 3,7 +FLAGS (\\Deleted)").unwrap();
    client.ok("EXPUNGE").unwrap();
    client.ok("STORE 1:2 +FLAGS (Another)").unwrap();
    client.ok("CLOSE").unwrap();
}

/// Every kind of change, through Roost.
fn change(client: &mut Client, dot: &str, prefix: &str) {
    client.ok("SELECT INBOX").unwrap();
    let answer = client
        .append("INBOX", "(\\Seen NewWord)", &mail::small(500))
        .unwrap();
    assert!(answer.tagged.contains("APPENDUID"), "{}", answer.tagged);
    client.ok("STORE 1 +FLAGS (\\Flagged $Label5)").unwrap();
    client.ok("STORE 2 -FLAGS (\\Seen)").unwrap();
    client.ok("STORE 4 +FLAGS (\\Deleted)").unwrap();
    client.ok("EXPUNGE").unwrap();
    client
        .ok(&format!("CREATE \"{prefix}Fresh{dot}Deep\""))
        .unwrap();
    client
        .ok(&format!("COPY 1:3 \"{prefix}Fresh{dot}Deep\""))
        .unwrap();
    client.ok(&format!("MOVE 2 \"{prefix}Trash\"")).unwrap();
    client
        .ok(&format!("RENAME \"{prefix}Work\" \"{prefix}Arbeit\""))
        .unwrap();
    client
        .ok(&format!("SUBSCRIBE \"{prefix}Fresh{dot}Deep\""))
        .unwrap();
    client.ok(&format!("UNSUBSCRIBE \"{prefix}Work\"")).unwrap();
    client.ok(&format!("DELETE \"{prefix}Spam\"")).unwrap();
    client.ok("CLOSE").unwrap();
}

#[test]
fn dovecot_and_back() {
    if !in_namespace("Dovecot's Maildirs") {
        return;
    }
    let site = new_site();

    let peer = site.dovecot("").unwrap();
    let mut client = Client::login(peer.addr(), USER, dovecot::PASSWORD).unwrap();
    furnish(&mut client, "/", "");
    client.ok("CREATE Big").unwrap();
    client.command("LOGOUT").unwrap();
    for i in 1..=3 {
        peer.deliver(USER, "INBOX", &mail::small(200 + i)).unwrap();
    }
    deliver_files(&site.maildir(USER).join(".Big"), 10_000);
    let before = read(peer.addr(), dovecot::PASSWORD);
    assert_eq!(before.mailboxes["Big"].messages.len(), 10_000);
    assert_eq!(before.mailboxes["INBOX"].messages.len(), 13);
    peer.stop();

    let roost = start_roost(&site, &[]);
    let seen = read(roost.addr(), roost::PASSWORD);
    same("Dovecot / Roost", &before, &seen);
    let mut client = roost.login(USER);
    change(&mut client, "/", "");
    let changed = Account::read(&mut client).unwrap();
    drop(client);
    roost.stop();

    let peer = site.dovecot("").unwrap();
    let back = read(peer.addr(), dovecot::PASSWORD);
    same("Roost / Dovecot again", &changed, &back);
}

#[test]
fn delivery_by_dovecot_lda_while_roost_runs() {
    if !in_namespace("dovecot-lda beside Roost") {
        return;
    }
    let site = new_site();
    let peer = site.dovecot("").unwrap();
    let roost = start_roost(&site, &[]);
    let mut client = roost.login(USER);
    client.ok("SELECT INBOX").unwrap();
    for i in 1..=20 {
        peer.deliver(USER, "INBOX", &mail::small(i)).unwrap();
        if i % 3 == 0 {
            let answer = client
                .append("INBOX", "(\\Seen)", &mail::small(1000 + i))
                .unwrap();
            assert!(answer.ok(), "{}", answer.tagged);
        }
    }
    client.ok("NOOP").unwrap();
    let ours = Mailbox::read(&mut client, "INBOX").unwrap();
    assert_eq!(ours.messages.len(), 26);
    let mut other = Client::login(peer.addr(), USER, dovecot::PASSWORD).unwrap();
    let theirs = Mailbox::read(&mut other, "INBOX").unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn courier_and_back() {
    if !in_namespace("Courier's Maildirs") || !courier::installed() {
        eprintln!("left out (Courier): needs contrib/fetch-courier");
        return;
    }
    let site = new_site();
    let home = site.homes.join(USER);
    courier::make_maildir(&home, MAIL_UID, MAIL_UID).unwrap();
    let mut session = courier::Session::start(&home, MAIL_UID, MAIL_UID).unwrap();
    furnish(&mut session.client, ".", "INBOX.");
    session.client.ok("CREATE INBOX.Big").unwrap();
    deliver_files(&home.join("Maildir/.Big"), 2_000);
    for name in ["INBOX", "INBOX.Big"] {
        session.client.ok(&format!("SELECT {name}")).unwrap();
    }
    session.client.ok("CLOSE").unwrap();
    let before = Account::read(&mut session.client).unwrap();
    drop(session);
    assert_eq!(before.mailboxes["INBOX.Big"].messages.len(), 2_000);

    let settings = [
        ("mail", "separator = ."),
        ("mail", "prefix = INBOX."),
        ("mail", "directory_encoding = detect"),
    ];
    let roost = start_roost(&site, &settings);
    let mut seen = read(roost.addr(), roost::PASSWORD);
    // Courier does not tell UIDNEXT; what it did not say cannot be compared.
    let told: Vec<_> = before
        .mailboxes
        .iter()
        .map(|(n, m)| (n.clone(), m.uid_next))
        .collect();
    for (name, next) in told {
        if let Some(m) = seen.mailboxes.get_mut(&name)
            && next == 0
        {
            m.uid_next = 0;
        }
    }
    same("Courier / Roost", &before, &seen);
    let mut client = roost.login(USER);
    change(&mut client, ".", "INBOX.");
    let changed = Account::read(&mut client).unwrap();
    drop(client);
    roost.stop();

    // The same tree under Dovecot in a Courier site's namespace.
    let namespace = "namespace inbox {\n  separator = .\n  prefix = INBOX.\n}\n";
    let location = "mail_location = maildir:~/Maildir:UTF-8\n";
    let peer = site.dovecot(&format!("{namespace}{location}")).unwrap();
    let back = read(peer.addr(), dovecot::PASSWORD);
    same("Roost / Dovecot on Courier's tree", &changed, &back);
}

#[test]
fn roost_waits_for_a_foreign_lock() {
    if !in_namespace("a foreign dovecot-uidlist.lock") {
        return;
    }
    let site = new_site();
    let roost = start_roost(&site, &[]);
    let mut client = roost.login(USER);
    assert!(client.append("INBOX", "", &mail::small(1)).unwrap().ok());
    let lock = site.maildir(USER).join("dovecot-uidlist.lock");
    fs::write(&lock, "1:some-other-host").unwrap();
    let unlocker = std::thread::spawn({
        let lock = lock.clone();
        move || {
            std::thread::sleep(Duration::from_secs(2));
            fs::remove_file(lock).unwrap();
        }
    });
    let mut other = roost.login(USER);
    let answer = client.append("INBOX", "", &mail::small(2)).unwrap();
    assert!(answer.ok(), "{}", answer.tagged);
    assert!(!lock.exists(), "answered while the lock was held");
    unlocker.join().unwrap();
    let seen = Mailbox::read(&mut other, "INBOX").unwrap();
    assert_eq!(seen.messages.keys().copied().collect::<Vec<_>>(), [1, 2]);
}
