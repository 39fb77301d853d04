//! Mailboxes shared between accounts: real users with closed homes, virtual
//! users of one uid, and workers that die.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::{eventually, in_namespace};
use roost_tests::roost::{Roost, Setup};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn with_pam() -> Roost {
    Roost::alone(&Setup::pam())
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Of one uid, with sessions of their own.
fn virtual_users(settings: &[(&'static str, &str)]) -> (Roost, [Client; 3]) {
    let roost = Roost::alone(&Setup::of(&NAMES).with(settings));
    let clients = NAMES.map(|name| roost.login(name));
    (roost, clients)
}

/// Begins to be told at once.
fn idle(client: &mut Client) -> String {
    let tag = client.send(b"IDLE").unwrap();
    assert!(client.response().unwrap().starts_with(b"+"));
    tag
}

fn end_idle(client: &mut Client, tag: &str) {
    client.raw(b"DONE\r\n").unwrap();
    assert!(client.wait(tag).unwrap().ok());
}

/// The owner, logged in, with a mailbox of `n` messages that bob may read.
fn owner(roost: &Roost, mailbox: &str, n: u32) -> Client {
    let mut alice = roost.login("alice");
    share(&mut alice, mailbox, n);
    alice
}

fn share(alice: &mut Client, mailbox: &str, n: u32) {
    alice.ok(&format!("CREATE {mailbox}")).unwrap();
    for number in 1..=n {
        let message = mail::small(number);
        assert!(alice.append(mailbox, "", &message).unwrap().ok());
    }
    alice.ok(&format!("SETACL {mailbox} bob lrs")).unwrap();
}

/// The worker of a uid.
fn worker(roost: &Roost, uid: u32) -> Option<Pid> {
    let of = |pid: &Pid| fs::metadata(format!("/proc/{pid}")).is_ok_and(|meta| meta.uid() == uid);
    roost.role_pids("worker").into_iter().find(of)
}

const ALICE: u32 = 4001;
const BOB: u32 = 4002;

/// Records every file that a process names to the kernel.
struct Trace {
    strace: Child,
    file: std::path::PathBuf,
}

impl Trace {
    fn begin(pid: Pid, dir: &std::path::Path) -> Self {
        let file = dir.join(format!("{pid}.strace"));
        let strace = Command::new("strace")
            .args(["-f", "-e", "trace=%file", "-o"])
            .arg(&file)
            .args(["-p", &pid.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let traced = eventually(PATIENCE, || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            (!status.contains("TracerPid:\t0\n")).then_some(())
        });
        assert!(traced.is_some(), "strace does not attach");
        Self { strace, file }
    }

    fn end(mut self) -> String {
        let _ = kill(
            Pid::from_raw(self.strace.id().cast_signed()),
            Signal::SIGINT,
        );
        let _ = self.strace.wait();
        fs::read_to_string(&self.file).unwrap()
    }
}

#[test]
fn a_mailbox_is_shared_between_users_with_closed_homes() {
    if !in_namespace("sharing between Unix accounts") {
        return;
    }
    let roost = with_pam();
    let mut alice = owner(&roost, "Team", 3);
    alice.ok("CREATE Private").unwrap();
    let mut bob = roost.login("bob");
    let trace = Trace::begin(worker(&roost, BOB).unwrap(), roost.dir());

    bob.ok("SELECT ~alice/Team").unwrap();
    let fetched = bob.ok("FETCH 1:* BODY.PEEK[]").unwrap();
    let whole: Vec<_> = fetched.untagged.concat();
    for number in 1..=3 {
        let message = mail::small(number);
        let found = whole.windows(message.len()).any(|part| part == message);
        assert!(found, "message {number} is there, octet for octet");
    }
    bob.ok("STORE 1 +FLAGS (\\Seen)").unwrap();
    for refused in ["STORE 1 +FLAGS (\\Deleted)", "SETACL ~alice/Team bob +a"] {
        let answer = bob.command(refused).unwrap();
        assert!(
            answer.tagged.starts_with("NO [NOPERM]"),
            "{}",
            answer.tagged
        );
    }
    // What may not be seen is not there, in the same words.
    let unseen = [
        "~alice/Private",
        "~alice/Nothing",
        "~nobody/Team",
        "~root/INBOX",
    ];
    let answers = unseen.map(|name| bob.command(&format!("SELECT {name}")).unwrap().tagged);
    assert!(answers[0].starts_with("NO [NONEXISTENT]"), "{answers:?}");
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:?}");
    let mut carol = roost.login("carol");
    assert_eq!(
        carol.command("SELECT ~alice/Team").unwrap().tagged,
        answers[0]
    );

    bob.ok("SELECT ~alice/Team").unwrap();
    let idling = idle(&mut bob);
    // As delivery agents do it, to the folder itself.
    let message = "/home/alice/Maildir/.Team/new/1700000000.M1P1.host";
    fs::write(message, mail::small(4)).unwrap();
    std::os::unix::fs::chown(message, Some(ALICE), Some(ALICE)).unwrap();
    while bob.response().unwrap() != b"* 4 EXISTS" {}
    end_idle(&mut bob, &idling);

    alice.ok("DELETEACL Team bob").unwrap();
    let ended = eventually(PATIENCE, || match bob.command("FETCH 1 BODY.PEEK[]") {
        Ok(answer) if answer.ok() => None,
        refused => Some(refused),
    });
    assert!(ended.is_some(), "the right is gone and bob reads on");
    let mut again = roost.login("bob");
    assert_eq!(
        again.command("SELECT ~alice/Team").unwrap().tagged,
        answers[0]
    );

    // Bob's worker has named no file of alice's, and could not open one.
    let named = trace.end();
    assert!(!named.contains("home/alice"), "{named}");
    assert_eq!(
        fs::metadata("/home/alice").unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(worker(&roost, ALICE).is_some() && worker(&roost, BOB).is_some());
}

/// What an answer without faults has told.
fn told(client: &mut Client, command: &str) -> Vec<String> {
    let answer = client.ok(command).unwrap();
    answer.lines().collect()
}

fn messages(client: &mut Client, mailbox: &str) -> String {
    told(client, &format!("STATUS {mailbox} (MESSAGES)")).concat()
}

#[test]
fn what_is_shared_is_found_copied_and_called_by_an_alias() {
    if !in_namespace("finding and copying what others share") {
        return;
    }
    let roost = with_pam();
    let mut alice = owner(&roost, "Crew", 3);
    let mut bob = roost.login("bob");
    // The supervisor hears of it beside alice's answer.
    let listed = eventually(PATIENCE, || {
        let listed = told(&mut bob, "LIST \"\" ~%");
        (!listed.is_empty()).then_some(listed)
    });
    let listed = listed.expect("alice shares something").concat();
    assert!(listed.ends_with("\"/\" ~alice"), "{listed}");
    // Other tests share with bob too.
    let below = told(&mut bob, "LIST \"\" ~alice/*");
    let line = "* LIST (\\HasNoChildren) \"/\" ~alice/Crew";
    assert!(below.iter().any(|l| l == line), "{below:?}");
    assert!(told(&mut roost.login("carol"), "LIST \"\" ~*").is_empty());
    bob.ok("SUBSCRIBE ~alice/Crew").unwrap();
    let subscribed = told(&mut bob, "LSUB \"\" *").concat();
    assert!(subscribed.contains("~alice/Crew"), "{subscribed}");
    let namespaces = told(&mut bob, "NAMESPACE").concat();
    assert!(namespaces.contains("((\"~\" \"/\"))"), "{namespaces}");

    bob.ok("CREATE Copies").unwrap();
    bob.ok("SELECT ~alice/Crew").unwrap();
    let copied = bob.ok("UID COPY 1:2 Copies").unwrap();
    assert!(
        copied.tagged.starts_with("OK [COPYUID "),
        "{}",
        copied.tagged
    );
    assert_eq!(messages(&mut bob, "Copies"), "* STATUS Copies (MESSAGES 2)");
    bob.ok("SELECT Copies").unwrap();
    let refused = bob.command("COPY 1 ~alice/Crew").unwrap().tagged;
    assert!(refused.starts_with("NO [NOPERM]"), "{refused}");
    alice.ok("SETACL Crew bob +ite").unwrap();
    bob.ok("COPY 1 ~alice/Crew").unwrap();
    bob.ok("MOVE 2 ~alice/Crew").unwrap();
    assert!(bob.append("~alice/Crew", "", &mail::small(9)).unwrap().ok());
    assert_eq!(messages(&mut bob, "Copies"), "* STATUS Copies (MESSAGES 1)");
    assert_eq!(messages(&mut alice, "Crew"), "* STATUS Crew (MESSAGES 6)");

    bob.ok("SETMETADATA Ours (/private/vendor/roost/alias \"~alice/Crew\")")
        .unwrap();
    assert_eq!(messages(&mut bob, "Ours"), "* STATUS Ours (MESSAGES 6)");
    let own = told(&mut bob, "LIST \"\" *").join("|");
    assert!(own.contains("\"/\" Ours") && !own.contains('~'), "{own}");
    bob.ok("SELECT Ours").unwrap();
    let fetched: Vec<_> = bob.ok("FETCH 6 BODY.PEEK[]").unwrap().untagged.concat();
    let message = mail::small(9);
    assert!(fetched.windows(message.len()).any(|part| part == message));
    bob.ok("SETMETADATA Ours (/private/vendor/roost/alias NIL)")
        .unwrap();
    bob.ok("SELECT Copies").unwrap();
    let gone = bob.command("SELECT Ours").unwrap().tagged;
    assert!(gone.starts_with("NO [NONEXISTENT]"), "{gone}");
}

#[test]
fn a_worker_that_dies_costs_others_one_answer() {
    if !in_namespace("workers of other accounts that die") {
        return;
    }
    let roost = with_pam();
    let _alice = owner(&roost, "Other", 2);
    let mut bob = roost.login("bob");
    bob.ok("SELECT INBOX").unwrap();
    for round in 1..=3 {
        bob.ok("STATUS ~alice/Other (MESSAGES)").unwrap();
        let alices = worker(&roost, ALICE).unwrap();
        // It cannot answer before it dies.
        kill(alices, Signal::SIGSTOP).unwrap();
        let tag = bob.send(b"STATUS ~alice/Other (UIDNEXT)").unwrap();
        kill(alices, Signal::SIGKILL).unwrap();
        let answer = bob.wait(&tag).unwrap();
        assert!(
            answer.tagged.starts_with("NO [UNAVAILABLE]"),
            "round {round}: {}",
            answer.tagged
        );
        let status = bob.ok("STATUS ~alice/Other (MESSAGES)").unwrap();
        let lines: Vec<_> = status.lines().collect();
        assert_eq!(lines, ["* STATUS ~alice/Other (MESSAGES 2)"]);
    }
    // No session of bob's has ended over it.
    bob.ok("NOOP").unwrap();
}

#[test]
fn virtual_users_of_one_uid_share_as_others_do() {
    let (_roost, [mut alice, mut bob, mut carol]) = virtual_users(&[]);
    share(&mut alice, "Team", 2);
    let selected = bob.ok("SELECT ~alice/Team").unwrap();
    assert!(selected.lines().any(|line| line == "* 2 EXISTS"));
    assert_eq!(bob.ok("UID FETCH 1:* (FLAGS)").unwrap().untagged.len(), 2);
    assert!(!bob.append("~alice/Team", "", &mail::small(9)).unwrap().ok());
    assert!(!carol.command("SELECT ~alice/Team").unwrap().ok());
    // Who has no mail gets no Maildir for being asked for it.
    let fresh = Roost::alone(&Setup::of(&NAMES));
    let mut bob = fresh.login("bob");
    assert!(!bob.command("SELECT ~carol/Team").unwrap().ok());
    assert!(!fresh.dir().join("homes/carol/Maildir").exists());
}

#[test]
fn a_client_that_does_not_read_fills_nobodys_memory() {
    if !in_namespace("memory while a client does not read") {
        return;
    }
    let roost = with_pam();
    let mut alice = roost.login("alice");
    alice.ok("CREATE Large").unwrap();
    let mut message = mail::small(1);
    message.extend(b"a line of some length, which stands there very often\r\n".repeat(80_000));
    for _ in 0..16 {
        assert!(alice.append("Large", "", &message).unwrap().ok());
    }
    alice.ok("SETACL Large bob lr").unwrap();
    let mut bob = roost.login("bob");
    bob.ok("EXAMINE ~alice/Large").unwrap();
    bob.send(b"FETCH 1:* BODY.PEEK[]").unwrap();
    let both = || [ALICE, BOB].map(|uid| peak(worker(&roost, uid).unwrap()));
    let before = both();
    // All that fits into sockets has gone when no processor time is used.
    let still = eventually(PATIENCE, || {
        let time = || [ALICE, BOB].map(|uid| ticks(worker(&roost, uid).unwrap()));
        let then = time();
        std::thread::sleep(Duration::from_millis(300));
        (time() == then).then_some(())
    });
    assert!(still.is_some(), "the workers do not come to rest");
    for (before, after) in before.into_iter().zip(both()) {
        assert!(
            after < before + (16 << 10),
            "{before} KiB, then {after} KiB"
        );
    }
    // And all of it comes to one who reads.
    let mut got = 0;
    while got < 16 * message.len() {
        got += bob.response().unwrap().len();
    }
    bob.response().unwrap();
    bob.ok("NOOP").unwrap();
}

/// KiB of memory that a process has had at most.
fn peak(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Processor time used.
fn ticks(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn each_reader_may_have_a_seen_of_its_own() {
    let (roost, [mut alice, mut bob, mut carol]) = virtual_users(&[("mail", "shared_seen = each")]);
    share(&mut alice, "Team", 3);
    alice.ok("SETACL Team bob lr").unwrap();
    alice.ok("SETACL Team carol lr").unwrap();
    let mut other = roost.login("bob");
    for client in [&mut bob, &mut other, &mut carol] {
        client.ok("SELECT ~alice/Team").unwrap();
    }
    let idling = idle(&mut other);
    bob.ok("FETCH 2 BODY[]").unwrap();
    let pushed = other.response().unwrap();
    assert!(
        pushed.starts_with(b"* 2 FETCH (FLAGS (\\Seen"),
        "{pushed:?}"
    );
    end_idle(&mut other, &idling);
    assert_eq!(told(&mut bob, "SEARCH SEEN"), ["* SEARCH 2"]);
    assert_eq!(told(&mut carol, "SEARCH SEEN"), ["* SEARCH"]);
    let unseen = |client: &mut Client, name| told(client, &format!("STATUS {name} (UNSEEN)"));
    let line = "* STATUS ~alice/Team (UNSEEN 2)";
    assert_eq!(unseen(&mut bob, "~alice/Team"), [line]);
    assert_eq!(unseen(&mut alice, "Team"), ["* STATUS Team (UNSEEN 3)"]);
}

#[test]
fn hidden_messages_and_marked_media() {
    let (_roost, [mut alice, mut bob, _]) = virtual_users(&[
        ("mail", "hide_hidden_from_others = yes"),
        ("mail", "mark_media = yes"),
    ]);
    share(&mut alice, "Team", 3);
    alice.ok("SETACL Team bob lrs").unwrap();
    alice.ok("SELECT Team").unwrap();
    bob.ok("SELECT ~alice/Team").unwrap();
    alice.ok("STORE 2 +FLAGS.SILENT ($Hidden)").unwrap();
    bob.ok("NOOP").unwrap();
    assert_eq!(told(&mut bob, "UID SEARCH ALL"), ["* SEARCH 1 3"]);
    assert_eq!(told(&mut alice, "UID SEARCH ALL"), ["* SEARCH 1 2 3"]);
    let counts = |client: &mut Client, name| told(client, &format!("STATUS {name} (MESSAGES)"));
    let line = "* STATUS ~alice/Team (MESSAGES 2)";
    assert_eq!(counts(&mut bob, "~alice/Team"), [line]);
    assert_eq!(counts(&mut alice, "Team"), ["* STATUS Team (MESSAGES 3)"]);
    let text = "Content-Type: audio/ogg\r\n\r\nx";
    alice
        .ok(&format!("APPEND Team {{{}+}}\r\n{text}", text.len()))
        .unwrap();
    assert_eq!(told(&mut alice, "SEARCH KEYWORD $Media"), ["* SEARCH 4"]);
}

/// RFC 5465, without IDLE: of two accounts, and of the selected mailbox.
#[test]
fn changes_in_other_accounts_are_told_at_once() {
    let (_roost, [mut alice, mut bob, mut carol]) = virtual_users(&[]);
    for mailbox in ["Team", "Other"] {
        share(&mut alice, mailbox, 1);
    }
    share(&mut carol, "Team", 1);
    bob.ok("SUBSCRIBE ~carol/Team").unwrap();
    let events = "(MessageNew MessageExpunge)";
    let notify = format!("NOTIFY SET (selected {events}) (subtree ~alice {events})");
    bob.ok(&format!("{notify} (subscribed {events})")).unwrap();
    bob.ok("SELECT ~alice/Other").unwrap();
    let hears = |bob: &mut Client, owner: &mut Client, mailbox: &str, wanted: &str| {
        assert!(owner.append(mailbox, "", &mail::small(9)).unwrap().ok());
        let told = bob.response().unwrap();
        assert!(told.starts_with(wanted.as_bytes()), "{told:?}");
    };
    let team = |owner, messages| format!("* STATUS ~{owner}/Team (MESSAGES {messages} ");
    hears(&mut bob, &mut alice, "Team", &team("alice", 2));
    hears(&mut bob, &mut carol, "Team", &team("carol", 2));
    hears(&mut bob, &mut alice, "Other", "* 2 EXISTS");
    bob.ok("NOOP").unwrap();
    let idling = idle(&mut bob);
    hears(&mut bob, &mut carol, "Team", &team("carol", 3));
    hears(&mut bob, &mut alice, "Other", "* 3 EXISTS");
    end_idle(&mut bob, &idling);
}
