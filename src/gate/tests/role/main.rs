//! The executable, between a supervisor and an auth that the test plays, with
//! clients over real sockets.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gate;

use gate::*;
use std::os::fd::AsFd;
use std::time::Duration;

use roost_ipc::{
    AuthFailure, AuthResult, Channel, GateToAuth, GateToSupervisor, HandoverFailure, LogLevel,
    Refusal, Secret, SupervisorToGate,
};
use roost_os::identity::{self};
use roost_os::spawn::Spawn;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_clear_connection_is_handed_over_itself() {
    let mut gate = Gate::start().await;
    let mut client = gate.clear().await;
    assert!(line(&mut client).await.contains("Roost IMAP server"));
    send(&mut client, "a LOGIN alice secret\r\nb SELECT inbox\r\n").await;
    let (handover, fd) = gate.grant().await;
    assert_eq!((handover.tag.as_str(), handover.tls), ("a", None));
    assert_eq!(handover.leftover.0, b"b SELECT inbox\r\n");
    assert_eq!(handover.endpoints.remote, client.local_addr().unwrap());
    let mut worker = tcp_of(fd);
    gate.done(handover.session).await;
    send(&mut worker, "a OK Logged in\r\n").await;
    assert_eq!(line(&mut client).await, "a OK Logged in");
    send(&mut client, "c NOOP\r\n").await;
    assert_eq!(line(&mut worker).await, "c NOOP");
    // Only the worker holds it now: its end is the connection's.
    drop(worker);
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_tls_connection_is_relayed() {
    let mut gate = Gate::start().await;
    let mut client = gate.tls().await;
    let (handover, fd) = gate.login(&mut client).await;
    assert_eq!(handover.tls.unwrap().version, "TLSv1.3");
    let mut worker = unix_of(fd);
    // Written before the relay begins.
    send(&mut worker, "a OK Logged in\r\n").await;
    gate.done(handover.session).await;
    assert_eq!(line(&mut client).await, "a OK Logged in");
    let big = "x".repeat(500_000);
    let (_, got) = tokio::join!(send(&mut client, &big), async {
        let mut got = vec![0; big.len()];
        worker.read_exact(&mut got).await.unwrap();
        got
    });
    assert!(got == big.as_bytes());
    send(&mut client, "b LOGOUT\r\n").await;
    assert_eq!(line(&mut worker).await, "b LOGOUT");
    send(&mut worker, "* BYE\r\nb OK\r\n").await;
    drop(worker);
    // With a close_notify: without one this is an error.
    assert_eq!(rest(&mut client).await, "* BYE\r\nb OK\r\n");
}

#[tokio::test]
async fn starttls_and_then_a_login() {
    let mut gate = Gate::start().await;
    let mut tcp = gate.clear().await;
    assert!(line(&mut tcp).await.contains("STARTTLS"));
    send(&mut tcp, "a STARTTLS\r\n").await;
    assert!(line(&mut tcp).await.starts_with("a OK"));
    let mut client = gate.wrap(tcp).await;
    send(&mut client, "b CAPABILITY\r\n").await;
    let names = line(&mut client).await;
    assert!(
        !names.contains("STARTTLS") && names.contains("AUTH=SCRAM-SHA-256-PLUS"),
        "{names}"
    );
    line(&mut client).await;
    send(&mut client, "c AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n").await;
    let start = gate.attempt().await;
    assert!(start.plus_offered);
    assert!(start.tls.unwrap().binding.exporter.is_some());
}

#[tokio::test]
async fn a_refused_handover_is_told_to_the_client() {
    for (reason, code) in [
        (Refusal::TooManyConnections, "LIMIT"),
        (Refusal::NoGrant, "UNAVAILABLE"),
    ] {
        let mut gate = Gate::start().await;
        let mut client = gate.tls().await;
        let (handover, _fd) = gate.login(&mut client).await;
        let session = handover.session;
        let failure = HandoverFailure { session, reason };
        gate.tell(SupervisorToGate::HandoverFailed(failure)).await;
        let answer = rest(&mut client).await;
        assert!(answer.starts_with(&format!("a NO [{code}]")), "{answer}");
    }
}

#[tokio::test]
async fn failed_logins_are_logged_for_filters() {
    let mut gate = Gate::start().await;
    let mut client = gate.tls().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN \"al<ice\" wrong\r\n").await;
    let session = gate.attempt().await.session;
    let reason = AuthFailure::Credentials;
    gate.decide(session, AuthResult::Failed { reason }).await;
    assert!(
        line(&mut client)
            .await
            .starts_with("a NO [AUTHENTICATIONFAILED]")
    );
    drop(client);
    let record = gate.logged("imap-login").await;
    assert_eq!(record.level, LogLevel::Failures);
    let expected = "user=<al\\x3cice>, method=LOGIN, rip=127.0.0.1, lip=127.0.0.1, TLS, \
                    session=<IMAP-00100>";
    assert!(
        record
            .text
            .starts_with("imap-login: Disconnected (auth failed, 1 attempts in ")
    );
    assert!(record.text.ends_with(expected), "{}", record.text);
}

#[tokio::test]
async fn connections_beyond_the_limit_hear_so() {
    let mut gate = Gate::with(|s| s.limits.max_connections = 1).await;
    let mut first = gate.clear().await;
    line(&mut first).await;
    let words = "* BYE [UNAVAILABLE] too many connections, try again later\r\n";
    assert_eq!(rest(&mut gate.clear().await).await, words);
    assert_eq!(rest(&mut gate.tls().await).await, words);
    // A session that was handed over still counts, until it has ended.
    send(&mut first, "a LOGIN alice secret\r\n").await;
    let (handover, _worker) = gate.grant().await;
    gate.done(handover.session).await;
    assert_eq!(rest(&mut gate.clear().await).await, words);
    gate.tell(SupervisorToGate::SessionEnded(handover.session))
        .await;
    let mut greeted = false;
    for _ in 0..100 {
        greeted = line(&mut gate.clear().await).await.starts_with("* OK");
        if greeted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(greeted);
}

#[tokio::test]
async fn a_proxy_says_whose_connection_it_is() {
    let mut gate = Gate::with(|s| {
        s.proxies = vec!["127.0.0.0/8".parse().unwrap()];
        s.trusted_networks.clear();
        s.limits.max_connections_per_ip = 1;
    })
    .await;
    let header = |client: &str| format!("PROXY TCP4 {client} 192.0.2.1 4711 993\r\n");
    // Not one octet behind the header is taken from the handshake.
    let mut tcp = gate.raw(1).await;
    send(&mut tcp, &header("203.0.113.9")).await;
    let mut client = gate.wrap(tcp).await;
    assert!(line(&mut client).await.starts_with("* OK"));
    send(&mut client, "a LOGIN alice secret\r\n").await;
    let start = gate.attempt().await;
    assert_eq!(start.endpoints.remote, "203.0.113.9:4711".parse().unwrap());
    assert_eq!(start.endpoints.local, "192.0.2.1:993".parse().unwrap());
    // Limits are those of the address that was named.
    let mut same = gate.raw(0).await;
    send(&mut same, &header("203.0.113.9")).await;
    assert!(rest(&mut same).await.starts_with("* BYE [UNAVAILABLE]"));
    let mut other = gate.raw(0).await;
    send(&mut other, &header("203.0.113.10")).await;
    assert!(line(&mut other).await.contains("LOGINDISABLED"));
    // Without a header there is no service.
    let mut without = gate.raw(0).await;
    send(&mut without, "a LOGIN alice secret\r\n").await;
    let mut sink = Vec::new();
    // What was not read may reset the connection.
    let _ = without.read_to_end(&mut sink).await;
    assert_eq!(sink, b"");
    gate.logged("refused: no PROXY header").await;
}

#[tokio::test]
async fn a_header_from_elsewhere_is_a_bad_command() {
    let mut gate = Gate::with(|s| s.proxies = vec!["192.0.2.0/24".parse().unwrap()]).await;
    let mut client = gate.clear().await;
    line(&mut client).await;
    let forged = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 143\r\na LOGIN alice secret\r\n";
    send(&mut client, forged).await;
    assert!(line(&mut client).await.starts_with("PROXY BAD"));
    let start = gate.attempt().await;
    assert!(start.endpoints.remote.ip().is_loopback());
}

#[tokio::test]
async fn a_reload_changes_certificates_and_keeps_connections() {
    let mut gate = Gate::start().await;
    let mut old = gate.tls().await;
    line(&mut old).await;
    gate.setup.tls.as_mut().unwrap().certificates = vec![certificate()];
    gate.setup.sessions = None;
    gate.send_setup().await;
    assert_eq!(gate.says().await.0, GateToSupervisor::Ready);
    // Verified against the new one.
    let mut new = gate.tls().await;
    line(&mut new).await;
    send(&mut old, "a NOOP\r\n").await;
    assert!(line(&mut old).await.starts_with("a OK"));

    let good = gate.setup.clone();
    gate.setup.tls.as_mut().unwrap().certificates[0].key = Secret::new(b"junk".to_vec());
    gate.send_setup().await;
    assert!(matches!(
        gate.says().await.0,
        GateToSupervisor::SetupRejected(_)
    ));
    gate.setup = good;
    line(&mut gate.tls().await).await;
}

#[tokio::test]
async fn a_new_auth_takes_the_place_of_one_that_died() {
    let mut gate = Gate::start().await;
    let mut client = gate.clear().await;
    line(&mut client).await;
    send(&mut client, "a LOGIN alice secret\r\n").await;
    gate.attempt().await;
    let (ours, theirs) = pair();
    gate.auth = Channel::new(ours).unwrap();
    assert!(line(&mut client).await.starts_with("a NO [UNAVAILABLE]"));
    assert_eq!(gate.says().await.0, GateToSupervisor::AuthLost);
    let peer = SupervisorToGate::AuthPeer;
    gate.supervisor
        .send(&peer, &[theirs.as_fd()])
        .await
        .unwrap();
    drop(theirs);
    // Messages are taken in order: behind this one the new auth is known.
    gate.send_setup().await;
    assert_eq!(gate.says().await.0, GateToSupervisor::Ready);
    // For all the gate knows, the new one has the request.
    let first = timeout(LONG, gate.auth.recv()).await.unwrap().unwrap();
    assert!(matches!(first, Some((GateToAuth::Cancel(_), _))));
    send(&mut client, "b LOGIN alice secret\r\n").await;
    let (handover, _fd) = gate.grant().await;
    assert_eq!(handover.tag, "b");
}

#[tokio::test]
async fn shutdown_says_bye_and_waits_for_relays() {
    let mut gate = Gate::start().await;
    let mut waiting = gate.clear().await;
    line(&mut waiting).await;
    let (mut client, mut worker, _) = gate.relayed().await;
    gate.tell(SupervisorToGate::Shutdown(LONG)).await;
    assert_eq!(
        rest(&mut waiting).await,
        "* BYE [UNAVAILABLE] server shutting down\r\n"
    );
    drop(waiting);
    send(&mut worker, "* BYE from the worker\r\n").await;
    drop(worker);
    assert_eq!(rest(&mut client).await, "* BYE from the worker\r\n");
    drop(client);
    let mut child = std::mem::replace(
        &mut gate.child,
        Spawn::new("/bin/true", "true").spawn().unwrap(),
    );
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(timeout(LONG, status).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_login_on_its_way_hears_its_end_during_the_shutdown() {
    let mut gate = Gate::start().await;
    let mut client = gate.clear().await;
    let (handover, _worker) = gate.login(&mut client).await;
    gate.tell(SupervisorToGate::Shutdown(Duration::from_secs(3600)))
        .await;
    let reason = Refusal::ShuttingDown;
    let failure = HandoverFailure {
        session: handover.session,
        reason,
    };
    gate.tell(SupervisorToGate::HandoverFailed(failure)).await;
    let words = rest(&mut client).await;
    assert!(
        words.starts_with("a NO [UNAVAILABLE] Server shutting down"),
        "{words}"
    );
}

#[tokio::test]
async fn a_broken_handshake_is_logged() {
    let mut gate = Gate::start().await;
    let mut client = TcpStream::connect(gate.address(true)).await.unwrap();
    send(&mut client, "GET / HTTP/1.0\r\n\r\n").await;
    let record = gate.logged("TLS handshake failed").await;
    assert!(record.text.contains("no auth attempts"), "{}", record.text);
}

#[tokio::test]
async fn a_kicked_relay_ends() {
    let mut gate = Gate::start().await;
    let (mut client, mut worker, handover) = gate.relayed().await;
    send(&mut worker, "a OK\r\n").await;
    line(&mut client).await;
    gate.tell(SupervisorToGate::Kick(handover.session)).await;
    let mut byte = [0];
    assert_eq!(
        timeout(LONG, worker.read(&mut byte))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn as_root_it_is_confined() {
    let gate = Gate::start().await;
    if !identity::is_root() {
        return;
    }
    let of = |name: &str| format!("/proc/{}/{name}", gate.child.pid());
    let status = std::fs::read_to_string(of("status")).unwrap();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .unwrap()
            .trim()
    };
    assert_eq!(
        field("Uid:").split_whitespace().collect::<Vec<_>>(),
        ["65534"; 4]
    );
    assert_eq!(
        field("Gid:").split_whitespace().collect::<Vec<_>>(),
        ["65534"; 4]
    );
    assert_eq!((field("Groups:"), field("NoNewPrivs:")), ("", "1"));
    assert_eq!(field("CapEff:").trim_matches('0'), "");
    assert_eq!(std::fs::read_link(of("root")).unwrap(), gate.root.path());
    // Of every thread.
    for task in std::fs::read_dir(of("task")).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1") && status.contains("Uid:\t65534"));
    }
}

/// Octets of memory that the process holds.
fn resident(gate: &Gate) -> usize {
    let path = format!("/proc/{}/statm", gate.child.pid());
    let statm = std::fs::read_to_string(path).unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn an_idle_relay_costs_little() {
    const MOST: usize = 24 * 1024;
    let mut gate = Gate::with(|s| s.limits.max_connections = 2000).await;
    let mut held = Vec::new();
    let mut sizes = Vec::new();
    for round in 0..2 {
        for _ in 0..200 {
            let (mut client, mut worker, _) = gate.relayed().await;
            // Some traffic first, as every session has.
            send(&mut worker, &"x".repeat(40_000)).await;
            client.read_exact(&mut vec![0; 40_000]).await.unwrap();
            held.push((client, worker));
        }
        sizes.push(resident(&gate));
        assert_eq!(held.len(), (round + 1) * 200);
    }
    let each = (sizes[1] - sizes[0].min(sizes[1])) / 200;
    assert!(each < MOST, "{each} octets for each connection");
}
