//! Changes by other programs: how soon they show, and that they show without
//! inotify as well.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::process::{Finish, eventually};
use roost_tests::roost::{Roost, Setup};
use roost_tests::{mail, maildir};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn site(settings: &[(&'static str, &str)]) -> (Roost, PathBuf) {
    let roost = Roost::alone(&Setup::of(&["u"]).with(settings));
    let maildir = roost.dir().join("homes/u/Maildir");
    (roost, maildir)
}

fn idle(client: &mut Client) {
    client.send(b"IDLE").unwrap();
    assert!(client.response().unwrap().starts_with(b"+"));
}

fn wait_for(client: &mut Client, what: &str) {
    loop {
        let response = client.response().unwrap();
        let text = String::from_utf8_lossy(&response).into_owned();
        if text.contains(what) {
            return;
        }
    }
}

#[test]
fn deliveries_flags_and_deletions_show_in_idle() {
    let (roost, maildir) = site(&[]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    idle(&mut client);
    let mut waits = Vec::new();
    for n in 1..=5 {
        let start = Instant::now();
        maildir::deliver(&maildir, n);
        wait_for(&mut client, &format!("* {n} EXISTS"));
        waits.push(start.elapsed());
    }
    waits.sort();
    println!("delivery to EXISTS: {waits:?}");

    // mutt marks the second one as read.
    let find = |n: &str| {
        ["cur", "new"]
            .iter()
            .flat_map(|d| fs::read_dir(maildir.join(d)).unwrap())
            .map(|e| e.unwrap().path())
            .find(|p| p.file_name().unwrap().to_string_lossy().starts_with(n))
            .unwrap()
    };
    fs::rename(
        find("1800000002"),
        maildir.join("cur/1800000002.M1P1.agent:2,S"),
    )
    .unwrap();
    wait_for(&mut client, "* 2 FETCH (");
    fs::remove_file(find("1800000004")).unwrap();
    wait_for(&mut client, "* 4 EXPUNGE");
}

/// By polling, where the kernel has no inotify to give.
#[test]
fn without_inotify_changes_show_by_polling() {
    let (roost, maildir) = site(&[("mail", "poll_interval = 1s"), ("mail", "inotify = no")]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    idle(&mut client);
    maildir::deliver(&maildir, 1);
    wait_for(&mut client, "* 1 EXISTS");
}

#[test]
fn a_new_folder_of_another_program_is_listed() {
    let (roost, maildir) = site(&[]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    let folder = maildir.join(".Made.Elsewhere");
    maildir::make(&folder);
    let found = eventually(Duration::from_secs(30), || {
        let answer = client.ok("LIST \"\" *").unwrap();
        answer
            .lines()
            .any(|l| l.ends_with("Made/Elsewhere"))
            .then_some(())
    });
    assert!(found.is_some());
    maildir::deliver(&folder, 1);
    let answer = client.ok("STATUS Made/Elsewhere (MESSAGES)").unwrap();
    assert!(
        answer.lines().any(|l| l.contains("MESSAGES 1")),
        "{answer:?}"
    );
}

#[test]
fn compressed_messages_are_served_as_they_were() {
    let (roost, maildir) = site(&[]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    let text: Vec<u8> = mail::small(7).into_iter().filter(|&b| b != b'\r').collect();
    let plain = maildir.join("tmp/plain");
    fs::write(&plain, &text).unwrap();
    for (n, program) in [(1, "gzip"), (2, "zstd")] {
        let Ok(output) = std::process::Command::new(program)
            .arg("-c")
            .arg(&plain)
            .finish()
        else {
            eprintln!("left out: {program} is not installed");
            continue;
        };
        let path = maildir.join(format!("cur/180000000{n}.M1P1.agent,S={}:2,S", text.len()));
        fs::write(&path, output.stdout).unwrap();
        maildir::give(&path);
    }
    fs::remove_file(plain).unwrap();
    let count = fs::read_dir(maildir.join("cur")).unwrap().count();
    assert!(count > 0);
    client.ok("NOOP").unwrap();
    for n in 1..=count {
        let answer = client
            .ok(&format!("FETCH {n} (RFC822.SIZE BODY.PEEK[])"))
            .unwrap();
        let expected = mail::small(7);
        let got = &answer.untagged[0];
        let at = got.windows(expected.len()).any(|w| w == expected);
        assert!(at, "{}", String::from_utf8_lossy(got));
        let size = format!("RFC822.SIZE {}", expected.len());
        assert!(String::from_utf8_lossy(got).contains(&size));
    }
}
