//! `roostctl tunnel`: sessions of programs of this host, by themselves and
//! below real clients.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::ctl::{NOPERM, NOUSER, Roostctl, TEMPFAIL, UNAVAILABLE, USAGE, told};
use roost_tests::mail;
use roost_tests::process::{Finish, eventually, executables, in_namespace};
use roost_tests::roost::{Roost, Setup};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn virtual_users() -> Roost {
    Roost::alone(&Setup::of(&["u", "v"]))
}

/// With PAM's accounts, of which bob may not log in.
fn without_bob() -> Roost {
    let moved = ("router", "moved.name = new.name@other.example");
    Roost::alone(&Setup::pam().with(&[("auth", "deny_users = bob"), moved]))
}

fn roostctl(roost: &Roost, uid: Option<u32>) -> Roostctl {
    match uid {
        None => roost.roostctl(),
        Some(uid) => roost.roostctl().by(uid),
    }
}

fn tunnel(roost: &Roost, uid: Option<u32>, args: &[&str], input: &str) -> (i32, String) {
    roostctl(roost, uid).run_on(&[&["tunnel"], args].concat(), input)
}

/// The command line, for a client's configuration.
fn line(roost: &Roost, user: &str) -> String {
    let program = executables().join("roostctl");
    let config = roost.dir().join("roost.conf");
    format!(
        "{} -c {} -u {user} tunnel",
        program.display(),
        config.display()
    )
}

/// A tunnel that stays open.
fn open(command: &mut Command) -> (Child, Client) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let client = Client::over(Box::new(output), Box::new(input), None).unwrap();
    (child, client)
}

#[test]
fn a_session_begins_logged_in_and_ends_with_its_input() {
    let roost = virtual_users();
    let mut other = roost.login("u");
    assert!(other.append("INBOX", "", &mail::small(1)).unwrap().ok());
    // Without LOGOUT: what was asked is answered still.
    let (code, text) = tunnel(&roost, None, &["-u", "u"], "a STATUS INBOX (MESSAGES)\r\n");
    assert_eq!(code, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("* PREAUTH [CAPABILITY IMAP4rev1 ")
            && lines[0].ends_with("] Logged in"),
        "{text}"
    );
    assert_eq!(lines[1], "* STATUS INBOX (MESSAGES 1)");
    assert!(lines[2].starts_with("a OK"), "{text}");
    assert!(roost.logged(
        "imap-login: Login: user=<u>, method=PREAUTH, rip=127.0.0.1, lip=127.0.0.1, secured"
    ));
    assert!(roost.logged("imap(u)<"));
    let (code, text) = tunnel(&roost, None, &["-u", "u"], "a LOGIN u x\r\nb LOGOUT\r\n");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("\r\na BAD ") && text.contains("\r\n* BYE "),
        "{text}"
    );

    // It is a session like others: changes reach it, it is seen and ended.
    let mut command = roost.roostctl().command();
    let (mut child, mut client) = open(command.args(["-u", "u", "tunnel"]));
    client.ok("SELECT INBOX").unwrap();
    assert!(other.append("INBOX", "", &mail::small(2)).unwrap().ok());
    let news = client.ok("NOOP").unwrap();
    assert!(news.lines().any(|line| line == "* 2 EXISTS"), "{news:?}");
    let (_, text) = roost.ctl(&["who", "local"]);
    assert!(
        text.contains("  local    u  ") && text.contains("Selected INBOX"),
        "{text}"
    );
    let id = text.lines().nth(1).unwrap().split(' ').next().unwrap();
    let (code, text) = roost.ctl(&["kick", id]);
    assert_eq!(code, 0, "{text}");
    assert!(client.response().unwrap().starts_with(b"* BYE"));
    assert!(child.wait().unwrap().success(), "its input is still open");
}

#[test]
fn what_cannot_be_had_is_said() {
    let limit = ("limits", "max_connections_per_user = 1");
    let roost = Roost::alone(&Setup::of(&["u"]).with(&[limit]));
    let refused = |args: &[&str]| tunnel(&roost, None, args, "");
    let (code, text) = refused(&["-u", "nobody-here"]);
    assert_eq!(code, NOUSER, "{text}");
    assert!(
        text.contains("there is no account of nobody-here"),
        "{text}"
    );
    assert_eq!(refused(&["--maildir", "/tmp"]).0, USAGE);
    let only = roost.login("u");
    let (code, text) = refused(&["-u", "u"]);
    assert_eq!(code, TEMPFAIL, "{text}");
    assert!(text.contains("too many connections of u"), "{text}");
    drop(only);
    let freed = eventually(PATIENCE, || (refused(&["-u", "u"]).0 == 0).then_some(()));
    assert!(freed.is_some(), "{:?}", refused(&["-u", "u"]));
    let roostctl = roost.roostctl();
    let _folder = roost.stop();
    let (code, text) = roostctl.run(&["-u", "u", "tunnel"]);
    assert_eq!(code, UNAVAILABLE, "{text}");
    assert!(text.starts_with("roostctl: no server runs"), "{text}");
}

#[test]
fn users_have_their_own_by_the_rules_of_a_login() {
    if !in_namespace("roostctl tunnel of ordinary users") {
        return;
    }
    let roost = without_bob();
    let logout = "a GETQUOTAROOT INBOX\r\nb LOGOUT\r\n";
    let (code, text) = tunnel(&roost, Some(4001), &[], logout);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("* PREAUTH ") && text.contains("a OK"),
        "{text}"
    );
    assert!(roost.logged("Login: user=<alice>, method=PREAUTH"));
    assert_eq!(tunnel(&roost, Some(4001), &["-u", "alice"], logout).0, 0);
    for (uid, args) in [
        (Some(4001), &["-u", "bob"][..]),
        (Some(4001), &["-u", "carol"]),
        (Some(4001), &["-u", "nobody-here"]),
        (Some(4002), &[]),
        (None, &[]),
    ] {
        let (code, text) = tunnel(&roost, uid, args, logout);
        assert_eq!(code, NOPERM, "{uid:?} {args:?}: {text}");
        assert!(text.contains("the server allows no session of"), "{text}");
    }
    // An account that has expired lets nobody in who proves to be it.
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    let expired = shadow.replace("19000:0:99999:7:::", "19000:0:99999:7::1:");
    fs::write("/etc/shadow", expired).unwrap();
    let (code, text) = tunnel(&roost, Some(4001), &[], logout);
    fs::write("/etc/shadow", shadow).unwrap();
    assert_eq!(code, NOPERM, "{text}");
    assert!(
        roost.logged("uid 4001 gets no session of <alice>: account denied: PAM"),
        "{}",
        roost.log()
    );
    // Who looks after the server has everybody's, also where nobody logs in.
    for (uid, user) in [(None, "bob"), (Some(4003), "alice"), (Some(4003), "bob")] {
        let (code, text) = tunnel(&roost, uid, &["-u", user], logout);
        assert_eq!(code, 0, "{uid:?} {user}: {text}");
    }
}

#[test]
fn passwords_are_tried_as_at_a_login() {
    if !in_namespace("roostctl auth test") {
        return;
    }
    let roost = without_bob();
    let test = |uid, args: &[&str], password: &str| {
        roostctl(&roost, uid).run_on(&[&["auth", "test"], args].concat(), password)
    };
    let success = (0, "alice: success\n".to_owned());
    assert_eq!(test(None, &["alice"], "alice-secret\nmore"), success);
    assert_eq!(test(Some(4003), &["alice"], "alice-secret"), success);
    for (user, password, said) in [
        ("alice", "wrong", "wrong password, or no such account"),
        ("nobody-here", "x", "wrong password, or no such account"),
        ("bob", "bob-secret", "the account may not use IMAP"),
    ] {
        let (code, text) = test(None, &[user], password);
        assert_eq!((code, text), (NOPERM, format!("{user}: {said}\n")));
    }
    let moved = "moved.name: the account has been moved to new.name at other.example\n";
    assert_eq!(test(None, &["moved.name"], "x"), (NOUSER, moved.to_owned()));
    let (code, text) = test(None, &["--json", "alice"], "wrong");
    assert_eq!(code, NOPERM, "{text}");
    assert!(
        text.contains("\"account\": \"alice\", \"result\": \"wrong\""),
        "{text}"
    );
    let (code, text) = test(Some(4001), &["alice"], "alice-secret");
    assert_eq!(
        (code, text.as_str()),
        (
            NOPERM,
            "roostctl: the server allows this to root and members of the group roostadm only\n"
        )
    );
    assert!(roost.logged("LOGIN login of <alice> from 127.0.0.1 failed"));
    assert!(
        !roost.log().contains("Login: user=<alice>"),
        "no session began"
    );
}

#[test]
fn mbsync_syncs_through_a_tunnel() {
    let roost = virtual_users();
    let mut client = roost.login("u");
    for n in 1..=4 {
        assert!(client.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    let local = roost.dir().join("local");
    fs::create_dir_all(&local).unwrap();
    let (config, local) = (roost.dir().join("mbsyncrc"), local.display());
    let text = format!(
        "IMAPStore far\nTunnel \"{}\"\n\nMaildirStore near\nSubFolders Verbatim\nPath {local}/\n\
         Inbox {local}/INBOX\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\n\
         Expunge Both\nSyncState *\n",
        line(&roost, "u")
    );
    fs::write(&config, text).unwrap();
    let mbsync = || {
        let mut command = Command::new("mbsync");
        command.env("HOME", roost.dir());
        let output = command.args(["-V", "-a", "-c"]).arg(&config).finish();
        let output = output.unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(output.status.success(), "{text}");
        text
    };
    mbsync();
    let inbox = roost.dir().join("local/INBOX");
    let count = |folder: &str| fs::read_dir(inbox.join(folder)).unwrap().count();
    assert_eq!(count("cur") + count("new"), 4);
    let said = mbsync();
    assert!(!said.to_lowercase().contains("error"), "{said}");
    assert!(roost.logged("user=<u>, method=PREAUTH"));
}

#[test]
fn python_imaplib_speaks_through_a_tunnel() {
    let roost = virtual_users();
    let mut client = roost.login("u");
    for n in 1..=4 {
        assert!(client.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/tunnel.py");
    let mut python = Command::new("python3");
    let (code, text) = told(python.arg(script).arg(line(&roost, "u")));
    assert_eq!((code, text.as_str()), (0, "done\n"));
}
