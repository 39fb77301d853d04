//! Changes by other programs: how soon they show, and that they show without
//! inotify as well.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::{Finish, eventually};
use roost_tests::roost::{PASSWORD, Roost, Setup, mail_owner};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn site(settings: &[(&'static str, &str)]) -> (tempfile::TempDir, Roost, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let setup = Setup {
        users: vec!["u".into()],
        settings: settings
            .iter()
            .map(|(s, l)| (*s, (*l).to_owned()))
            .collect(),
        ..Setup::default()
    };
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let maildir = dir.path().join("homes/u/Maildir");
    (dir, roost, maildir)
}

/// As a delivery agent does it: into tmp, then by rename into new.
fn deliver(maildir: &Path, n: u32) -> String {
    let (uid, gid) = mail_owner();
    let name = format!("18000000{n:02}.M1P1.agent");
    let tmp = maildir.join("tmp").join(&name);
    fs::write(&tmp, mail::small(n)).unwrap();
    chown(&tmp, Some(uid), Some(gid)).unwrap();
    fs::rename(&tmp, maildir.join("new").join(&name)).unwrap();
    name
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
    let (_dir, roost, maildir) = site(&[]);
    let mut client = Client::login(roost.addr(), "u", PASSWORD).unwrap();
    client.ok("SELECT INBOX").unwrap();
    idle(&mut client);
    let mut waits = Vec::new();
    for n in 1..=5 {
        let start = Instant::now();
        deliver(&maildir, n);
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
    let (_dir, roost, maildir) = site(&[("mail", "poll_interval = 1s"), ("mail", "inotify = no")]);
    let mut client = Client::login(roost.addr(), "u", PASSWORD).unwrap();
    client.ok("SELECT INBOX").unwrap();
    idle(&mut client);
    deliver(&maildir, 1);
    wait_for(&mut client, "* 1 EXISTS");
}

#[test]
fn a_new_folder_of_another_program_is_listed() {
    let (_dir, roost, maildir) = site(&[]);
    let mut client = Client::login(roost.addr(), "u", PASSWORD).unwrap();
    client.ok("SELECT INBOX").unwrap();
    let (uid, gid) = mail_owner();
    let folder = maildir.join(".Made.Elsewhere");
    for d in [
        folder.clone(),
        folder.join("cur"),
        folder.join("new"),
        folder.join("tmp"),
    ] {
        fs::create_dir(&d).unwrap();
        chown(&d, Some(uid), Some(gid)).unwrap();
    }
    let found = eventually(Duration::from_secs(30), || {
        let answer = client.ok("LIST \"\" *").unwrap();
        answer
            .lines()
            .any(|l| l.ends_with("Made/Elsewhere"))
            .then_some(())
    });
    assert!(found.is_some());
    deliver(&folder, 1);
    let answer = client.ok("STATUS Made/Elsewhere (MESSAGES)").unwrap();
    assert!(
        answer.lines().any(|l| l.contains("MESSAGES 1")),
        "{answer:?}"
    );
}

#[test]
fn compressed_messages_are_served_as_they_were() {
    let (_dir, roost, maildir) = site(&[]);
    let mut client = Client::login(roost.addr(), "u", PASSWORD).unwrap();
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
        let (uid, gid) = mail_owner();
        chown(&path, Some(uid), Some(gid)).unwrap();
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
