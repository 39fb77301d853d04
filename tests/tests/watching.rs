//! `roostctl who` and `kick`, with real connections.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::ctl::{DATAERR, NOINPUT, NOPERM, NOUSER, OK, UNAVAILABLE, USAGE};
use roost_tests::mail;
use roost_tests::process::{eventually, in_namespace};
use roost_tests::roost::{PASSWORD, Roost, Setup};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    roost: Roost,
}

impl Site {
    fn new() -> Self {
        Self::with(&Setup::of(&["u", "v"]))
    }

    fn with(setup: &Setup) -> Self {
        Self {
            roost: Roost::alone(setup),
        }
    }

    fn login(&self, user: &str) -> Client {
        self.roost.login(user)
    }

    fn ctl(&self, args: &[&str]) -> (i32, String) {
        self.roost.ctl(args)
    }

    /// The lines of the table, without its heading.
    fn who(&self, filter: &str) -> Vec<String> {
        let (code, text) = self.ctl(&["who", filter]);
        assert_eq!(code, OK, "{text}");
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Until a connection of `user` is in that state.
    fn wait_for(&self, user: &str, state: &str) -> String {
        let seen = eventually(PATIENCE, || {
            let lines = self.who("");
            let account = format!("  {user}  ");
            let is_it = |line: &String| line.contains(&account);
            lines
                .into_iter()
                .filter(is_it)
                .find(|line| line.contains(state))
        });
        seen.unwrap_or_else(|| panic!("{state}: {:?}", self.who("")))
    }
}

#[test]
fn connections_are_shown_with_what_they_do() {
    let site = Site::new();
    assert_eq!(site.ctl(&["who"]), (OK, String::new()));
    assert_eq!(site.ctl(&["who", "--json"]), (OK, "[]\n".into()));
    let _stranger = Client::connect(site.roost.addr()).unwrap();
    let mut u = site.login("u");
    let line = site.wait_for("-", "Authenticating");
    assert!(line.contains("  127.0.0.1  "), "{line}");
    let line = site.wait_for("u", "Authenticated");
    assert!(line.starts_with("IMAP-"), "{line}");
    assert!(line.ends_with("  -  Authenticated"), "nothing runs: {line}");
    u.ok("CREATE Work").unwrap();
    u.ok("SELECT Work").unwrap();
    site.wait_for("u", "Selected Work");
    u.ok("RENAME Work Play").unwrap();
    site.wait_for("u", "Selected Play");
    u.ok("UNSELECT").unwrap();
    site.wait_for("u", "Authenticated");
    u.send(b"IDLE").unwrap();
    let line = site.wait_for("u", "Idle");
    assert!(line.ends_with("s  Idle"), "it runs: {line}");
    // A message that comes slowly.
    let mut v = site.login("v");
    v.raw(b"a APPEND INBOX {1000}\r\n").unwrap();
    site.wait_for("v", "appending messages");
    let (code, text) = site.ctl(&["who", "--json", "v"]);
    assert_eq!(code, OK);
    assert!(
        text.contains("\"address\": \"127.0.0.1\", \"tls\": false, \"account\": \"v\"")
            && text.contains("\"status\": \"appending messages\", \"running\": "),
        "{text}"
    );
    assert!(!text.contains("\"running\": null"), "{text}");
    assert!(text.ends_with("\"show_all\": false}\n]\n"), "{text}");
    let mut other = site.login("v");
    other.ok("ENABLE X-ROOST-SHOWALL").unwrap();
    let (_, text) = site.ctl(&["who", "--json", "Authenticated"]);
    assert!(text.contains("\"show_all\": true"), "{text}");
}

/// Clients that search and search are seen to do so, and for how long.
#[test]
fn a_search_is_shown_while_it_runs() {
    let site = Site::new();
    let mut u = site.login("u");
    for n in 0..100 {
        assert!(u.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    u.ok("SELECT INBOX").unwrap();
    let seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut rounds = 0;
            while !seen.load(Ordering::Relaxed) {
                let mut last = String::new();
                for n in 0..100 {
                    last = u.queue(format!("SEARCH TEXT \"nowhere {rounds} {n}\"").as_bytes());
                }
                u.flush().unwrap();
                assert!(u.wait(&last).unwrap().ok());
                rounds += 1;
            }
        });
        let line = eventually(PATIENCE, || {
            let lines = site.who("searching messages");
            lines.into_iter().find(|line| line.contains("  u  "))
        });
        seen.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        let line = line.expect("no search was seen");
        assert!(
            line.ends_with("s  searching messages"),
            "for how long: {line}"
        );
    });
    site.wait_for("u", "Selected INBOX");
}

#[test]
fn connections_are_ended_with_a_word() {
    let site = Site::new();
    let (code, text) = site.ctl(&["kick", "u"]);
    assert_eq!(code, NOUSER, "{text}");
    let (code, text) = site.ctl(&["kick", "IMAP-00099"]);
    assert_eq!(code, NOINPUT, "{text}");
    for args in [&["who", "-u", "u"][..], &["kick", "u", "--maildir", "/m"]] {
        let (code, text) = site.ctl(args);
        assert_eq!(code, USAGE, "{text}");
    }
    let (mut first, mut second) = (site.login("u"), site.login("u"));
    let mut other = site.login("v");
    assert_eq!(site.who("").len(), 3);
    assert_eq!(site.ctl(&["kick", "U"]), (OK, String::new()));
    for client in [&mut first, &mut second] {
        let bye = client.response().unwrap();
        let bye = String::from_utf8_lossy(&bye).into_owned();
        assert!(
            bye.contains("* BYE Disconnected by the administrator"),
            "{bye}"
        );
        assert!(client.is_closed_by_server());
    }
    assert!(site.roost.logged("is ended on request of uid "));
    assert!(site.roost.logged("Disconnected: Ended by administrator"));
    other.ok("NOOP").unwrap();
    let line = site.wait_for("v", "Authenticated");
    let id = line.split(' ').next().unwrap();
    assert_eq!(site.ctl(&["kick", id]), (OK, String::new()));
    assert!(other.response().unwrap().starts_with(b"* BYE"));
    // Before login, by its ID.
    let mut stranger = Client::connect(site.roost.addr()).unwrap();
    let line = site.wait_for("-", "Authenticating");
    let id = line.split(' ').next().unwrap();
    assert_eq!(site.ctl(&["kick", id]), (OK, String::new()));
    assert!(stranger.response().unwrap().starts_with(b"* BYE"));
    let gone = eventually(PATIENCE, || site.who("").is_empty().then_some(()));
    assert!(gone.is_some(), "{:?}", site.who(""));
}

#[test]
fn users_see_and_end_their_own() {
    if !in_namespace("roostctl who of ordinary users") {
        return;
    }
    let site = Site::with(&Setup::pam());
    let (mut alice, mut bob) = (site.login("alice"), site.login("bob"));
    let _stranger = Client::connect(site.roost.addr()).unwrap();
    assert_eq!(site.who("").len(), 3);
    let as_alice = |args: &[&str]| site.roost.roostctl().by(4001).run(args);
    let (code, text) = as_alice(&["who"]);
    assert_eq!(code, OK, "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("  alice  "), "{text}");
    // Whether somebody else is connected, they do not learn.
    let bobs = site.wait_for("bob", "Authenticated");
    let bobs = bobs.split(' ').next().unwrap();
    for (somebody, nobody) in [("bob", "nobody"), (bobs, "IMAP-99999")] {
        let (there, missing) = (as_alice(&["kick", somebody]), as_alice(&["kick", nobody]));
        assert_eq!(there, missing);
        assert!(matches!(there.0, NOUSER | NOINPUT), "{there:?}");
    }
    let nobody = as_alice(&["kick", "4711"]);
    assert_eq!(nobody.0, NOUSER, "an account may be a number: {nobody:?}");
    assert_eq!(as_alice(&["stats"]).0, NOPERM);
    assert_eq!(as_alice(&["alert", "list"]).0, NOPERM);
    assert_eq!(as_alice(&["alert", "post", "hello"]).0, NOPERM);
    assert_eq!(as_alice(&["trace"]).0, NOPERM);
    assert_eq!(as_alice(&["trace", "alice", "on"]).0, NOPERM);
    assert_eq!(as_alice(&["kick", "alice"]), (OK, String::new()));
    assert!(alice.response().unwrap().starts_with(b"* BYE"));
    bob.ok("NOOP").unwrap();
    // One of the group that looks after all.
    let as_carol = |args: &[&str]| site.roost.roostctl().by(4003).run(args);
    let (code, text) = as_carol(&["who"]);
    assert_eq!(code, OK, "{text}");
    assert!(text.contains("  bob  ") && text.contains("  -  "), "{text}");
    assert_eq!(as_carol(&["kick", "bob"]), (OK, String::new()));
    assert!(bob.response().unwrap().starts_with(b"* BYE"));
}

/// A number that `stats --json` has under that name.
fn number(text: &str, name: &str) -> u64 {
    let (_, rest) = text.split_once(&format!("\"{name}\": ")).expect(text);
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().expect(text)
}

#[test]
fn what_was_done_is_counted() {
    let site = Site::with(&Setup::of(&["u", "v"]).with(&[
        ("limits", "worker_idle = 100ms"),
        ("limits", "max_connections_per_user = 2"),
        ("auth", "failure_delay = 1ms"),
    ]));
    let stats = || {
        let (code, text) = site.ctl(&["stats", "--json"]);
        assert_eq!(code, OK, "{text}");
        text
    };
    let first = stats();
    assert_eq!(number(&first, "imapActive"), 0);
    assert!(first.ends_with("\"commands\": []}\n"), "{first}");
    assert!(Client::login(site.roost.addr(), "u", "wrong").is_err());
    let mut u = site.login("u");
    let _second = site.login("u");
    assert!(Client::login(site.roost.addr(), "u", PASSWORD).is_err());
    u.ok("SELECT INBOX").unwrap();
    for _ in 0..10 {
        u.ok("NOOP").unwrap();
    }
    let octets = 100_000;
    let message = vec![b'x'; octets];
    assert!(u.append("INBOX", "", &message).unwrap().ok());
    u.ok("FETCH 1 BODY[]").unwrap();
    let mut v = site.login("v");
    v.raw(b"a APPEND INBOX {1000}\r\n").unwrap();
    site.wait_for("v", "appending messages");
    // The gate tells of a failed login when its connection ends.
    let told = eventually(PATIENCE, || {
        let text = stats();
        (number(&text, "imapLoginFailures") == 1 && number(&text, "imapActive") == 3)
            .then_some(text)
    });
    let told = told.unwrap_or_else(stats);
    assert_eq!(number(&told, "imapJobs"), 1, "{told}");
    assert_eq!(number(&told, "imapRejected"), 1, "{told}");
    // The listener was tried once or more before the test began.
    assert!(number(&told, "imapTotal") >= 5, "{told}");
    for traffic in ["imapTrafficIn", "imapTrafficOut"] {
        let counted = number(&told, traffic);
        let most = 2 * octets as u64;
        assert!((octets as u64..most).contains(&counted), "{told}");
    }
    assert!(
        told.contains("{\"command\": \"NOOP\", \"count\": 10, "),
        "{told}"
    );
    let (code, page) = site.ctl(&["stats", "--prometheus"]);
    assert_eq!(code, OK);
    assert!(page.contains("\nroost_connections_active 3\n"), "{page}");
    let count = "\nroost_command_duration_seconds_count{command=\"NOOP\"} 10\n";
    assert!(page.contains(count), "{page}");
    let (code, people) = site.ctl(&["stats"]);
    assert_eq!(code, OK);
    assert!(
        people.contains("imapActive                    3  "),
        "{people}"
    );
    // What a worker that has ended had counted stays.
    drop((u, v, _second));
    let gone = eventually(PATIENCE, || {
        site.roost.role_pids("worker").is_empty().then_some(())
    });
    assert!(gone.is_some());
    let after = stats();
    assert_eq!(number(&after, "imapActive"), 0, "{after}");
    for name in [
        "imapTotal",
        "imapTrafficIn",
        "imapTrafficOut",
        "imapRejected",
    ] {
        assert!(
            number(&after, name) >= number(&told, name),
            "{name}: {after}"
        );
    }
    assert!(
        after.contains("{\"command\": \"NOOP\", \"count\": 10, "),
        "{after}"
    );
    let (code, text) = site.ctl(&["stats", "--json", "--prometheus"]);
    assert_eq!(code, USAGE, "{text}");
}

fn alert_of(client: &mut Client) -> String {
    let line = client.response().unwrap();
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// Alerts come at any time, and each once.
#[test]
fn alerts_are_shown() {
    let mut site = Site::with(&Setup::of(&["u", "v@d.example"]));
    assert_eq!(site.ctl(&["alert", "list", "--json"]), (OK, "[]\n".into()));
    let mut u = site.login("u");
    let mut idle = site.login("u");
    let mut v = site.login("v@d.example");
    idle.raw(b"i IDLE\r\n").unwrap();
    assert!(idle.response().unwrap().starts_with(b"+ "));
    let post = |site: &Site, args: &[&str]| {
        let args = [&["alert", "post"], args].concat();
        let (code, text) = site.ctl(&args);
        assert_eq!(code, OK, "{text}");
        text.trim_end().to_owned()
    };
    let server = post(&site, &["Maintenance at noon"]);
    for client in [&mut u, &mut idle, &mut v] {
        assert_eq!(alert_of(client), "* OK [ALERT] Maintenance at noon");
    }
    post(&site, &["--domain", "D.example", "The domain moves"]);
    assert_eq!(alert_of(&mut v), "* OK [ALERT] The domain moves");
    post(&site, &["--account", "U", "Call us"]);
    for client in [&mut u, &mut idle] {
        assert_eq!(alert_of(client), "* OK [ALERT] Call us");
    }
    let list = |site: &Site| site.ctl(&["alert", "list"]).1;
    let gone = eventually(PATIENCE, || {
        (!list(&site).contains("Call us")).then_some(())
    });
    assert!(gone.is_some(), "{}", list(&site));
    // Nobody is shown anything twice.
    for client in [&mut u, &mut v] {
        client.ok("NOOP").unwrap();
    }
    idle.raw(b"DONE\r\n").unwrap();
    assert!(idle.response().unwrap().starts_with(b"i OK"));
    // For those who are not there, and beyond the end of the server.
    post(&site, &["--account", "v@d.example", "One for later"]);
    assert_eq!(alert_of(&mut v), "* OK [ALERT] One for later");
    drop(v);
    let gone = eventually(PATIENCE, || (site.who("v@").is_empty()).then_some(()));
    assert!(gone.is_some());
    post(&site, &["--account", "V%D.Example", "Another for later"]);
    // What nobody sees has shown nothing.
    let own = ["mailbox", "list", "-u", "v@d.example"];
    assert_eq!(site.ctl(&own), (OK, "INBOX\n".into()));
    let counted = ["search", "-u", "v@d.example", "ALL"];
    assert_eq!(site.ctl(&counted), (OK, String::new()));
    assert!(list(&site).contains("Another for later"), "{}", list(&site));
    site.roost.crash_and_restart().unwrap();
    let mut v = site.login("v@d.example");
    let mut seen = [alert_of(&mut v), alert_of(&mut v), alert_of(&mut v)];
    seen.sort();
    let texts = [
        "Another for later",
        "Maintenance at noon",
        "The domain moves",
    ];
    assert_eq!(seen, texts.map(|text| format!("* OK [ALERT] {text}")));
    let gone = eventually(PATIENCE, || (!list(&site).contains("later")).then_some(()));
    assert!(gone.is_some(), "{}", list(&site));
    assert_eq!(site.ctl(&["alert", "remove", &server]), (OK, String::new()));
    let (code, text) = site.ctl(&["alert", "remove", &server]);
    assert_eq!(code, NOINPUT, "{text}");
    let mut v = site.login("v@d.example");
    assert_eq!(alert_of(&mut v), "* OK [ALERT] The domain moves");
    v.ok("NOOP").unwrap();
    let (code, text) = site.ctl(&["alert", "post", "two\r\nlines"]);
    assert_eq!(code, DATAERR, "{text}");
    let (_, json) = site.ctl(&["alert", "list", "--json"]);
    let wanted = "\"kind\": \"domain\", \"name\": \"d.example\", \"posted\": ";
    assert!(json.contains(wanted), "{json}");
}

/// Sessions that are open, and later ones, of the account and of no other. Both
/// accounts have one worker: what one is told and logs comes in order.
#[test]
fn sessions_are_traced() {
    let site = Site::new();
    assert_eq!(site.ctl(&["trace"]), (OK, String::new()));
    let (mut u, mut v) = (site.login("u"), site.login("v"));
    u.ok("CREATE untraced-1").unwrap();
    let trace = |args: &[&str]| site.ctl(&[&["trace"], args].concat());
    let logs = |client: &mut Client, word: &str| {
        let seen = eventually(PATIENCE, || {
            client.ok(word).unwrap();
            let word = format!(" {word}");
            let log = site.roost.log();
            log.lines().any(|line| line.ends_with(&word)).then_some(())
        });
        assert!(seen.is_some(), "{word}: {}", site.roost.log());
    };
    assert_eq!(trace(&["U", "on"]), (OK, String::new()));
    assert_eq!(trace(&[]), (OK, "u\n".into()));
    let json = "[\n{\"account\": \"u\"}\n]\n";
    assert_eq!(trace(&["--json"]), (OK, json.into()));
    logs(&mut u, "NOOP");
    v.ok("CREATE untraced-2").unwrap();
    let mut later = site.login("u");
    later
        .append("INBOX", "(\\Seen)", b"Subject: x\r\n\r\nembodied\r\n")
        .unwrap();
    later.command("LOGIN u open-sesame").unwrap();
    later.ok("SELECT INBOX").unwrap();
    later.ok("FETCH 1 BODY.PEEK[]").unwrap();
    later.raw(b"y3 CREATE later\r\ny4 NONSENSE\r\n").unwrap();
    later.wait("y4").unwrap();
    assert!(site.roost.logged(": S: ... BAD"), "{}", site.roost.log());
    // Behind an AUTHENTICATE that is refused comes what it would have asked for.
    let credentials = "AHUAb3Blbi1zZXNhbWU=";
    let pipelined = format!("y5 AUTHENTICATE PLAIN\r\n{credentials}\r\ny6 NOOP\r\n");
    later.raw(pipelined.as_bytes()).unwrap();
    later.wait("y6").unwrap();
    // More than the log is for, and that is told at the end.
    let mut fast = site.login("u");
    fast.raw("x NOOP\r\n".repeat(1000).as_bytes()).unwrap();
    fast.ok("LOGOUT").unwrap();
    assert!(site.roost.logged(" lines left out"), "{}", site.roost.log());
    let noops = site.roost.log().matches(": C: x NOOP").count();
    assert!(noops < 1000, "{noops}");
    assert_eq!(trace(&["u", "off"]), (OK, String::new()));
    let (code, text) = trace(&["u", "off"]);
    assert_eq!(code, NOINPUT, "{text}");
    assert_eq!(trace(&["v", "on"]), (OK, String::new()));
    logs(&mut v, "CAPABILITY");
    u.ok("CREATE untraced-3").unwrap();
    let mut last = site.login("u");
    last.ok("CREATE untraced-4").unwrap();
    logs(&mut v, "NAMESPACE");
    let log = site.roost.log();
    let has = |text: &str| {
        let tagged = |line: &str| line.contains("IMAP-") && line.contains(text);
        assert!(log.lines().any(tagged), "{text}: {log}");
    };
    has(": C: y3 CREATE later");
    has(": S: y3 OK");
    has(" LOGIN ...");
    has(" APPEND INBOX {");
    has(": C: y5 AUTHENTICATE ...");
    has(" FETCH 1 BODY.PEEK[]");
    for other in ["untraced-", "embodied", "open-sesame", credentials] {
        assert!(!log.contains(other), "{other}: {log}");
    }
    let (code, text) = trace(&["a b", "on"]);
    assert_eq!(code, DATAERR, "{text}");
    let (code, text) = trace(&["u"]);
    assert_eq!(code, USAGE, "{text}");
}

#[test]
fn without_a_server_nobody_is_connected() {
    let site = Site::new();
    let roostctl = site.roost.roostctl();
    let _folder = site.roost.stop();
    for args in [&["who"][..], &["kick", "u"], &["stats"]] {
        let (code, text) = roostctl.run(args);
        assert_eq!(code, UNAVAILABLE, "{text}");
        assert!(text.starts_with("roostctl: no server runs"), "{text}");
    }
}
