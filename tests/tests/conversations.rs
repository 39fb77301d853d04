//! Every conversation of `conversations/` against Roost and against Dovecot.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::dovecot::{self, Dovecot, Layout};
use roost_tests::roost::{self, Roost, Setup};
use roost_tests::script::run::Outcome;
use roost_tests::script::{Script, Target, parse_file, run};
use std::path::PathBuf;

fn scripts() -> Vec<Script> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conversations");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "imap"))
        .collect();
    files.sort();
    let only = std::env::var("CONVERSATION").ok();
    let mut scripts = Vec::new();
    for file in files {
        match parse_file(&file) {
            Ok(found) => scripts.extend(found),
            Err(e) => panic!("{e}"),
        }
    }
    scripts.retain(|s| {
        only.as_ref()
            .is_none_or(|o| s.file.contains(o) || s.name.contains(o))
    });
    scripts
}

fn user(i: usize) -> String {
    format!("c{i}")
}

/// Plays all, each as a user of its own; a conversation that a peer is said
/// to answer otherwise must really differ there.
fn play_all(server: &str, addr: std::net::SocketAddr, password: &str) {
    let scripts = scripts();
    assert!(!scripts.is_empty(), "no conversation found");
    let (mut failures, mut passed, mut left_out, mut differing) = (Vec::new(), 0, 0, 0);
    for (i, script) in scripts.iter().enumerate() {
        let user = user(i);
        let target = Target {
            server,
            addr,
            user: &user,
            password,
        };
        let result = run(script, &target);
        match (script.differs.get(server), result) {
            (None, Ok(Outcome::Passed)) => passed += 1,
            (_, Ok(Outcome::LeftOut(lack))) if server == "roost" => failures.push(format!(
                "{}:{} ({}): Roost lacks {lack}",
                script.file, script.line, script.name
            )),
            (_, Ok(Outcome::LeftOut(_))) => left_out += 1,
            (None, Err(e)) => failures.push(e),
            (Some(_), Err(_)) => differing += 1,
            (Some(why), Ok(Outcome::Passed)) => failures.push(format!(
                "{}:{} ({}): said to differ on {server} ({why}) but does not",
                script.file, script.line, script.name
            )),
        }
    }
    println!("{server}: {passed} passed, {left_out} left out, {differing} differ as said");
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        scripts.len(),
        failures.join("\n")
    );
    assert!(passed > 0);
}

#[test]
fn conversations_with_roost() {
    let dir = tempfile::tempdir().unwrap();
    open_to_all(dir.path());
    let setup = Setup {
        users: (0..scripts().len()).map(user).collect(),
        ..Setup::default()
    };
    let roost = Roost::start(dir.path(), &setup).unwrap();
    play_all("roost", roost.addr(), roost::PASSWORD);
}

#[test]
fn conversations_with_dovecot() {
    if !dovecot::installed() || !roost_tests::process::is_root() {
        eprintln!(
            "left out (conversations with Dovecot): needs root and the package dovecot-imapd"
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    open_to_all(dir.path());
    let homes = dir.path().join("homes");
    std::fs::create_dir_all(&homes).unwrap();
    let (uid, gid) = roost::mail_owner();
    std::os::unix::fs::chown(&homes, Some(uid), Some(gid)).unwrap();
    let layout = Layout {
        homes: &homes,
        uid,
        gid,
        extra: "",
    };
    let dovecot = Dovecot::start(dir.path(), &layout).unwrap();
    play_all("dovecot", dovecot.addr(), dovecot::PASSWORD);
}

/// The mail's owner must reach its homes below the test's folder.
fn open_to_all(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}
