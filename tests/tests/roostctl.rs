//! `roostctl check` and `reindex`: on Maildirs that nobody serves, and beside
//! sessions that have their mailboxes open.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::ctl::{DATAERR, IOERR, NOINPUT, NOPERM, NOUSER, OK, Roostctl, USAGE};
use roost_tests::mail;
use roost_tests::process::{in_namespace, is_root};
use roost_tests::roost::{Roost, Setup, folder};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

struct Site {
    dir: tempfile::TempDir,
    setup: Setup,
}

impl Site {
    fn new() -> Self {
        Self {
            dir: folder(),
            setup: Setup::of(&["u", "v"]),
        }
    }

    fn start(&self) -> Roost {
        Roost::start(self.dir.path(), &self.setup).unwrap()
    }

    fn maildir(&self) -> PathBuf {
        self.dir.path().join("homes/u/Maildir")
    }

    fn ctl(&self, args: &[&str]) -> (i32, String) {
        self.roostctl().run(&[&["-u", "u"], args].concat())
    }

    fn roostctl(&self) -> Roostctl {
        Roostctl::of(self.dir.path())
    }

    /// With five messages and a keyword, and a mailbox `Work` with one.
    fn furnish(&self) -> Vec<String> {
        let roost = self.start();
        let mut client = roost.login("u");
        for n in 1..=5 {
            assert!(client.append("INBOX", "", &mail::small(n)).unwrap().ok());
        }
        client.ok("CREATE Work").unwrap();
        assert!(client.append("Work", "", &mail::small(6)).unwrap().ok());
        client.ok("SELECT INBOX").unwrap();
        client.ok("STORE 2 +FLAGS (Alpha \\Flagged)").unwrap();
        let seen = state(&mut client);
        drop(client);
        roost.stop();
        seen
    }

    /// What a client sees after the server was started anew.
    fn seen(&self) -> Vec<String> {
        let roost = self.start();
        let mut client = roost.login("u");
        client.ok("SELECT INBOX").unwrap();
        let seen = state(&mut client);
        drop(client);
        roost.stop();
        seen
    }
}

/// UIDs and flags of the selected mailbox.
fn state(client: &mut Client) -> Vec<String> {
    let answer = client.ok("UID FETCH 1:* (UID FLAGS)").unwrap();
    let lines = answer
        .lines()
        .map(|l| l.replace(" \\Recent", "").replace("\\Recent", ""));
    lines.collect()
}

fn files(dir: &Path, part: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let paths = entries.map(|e| e.unwrap().path());
    paths
        .filter(|p| p.file_name().unwrap().to_string_lossy().contains(part))
        .collect()
}

#[test]
fn what_is_in_order_has_no_findings() {
    let site = Site::new();
    let seen = site.furnish();
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    assert_eq!(site.ctl(&["check", "--json"]), (OK, "[]\n".into()));
    assert_eq!(site.ctl(&["check", "Work"]), (OK, String::new()));
    let (code, text) = site.ctl(&["check", "None"]);
    assert_eq!(code, NOINPUT, "{text}");
    let missing = site.dir.path().join("nowhere");
    let missing = missing.to_str().unwrap();
    let (code, text) = site.roostctl().run(&["check", "--maildir", missing]);
    assert_eq!(code, NOINPUT, "{text}");
    let maildir = site.maildir();
    let alone = ["check", "--maildir", maildir.to_str().unwrap()];
    assert_eq!(site.roostctl().run(&alone), (OK, String::new()));
    let (code, text) = site.roostctl().run(&["check", "-u", "no such"]);
    assert_eq!(code, NOUSER, "{text}");
    assert_eq!(site.seen(), seen);
}

#[test]
fn a_damaged_list_is_found_and_mended() {
    let site = Site::new();
    let seen = site.furnish();
    let list = site.maildir().join("dovecot-uidlist");
    let mut damaged = fs::read(&list).unwrap();
    let at = damaged.iter().position(|&b| b == b'\n').unwrap() + 1;
    damaged.splice(at..at, *b"\0garbage\n");
    fs::write(&list, &damaged).unwrap();
    let (code, text) = site.ctl(&["check"]);
    assert_eq!(code, DATAERR, "{text}");
    assert!(text.contains("INBOX: dovecot-uidlist: damaged"), "{text}");
    assert_eq!(fs::read(&list).unwrap(), damaged, "looking changes nothing");
    let (code, text) = site.ctl(&["check", "--fix", "--json", "INBOX"]);
    assert_eq!(code, OK, "{text}");
    assert!(text.contains("\"file\": \"dovecot-uidlist\""), "{text}");
    assert!(text.contains("\"mended\": true"), "{text}");
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    let aside = files(&site.maildir(), "dovecot-uidlist.");
    let kept = aside.iter().any(|path| fs::read(path).unwrap() == damaged);
    assert!(kept, "nothing is set aside: {aside:?}");
    assert_eq!(site.seen(), seen);
}

#[test]
fn missing_sidecars_are_told() {
    let site = Site::new();
    site.furnish();
    fs::remove_file(site.maildir().join("dovecot-keywords")).unwrap();
    let (code, text) = site.ctl(&["check"]);
    assert_eq!(code, DATAERR, "{text}");
    assert!(text.contains("dovecot-keywords: letter a, on 1 messages, has no name"));
    fs::write(site.maildir().join("dovecot-keywords"), "0 Alpha\n").unwrap();
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    fs::remove_file(site.maildir().join("dovecot-uidlist")).unwrap();
    let (code, text) = site.ctl(&["check"]);
    assert_eq!(code, DATAERR, "{text}");
    assert!(text.contains("INBOX: dovecot-uidlist: missing"), "{text}");
    let (code, text) = site.ctl(&["check", "--fix"]);
    assert_eq!(code, OK, "{text}");
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    assert_eq!(site.seen().len(), 5, "all messages are there");
}

#[test]
fn a_wrong_quota_file_is_set_aside() {
    let site = Site::new();
    site.furnish();
    let file = site.maildir().join("maildirsize");
    fs::write(&file, "0S\n12 1\n").unwrap();
    let (code, text) = site.ctl(&["check"]);
    assert_eq!(code, DATAERR, "{text}");
    assert!(
        text.starts_with("(account): maildirsize: says 12 octets"),
        "{text}"
    );
    let (code, text) = site.ctl(&["check", "--fix"]);
    assert_eq!(code, OK, "{text}");
    assert!(!file.exists());
    assert_eq!(files(&site.maildir(), "maildirsize.").len(), 1);
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
}

#[test]
fn quotas_are_told_and_counted_anew() {
    let mut site = Site::new();
    site.setup.settings = vec![
        ("quota", "storage = 20K".into()),
        ("quota", "messages = 12".into()),
    ];
    site.furnish();
    let row = |name, used: u64, limit: u64| {
        let percent = used * 100 / limit;
        format!(
            "{{\"resource\": \"{name}\", \"used\": {used}, \"limit\": {limit}, \
             \"percent\": {percent}}}"
        )
    };
    let folders = ["cur", "new", ".Work/cur", ".Work/new"];
    let messages = folders.map(|folder| files(&site.maildir().join(folder), ""));
    let sizes = messages
        .iter()
        .flatten()
        .map(|path| path.metadata().unwrap().len());
    let octets: u64 = sizes.sum();
    assert!(octets > 0);
    let storage = row("STORAGE", octets.div_ceil(1024), 20);
    let table = format!("[\n{storage},\n{}\n]\n", row("MESSAGE", 6, 12));
    assert_eq!(site.ctl(&["quota", "get", "--json"]), (OK, table.clone()));
    // What another program has delivered and told nobody.
    let message = site.maildir().join("new/1700000000.M1P1.elsewhere");
    fs::write(&message, mail::small(7)).unwrap();
    assert_eq!(site.ctl(&["quota", "get", "--json"]), (OK, table));
    let (code, text) = site.ctl(&["quota", "recalc", "--json"]);
    assert_eq!(code, OK, "{text}");
    assert!(text.contains(&row("MESSAGE", 7, 12)), "{text}");
    let (code, text) = site.ctl(&["quota", "get"]);
    assert!(
        text.ends_with("\nMESSAGE 7 of 12 (58 %)\n"),
        "{code} {text}"
    );
    let both = site.ctl(&["quota", "get", "v"]);
    assert_eq!(both.0, USAGE, "{both:?}");
}

#[test]
fn others_mail_is_nobodys_business() {
    if !is_root() {
        eprintln!("left out (roostctl for others): needs root");
        return;
    }
    let site = Site::new();
    site.furnish();
    let _roost = site.start();
    // Open to everybody, to come as far as the question whose it is.
    let open = |path: &str, mode| {
        let path = site.dir.path().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open("passwd", 0o644);
    for folder in ["homes", "homes/u", "homes/u/Maildir", "homes/u/Maildir/cur"] {
        open(folder, 0o755);
    }
    let (code, text) = site.roostctl().by(65534).run(&["check", "-u", "u"]);
    assert_eq!(code, NOPERM, "{text}");
}

/// Of a user of the host.
fn make_maildir(user: &str, uid: u32) {
    for folder in ["", "cur", "new", "tmp"] {
        let folder = Path::new("/home").join(user).join("Maildir").join(folder);
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(uid), Some(uid)).unwrap();
    }
}

#[test]
fn a_closed_account_file_does_not_keep_from_ones_own_mail() {
    if !in_namespace("roostctl of an ordinary user") {
        return;
    }
    let mut site = Site::new();
    site.setup.users.clear();
    let _roost = site.start();
    make_maildir("alice", 4001);
    let passwd = site.dir.path().join("passwd");
    fs::set_permissions(passwd, fs::Permissions::from_mode(0o600)).unwrap();
    let as_alice = |args: &[&str]| site.roostctl().by(4001).run(args);
    let (code, text) = as_alice(&["check", "INBOX"]);
    assert!(
        text.contains("passwd is closed to you: taking your Unix"),
        "{text}"
    );
    assert!([OK, DATAERR].contains(&code), "{code} {text}");
    let (code, text) = as_alice(&["check", "-u", "bob"]);
    assert_eq!(code, NOPERM, "{text}");
}

fn highest_modseq(client: &mut Client) -> u64 {
    let answer = client.ok("STATUS INBOX (HIGHESTMODSEQ)").unwrap();
    let text: String = answer.lines().collect();
    let (_, rest) = text.split_once("HIGHESTMODSEQ ").expect("HIGHESTMODSEQ");
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}

#[test]
fn an_index_is_built_anew_beside_a_session() {
    let site = Site::new();
    let seen = site.furnish();
    let roost = site.start();
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    client.ok("FETCH 1:* (ENVELOPE)").unwrap();
    let before = highest_modseq(&mut client);
    let (code, text) = site.ctl(&["reindex"]);
    assert_eq!(
        (code, text.as_str()),
        (OK, "INBOX: 5 messages\nWork: 1 messages\n")
    );
    assert_eq!(state(&mut client), seen);
    assert!(highest_modseq(&mut client) >= before);
    let answer = client.ok("STORE 3 +FLAGS (Beta)").unwrap();
    assert!(answer.lines().any(|l| l.contains("Beta")), "{answer:?}");
    assert!(highest_modseq(&mut client) > before);
    assert!(client.append("INBOX", "", &mail::small(7)).unwrap().ok());
    client.ok("FETCH 1:* (ENVELOPE)").unwrap();
    let (code, text) = site.ctl(&["reindex", "--json", "INBOX"]);
    let table = "[\n{\"mailbox\": \"INBOX\", \"messages\": 6}\n]\n";
    assert_eq!((code, text.as_str()), (OK, table));
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    let now = state(&mut client);
    let highest = highest_modseq(&mut client);
    drop(client);
    roost.stop();
    assert_eq!(site.ctl(&["reindex"]).0, OK);
    assert_eq!(site.seen(), now);
    let roost = site.start();
    assert!(highest_modseq(&mut roost.login("u")) >= highest);
}

#[test]
fn what_disagrees_is_found_beside_a_session() {
    let site = Site::new();
    site.furnish();
    let roost = site.start();
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    let file = site.maildir().join("maildirsize");
    fs::write(&file, "0S\n12 1\n").unwrap();
    let (code, text) = site.ctl(&["check"]);
    assert_eq!(code, DATAERR, "{text}");
    assert!(text.contains("maildirsize"), "{text}");
    let (code, text) = site.ctl(&["check", "None"]);
    assert_eq!(code, NOINPUT, "{text}");
    client.ok("NOOP").unwrap();
}

/// Turns one octet of each file over, in its middle.
fn flip(files: &[PathBuf]) {
    for path in files {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        // In place: who has the file open sees it, too.
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    }
}

#[test]
fn an_index_with_flipped_bytes_is_found_and_mended() {
    let site = Site::new();
    let seen = site.furnish();
    let snapshots = files(&site.maildir().join("roost-index"), ".index");
    assert_eq!(snapshots.len(), 2, "{snapshots:?}");
    flip(&snapshots);
    let (code, text) = site.ctl(&["check"]);
    assert_eq!(code, DATAERR, "{text}");
    assert!(text.contains("INBOX: index: damaged"), "{text}");
    assert!(text.contains("Work: index: damaged"), "{text}");
    let (code, text) = site.ctl(&["check", "--fix", "Work"]);
    assert_eq!(
        (code, text.as_str()),
        (OK, "Work: index: damaged [mended]\n")
    );
    let (code, text) = site.ctl(&["check"]);
    assert_eq!((code, text.as_str()), (DATAERR, "INBOX: index: damaged\n"));
    assert_eq!(site.ctl(&["reindex", "INBOX"]).0, OK);
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    assert_eq!(site.seen(), seen);
}

#[test]
fn an_index_is_mended_beside_a_session() {
    let site = Site::new();
    let seen = site.furnish();
    let roost = site.start();
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    assert_eq!(site.ctl(&["check"]), (OK, String::new()));
    flip(&files(&site.maildir().join("roost-index"), ".index"));
    let (code, text) = site.ctl(&["check", "INBOX"]);
    assert_eq!((code, text.as_str()), (DATAERR, "INBOX: index: damaged\n"));
    let (code, text) = site.ctl(&["check", "--fix", "INBOX"]);
    assert_eq!(
        (code, text.as_str()),
        (OK, "INBOX: index: damaged [mended]\n")
    );
    assert_eq!(site.ctl(&["check", "INBOX"]), (OK, String::new()));
    assert_eq!(state(&mut client), seen);
    drop(client);
    roost.stop();
    assert_eq!(site.seen(), seen);
}

#[test]
fn aliases_classes_and_locks_are_told_and_changed() {
    if !in_namespace("roostctl alias, class and lock") {
        return;
    }
    let site = Site::new();
    drop(site.furnish());
    // By itself, then through the server's worker.
    assert_eq!(site.ctl(&["class", "set", "Work", "IPF.Task"]).0, OK);
    let roost = site.start();
    let mut client = roost.login("u");
    client.ok("SELECT Work").unwrap();
    let listed = client.ok("LIST (CLASS) \"\" Work").unwrap();
    let line = "* LIST (\\HasNoChildren CLASS(\"IPF.Task\")) \"/\" Work";
    assert_eq!(listed.lines().collect::<Vec<_>>(), [line]);
    let listed = site.ctl(&["class", "list", "--json"]);
    let row = "[\n{\"mailbox\": \"Work\", \"class\": \"IPF.Task\"}\n]\n";
    assert_eq!(listed, (OK, row.into()));
    assert_eq!(site.ctl(&["class", "delete", "Work"]).0, OK);
    assert_eq!(site.ctl(&["class", "list"]), (OK, String::new()));
    assert_eq!(site.ctl(&["class", "set", "None", "IPF.Task"]).0, NOINPUT);

    assert_eq!(site.ctl(&["alias", "set", "Jobs", "Work"]).0, OK);
    assert_eq!(site.ctl(&["alias", "list"]), (OK, "Jobs: Work\n".into()));
    let status = client.ok("STATUS Jobs (MESSAGES)").unwrap();
    assert_eq!(
        status.lines().collect::<Vec<_>>(),
        ["* STATUS Jobs (MESSAGES 1)"]
    );
    assert_ne!(site.ctl(&["alias", "set", "Work", "INBOX"]).0, OK);
    assert_eq!(site.ctl(&["alias", "delete", "Jobs"]).0, OK);
    assert_eq!(site.ctl(&["alias", "delete", "Jobs"]).0, NOINPUT);

    client.ok("STORE 1 +FLAGS (\\Seen)").unwrap();
    assert_eq!(site.ctl(&["lock", "set", "Work"]).0, OK);
    assert_eq!(site.ctl(&["lock", "list"]), (OK, "Work\n".into()));
    // The session that has it open cannot change it any more.
    let refused = client.command("STORE 1 -FLAGS (\\Seen)").unwrap();
    assert!(refused.tagged.starts_with("NO"), "{}", refused.tagged);
    let selected = client.ok("SELECT Work").unwrap().tagged;
    assert!(selected.starts_with("OK [READ-ONLY]"), "{selected}");
    assert_eq!(site.ctl(&["lock", "delete", "Work"]).0, OK);
    let selected = client.ok("SELECT Work").unwrap().tagged;
    assert!(selected.starts_with("OK [READ-WRITE]"), "{selected}");
}

#[test]
fn rights_are_told_and_changed() {
    if !in_namespace("roostctl acl") {
        return;
    }
    let site = Site::new();
    drop(site.furnish());
    // By itself, then through the server's worker.
    assert_eq!(site.ctl(&["acl", "set", "Work", "v", "l"]).0, OK);
    let roost = site.start();
    // The server hears of what is done beside it.
    assert_eq!(site.ctl(&["acl", "delete", "Work", "v"]).0, OK);
    assert_eq!(site.ctl(&["acl", "set", "Work", "v", "lrs"]).0, OK);
    let mut other = roost.login("v");
    let listed = other.ok("LIST \"\" ~%").unwrap();
    assert!(listed.lines().any(|line| line.ends_with("\"/\" ~u")));
    drop(other);
    let mut client = roost.login("u");
    client.ok("SELECT INBOX").unwrap();
    assert_eq!(site.ctl(&["acl", "set", "Work", "-v", "s"]).0, OK);
    assert_eq!(site.ctl(&["acl", "set", "Work", "#staff", "+lr"]).0, OK);
    let answer = client.ok("GETACL Work").unwrap();
    let lines: Vec<String> = answer.lines().collect();
    assert_eq!(lines, ["* ACL Work u lrwstipekxacd #staff lr v lrs -v s"]);
    let rows = |identifiers: &[(&str, &str)]| {
        let row = |(id, rights)| {
            format!("{{\"mailbox\": \"Work\", \"identifier\": \"{id}\", \"rights\": \"{rights}\"}}")
        };
        let rows: Vec<String> = identifiers.iter().copied().map(row).collect();
        format!("[\n{}\n]\n", rows.join(",\n"))
    };
    let all = [
        ("u", "lrwstipekxa"),
        ("#staff", "lr"),
        ("v", "lrs"),
        ("-v", "s"),
    ];
    let listed = site.ctl(&["acl", "list", "Work", "--json"]);
    assert_eq!(listed, (OK, rows(&all)));
    let may = |args: &[&str]| site.ctl(&[&["acl", "rights", "Work"], args].concat());
    assert_eq!(may(&["v"]), (OK, "Work: v lr\n".into()));
    assert_eq!(may(&["u"]), (OK, "Work: u lrwstipekxa\n".into()));
    let (code, text) = may(&["w", "--group", "staff", "--json"]);
    assert_eq!((code, text), (OK, rows(&[("w", "lr")])));
    assert_eq!(may(&["w"]), (OK, "Work: w \"\"\n".into()));
    assert_eq!(site.ctl(&["acl", "delete", "Work", "-v"]).0, OK);
    assert_eq!(may(&["v"]), (OK, "Work: v lrs\n".into()));
    assert_eq!(site.ctl(&["acl", "set", "None", "v", "l"]).0, NOINPUT);
    assert_eq!(site.ctl(&["acl", "set", "Work", "v", "lQ"]).0, USAGE);
    assert_eq!(site.ctl(&["acl", "set", "Work", "a=b", "l"]).0, IOERR);
    assert_eq!(site.ctl(&["acl", "shares"]).1, "#staff\nv\n");
    // Who shares with whom, made anew.
    assert_eq!(
        site.roostctl().run(&["acl", "rebuild"]),
        (OK, String::new())
    );
    drop(client);
    roost.stop();
    assert_eq!(site.ctl(&["acl", "set", "Work", "a=b", "l"]).0, USAGE);
}

#[test]
fn what_a_user_shares_by_himself_others_find() {
    if !in_namespace("roostctl acl of an ordinary user") {
        return;
    }
    let mut site = Site::new();
    site.setup = Setup::pam().with(&[("server", "default_domain = example.org")]);
    let roost = site.start();
    // No session has carol's mail open.
    make_maildir("carol", 4003);
    let as_carol = |args: &[&str]| site.roostctl().by(4003).run(args);
    let given = as_carol(&["acl", "set", "INBOX", "bob@Example.org", "lr"]);
    assert_eq!(given, (OK, String::new()));
    let mut bob = roost.login("bob");
    let shares = |bob: &mut Client| {
        let listed = bob.ok("LIST \"\" ~%").unwrap();
        listed.lines().any(|line| line.ends_with("\"/\" ~carol"))
    };
    assert!(shares(&mut bob));
    bob.ok("EXAMINE ~carol/INBOX").unwrap();
    // With the domain or without, it is one name.
    let mut carol = roost.login("carol");
    let mut rights = || {
        let answer = carol.ok("GETACL INBOX").unwrap();
        answer.lines().collect::<String>()
    };
    assert_eq!(rights(), "* ACL INBOX carol lrwstipekxacd bob lr");
    for (change, left) in [
        ("SETACL INBOX bob@example.org +s", " bob lrs"),
        (
            "SETACL INBOX bob@away.example l",
            " bob lrs bob@away.example l",
        ),
        ("DELETEACL INBOX BOB@example.org", " bob@away.example l"),
        ("DELETEACL INBOX bob@away.example", ""),
    ] {
        roost.login("carol").ok(change).unwrap();
        assert_eq!(rights(), format!("* ACL INBOX carol lrwstipekxacd{left}"));
    }
    let refused = roost
        .login("bob")
        .command("EXAMINE ~carol/INBOX")
        .unwrap()
        .tagged;
    assert!(refused.starts_with("NO [NONEXISTENT]"), "{refused}");
}
