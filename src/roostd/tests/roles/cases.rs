//! What the supervisor must do, whatever the roles do.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use roost_ipc::{
    Attempted, AuthFailure, BlockingChannel, ControlReply, ControlRequest, Maintenance, NoSession,
    Secret, Target, Task, TrialResult, Wish,
};
use roost_os::UserId;

use crate::host::{Client, Host, connect, free_address, until};
use crate::linger::Lingering;

type Case = (&'static str, fn(&mut Host));

const CASES: [Case; 23] = [
    ("a login reaches its worker and is logged", login),
    (
        "a handover without a grant is refused",
        handover_without_grant,
    ),
    ("a login for another uid is refused", foreign_uid),
    ("sessions outlive the gate", gate_dies),
    ("logins work again after auth has died", auth_dies),
    ("a dead worker ends its own sessions only", worker_dies),
    ("a gate that sends garbage is replaced", garbage),
    ("a bad configuration changes nothing", bad_reload),
    ("a reload moves listeners and keeps sessions", good_reload),
    ("a renewed certificate is taken up", new_certificate),
    ("systemd is told how far it is", systemd),
    ("an idle worker ends and loses no login", idle_worker),
    ("local programs are heard for their own mail", control),
    ("a login waits for nothing that local users send", lingering),
    ("one user has a few lines in the log", flooding),
    ("sessions are shown by what their own workers say", who),
    ("a login that waits for a worker is ended", kick_waiting),
    ("local programs get sessions of their own", local),
    ("a session opens links, which end with it", links),
    ("links have their limit and their end", link_limits),
    ("no worker speaks for others", forgery),
    ("who shares with whom is known and kept", shares),
    ("stopping says BYE, and kills what hangs", stop),
];

pub fn run_all() {
    for (name, case) in CASES {
        let begin = Instant::now();
        case(&mut Host::start());
        println!(
            "test {name} ... ok ({:.1} s)",
            begin.elapsed().as_secs_f64()
        );
    }
    stop_quickly();
}

fn login(host: &mut Host) {
    let mut client = host.login("alice");
    assert!(client.is_alive());
    host.wait_log(
        "imap-login: Login: user=<alice>, method=LOGIN, rip=127.0.0.1, lip=127.0.0.1, secured, \
         session=<IMAP-00001>",
    );
    let pid = client.worker;
    client.say("quit");
    host.wait_log(&format!(
        "imap(alice)<{pid}><IMAP-00001>: Disconnected: Logged out in=7 out=11 deleted=0 "
    ));
    let other = host.login("bob");
    assert_eq!(other.worker, pid, "one worker for each uid");
}

fn control(host: &mut Host) {
    let own = roost_os::identity::current_user();
    let ask = |host: &Host, uid| {
        let socket = roost_os::local::connect(&host.control()).unwrap();
        let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
        let request = ControlRequest::Maintain(Maintenance {
            task: Task::Reindex,
            uid,
            maildir: "/nowhere".into(),
            mailboxes: vec![],
            acl: None,
            property: None,
        });
        channel.send(&request, &[]).unwrap();
        channel.recv().unwrap().map(|(reply, _)| reply)
    };
    assert_eq!(ask(host, own), Some(ControlReply::NotServed));
    let _client = host.login("alice");
    assert_eq!(ask(host, own), Some(ControlReply::Done));
    if !own.is_root() {
        let foreign = ask(host, UserId(own.0 + 1));
        assert_eq!(foreign, Some(ControlReply::Refused));
    }
    // What is no request is not answered.
    let socket = roost_os::local::connect(&host.control()).unwrap();
    roost_os::fdpass::send(&socket, &[0, 99], &[]).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(roost_os::fdpass::recv(&socket, &mut buffer).unwrap().len, 0);
    assert_eq!(ask(host, own), Some(ControlReply::Done));
}

/// Newer kernels forbid it: then nothing is sent along.
fn lingering(host: &mut Host) {
    let mut lingering = Lingering::new();
    let mut sockets = Vec::new();
    // The beginning of a request, and a whole one with something behind it.
    for packets in [&[[1, 4]][..], &[[0, 2], [1, 4]]] {
        let socket = roost_os::local::connect(&host.control()).unwrap();
        let (last, first) = packets.split_last().unwrap();
        for packet in first {
            roost_os::fdpass::send(&socket, packet, &[]).unwrap();
        }
        let sent = roost_os::fdpass::send(&socket, last, &[lingering.fd()]);
        sockets.push((socket, sent.is_ok()));
    }
    if sockets.iter().any(|(_, sent)| *sent) {
        lingering.leave();
    }
    drop(sockets);
    assert!(host.login("alice").is_alive());
    let socket = roost_os::local::connect(&host.control()).unwrap();
    let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
    channel.send(&ControlRequest::Who, &[]).unwrap();
    assert!(channel.recv().unwrap().is_some());
    assert!(lingering.was_unread(), "somebody has waited");
}

fn flooding(host: &mut Host) {
    let mut buffer = [0; 8];
    for _ in 0..100 {
        let socket = roost_os::local::connect(&host.control()).unwrap();
        roost_os::fdpass::send(&socket, &[0, 99], &[]).unwrap();
        assert_eq!(roost_os::fdpass::recv(&socket, &mut buffer).unwrap().len, 0);
    }
    host.login("alice");
    host.wait_log("Login: user=<alice>");
    // At the end of a minute there may be a second few.
    let lines = host.count_log("control socket: uid ");
    assert!((1..=10).contains(&lines), "{lines}");
}

/// What a worker says of sessions of others is not heard, and one that does
/// not come to an end is not waited for.
fn who(host: &mut Host) {
    let _client = host.login("alice");
    let socket = roost_os::local::connect(&host.control()).unwrap();
    let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
    channel.send(&ControlRequest::Who, &[]).unwrap();
    let Some((ControlReply::Sessions(rows), _)) = channel.recv().unwrap() else {
        panic!("no sessions");
    };
    let shown = rows
        .iter()
        .map(|row| (row.account.as_deref(), row.status.as_str()));
    assert_eq!(shown.collect::<Vec<_>>(), [(Some("alice"), "lying")]);
    let end = channel.recv().unwrap().map(|(reply, _)| reply);
    assert_eq!(end, Some(ControlReply::Done));
}

fn handover_without_grant(host: &mut Host) {
    let mut thief = host.connect("steal");
    assert_eq!(thief.line(), "NO NoGrant");
    host.wait_log("handover without a grant refused");
    assert!(host.pids("roost-worker").is_empty());
}

fn foreign_uid(host: &mut Host) {
    let mut client = host.connect("login foreign");
    assert_eq!(client.line(), "NO Unavailable");
    host.wait_log("login of <foreign> refused: Roost was not started as root");
}

fn gate_dies(host: &mut Host) {
    let mut client = host.login("alice");
    for round in 1..=3 {
        host.replace("roost-gate");
        assert!(client.is_alive(), "round {round}");
        host.login("alice").say("quit");
        // Each gate has a block of session numbers of its own.
        host.wait_log(&format!("session=<IMAP-{:05}>", round * 1024 + 1));
    }
    host.wait_log("roost-gate (pid");
}

fn auth_dies(host: &mut Host) {
    let mut client = host.login("alice");
    for _ in 0..3 {
        host.replace("roost-auth");
        // An attempt that was on its way to the dead one gets no answer from
        // this gate, so ask until the successor is there.
        until("login", || {
            let mut next = host.connect("login alice");
            next.set_patience(Duration::from_secs(3));
            (next.line().starts_with("t OK")).then_some(())
        });
        assert!(client.is_alive());
    }
}

fn worker_dies(host: &mut Host) {
    let mut first = host.login("alice");
    let mut second = host.login("bob");
    first.say("die");
    assert_eq!(first.line(), "");
    assert_eq!(second.line(), "", "it had the same worker");
    host.wait_log("Disconnected: Worker died time=");
    let third = host.login("alice");
    assert_ne!(third.worker, second.worker);
}

fn garbage(host: &mut Host) {
    let mut client = host.login("alice");
    let old = host.pid("roost-gate");
    let _ = host.connect("garbage");
    until("successor", || {
        host.pids("roost-gate")
            .iter()
            .any(|pid| *pid != old)
            .then_some(())
    });
    host.wait_log("peer sent no message");
    assert!(client.is_alive());
    host.login("alice");
}

fn bad_reload(host: &mut Host) {
    let mut client = host.login("alice");
    let good = std::fs::read_to_string(host.config()).unwrap();
    let bad = format!("{good}\n[limits]\nmax_conections = 3\n[nonsense]\n");
    std::fs::write(host.config(), bad).unwrap();
    host.signal("HUP");
    host.wait_log("the new configuration is not used");
    let log = host.log();
    assert!(
        log.contains("max_conections") && log.contains("nonsense"),
        "every error"
    );
    assert!(client.is_alive());
    host.login("alice");
    std::fs::write(host.config(), good).unwrap();
    host.reconfigure("");
}

fn good_reload(host: &mut Host) {
    let mut client = host.login("alice");
    let (old, new) = (host.clear, free_address());
    let text = std::fs::read_to_string(host.config()).unwrap();
    let text = text.replace(&format!("imap = {old}"), &format!("imap = {new}"));
    std::fs::write(host.config(), text).unwrap();
    host.reconfigure("\n[limits]\nmax_connections_per_user = 2\n");
    until("old port closed", || {
        TcpStream::connect(old).is_err().then_some(())
    });
    assert!(client.is_alive());
    let mut second = connect(new, "login alice");
    assert!(second.line().starts_with("t OK"));
    let mut third = connect(new, "login alice");
    assert_eq!(third.line(), "NO TooManyConnections");
    host.wait_log("login of <alice> refused: max_connections_per_user = 2");
    let mut other = connect(new, "login bob");
    assert!(other.line().starts_with("t OK"));
    second.say("quit");
    host.wait_log("Logged out");
    let mut fourth = connect(new, "login alice");
    assert!(fourth.line().starts_with("t OK"));
}

fn new_certificate(host: &mut Host) {
    let mut client = host.login("alice");
    let state = host.config().with_file_name("state");
    std::fs::remove_file(state.join("self-signed.crt")).unwrap();
    host.wait_log("certificates reloaded");
    assert!(state.join("self-signed.crt").exists());
    assert!(client.is_alive());
}

fn systemd(host: &mut Host) {
    let mut heard = String::new();
    let mut wait_for = |text: &str| {
        until(text, || {
            heard.push_str(&host.systemd_hears());
            heard.contains(text).then_some(())
        });
        heard.clear();
    };
    wait_for("READY=1\n");
    host.signal("HUP");
    wait_for("RELOADING=1\nMONOTONIC_USEC=");
    wait_for("READY=1\n");
    host.signal("TERM");
    wait_for("STOPPING=1\n");
}

fn idle_worker(host: &mut Host) {
    host.reconfigure("\n[limits]\nworker_idle = 20ms\n");
    let mut workers = std::collections::BTreeSet::new();
    for round in 0..60 {
        let mut client = host.login("alice");
        workers.insert(client.worker);
        client.say("quit");
        assert_eq!(client.line(), "");
        // Around the time at which the worker ends.
        std::thread::sleep(Duration::from_millis(15 + round % 12));
    }
    assert!(workers.len() > 5, "workers did end: {}", workers.len());
    until("no worker", || {
        host.pids("roost-worker").is_empty().then_some(())
    });
    assert!(!host.log().contains("ended: signal"));
}

/// While a worker that was let go does not end, a login waits for the next.
fn kick_waiting(host: &mut Host) {
    host.reconfigure("\n[limits]\nworker_idle = 20ms\n");
    let ask = |request| {
        let socket = roost_os::local::connect(&host.control()).unwrap();
        let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
        channel.send(&request, &[]).unwrap();
        channel.recv().unwrap().map(|(reply, _)| reply)
    };
    let mut first = host.login("alice");
    assert_eq!(said(&mut first, "ping"), "ping");
    first.say("hang");
    first.say("quit");
    assert_eq!(first.line(), "");
    until("the worker is let go", || {
        // Each question keeps it from being idle.
        std::thread::sleep(Duration::from_millis(50));
        let request = ControlRequest::Maintain(Maintenance {
            task: Task::Reindex,
            uid: roost_os::identity::current_user(),
            maildir: "/nowhere".into(),
            mailboxes: vec![],
            acl: None,
            property: None,
        });
        (ask(request) == Some(ControlReply::NotServed)).then_some(())
    });
    let mut second = host.connect("login alice");
    until("the login is ended", || {
        let account = "alice".to_owned();
        let request = ControlRequest::Kick(Target::Account { account });
        (ask(request) == Some(ControlReply::Kicked(1))).then_some(())
    });
    assert_eq!(second.line(), "NO Unavailable");
    let waiting = std::thread::scope(|scope| {
        let local = scope.spawn(|| open(host, "alice").err());
        until("the program is told", || {
            let account = "alice".to_owned();
            let request = ControlRequest::Kick(Target::Account { account });
            (ask(request) == Some(ControlReply::Kicked(1))).then_some(())
        });
        local.join().unwrap()
    });
    assert_eq!(waiting, Some(NoSession::Unavailable));
}

fn said(client: &mut Client, line: &str) -> String {
    client.say(line);
    client.line()
}

fn links(host: &mut Host) {
    let text = std::fs::read_to_string(host.config()).unwrap();
    let lines = text
        .lines()
        .map(|line| match line.starts_with("log_level") {
            true => "log_level = low-level\n".to_owned(),
            false => format!("{line}\n"),
        });
    std::fs::write(host.config(), lines.collect::<String>()).unwrap();
    host.reconfigure("");
    let mut bob = host.login("bob");
    let opened = said(&mut bob, "open ~Alice");
    let number = opened.rsplit(' ').next().unwrap().to_owned();
    let expected = format!("Opened: alice for bob of staff as ~Alice tag <> session {number}");
    assert_eq!(opened, expected);
    assert_eq!(said(&mut bob, "via ping"), "ping");
    for (owner, result) in [
        ("~nobody", "NoSuchAccount"),
        ("~nomail", "NoSuchAccount"),
        ("~foreign", "NoSuchAccount"),
        ("alice", "NoSuchAccount"),
        ("~unknown", "Unavailable"),
        (&format!("~{}", "x".repeat(256)), "NoSuchAccount"),
    ] {
        assert_eq!(said(&mut bob, &format!("open {owner}")), result, "{owner}");
    }
    assert_eq!(said(&mut bob, "via ping"), "ping");
    assert_eq!(said(&mut bob, "via quit"), "the link has ended");
    host.wait_log("link of <bob> to <alice> closed");
    // No client has come or gone.
    let log = host.log();
    assert!(!log.contains("Login: user=<alice>"), "{log}");
    assert!(!log.contains("imap(alice)"), "{log}");
    assert!(bob.is_alive());
    // A session that has gone meanwhile leaves no question behind.
    let mut carol = host.login("carol");
    carol.say("leave ~alice");
    assert_eq!(carol.line(), "");
    until("an answer for nobody", || {
        (said(&mut bob, "unanswered requests") == "0").then_some(())
    });
    // A link is no session that may have links.
    said(&mut bob, "open ~alice");
    assert_eq!(
        said(&mut bob, "via open ~carol"),
        "",
        "one worker serves both"
    );
    host.wait_log("it speaks for a session that is not its own");
}

fn link_limits(host: &mut Host) {
    host.reconfigure("\n[limits]\nmax_connections_per_user = 1\n");
    let mut bob = host.login("bob");
    for _ in 0..48 {
        assert!(said(&mut bob, "open ~alice").starts_with("Opened: alice"));
    }
    assert_eq!(said(&mut bob, "open ~alice"), "Limit");
    assert_eq!(said(&mut bob, "drop links"), "dropped");
    until("an end of links", || {
        said(&mut bob, "open ~alice")
            .starts_with("Opened")
            .then_some(())
    });
    // They are no connections of alice's.
    let mut alice = host.login("alice");
    assert!(alice.is_alive());
    let mut carol = host.login("carol");
    assert!(said(&mut carol, "open ~alice").starts_with("Opened: alice"));
    // A question that auth does not answer is no answer.
    assert_eq!(said(&mut carol, "open ~silent"), "Unavailable");
    // Nor is one that dies.
    carol.say("open ~silent");
    std::thread::sleep(Duration::from_millis(50));
    host.replace("roost-auth");
    assert_eq!(carol.line(), "Unavailable");
}

fn forgery(host: &mut Host) {
    let mut alice = host.login("alice");
    let mut bob = host.login("bob");
    for number in [99_u64, 1 << 40] {
        bob.say(&format!("forge {number}"));
        assert_eq!(bob.line(), "", "the worker is ended");
        assert_eq!(alice.line(), "");
        alice = host.login("alice");
        bob = host.login("bob");
    }
    assert_eq!(
        host.count_log("it speaks for a session that is not its own"),
        2
    );
    // For an account that it has no session of.
    bob.say("speak carol");
    until("the worker's end", || bob.line().is_empty().then_some(()));
    host.wait_log("it speaks for an account that is not its own");
    assert_eq!(said(&mut host.login("dave"), "shares"), "");
}

fn shares(host: &mut Host) {
    let mut alice = host.login("alice");
    let mut bob = host.login("bob");
    assert_eq!(said(&mut bob, "shares"), "");
    assert_eq!(said(&mut alice, "share #staff"), "shared");
    assert_eq!(said(&mut bob, "shares"), "alice");
    assert_eq!(said(&mut alice, "shares"), "");
    let file = host.config().with_file_name("state").join("shares");
    until("the file", || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (text == "alice #staff\n").then_some(())
    });
    let ask = |request| {
        let socket = roost_os::local::connect(&host.control()).unwrap();
        let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
        channel.send(&request, &[]).unwrap();
        channel.recv().unwrap().map(|(reply, _)| reply)
    };
    let all = roost_ipc::Shares {
        account: "carol".into(),
        identifiers: vec!["bob".into()],
    };
    let replies = [
        ask(ControlRequest::ForgetShares),
        ask(ControlRequest::Share(all)),
    ];
    if roost_os::identity::is_root() {
        assert_eq!(
            replies,
            [Some(ControlReply::Done), Some(ControlReply::Done)]
        );
        assert_eq!(said(&mut bob, "shares"), "carol");
    } else {
        assert_eq!(
            replies,
            [Some(ControlReply::Refused), Some(ControlReply::Refused)]
        );
        assert_eq!(said(&mut bob, "shares"), "alice");
    }
}

fn open(host: &Host, name: &str) -> Result<Client, NoSession> {
    let socket = roost_os::local::connect(&host.control()).unwrap();
    let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
    let request = ControlRequest::Open(Wish {
        name: Some(name.into()),
        client: true,
    });
    channel.send(&request, &[]).unwrap();
    match channel.recv().unwrap().unwrap() {
        (ControlReply::Opened, mut descriptors) => Ok(Client::over(descriptors.remove(0))),
        (ControlReply::NotOpened(reason), _) => Err(reason),
        other => panic!("{other:?}"),
    }
}

fn local(host: &mut Host) {
    host.reconfigure("\n[limits]\nmax_connections_per_user = 2\n");
    let mut first = open(host, "alice").unwrap();
    let greeting = first.line();
    assert!(greeting.starts_with(" OK alice "), "no tag: {greeting}");
    host.wait_log("Login: user=<alice>, method=PREAUTH, rip=127.0.0.1");
    // Those of the account count together.
    let mut second = host.login("alice");
    let third = open(host, "alice").err();
    assert_eq!(third, Some(NoSession::TooMany));
    assert_eq!(open(host, "nobody").err(), Some(NoSession::NoSuchAccount));
    assert_eq!(open(host, "foreign").err(), Some(NoSession::NotAllowed));
    // With the gate it has nothing to do.
    host.replace("roost-gate");
    assert!(first.is_alive());
    // With its worker it ends, and makes room.
    second.say("quit");
    first.say("die");
    assert_eq!(first.line(), "");
    host.wait_log("Disconnected: Worker died");
    let mut again = until("room", || open(host, "alice").ok());
    assert!(again.line().starts_with(" OK alice "));
    drop(again);
    // A question that auth does not answer has an end.
    let waiting = std::thread::scope(|scope| {
        let asking = scope.spawn(|| open(host, "silent").err());
        std::thread::sleep(Duration::from_millis(50));
        host.replace("roost-auth");
        asking.join().unwrap()
    });
    assert_eq!(waiting, Some(NoSession::Unavailable));
    // Nor does a password that is tried wait for ever.
    let socket = roost_os::local::connect(&host.control()).unwrap();
    let mut channel = BlockingChannel::<ControlRequest, ControlReply>::new(socket).unwrap();
    let tested = Attempted {
        user: Secret::new(b"alice".to_vec()),
        password: Secret::new(b"x".to_vec()),
    };
    channel.send(&ControlRequest::Test(tested), &[]).unwrap();
    host.wait_log("tries a password");
    host.replace("roost-auth");
    let reason = AuthFailure::Unavailable;
    let wanted = ControlReply::Tested(TrialResult::Failed { reason });
    assert_eq!(channel.recv().unwrap().unwrap().0, wanted);
}

fn stop(host: &mut Host) {
    host.reconfigure("\n[limits]\nshutdown_grace = 500ms\n");
    let mut client = host.login("alice");
    client.say("hang");
    assert!(client.is_alive());
    let begin = Instant::now();
    host.signal("TERM");
    assert_eq!(client.line(), "* BYE");
    assert!(host.wait().success());
    let took = begin.elapsed();
    assert!((500..4000).contains(&took.as_millis()), "{took:?}");
    host.wait_log("some processes do not end and are killed");
    assert!(TcpStream::connect(host.clear).is_err());
}

fn stop_quickly() {
    let mut host = Host::start();
    let mut client = host.login("alice");
    let begin = Instant::now();
    host.signal("INT");
    assert_eq!(client.line(), "* BYE");
    assert!(host.wait().success());
    assert!(begin.elapsed() < Duration::from_secs(4));
    println!("test stopping is quick when nothing hangs ... ok");
}
