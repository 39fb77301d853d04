//! `roostd --demo` as the README shows it: without root, with lines that work
//! as they are printed.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::sys::signal::Signal;
use roost_tests::client::Client;
use roost_tests::process::{Finish, Group, eventually, executables, free_port, is_root, loopback};
use roost_tests::roost::folder;
use roost_tests::state::Account;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Somebody without an account, let alone privileges.
const NOBODY: u32 = 65534;

struct Demo {
    group: Group,
    dir: tempfile::TempDir,
    port: u16,
}

fn start() -> Demo {
    let dir = folder();
    let (port, tls_port) = (free_port().unwrap(), free_port().unwrap());
    // Where the executables lie may be closed to others.
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for name in ["roostd", "roost-gate", "roost-auth", "roost-worker"] {
        fs::copy(executables().join(name), bin.join(name)).unwrap();
    }
    let said = fs::File::create(dir.path().join("said")).unwrap();
    let mut command = Command::new(bin.join("roostd"));
    command
        .arg("--demo")
        .arg("--dir")
        .arg(dir.path().join("demo"))
        .args([
            "--port",
            &port.to_string(),
            "--tls-port",
            &tls_port.to_string(),
        ])
        .stdout(said.try_clone().unwrap())
        .stderr(said);
    if is_root() {
        fs::create_dir(dir.path().join("demo")).unwrap();
        chown(dir.path().join("demo"), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut group = Group::start(&mut command).unwrap();
    group.listens(port, Duration::from_secs(30)).unwrap();
    Demo { group, dir, port }
}

/// The line that the demo prints for `program`.
fn line(said: &Path, program: &str) -> String {
    let found = eventually(Duration::from_secs(30), || {
        let text = fs::read_to_string(said).ok()?;
        let line = text.lines().find_map(|l| l.strip_prefix(program))?;
        Some(line.trim().to_owned())
    });
    found.unwrap_or_else(|| panic!("no line for {program}"))
}

#[test]
fn the_demo_serves_without_root_and_its_lines_work() {
    let mut demo = start();
    let said = demo.dir.path().join("said");
    let curl = line(&said, "curl");
    let output = Command::new("sh")
        .args(["-c", &format!("{curl} -sS")])
        .finish()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Subject: "), "{curl}: {text}{output:?}");

    let openssl = line(&said, "openssl");
    let output = Command::new("sh")
        .args(["-c", &openssl])
        .finish_on("a LOGIN demo demo\nb LOGOUT\n")
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("a OK"), "{openssl}: {text}");

    let mut client = Client::login(loopback(demo.port), "demo", "demo").unwrap();
    let account = Account::read(&mut client).unwrap();
    assert!(
        account.mailboxes.len() >= 4,
        "{:?}",
        account.mailboxes.keys()
    );
    // Every message of the demo, the broken one included, can be looked at.
    for name in account.mailboxes.keys() {
        let answer = client.ok(&format!("EXAMINE \"{name}\"")).unwrap();
        if answer.lines().any(|l| l == "* 0 EXISTS") {
            continue;
        }
        client
            .ok("FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
            .unwrap();
    }

    demo.group.signal(Signal::SIGINT);
    let status = demo
        .group
        .wait(Duration::from_secs(10))
        .expect("the demo does not end");
    assert!(status.success(), "{status}");
}

#[test]
fn a_wrong_configuration_is_told_whole_with_lines() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("roost.conf");
    fs::write(
        &conf,
        "[mail]\nseparator = :\nfsnyc = never\n\n[nonsense]\nx = 1\n",
    )
    .unwrap();
    let output = Command::new(executables().join("roostd"))
        .args(["-t", "-c"])
        .arg(&conf)
        .finish()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for at in [":2:", ":3:", ":5:"] {
        assert!(said.contains(&format!("roost.conf{at}")), "{at}: {said}");
    }
    let sample = Command::new(executables().join("roostd"))
        .arg("--sample-config")
        .finish()
        .unwrap();
    fs::write(&conf, sample.stdout).unwrap();
    let output = Command::new(executables().join("roostd"))
        .args(["-t", "-c"])
        .arg(&conf)
        .finish()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
