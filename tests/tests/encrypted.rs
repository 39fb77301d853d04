//! Users' own certificates where the configuration and their homes have them,
//! and what a large message takes.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::unistd::Pid;
use roost_tests::client::Client;
use roost_tests::roost::{Roost, Setup, folder};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A key pair in `dir`, its certificate in `certificate`.
fn make_keys(dir: &Path, certificate: &Path) {
    let fixed = "req -x509 -nodes -newkey rsa:2048 -days 9 -subj /CN=test -keyout key.pem -out";
    let made = Command::new("openssl")
        .args(fixed.split(' '))
        .arg(certificate)
        .current_dir(dir)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl: {errors}");
    fs::set_permissions(certificate, fs::Permissions::from_mode(0o644)).unwrap();
}

fn decrypt(dir: &Path, message: &[u8]) -> Vec<u8> {
    fs::write(dir.join("message"), message).unwrap();
    let opened = Command::new("openssl")
        .args("cms -decrypt -in message -inkey key.pem".split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&opened.stderr);
    assert!(opened.status.success(), "openssl: {errors}");
    opened.stdout
}

fn fetch(client: &mut Client, number: u32) -> Vec<u8> {
    let command = format!("FETCH {number} BODY.PEEK[]");
    let answer = client.ok(&command).unwrap();
    let found = answer.untagged.iter().find(|r| r.ends_with(b")")).unwrap();
    let start = found.windows(3).position(|w| w == b"}\r\n").unwrap() + 3;
    found[start..found.len() - 1].to_vec()
}

/// KiB that the process has held at most.
fn peak(worker: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().split(' ').next().unwrap();
    number.parse().unwrap()
}

#[test]
fn own_certificates_and_a_large_message() {
    let dir = folder();
    let [anns, bobs, kept] = ["anns", "bobs", "certificates"].map(|name| dir.path().join(name));
    for made in [&anns, &bobs, &kept] {
        fs::create_dir(made).unwrap();
        fs::set_permissions(made, fs::Permissions::from_mode(0o755)).unwrap();
    }
    make_keys(&bobs, &kept.join("bob.pem"));
    let setting = format!("certificate_dir = {}", kept.display());
    let setup = Setup::of(&["ann", "bob", "eve"]).with(&[("smime", &setting)]);
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let home = dir.path().join("homes/ann/.roost");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    make_keys(&anns, &home.join("smime.pem"));

    for (user, keys) in [("ann", &anns), ("bob", &bobs)] {
        let mut client = roost.login(user);
        let text = format!("Subject: for {user}\r\n\r\nwords\r\n");
        let stored = client.append("INBOX", "ENCRYPTED *", text.as_bytes());
        assert!(stored.unwrap().ok());
        client.ok("SELECT INBOX").unwrap();
        assert_eq!(decrypt(keys, &fetch(&mut client, 1)), text.as_bytes());
    }
    let mut eve = roost.login("eve");
    let refused = eve
        .append("INBOX", "ENCRYPTED *", b"Subject: x\r\n\r\n")
        .unwrap();
    assert!(refused.tagged.starts_with("NO [CANNOT]"), "{refused:?}");

    let mut ann = roost.login("ann");
    let line = b"all work and no play makes a dull boy, and so on to the end\r\n";
    let large = [
        b"Subject: large\r\n\r\n",
        &line.repeat((20 << 20) / line.len())[..],
    ]
    .concat();
    let worker = roost.role_pids("worker")[0];
    let before = peak(worker);
    assert!(ann.append("INBOX", "ENCRYPTED *", &large).unwrap().ok());
    assert!(ann.append("INBOX", "", &large).unwrap().ok());
    ann.ok("SELECT INBOX").unwrap();
    ann.ok("MOVE 3 INBOX ENCRYPTED *").unwrap();
    let grown = peak(worker) - before;
    assert!(grown < 6 << 10, "{grown} KiB for messages of 20 MiB");
    for number in [2, 3] {
        assert!(decrypt(&anns, &fetch(&mut ann, number)) == large);
    }
}
