//! Moving in from Dovecot and Courier, and back.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::ctl::{DATAERR, IOERR, NOINPUT, OK};
use roost_tests::dovecot;
use roost_tests::process::{Finish, executables, in_namespace};
use roost_tests::roost::folder;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

/// Exit code, standard output and standard error.
fn told(command: &mut Command) -> (i32, String, String) {
    let output = command.finish().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

fn roostctl() -> Command {
    Command::new(executables().join("roostctl"))
}

/// roostd's own opinion of a configuration.
fn checked(path: &Path) {
    let mut roostd = Command::new(executables().join("roostd"));
    let (code, out, err) = told(roostd.arg("-t").arg("-c").arg(path));
    assert_eq!(code, OK, "{out}{err}");
}

/// Debian's doveconf says it, and roostd takes what is made of it.
#[test]
fn a_proposal_from_doveconf() {
    if !dovecot::installed() {
        eprintln!("left out: no Dovecot");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(
        at("dovecot.conf"),
        "mail_location = maildir:~/Maildir:INDEX=/var/indexes/%u\nprotocols = imap\n\
         mail_plugins = acl quota\nplugin {\n acl = vfile\n quota = maildir:User quota\n \
         quota_rule = *:storage=1G\n}\nnamespace inbox {\n inbox = yes\n separator = /\n \
         mailbox Sent {\n special_use = \\Sent\n }\n}\npassdb {\n driver = pam\n}\n\
         userdb {\n driver = passwd\n}\nssl = no\n",
    )
    .unwrap();
    let doveconf = Command::new("doveconf")
        .arg("-nP")
        .arg("-c")
        .arg(at("dovecot.conf"))
        .finish()
        .unwrap();
    fs::write(at("doveconf"), doveconf.stdout).unwrap();
    let import = |from: &str, output: &str| {
        let mut command = roostctl();
        command.args(["import", "config", "--json", "--from"]);
        command.arg(at(from)).arg("--output").arg(at(output));
        told(&mut command)
    };
    let (code, out, err) = import("doveconf", "roost.conf");
    assert_eq!(code, OK, "{out}{err}");
    assert!(
        out.contains("{\"setting\": \"INDEX\", \"fate\": \"needless\""),
        "{out}"
    );
    let text = fs::read_to_string(at("roost.conf")).unwrap();
    for line in [
        "maildir = ~/Maildir",
        "separator = /",
        "sent = Sent",
        "storage = 1G",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
    }
    checked(&at("roost.conf"));
    // Nothing is overwritten, and what is no configuration is told.
    assert_eq!(import("doveconf", "roost.conf").0, IOERR);
    fs::write(at("junk"), "!include conf.d/*.conf\n").unwrap();
    assert_eq!(import("junk", "other.conf").0, DATAERR);
    assert_eq!(import("nowhere", "other.conf").0, NOINPUT);
    assert!(!at("other.conf").exists());
}

/// What the owner may not write is found before it is too late.
#[test]
fn a_mailbox_that_its_owner_may_not_write() {
    if !in_namespace("another's folder in a Maildir") {
        return;
    }
    let dir = folder();
    let maildir = dir.path().join("Maildir");
    for folder in ["", ".Work"] {
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(folder).join(sub)).unwrap();
        }
    }
    for path in ["", "cur", "new", "tmp", ".Work", ".Work/new", ".Work/tmp"] {
        chown(maildir.join(path), Some(4001), Some(4001)).unwrap();
    }
    let check = || {
        told(
            roostctl()
                .args(["import", "check", "--maildir"])
                .arg(&maildir),
        )
    };
    let (code, out, err) = check();
    assert_eq!(code, DATAERR, "{out}{err}");
    let problem = format!(
        "alice: Work: PROBLEM: alice may not write {}/.Work/cur",
        maildir.display()
    );
    assert!(out.lines().any(|line| line == problem), "{out}");
    chown(maildir.join(".Work/cur"), Some(4001), Some(4001)).unwrap();
    let (code, out, err) = check();
    assert_eq!((code, err.as_str()), (OK, ""), "{out}");
    assert_eq!(
        fs::read_dir(&maildir).unwrap().count(),
        4,
        "nothing is made"
    );
}

/// The files of Debian's package, as they come.
#[test]
fn a_proposal_from_couriers_files() {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/courier/etc/courier");
    if !peer.join("imapd").exists() {
        eprintln!("left out (Courier): needs contrib/fetch-courier");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = told(roostctl().args(["import", "config", "--from"]).arg(&peer));
    // Trash is emptied by nobody then, for one.
    assert_eq!(code, DATAERR, "{err}");
    assert!(out.contains("# missing: IMAP_EMPTYTRASH"), "{out}");
    for line in [
        "prefix = INBOX.",
        "maildir = ~/Maildir",
        "max_connections_per_ip = 20",
    ] {
        assert!(out.lines().any(|l| l == line), "{line}:\n{out}");
    }
    // Whose certificate it is, is not known here.
    let without: Vec<_> = out.lines().filter(|l| !l.contains("imapd.pem")).collect();
    fs::write(dir.path().join("roost.conf"), without.join("\n")).unwrap();
    checked(&dir.path().join("roost.conf"));
}
