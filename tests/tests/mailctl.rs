//! roostctl's commands on mailboxes and messages, beside other sessions.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::ctl::{CANTCREAT, CONFIG, NOINPUT, NOPERM, NOUSER, USAGE};
use roost_tests::mail;
use roost_tests::process::is_root;
use roost_tests::roost::{Roost, Setup};
use std::fs;

struct Site {
    roost: Roost,
}

impl Site {
    fn new(settings: &[(&'static str, &str)]) -> Self {
        Self {
            roost: Roost::alone(&Setup::of(&["u", "v", "w"]).with(settings)),
        }
    }

    fn login(&self, user: &str) -> Client {
        self.roost.login(user)
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        self.roost.ctl(args)
    }

    fn u(&self, args: &[&str]) -> (i32, String) {
        self.run(&[&["-u", "u"], args].concat())
    }

    /// What a command prints that must work.
    fn said(&self, args: &[&str]) -> String {
        let (code, text) = self.u(args);
        assert_eq!(code, 0, "{args:?}: {text}");
        text
    }
}

#[test]
fn mailboxes_are_made_told_and_deleted() {
    let site = Site::new(&[("mail", "initial_subscriptions = INBOX")]);
    let mut client = site.login("u");
    assert_eq!(site.said(&["mailbox", "create", "Work/2024", "Käse"]), "");
    let (code, text) = site.u(&["mailbox", "create", "Work/2024"]);
    assert_eq!(code, CANTCREAT, "{text}");
    assert!(text.starts_with("roostctl: Work/2024: "), "{text}");
    assert_eq!(site.said(&["mailbox", "subscribe", "Work/2024"]), "");
    assert_eq!(site.said(&["mailbox", "rename", "Work", "Jobs"]), "");
    let listed = site.said(&["mailbox", "list", "Jobs/%", "K*"]);
    assert_eq!(listed, "Jobs/2024\nKäse\n");
    let json = site.said(&["mailbox", "list", "--json", "--subscribed"]);
    let row = "\"selectable\": true, \"subscribed\": true, \"special_use\": \"\"}";
    assert!(json.contains(row), "{json}");
    assert_eq!(site.said(&["mailbox", "unsubscribe", "Work/2024"]), "");
    for n in 1..=3 {
        assert!(client.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 1 +FLAGS (\\Seen)").unwrap();
    let status = site.said(&["mailbox", "status", "INBOX"]);
    assert!(
        status.starts_with("INBOX\tmessages=3\tunseen=2\tuidnext=4\tuidvalidity="),
        "{status}"
    );
    let json = site.said(&["mailbox", "status", "--json"]);
    assert!(
        json.contains("{\"mailbox\": \"INBOX\", \"messages\": 3, \"unseen\": 2"),
        "{json}"
    );
    assert_eq!(json.matches("\"mailbox\"").count(), 3, "{json}");
    assert_eq!(site.said(&["mailbox", "delete", "Jobs/2024", "Käse"]), "");
    for command in ["delete", "create"] {
        let (code, text) = site.u(&["mailbox", command, "Bad\nName"]);
        assert_eq!(code, USAGE, "{text}");
    }
    for args in [
        &["mailbox", "delete", "Käse"][..],
        &["mailbox", "status", "Käse"],
    ] {
        let (code, text) = site.u(args);
        assert_eq!(code, NOINPUT, "{text}");
    }
}

#[test]
fn messages_are_found_and_printed() {
    let site = Site::new(&[]);
    let mut client = site.login("u");
    client.ok("CREATE Work").unwrap();
    for n in 1..=3 {
        assert!(client.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    let odd = "From: Bo <bo@x.example>\r\nSubject: =?utf-8?q?K=C3=A4se?= \"a b\"\r\n\
               Message-ID: <1@x.example>\r\n\r\nKäse\r\n";
    assert!(
        client
            .append("Work", "(\\Flagged $X)", odd.as_bytes())
            .unwrap()
            .ok()
    );
    assert_eq!(
        site.said(&["search", "ALL"]),
        "INBOX\t1\nINBOX\t2\nINBOX\t3\nWork\t1\n"
    );
    assert_eq!(
        site.said(&["search", "-m", "INBOX", "UID", "2:3"]),
        "INBOX\t2\nINBOX\t3\n"
    );
    assert_eq!(
        site.said(&["search", "SUBJECT", "käse \"A b\""]),
        "Work\t1\n"
    );
    assert_eq!(site.said(&["search", "NOT FROM bo FLAGGED"]), "");
    let json = site.said(&["search", "--json", "KEYWORD", "$X"]);
    assert_eq!(json, "[\n{\"mailbox\": \"Work\", \"uid\": 1}\n]\n");
    let json = site.said(&[
        "fetch",
        "--json",
        "-f",
        "uid,flags,size,from,subject,message-id,preview",
        "FLAGGED",
    ]);
    let wanted = format!(
        "[\n{{\"uid\": 1, \"flags\": \"\\\\Flagged $X\", \"size\": {}, \
         \"from\": \"Bo <bo@x.example>\", \"subject\": \"Käse \\\"a b\\\"\", \
         \"message-id\": \"<1@x.example>\", \"preview\": \"Käse\"}}\n]\n",
        odd.len()
    );
    assert_eq!(json, wanted);
    let table = site.said(&["fetch", "-m", "INBOX", "ALL"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("INBOX\t1\t"), "{table}");
    assert_eq!(site.said(&["fetch", "--raw", "FROM bo"]), odd);
    // It was looked at only.
    assert_eq!(site.said(&["search", "SEEN"]), "");
    let (code, text) = site.u(&["fetch", "--raw", "ALL"]);
    assert_eq!(
        (code, text.as_str()),
        (USAGE, "roostctl: 4 messages match; --raw prints one\n")
    );
    for (args, wanted) in [
        (&["search", "FROBNICATE"][..], USAGE),
        (&["search", "-m", "Work", "TEXT {5+}"], USAGE),
        (&["search", "-m", "None", "ALL"], NOINPUT),
        (&["expunge", "ALL"], USAGE),
        (&["fetch", "--raw", "SEEN"], NOINPUT),
    ] {
        let (code, text) = site.u(args);
        assert_eq!(code, wanted, "{args:?}: {text}");
    }
}

#[test]
fn messages_are_changed_beside_a_session() {
    let site = Site::new(&[("quota", "storage = 10M")]);
    let mut client = site.login("u");
    client.ok("CREATE Trash").unwrap();
    for n in 1..=6 {
        let date = if n < 4 {
            "\"01-Jan-2020 00:00:00 +0000\""
        } else {
            ""
        };
        assert!(client.append("INBOX", date, &mail::small(n)).unwrap().ok());
    }
    client.ok("SELECT INBOX").unwrap();
    client.ok("STORE 6 +FLAGS.SILENT (\\Deleted)").unwrap();
    let said = site.said(&["flags", "add", "-m", "INBOX", "\\Seen,$X", "UID 1:2"]);
    assert_eq!(said, "INBOX\t2\n");
    let news = client.ok("NOOP").unwrap();
    let changed = news
        .lines()
        .filter(|l| l.contains(" FETCH ") && l.contains("$X"))
        .count();
    assert_eq!(changed, 2, "{news:?}");
    assert_eq!(
        site.said(&["flags", "remove", "-m", "INBOX", "\\Seen", "UID", "1"]),
        "INBOX\t1\n"
    );
    assert_eq!(site.said(&["search", "SEEN"]), "INBOX\t2\n");
    assert_eq!(
        site.said(&["flags", "set", "-m", "INBOX", "$Y", "UID 2"]),
        "INBOX\t1\n"
    );
    assert_eq!(site.said(&["search", "KEYWORD $X"]), "INBOX\t1\n");
    assert_eq!(
        site.said(&["move", "-m", "INBOX", "Trash", "BEFORE", "1-Feb-2020"]),
        "INBOX\t3\n"
    );
    let gone = client.ok("NOOP").unwrap();
    assert_eq!(
        gone.lines().filter(|l| l.ends_with(" EXPUNGE")).count(),
        3,
        "{gone:?}"
    );
    let (code, text) = site.u(&["move", "-m", "INBOX", "None", "ALL"]);
    assert_eq!(code, NOINPUT, "{text}");

    let dry = site.said(&[
        "expunge",
        "--dry-run",
        "--json",
        "-m",
        "*",
        "BEFORE 1-Feb-2020",
    ]);
    assert_eq!(dry, "[\n{\"mailbox\": \"Trash\", \"messages\": 3}\n]\n");
    assert_eq!(site.said(&["search", "-m", "Trash", "DELETED"]), "");
    assert_eq!(
        site.said(&["expunge", "-m", "Trash", "UID 1:2"]),
        "Trash\t2\n"
    );
    // What somebody else has marked stays, here as everywhere.
    assert_eq!(
        site.said(&["expunge", "-m", "INBOX", "UID 4"]),
        "INBOX\t1\n"
    );
    assert_eq!(
        site.said(&["search", "ALL"]),
        "INBOX\t5\nINBOX\t6\nTrash\t3\n"
    );
    assert_eq!(site.said(&["search", "DELETED"]), "INBOX\t6\n");
    assert_eq!(site.said(&["expunge", "-m", "INBOX", "UID 4"]), "");
    for keys in [&["FROM", ""][..], &["1"], &["SEEN", "1:*"]] {
        let (code, text) = site.u(&[&["expunge", "-m", "INBOX"], keys].concat());
        assert_eq!(code, USAGE, "{text}");
    }
    // A name that is a pattern as well.
    client.ok("CREATE \"T%\"").unwrap();
    client.ok("CREATE Tx").unwrap();
    for mailbox in ["\"T%\"", "Tx"] {
        assert!(client.append(mailbox, "", &mail::small(9)).unwrap().ok());
    }
    let exact = ["expunge", "--exact", "-m", "T%", "ALL"];
    assert_eq!(site.said(&exact), "T%\t1\n");
    let (code, text) = site.u(&["search", "--exact", "-m", "T*", "ALL"]);
    assert_eq!(code, NOINPUT, "{text}");
    assert_eq!(site.said(&["search", "-m", "T%", "UID 1"]), "Tx\t1\n");
    let used = site.said(&["quota", "get"]);
    assert_eq!(site.said(&["quota", "recalc"]), used);
    assert_eq!(site.said(&["check"]), "");
}

#[test]
fn names_are_the_same_with_any_separator() {
    let site = Site::new(&[("mail", "separator = ."), ("mail", "prefix = INBOX.")]);
    site.said(&["mailbox", "create", "Work/2024"]);
    let mut client = site.login("u");
    assert!(
        client
            .append("INBOX.Work.2024", "", &mail::small(1))
            .unwrap()
            .ok()
    );
    assert!(client.append("INBOX", "", &mail::small(2)).unwrap().ok());
    assert_eq!(site.said(&["search", "ALL"]), "INBOX\t1\nWork/2024\t1\n");
    let moved = site.said(&["move", "-m", "Work/*", "INBOX", "ALL"]);
    assert_eq!(moved, "Work/2024\t1\n");
    assert_eq!(
        site.said(&["search", "-m", "INBOX", "ALL"]),
        "INBOX\t1\nINBOX\t2\n"
    );
}

#[test]
fn accounts_and_the_configuration_are_shown() {
    let site = Site::new(&[("quota", "storage = 10M")]);
    let _connected = site.login("u");
    let shown = site.run(&["user", "show", "u"]).1;
    let home = site.roost.dir().join("homes/u");
    let home = home.display();
    for line in [
        "account\tu\n".to_owned(),
        format!("\nhome\t{home}\nmaildir\t{home}/Maildir\nmail\tyes\nindex_dir\t-\n"),
        "\nquota_storage\t10485760\nquota_messages\t-\n".to_owned(),
        "\nconnections\t1\n".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line}: {shown}");
    }
    let json = site.run(&["user", "show", "--json", "-u", "w"]).1;
    assert!(
        json.starts_with("[\n{\"account\": \"w\", \"uid\": "),
        "{json}"
    );
    assert!(
        json.contains("\"mail\": false") && json.contains("\"connections\": 0}"),
        "{json}"
    );
    let (code, text) = site.run(&["user", "show", "nobody-here"]);
    assert_eq!(code, NOUSER, "{text}");
    let json = site.run(&["user", "list", "--json"]).1;
    assert_eq!(json.matches("\"account\"").count(), 3, "{json}");
    let list = site.run(&["user", "list"]).1;
    assert!(
        list.contains(&format!("\t{home}/Maildir\tmail\n")),
        "{list}"
    );

    let config = site.roost.dir().join("roost.conf");
    let text = fs::read_to_string(&config).unwrap();
    let line = text.lines().position(|l| l == "storage = 10M").unwrap() + 1;
    let shown = site.run(&["config", "show", "quota"]).1;
    let set = format!(
        "[quota]\nstorage = 10M    # {}:{line}\nmessages = 0\n",
        config.display()
    );
    assert!(shown.starts_with(&set), "{shown}");
    let json = site
        .run(&["config", "show", "--set", "--json", "storage"])
        .1;
    let row = format!(
        "[\n{{\"section\": \"quota\", \"key\": \"storage\", \"value\": \"10M\", \
         \"file\": \"{}\", \"line\": {line}}}\n]\n",
        config.display()
    );
    assert_eq!(json, row);
    assert_eq!(site.run(&["config", "check"]), (0, String::new()));
    assert_eq!(site.run(&["config", "check", "--json"]), (0, "[]\n".into()));
    // What roostd alone finds: a certificate that is not there.
    let broken = text.replace(
        "[tls]\n",
        "[tls]\ncertificate = /nowhere.pem\nkey = /nowhere.pem\n",
    );
    fs::write(&config, &broken).unwrap();
    let (code, said) = site.run(&["config", "check"]);
    assert_eq!(code, CONFIG, "{said}");
    assert!(said.contains("/nowhere.pem"), "{said}");
    fs::write(&config, format!("{text}[mail]\nfsync = perhaps\n")).unwrap();
    let (code, said) = site.run(&["config", "check", "--json"]);
    assert_eq!(code, CONFIG, "{said}");
    let line = text.lines().count() + 2;
    assert!(
        said.contains(&format!("\"line\": {line}, \"problem\": \"fsync: ")),
        "{said}"
    );
    let (code, said) = site.run(&["config", "show"]);
    assert_eq!(code, CONFIG, "{said}");
    let (code, sample) = site.run(&["config", "defaults"]);
    assert_eq!(code, 0);
    assert!(
        sample.contains("\n[mail]\n") && sample.contains("\nfsync = optimized\n"),
        "{sample}"
    );
}

#[test]
fn all_accounts_are_worked_on_in_turn() {
    if !is_root() {
        eprintln!("left out (roostctl --all-users): needs root");
        return;
    }
    let site = Site::new(&[]);
    for user in ["u", "v"] {
        let mut client = site.login(user);
        client.ok("CREATE Trash").unwrap();
        for n in 1..=2 {
            assert!(client.append("Trash", "", &mail::small(n)).unwrap().ok());
        }
    }
    let mut v = site.login("v");
    v.ok("CREATE Keep").unwrap();
    v.ok("SELECT Trash").unwrap();
    v.ok("MOVE 1 Keep").unwrap();
    let said = |args: &[&str]| {
        let (code, text) = site.run(args);
        assert_eq!(code, 0, "{text}");
        text
    };
    let found = said(&["search", "--all-users", "-m", "Keep", "ALL"]);
    assert_eq!(found, "v\tKeep\t1\n");
    let json = said(&["mailbox", "list", "--all-users", "--json", "Trash"]);
    assert!(
        json.starts_with("[\n{\"account\": \"u\", \"mailbox\": \"Trash\""),
        "{json}"
    );
    let gone = said(&["expunge", "--all-users", "-m", "Trash", "ALL"]);
    assert_eq!(gone, "u\tTrash\t2\nv\tTrash\t1\n");
    assert_eq!(said(&["search", "--all-users", "ALL"]), "v\tKeep\t1\n");
    // Who has no mail gets none by being asked about.
    assert!(!site.roost.dir().join("homes/w/Maildir").exists());
    assert_eq!(site.run(&["search", "--all-users", "WHAT"]).0, USAGE);
    assert_eq!(site.u(&["search", "--all-users", "ALL"]).0, USAGE);
    let nobody = site.roost.roostctl().by(65534);
    let (code, text) = nobody.run(&["expunge", "--all-users", "-m", "*", "ALL"]);
    assert_eq!(code, NOPERM, "{text}");
}
