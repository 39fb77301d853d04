//! NOTIFY with several sessions and a delivery agent: mailboxes that nobody
//! has open, between commands.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::maildir;
use roost_tests::roost::{Roost, Setup};
use std::fs;
use std::io::ErrorKind::WouldBlock;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn site() -> (Roost, PathBuf) {
    let roost = Roost::alone(&Setup::of(&["u"]));
    let maildir = roost.dir().join("homes/u/Maildir");
    (roost, maildir)
}

fn login(roost: &Roost) -> Client {
    let client = roost.login("u");
    client.set_patience(Duration::from_secs(60)).unwrap();
    client
}

fn make_mailbox(maildir: &Path, name: &str) -> PathBuf {
    let folder = maildir.join(format!(".{name}"));
    maildir::make(&folder);
    folder
}

/// Reads what is pushed until all of `wanted` has come, in any order.
fn wait_for(client: &mut Client, wanted: &[&str]) -> Vec<String> {
    let mut missing: Vec<&str> = wanted.to_vec();
    let mut all = Vec::new();
    while !missing.is_empty() {
        let response = client
            .response()
            .unwrap_or_else(|e| panic!("{e}; still waiting for {missing:?} after {all:?}"));
        let text = String::from_utf8_lossy(&response).into_owned();
        if let Some(at) = missing.iter().position(|w| text.contains(w)) {
            missing.remove(at);
        }
        all.push(text);
    }
    all
}

const EVOLUTION: &str = "NOTIFY SET (selected (MessageNew (UID RFC822.SIZE RFC822.HEADER FLAGS \
     BODYSTRUCTURE PREVIEW) MessageExpunge FlagChange)) \
     (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))";
const FAIREMAIL: &str = "NOTIFY SET STATUS (selected (MessageNew (uid) MessageExpunge FlagChange)) \
     (subscribed (MessageNew MessageExpunge FlagChange))";

#[test]
fn several_sessions_and_a_delivery_agent() {
    let (roost, maildir) = site();
    let mut plain = login(&roost);
    let folders: Vec<PathBuf> = (0..20)
        .map(|n| make_mailbox(&maildir, &format!("box{n}")))
        .collect();
    plain.ok("SUBSCRIBE box3").unwrap();
    let mut evolution = login(&roost);
    evolution.ok("SELECT INBOX").unwrap();
    let answer = evolution.command(EVOLUTION).unwrap();
    // Whatever is not offered of the items is left out by the real client.
    if answer.tagged.starts_with("BAD") {
        evolution.ok(&EVOLUTION.replace(" PREVIEW", "")).unwrap();
    }
    let mut fairemail = login(&roost);
    fairemail.ok("SELECT INBOX").unwrap();
    let answer = fairemail.ok(FAIREMAIL).unwrap();
    assert!(
        answer
            .lines()
            .any(|l| l.starts_with("* STATUS box3 (MESSAGES 0 "))
    );
    assert!(!answer.lines().any(|l| l.contains("STATUS INBOX")));

    // Mailboxes that nobody has open, at the same time.
    let mut waits = Vec::new();
    for n in [3, 7, 11] {
        let start = Instant::now();
        maildir::deliver(&folders[n], 1);
        wait_for(&mut evolution, &[&format!("* STATUS box{n} (MESSAGES 1 ")]);
        waits.push(start.elapsed());
    }
    println!("delivery to STATUS: {waits:?}");
    wait_for(&mut fairemail, &["* STATUS box3 (MESSAGES 1 "]);

    // The selected mailbox.
    maildir::deliver(&maildir, 1);
    let told = wait_for(
        &mut evolution,
        &["* 1 EXISTS", "* 1 FETCH (UID 1 RFC822.SIZE"],
    );
    assert!(
        told.iter().any(|t| t.contains("BODYSTRUCTURE (")),
        "{told:?}"
    );
    wait_for(&mut fairemail, &["* 1 EXISTS", "* 1 FETCH (UID 1)"]);

    // Another session's commands.
    plain.ok("SELECT box3").unwrap();
    plain.ok("STORE 1 +FLAGS.SILENT (\\Seen)").unwrap();
    wait_for(&mut fairemail, &["* STATUS box3 (UIDVALIDITY "]);
    plain.ok("COPY 1 box5").unwrap();
    wait_for(&mut evolution, &["* STATUS box5 (MESSAGES 1 "]);
    plain.ok("CREATE fresh").unwrap();
    plain.ok("RENAME fresh ripe").unwrap();
    wait_for(
        &mut evolution,
        &["\"/\" fresh", "\"/\" ripe (\"OLDNAME\" (fresh))"],
    );
    // What was not subscribed is of no interest, until it is.
    plain.ok("SUBSCRIBE box5").unwrap();
    wait_for(&mut evolution, &["\\Subscribed) \"/\" box5"]);
    maildir::deliver(&folders[5], 2);
    wait_for(&mut fairemail, &["* STATUS box5 (MESSAGES 2 "]);
    wait_for(&mut evolution, &["* STATUS box5 (MESSAGES 2 "]);

    // Folders by other programs.
    let folder = make_mailbox(&maildir, "outside");
    wait_for(&mut evolution, &["\"/\" outside"]);
    maildir::deliver(&folder, 1);
    wait_for(&mut evolution, &["* STATUS outside (MESSAGES 1 "]);
    fs::rename(&folder, maildir.join(".elsewhere")).unwrap();
    wait_for(&mut evolution, &["\"/\" elsewhere (\"OLDNAME\" (outside))"]);
    fs::remove_dir_all(maildir.join(".elsewhere")).unwrap();
    wait_for(&mut evolution, &["* LIST (\\NonExistent"]);

    // Commands go on as ever.
    evolution.ok("NOOP").unwrap();
    evolution.ok("NOTIFY NONE").unwrap();
    fairemail.ok("UID FETCH 1 FLAGS").unwrap();
}

#[test]
fn with_a_command_half_sent() {
    let (roost, maildir) = site();
    // The first login makes the Maildir.
    let mut client = login(&roost);
    let folder = make_mailbox(&maildir, "box");
    let mut witness = login(&roost);
    for client in [&mut client, &mut witness] {
        client
            .ok("NOTIFY SET (personal (MessageNew MessageExpunge))")
            .unwrap();
    }
    client.raw(b"x NO").unwrap();
    maildir::deliver(&folder, 1);
    // Another session hears of it, so the server knows.
    wait_for(&mut witness, &["* STATUS box (MESSAGES 1 "]);
    // Nothing is pushed into a command; it comes when that is over.
    client.set_patience(Duration::from_millis(300)).unwrap();
    let pushed = client.response();
    let silent = pushed.as_ref().is_err_and(|e| e.kind() == WouldBlock);
    assert!(silent, "{pushed:?}");
    client.set_patience(Duration::from_secs(60)).unwrap();
    client.raw(b"OP\r\n").unwrap();
    wait_for(&mut client, &["* STATUS box (MESSAGES 1 "]);
}

#[test]
fn too_much_to_tell() {
    let (roost, maildir) = site();
    let mut client = login(&roost);
    client
        .ok("NOTIFY SET (personal (SubscriptionChange MailboxName))")
        .unwrap();
    let many: String = (0..6000).map(|n| format!("s{n}\n")).collect();
    let tmp = maildir.join("subscriptions.new");
    fs::write(&tmp, many).unwrap();
    maildir::give(&tmp);
    fs::rename(&tmp, maildir.join("subscriptions")).unwrap();
    wait_for(&mut client, &["* OK [NOTIFICATIONOVERFLOW] "]);
    // As after NOTIFY NONE.
    make_mailbox(&maildir, "box");
    let answer = client.ok("NOOP").unwrap();
    assert_eq!(answer.lines().count(), 0);
    client
        .ok("NOTIFY SET (personal (SubscriptionChange MailboxName))")
        .unwrap();
    make_mailbox(&maildir, "other");
    wait_for(&mut client, &["\"/\" other"]);
}

#[test]
fn hundreds_of_mailboxes_are_watched_by_many_sessions() {
    let (roost, maildir) = site();
    let mut clients: Vec<Client> = (0..10).map(|_| login(&roost)).collect();
    let folders: Vec<PathBuf> = (0..300)
        .map(|n| make_mailbox(&maildir, &format!("box{n}")))
        .collect();
    for client in &mut clients {
        client
            .ok("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName))")
            .unwrap();
    }
    maildir::deliver(&folders[299], 1);
    for client in &mut clients {
        wait_for(client, &["* STATUS box299 (MESSAGES 1 "]);
    }
    // One instance and two watches for each mailbox, however many listen.
    let worker = roost.role_pids("worker");
    assert_eq!(worker.len(), 1);
    let watches = |pid: &nix::unistd::Pid| {
        let mut count = (0, 0);
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
            let lines = text.lines().filter(|l| l.starts_with("inotify")).count();
            if lines > 0 {
                count = (count.0 + 1, count.1 + lines);
            }
        }
        count
    };
    let (instances, all): (Vec<_>, Vec<_>) = worker.iter().map(watches).unzip();
    let (instances, all) = (instances.iter().sum::<usize>(), all.iter().sum::<usize>());
    if instances > 0 {
        assert_eq!(instances, 1);
        assert!((600..620).contains(&all), "{all} watches");
    }
    drop(clients);
    if instances > 0 {
        let start = Instant::now();
        while worker.iter().map(|pid| watches(pid).1).sum::<usize>() > 100 {
            assert!(start.elapsed() < Duration::from_secs(30), "watches stay");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
