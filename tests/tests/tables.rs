//! Every command of roostctl, once: those that print a table print it as JSON, too,
//! each row with the same names; the others print none.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::ctl::{IOERR, NOINPUT, UNAVAILABLE, USAGE};
use roost_tests::mail;
use roost_tests::process::{Finish, in_namespace};
use roost_tests::roost::{PASSWORD, Roost, Setup};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What prints a table, and how often its first column is there; without a
/// number, the table may be empty here.
const TABLES: &[(&str, &str, Option<usize>)] = &[
    ("check", "-u u", Some(1)),
    ("quota get", "u", Some(2)),
    ("quota recalc", "u", Some(2)),
    ("import check", "-u u", None),
    ("reindex", "-u u", Some(3)),
    ("mailbox list", "-u u", Some(3)),
    ("mailbox status", "-u u", Some(2)),
    ("search", "-u u ALL", Some(3)),
    ("fetch", "-u u ALL", Some(3)),
    ("flags add", "-u u -m INBOX $X ALL", Some(1)),
    ("flags remove", "-u u -m INBOX $X ALL", Some(1)),
    ("flags set", "-u u -m INBOX $Y ALL", Some(1)),
    ("move", "-u u -m INBOX Work UID 1", Some(1)),
    ("expunge", "-u u -m Work UID 1", Some(1)),
    ("user show", "u", Some(1)),
    ("user list", "", Some(2)),
    ("auth test", "u", Some(1)),
    ("config show", "", None),
    ("config check", "", Some(0)),
    ("who", "", Some(1)),
    ("alert list", "", Some(1)),
    ("trace", "", Some(1)),
    ("acl list", "-u u Work", Some(2)),
    ("acl rights", "-u u Work v", Some(1)),
    ("alias list", "-u u", Some(1)),
    ("class list", "-u u", Some(1)),
    ("lock list", "-u u", Some(1)),
];

/// What does something, and prints nothing or a number, in this order.
const DEEDS: &[(&str, &str, &str)] = &[
    ("mailbox create", "-u u Work Old Kept", ""),
    ("mailbox rename", "-u u Old New", ""),
    ("mailbox subscribe", "-u u New", ""),
    ("mailbox unsubscribe", "-u u New", ""),
    ("mailbox delete", "-u u New", ""),
    ("acl set", "-u u Work v lrs", ""),
    ("acl set", "-u u Work w lrs", ""),
    ("acl delete", "-u u Work w", ""),
    ("acl rebuild", "", ""),
    ("alias set", "-u u Ours Work", ""),
    ("alias set", "-u u Theirs Work", ""),
    ("alias delete", "-u u Theirs", ""),
    ("class set", "-u u Work IPF.Task", ""),
    ("class set", "-u u INBOX IPF.Note", ""),
    ("class delete", "-u u INBOX", ""),
    ("lock set", "-u u Work Kept", ""),
    ("lock delete", "-u u Work", ""),
    ("alert post", "--domain d.example hello", "1\n"),
    ("alert post", "hello", "2\n"),
    ("alert remove", "1", ""),
    ("kick", "v", ""),
];

/// What prints something else, or has tests of its own: a page of numbers, one
/// object, a file, a session, a screen; what needs a server that is stopped.
const OTHERS: [&str; 7] = [
    "stats",
    "config defaults",
    "tunnel",
    "top",
    "import config",
    "import keywords",
    "export",
];

/// Exit code, and what it prints.
fn told(roost: &Roost, name: &str, args: &str, json: bool) -> (i32, String) {
    let mut words: Vec<&str> = name.split(' ').collect();
    words.extend(args.split_whitespace());
    if json {
        words.push("--json");
    }
    // For the one that asks for a password.
    roost.roostctl().run_on(&words, &format!("{PASSWORD}\n"))
}

/// How many rows each of the texts has, whose names are all the same.
fn rows(texts: &[String]) -> Vec<usize> {
    const READ: &str = "import json, sys\n\
        for text in sys.argv[1:]:\n\
        \x20   rows = json.loads(text)\n\
        \x20   assert isinstance(rows, list), text\n\
        \x20   assert len({tuple(row) for row in rows}) < 2, text\n\
        \x20   print(len(rows))\n";
    let output = Command::new("python3")
        .args(["-c", READ])
        .args(texts)
        .finish()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let counts = String::from_utf8(output.stdout).unwrap();
    counts.lines().map(|line| line.parse().unwrap()).collect()
}

/// As the completion has them, which is compared with the program.
fn commands() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/completions/roostctl");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| {
        let (name, words) = line.trim().strip_prefix('\'')?.split_once("') echo '")?;
        // Those with commands of their own below them begin with these.
        words.starts_with('-').then(|| name.to_owned())
    });
    lines.collect()
}

#[test]
fn every_command_is_known_here() {
    let known: BTreeSet<String> = (TABLES.iter().map(|table| table.0))
        .chain(DEEDS.iter().map(|deed| deed.0))
        .chain(OTHERS)
        .map(str::to_owned)
        .collect();
    assert_eq!(known, commands());
}

#[test]
fn tables_are_json_too() {
    if !in_namespace("every command of roostctl") {
        return;
    }
    let limits = [("quota", "storage = 1M"), ("quota", "messages = 100")];
    let roost = Roost::alone(&Setup::of(&["u", "v"]).with(&limits));
    let (mut u, _v) = (roost.login("u"), roost.login("v"));
    for n in 1..=3 {
        assert!(u.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    for (name, args, wanted) in DEEDS {
        assert_eq!(
            told(&roost, name, args, false),
            (0, wanted.to_string()),
            "{name}"
        );
    }
    assert_eq!(told(&roost, "trace", "u on", false), (0, String::new()));
    // Something to be found.
    let size = roost.dir().join("homes/u/Maildir/maildirsize");
    fs::write(size, "0S\n12 1\n").unwrap();
    let mut all = Vec::new();
    for (name, args, _) in TABLES {
        let (_, json) = told(&roost, name, args, true);
        assert!(json.starts_with('['), "{name}: {json}");
        all.push(json);
        let (_, text) = told(&roost, name, args, false);
        assert!(!text.starts_with("[\n") && text != "[]\n", "{name}: {text}");
    }
    for (((name, _, wanted), json), found) in TABLES.iter().zip(&all).zip(rows(&all)) {
        assert!(wanted.is_none_or(|n| found == n), "{name}: {json}");
    }
    // A reader that has had enough is no error; a disk that is full is one.
    let output = |path: &str, words: &[&str]| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let output = roost
            .roostctl()
            .command()
            .args(words)
            .stdout(file)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap_or(-1), said)
    };
    for words in [&["config", "defaults"][..], &["user", "list"], &["stats"]] {
        let (code, said) = output("/dev/full", words);
        assert_eq!(code, IOERR, "{said}");
        assert!(said.starts_with("roostctl: standard output: "), "{said}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = roost
            .roostctl()
            .command()
            .args(words)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    for (name, args) in [
        ("config defaults", ""),
        ("tunnel", "-u u"),
        ("top", ""),
        ("fetch", "-u u --raw UID 2"),
    ] {
        let (code, text) = told(&roost, name, args, true);
        assert_eq!(code, USAGE, "{name}: {text}");
    }
    // Names of what is not there are told.
    for (name, args, said) in [
        ("move", "-u u -m INBOX None ALL", "None: "),
        ("mailbox rename", "-u u None New", "None: "),
        ("acl set", "-u u None v lr", "None: "),
        (
            "config show",
            "nonsense",
            "there is no section and no key nonsense",
        ),
        ("check", "", "there is no account root: "),
    ] {
        let (code, text) = told(&roost, name, args, false);
        assert!(code > 0 && text.contains(said), "{name}: {code} {text}");
    }
    assert_eq!(
        told(&roost, "alias set", "-u u Void ~nobody/Team", false).0,
        0
    );
    let (code, text) = told(&roost, "search", "-u u ALL", false);
    assert_eq!(code, 0, "nobody has named it: {text}");
    let (code, text) = told(&roost, "search", "-u u -m Void ALL", false);
    assert_eq!(code, NOINPUT, "{text}");
    let ctl = roost.roostctl();
    let _dir = roost.stop();
    let (code, json) = ctl.run(&["import", "keywords", "-u", "u", "--json"]);
    assert_eq!((code, json.as_str()), (0, "[]\n"));
    let (code, text) = ctl.run(&["search", "--all-users", "ALL"]);
    assert_eq!(code, UNAVAILABLE, "{text}");
    assert!(text.starts_with("roostctl: no server runs"), "{text}");
}
