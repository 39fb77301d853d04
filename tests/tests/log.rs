//! The log as other programs get it: syslogd, and what reads its files.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::sys::signal::Signal;
use roost_tests::client::Client;
use roost_tests::process::{Finish, eventually, executables, is_root};
use roost_tests::roost::{Roost, Setup, folder};
use roost_tests::syslogd::Syslogd;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn start(dir: &Path, more: &[(&'static str, &str)]) -> (Roost, Syslogd) {
    let syslogd = Syslogd::new(dir);
    let setup = Setup {
        env: vec![("ROOST_LOG_SOCKET", syslogd.path().to_owned())],
        ..Setup::of(&["u"])
    };
    let setup = setup.with(&[("server", "log_target = syslog")]).with(more);
    (Roost::start(dir, &setup).unwrap(), syslogd)
}

/// `<PRI>Mmm dd hh:mm:ss ident[pid]: text` (RFC 3164 §4.1, without the host,
/// which syslogd knows): the severity and the text.
fn framed(record: &str) -> Option<(u8, &str)> {
    let (priority, rest) = record.strip_prefix('<')?.split_once('>')?;
    let priority: u8 = priority.parse().ok()?;
    let (time, rest) = rest.split_at_checked(16)?;
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".contains(&shape[..3]);
    let time_fits = shape.ends_with(" 00 00:00:00 ") || shape.ends_with("  0 00:00:00 ");
    let (pid, text) = rest.strip_prefix("dovecot[")?.split_once("]: ")?;
    pid.parse::<u32>().ok()?;
    let one_line = !text.contains(['\r', '\n', '\0']);
    // Facility mail is 2.
    (month && time_fits && one_line && priority >> 3 == 2).then_some((priority & 7, text))
}

fn fail(roost: &Roost, user: &str) {
    let mut client = Client::connect(roost.addr()).unwrap();
    let answer = client.command(&format!("LOGIN {user} wrong")).unwrap();
    assert!(answer.tagged.starts_with("NO [AUTHENTICATIONFAILED]"));
}

#[test]
fn records_are_framed_for_syslogd_and_outlive_its_restart() {
    let dir = folder();
    let (roost, mut syslogd) = start(dir.path(), &[("server", "syslog_ident = dovecot")]);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    client.command("LOGOUT").unwrap();
    syslogd.wait_for(">: Disconnected: Logged out");
    fail(&roost, "mallory");
    syslogd.wait_for("user=<mallory>, method=");
    for record in syslogd.records() {
        let (severity, text) = framed(record).unwrap_or_else(|| panic!("{record:?}"));
        assert!((3..=7).contains(&severity), "{record}");
        let tagged = text.starts_with("IMAP: ")
            || text.split_once("IMAP-").is_some_and(|(before, after)| {
                (before.is_empty() || before.ends_with('<'))
                    && after.len() >= 5
                    && after.bytes().take(5).all(|b| b.is_ascii_digit())
            });
        assert!(tagged, "{record}");
    }
    syslogd.restart(|| {
        for n in 0..3 {
            fail(&roost, &format!("away{n}"));
        }
    });
    for n in 0..5 {
        fail(&roost, &format!("back{n}"));
    }
    syslogd.wait_for("user=<back4>");
    let reports = |name: &str| {
        let field = format!("user=<{name}");
        syslogd
            .records()
            .iter()
            .filter(|r| r.contains(&field))
            .count()
    };
    assert_eq!(reports("back"), 5, "{:#?}", syslogd.records());
    assert!(reports("away") >= 2, "{:#?}", syslogd.records());
}

/// A server with a log file, and the file.
fn with_file(dir: &Path) -> (Roost, PathBuf) {
    fs::create_dir(dir.join("logs")).unwrap();
    let path = dir.join("logs/roost.log");
    let named = format!("log_path = {}", path.display());
    let setup = Setup::of(&["u"]).with(&[
        ("server", "log_target = file"),
        ("server", &named),
        ("server", "log_level = all-info"),
    ]);
    (Roost::start(dir, &setup).unwrap(), path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn becomes(path: &Path, text: &str) {
    let there = || read(path).contains(text).then_some(());
    let found = eventually(Duration::from_secs(30), there);
    assert!(found.is_some(), "{text} is not in {}", read(path));
}

/// Which process a line of a file as syslogd writes it is from, and its text.
fn of_file(line: &str) -> Option<(u32, &str)> {
    let (time, rest) = line.split_at_checked(16)?;
    let shape = time.replace(|c: char| c.is_ascii_digit(), "0");
    assert!(shape.ends_with(" 00:00:00 "), "{line}");
    let (host, rest) = rest.split_once(' ')?;
    assert!(
        !host.is_empty() && !host.contains(['.', ':', '[']),
        "{line}"
    );
    let (pid, text) = rest.strip_prefix("roost[")?.split_once("]: ")?;
    Some((pid.parse().ok()?, text))
}

#[test]
fn a_log_file_has_the_lines_of_all_processes() {
    let dir = folder();
    let (roost, path) = with_file(dir.path());
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    client.command("LOGOUT").unwrap();
    fail(&roost, "mallory");
    becomes(&path, "user=<mallory>, method=");
    becomes(&path, "Disconnected: Logged out");
    let text = read(&path);
    let lines: Vec<_> = text
        .lines()
        .map(|line| of_file(line).unwrap_or_else(|| panic!("{line}")))
        .collect();
    let pids: BTreeSet<u32> = lines.iter().map(|(pid, _)| *pid).collect();
    // The supervisor, and those that it has started.
    assert!(pids.contains(&roost.pid().as_raw().cast_unsigned()));
    for role in ["roost-gate", "roost-auth", "roost-worker"] {
        let started = format!("IMAP: {role} started, pid ");
        let mut own = lines.iter().filter_map(|(_, l)| l.strip_prefix(&started));
        let pid = own.next().unwrap_or_else(|| panic!("{role}: {text}"));
        assert!(pids.contains(&pid.parse().unwrap()), "{role}: {text}");
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    // Nothing of it on standard error.
    assert!(!roost.log().contains("mallory"), "{}", roost.log());
}

/// With the file that the packages have.
#[test]
fn logrotate_needs_no_signal() {
    if Command::new("logrotate").arg("--version").output().is_err() {
        eprintln!("left out: no logrotate");
        return;
    }
    let dir = folder();
    let (roost, path) = with_file(dir.path());
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/logrotate/roost");
    let mut rules = read(&packaged).replace("/var/log/roost.log", &path.display().to_string());
    assert!(rules.contains(&*path.to_string_lossy()));
    if !is_root() {
        rules = rules.replace(" root adm", "");
    }
    let conf = dir.path().join("logrotate.conf");
    fs::write(&conf, rules).unwrap();
    let rotate = || {
        let mut command = Command::new("logrotate");
        command.args(["-f", "-s"]).arg(dir.path().join("state"));
        let done = command.arg(&conf).finish().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && said.is_empty(), "{said}");
    };
    let old = |n: u32| path.with_file_name(format!("roost.log.{n}"));
    for n in 0..3 {
        fail(&roost, &format!("before{n}"));
    }
    becomes(&path, "user=<before2>");
    rotate();
    fail(&roost, "between");
    becomes(&path, "user=<between>");
    assert!(!read(&path).contains("before2"), "{}", read(&path));
    assert!(read(&old(1)).contains("user=<before2>"));
    rotate();
    fail(&roost, "after");
    becomes(&path, "user=<after>");
    assert!(
        read(&old(1)).contains("user=<between>"),
        "{}",
        read(&old(1))
    );
    // That of the packages is compressed when nobody writes to it any more.
    assert!(old(2).with_extension("2.gz").exists());
}

#[test]
fn a_log_file_that_cannot_be_is_an_error_in_its_line() {
    let dir = folder();
    let (roost, path) = with_file(dir.path());
    let conf = dir.path().join("roost.conf");
    let good = read(&conf);
    let other = dir.path().join("other.log");
    let bad = good.replace(&*path.to_string_lossy(), "/nowhere/roost.log");
    let at = bad.lines().position(|l| l.starts_with("log_path")).unwrap() + 1;
    let fault = format!("{}:{at}: log_path: /nowhere/roost.log: ", conf.display());
    // Reloads leave the old one.
    fs::write(&conf, &bad).unwrap();
    roost.signal(Signal::SIGHUP);
    becomes(&path, &fault);
    becomes(&path, "the old one stays");
    for check in [true, false] {
        let mut command = Command::new(executables().join("roostd"));
        command.arg("-c").arg(&conf).args(check.then_some("-t"));
        let done = command.finish().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(78), "{said}");
        assert!(said.contains(&fault), "{said}");
    }
    // Another one is taken.
    let changed = good.replace(&*path.to_string_lossy(), &other.to_string_lossy());
    fs::write(&conf, &changed).unwrap();
    let mut check = Command::new(executables().join("roostd"));
    let done = check.args(["-t", "-c"]).arg(&conf).finish().unwrap();
    assert!(done.status.success() && !other.exists());
    roost.signal(Signal::SIGHUP);
    becomes(&other, "configuration reloaded");
    fail(&roost, "mallory");
    becomes(&other, "user=<mallory>");
    assert!(!read(&path).contains("mallory"));
}
