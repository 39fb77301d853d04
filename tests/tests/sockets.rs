//! Listening sockets that come from outside, as systemd passes them.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::process::{Finish, executables};
use roost_tests::roost::{PASSWORD, Roost, Setup, folder};
use std::path::Path;
use std::process::Command;

#[test]
fn a_socket_that_somebody_holds_outlives_the_server() {
    let dir = folder();
    // For its configuration and its port.
    let roost = Roost::start(dir.path(), &Setup::of(&["u"])).unwrap();
    let port = roost.port().to_string();
    roost.stop();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/held_socket.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(executables().join("roostd"))
        .arg(dir.path().join("roost.conf"))
        .args([&port, "u", PASSWORD])
        .finish()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
