//! What can be asked of `roostd` without serving anything.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn roostd(args: &[&str]) -> Output {
    // One that serves instead of answering is not waited for.
    Command::new("timeout")
        .args(["--signal=KILL", "60", env!("CARGO_BIN_EXE_roostd")])
        .args(args)
        .output()
        .unwrap()
}

fn check(dir: &Path, config: &str) -> (Option<i32>, String) {
    let path = dir.join("roost.conf");
    std::fs::write(&path, config).unwrap();
    let output = roostd(&["-t", "-c", path.to_str().unwrap()]);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn wrong_options_are_told_with_the_usage() {
    let output = roostd(&["--frobnicate"]);
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--frobnicate") && text.contains("Usage:"));
}

#[test]
fn version_and_sample_go_to_standard_output() {
    let version = roostd(&["--version"]);
    assert!(version.status.success());
    let expected = format!("roostd {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), expected);
    let sample = roostd(&["--sample-config"]);
    assert!(sample.status.success());
    assert!(
        String::from_utf8(sample.stdout)
            .unwrap()
            .contains("[listen]")
    );
}

#[test]
fn the_check_names_every_error_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = check(
        dir.path(),
        "[server]\nuser = nobody\nlog_level = loud\n[limits]\nmax_conections = 3\n",
    );
    assert_eq!(code, Some(78));
    assert!(text.contains("roost.conf:3: "), "{text}");
    assert!(text.contains("roost.conf:5: "), "{text}");
}

#[test]
fn the_check_looks_at_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display();
    let config = format!(
        "[server]\nuser = nobody\n[tls]\ncertificate = {folder}/a.crt\nkey = {folder}/a.key\n"
    );
    let (code, text) = check(dir.path(), &config);
    assert_eq!(code, Some(78));
    assert!(text.contains("a.crt"), "{text}");
}

#[test]
fn a_good_configuration_passes_the_check_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let config = format!(
        "[server]\nuser = nobody\n[tls]\nstate_dir = {}\n",
        state.display()
    );
    assert_eq!(check(dir.path(), &config), (Some(0), String::new()));
    assert!(!state.exists());
}

#[test]
fn a_missing_configuration_is_a_configuration_error() {
    let output = roostd(&["-c", "/nonexistent/roost.conf"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("/nonexistent/roost.conf")
    );
}
