//! `roostctl top`, on a terminal of the test's own.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::process::{Finish, executables};
use roost_tests::roost::{Roost, Setup};
use std::path::Path;
use std::process::Command;

#[test]
fn a_connection_is_shown_and_ended() {
    let roost = Roost::alone(&Setup::of(&["u", "v"]));
    let mut u = roost.login("u");
    let mut v = roost.login("v");
    u.ok("NOOP").unwrap();
    v.ok("NOOP").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/top.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(executables().join("roostctl"))
        .arg(roost.dir().join("roost.conf"))
        .finish()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(v.response().unwrap().starts_with(b"* BYE"));
    u.ok("NOOP").unwrap();
}
