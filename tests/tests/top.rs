//! `roostctl top`, on a terminal of the test's own.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::process::{Finish, executables};
use roost_tests::roost::{PASSWORD, Roost, Setup};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[test]
fn a_connection_is_shown_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let setup = Setup {
        users: vec!["u".into(), "v".into()],
        ..Setup::default()
    };
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let mut u = Client::login(roost.addr(), "u", PASSWORD).unwrap();
    let mut v = Client::login(roost.addr(), "v", PASSWORD).unwrap();
    u.ok("NOOP").unwrap();
    v.ok("NOOP").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/top.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(executables().join("roostctl"))
        .arg(dir.path().join("roost.conf"))
        .finish()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(v.response().unwrap().starts_with(b"* BYE"));
    u.ok("NOOP").unwrap();
}
