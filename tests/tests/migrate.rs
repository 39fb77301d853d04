//! Moving in from Dovecot and Courier, and back.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::ctl::{DATAERR, IOERR, NOINPUT, OK};
use roost_tests::dovecot;
use roost_tests::process::{Finish, executables, in_namespace};
use roost_tests::roost::folder;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
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
    // Whose terminal it is shown on did not choose the name.
    let maildir = dir.path().join("Mail\u{1b}[2Jdir");
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
        "alice: Work: PROBLEM: alice may not write {}/Mail?[2Jdir/.Work/cur",
        dir.path().display()
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

/// A Maildir of alice's, and Debian's doveadm on it.
struct Indexed {
    dir: tempfile::TempDir,
}

impl Indexed {
    /// INBOX has three messages and 30 keywords, a mailbox of an odd name one
    /// message.
    fn new() -> Self {
        let indexed = Self { dir: folder() };
        fs::write(
            indexed.at("dovecot.conf"),
            "mail_location = maildir:~/Maildir\nlog_path = /dev/stderr\nssl = no\n\
             first_valid_uid = 1000\n",
        )
        .unwrap();
        for folder in ["Maildir", "Maildir/.-A"] {
            for sub in ["cur", "new", "tmp"] {
                fs::create_dir_all(indexed.at(folder).join(sub)).unwrap();
            }
        }
        for name in ["cur/1.a:2,", "cur/2.b:2,", "cur/3.c:2,", ".-A/cur/1.d:2,"] {
            fs::write(indexed.at("Maildir").join(name), "Subject: x\n\nx\n").unwrap();
        }
        let mut chown = Command::new("chown");
        told(chown.args(["-R", "4001:4001"]).arg(indexed.at("Maildir")));
        let all: Vec<String> = (1..=30).map(|n| format!("k{n}")).collect();
        indexed.doveadm(&["flags", "add", &all.join(" "), "mailbox", "INBOX", "all"]);
        indexed
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn doveadm(&self, words: &[&str]) -> String {
        let place = format!("mail_location=maildir:{}", self.at("Maildir").display());
        let mut doveadm = Command::new("setpriv");
        doveadm.args(["--reuid=4001", "--regid=4001", "--clear-groups", "doveadm"]);
        doveadm.arg("-c").arg(self.at("dovecot.conf"));
        doveadm.args(["-o", &place]).args(words);
        doveadm.env("HOME", "/home/alice").env("USER", "alice");
        let (code, out, err) = told(&mut doveadm);
        assert_eq!(code, OK, "{words:?}: {err}");
        out
    }

    /// What Dovecot has beyond letters, of each message in INBOX.
    fn beyond(&self) -> Vec<String> {
        let out = self.doveadm(&["-f", "tab", "fetch", "flags", "mailbox", "INBOX", "all"]);
        let own = |word: &&str| ["k27", "k28", "k29", "k30", "-Foo"].contains(word);
        let words = |line: &str| line.split(' ').filter(own).collect::<Vec<_>>().join(" ");
        out.lines().skip(1).map(words).collect()
    }

    fn roostctl(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = roostctl();
        command
            .args(words)
            .arg("--from")
            .arg(self.at("dovecot.conf"));
        told(command.arg("--maildir").arg(self.at("Maildir")))
    }

    fn sidecar(&self) -> String {
        fs::read_to_string(self.at("Maildir/roost-keywords")).unwrap_or_default()
    }
}

/// Neither server loses what only the other has, whatever step was left out.
#[test]
fn keywords_in_dovecots_index_alone() {
    if !in_namespace("keywords in Dovecot's index") || !dovecot::installed() {
        return;
    }
    let indexed = Indexed::new();
    let all = "k27 k28 k29 k30";
    assert_eq!(indexed.beyond(), [all, all, all]);
    // Without an import Roost knows nothing of them: they stay.
    let (code, out, err) = indexed.roostctl(&["export", "--to", "dovecot"]);
    assert_eq!(code, OK, "{out}{err}");
    assert!(out.contains("alice: -A: changes from"), "{out}");
    assert_eq!(indexed.beyond(), [all, all, all]);

    let (code, out, err) = indexed.roostctl(&["import", "keywords"]);
    assert_eq!(
        (code, out.as_str()),
        (OK, "alice: INBOX: 4 keywords\n"),
        "{err}"
    );
    let taken = indexed.sidecar();
    assert!(taken.ends_with("@ taken 4\n"), "{taken}");
    // Roost goes on, which a second import does not undo.
    let changed = taken + "- 26 1\n= 30 -Foo\n+ 30 3\n";
    fs::write(indexed.at("Maildir/roost-keywords"), &changed).unwrap();
    let (code, out, err) = indexed.roostctl(&["import", "keywords"]);
    assert_eq!((code, out.as_str()), (DATAERR, ""), "{err}");
    assert!(
        err.contains("INBOX: its keywords were taken before"),
        "{err}"
    );
    assert_eq!(indexed.sidecar(), changed);
    // A delivery agent sets another meanwhile, of which Roost knows nothing.
    let new = indexed.at("Maildir/cur/4.e:2,");
    fs::write(&new, "Subject: y\n\ny\n").unwrap();
    chown(&new, Some(4001), Some(4001)).unwrap();
    indexed.doveadm(&["flags", "add", "k28", "mailbox", "INBOX", "uid", "4"]);
    let (code, out, err) = indexed.roostctl(&["export", "--to", "dovecot"]);
    assert_eq!(code, OK, "{out}{err}");
    let then = ["k28 k29 k30", all, &format!("{all} -Foo"), "k28"];
    assert_eq!(indexed.beyond(), then);
    assert!(
        indexed.sidecar().ends_with("@ given\n"),
        "{}",
        indexed.sidecar()
    );

    // What Dovecot does from then on counts.
    indexed.doveadm(&["flags", "remove", "k29", "mailbox", "INBOX", "uid", "1:3"]);
    let (code, out, err) = indexed.roostctl(&["import", "keywords"]);
    assert_eq!(
        (code, out.as_str()),
        (OK, "alice: INBOX: 4 keywords\n"),
        "{err}"
    );

    // It cannot be asked for a mailbox without a GUID, nor where it takes it for
    // another.
    let list = indexed.at("Maildir/dovecot-uidlist");
    let text = fs::read_to_string(&list).unwrap();
    let header = text.lines().next().unwrap();
    let guid = header
        .split(' ')
        .find(|word| word.starts_with('G'))
        .unwrap();
    fs::write(&list, text.replace(guid, "")).unwrap();
    let refused = |problem: &str| {
        for act in ["check", "keywords"] {
            let (code, out, err) = indexed.roostctl(&["import", act]);
            assert_eq!(code, DATAERR, "{out}{err}");
            assert!((out + &err).contains(problem), "{act}: {problem}");
        }
    };
    refused("it has no GUID");
    fs::write(&list, &text).unwrap();
    fs::create_dir(indexed.at("control")).unwrap();
    chown(indexed.at("control"), Some(4001), Some(4001)).unwrap();
    let elsewhere = format!(":CONTROL={}", indexed.at("control").display());
    let conf = fs::read_to_string(indexed.at("dovecot.conf")).unwrap();
    let conf = conf.replace("~/Maildir", &format!("~/Maildir{elsewhere}"));
    fs::write(indexed.at("dovecot.conf"), conf).unwrap();
    refused("Dovecot finds no messages in the mailbox with the GUID");
}

/// One mailbox that cannot be exported is told, and all others are.
#[test]
fn a_mailbox_that_dovecot_cannot_be_told_of() {
    if !in_namespace("a mailbox that cannot be exported") || !dovecot::installed() {
        return;
    }
    let indexed = Indexed::new();
    fs::create_dir(indexed.at("Maildir/.Bad")).unwrap();
    fs::write(indexed.at("Maildir/.Bad/cur"), "").unwrap();
    let mut chown = Command::new("chown");
    told(chown.args(["-R", "4001:4001"]).arg(indexed.at("Maildir")));
    let (code, out, err) = indexed.roostctl(&["export", "--to", "dovecot"]);
    assert_eq!(code, DATAERR, "{out}{err}");
    assert!(err.contains("alice: not taken along: Bad: "), "{err}");
    for name in ["-A", "INBOX"] {
        assert!(
            out.contains(&format!("alice: {name}: changes from")),
            "{out}"
        );
    }
}

/// A shell of root's reads it, the packaged service does not.
#[test]
fn files_of_others_are_told_before_it_is_too_late() {
    if !in_namespace("a passwd-file of another user") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| dir.path().join(name);
    let users = at("users");
    fs::write(&users, "ann:{PLAIN}p:4001:4001::/home/ann\n").unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "mail_location = maildir:~/Maildir\npassdb {{\n args = {0}\n driver = passwd-file\n}}\n\
         userdb {{\n args = {0}\n driver = passwd-file\n}}\nssl = no\n",
        users.display()
    );
    fs::write(at("doveconf"), text).unwrap();
    let said = |name: &str| {
        let mut import = roostctl();
        import
            .args(["import", "config", "--from"])
            .arg(at("doveconf"));
        let (imported, out, _) = told(import.arg("--output").arg(at(name)));
        let mut roostd = Command::new(executables().join("roostd"));
        let (checked, _, err) = told(roostd.arg("-t").arg("-c").arg(at(name)));
        assert_eq!(checked, OK, "{err}");
        let complaint = format!("cannot read {}", users.display());
        (imported, out.contains(&complaint), err.contains(&complaint))
    };
    assert_eq!(said("own.conf"), (OK, false, false));
    chown(&users, Some(4001), None).unwrap();
    assert_eq!(said("others.conf"), (DATAERR, true, true));
    fs::set_permissions(&users, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(said("group.conf"), (OK, false, false));
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
