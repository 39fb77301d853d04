//! Clients that break the protocol, send without end, read nothing, say
//! nothing or leave in the middle.
//!
//! What must hold: whatever one connection does, no process ends or grows, no
//! other session waits, and nothing is left behind.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod answers;
mod nonsense;

use nix::unistd::Pid;
use roost_tests::client::Client;
use roost_tests::process::{eventually, loopback};
use roost_tests::roost::{Roost, Setup};
use roost_tests::tls;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// For whatever need not be quick, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Far above what a few dozen sessions need, far below what a flaw would take.
const MOST_MEMORY: u64 = 96 << 20;

fn start(settings: &[(&'static str, &str)]) -> Roost {
    Roost::alone(&Setup::of(&["u"]).with(settings))
}

fn login(roost: &Roost) -> Client {
    roost.login("u")
}

/// A session with INBOX selected.
fn selected(roost: &Roost) -> Client {
    let mut client = login(roost);
    client.ok("SELECT INBOX").unwrap();
    client
}

fn memory(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// The processes, once all of them are there.
fn processes(roost: &Roost) -> Vec<Pid> {
    login(roost).ok("NOOP").unwrap();
    roost.role_pids("")
}

/// That all went well with the processes that were there before.
fn unharmed(roost: &Roost, before: &[Pid]) {
    let log = roost.log();
    let last = log.get(log.len().saturating_sub(3000)..).unwrap_or(&log);
    assert!(!log.contains("panic"), "{last}");
    let now = roost.role_pids("");
    for pid in before {
        assert!(now.contains(pid), "{last}");
        let used = memory(*pid);
        assert!(used < MOST_MEMORY, "{used} octets");
    }
}

/// Both kinds of connection, with a limit on every wait.
trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn wire(roost: &Roost, with_tls: bool) -> Box<dyn Wire> {
    let wait = Some(PATIENCE);
    if with_tls {
        let stream = tls::connect(loopback(roost.tls_port())).unwrap();
        stream.sock.set_read_timeout(wait).unwrap();
        stream.sock.set_write_timeout(wait).unwrap();
        Box::new(stream)
    } else {
        let stream = TcpStream::connect(roost.addr()).unwrap();
        stream.set_read_timeout(wait).unwrap();
        stream.set_write_timeout(wait).unwrap();
        Box::new(stream)
    }
}

/// Reads until `text` has come, or the end; gives all that came.
fn read_until(wire: &mut dyn Wire, text: &[u8]) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    while !got.windows(text.len()).any(|w| w == text) {
        match wire.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
        }
    }
    got
}

const SELECTED: &[u8] = b"in LOGIN u roost-test\r\nready SELECT INBOX\r\n";

#[test]
fn clients_that_read_nothing_hold_nobody_up() {
    let roost = start(&[]);
    let mut first = selected(&roost);
    let big = [
        b"Subject: big\r\n\r\n".to_vec(),
        b"0123456789abcdef\r\n".repeat(100_000),
    ]
    .concat();
    for _ in 0..2 {
        assert!(first.append("INBOX", "", &big).unwrap().ok());
    }
    let pids = processes(&roost);
    let greedy: Vec<_> = (0..12)
        .map(|n| {
            let mut wire = wire(&roost, n % 2 == 1);
            wire.write_all(SELECTED).unwrap();
            read_until(&mut *wire, b"ready OK ");
            wire.write_all(&b"f FETCH 1:2 BODY[]\r\n".repeat(1000))
                .unwrap();
            wire
        })
        .collect();
    for n in 0..5 {
        let begin = Instant::now();
        let mut other = selected(&roost);
        other.ok(&format!("STORE 1 +FLAGS (k{n})")).unwrap();
        assert!(other.append("INBOX", "", b"x\r\n\r\n").unwrap().ok());
        other.ok("FETCH 1 BODY.PEEK[]").unwrap();
        first.ok("NOOP").unwrap();
        let took = begin.elapsed();
        assert!(took < PATIENCE, "{took:?}");
    }
    unharmed(&roost, &pids);
    drop(greedy);
    assert!(
        eventually(PATIENCE, || {
            (roost.log().matches(">: Disconnected: ").count() >= 18).then_some(())
        })
        .is_some(),
        "{}",
        roost.log()
    );
}

/// Whether the server closes within `limit`.
fn is_closed(stream: &mut TcpStream, limit: Duration) -> bool {
    stream.set_read_timeout(Some(limit)).unwrap();
    let mut sink = Vec::new();
    match stream.read_to_end(&mut sink) {
        Ok(_) => true,
        Err(e) => !matches!(
            e.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ),
    }
}

#[test]
fn silent_slow_and_endless_clients_are_sent_away_before_login() {
    let roost = start(&[("limits", "login_timeout = 2s")]);
    let pids = processes(&roost);
    let connect = |port: u16| TcpStream::connect(loopback(port)).unwrap();
    let mut silent: Vec<_> = (0..300).map(|_| connect(roost.port())).collect();
    silent.extend((0..100).map(|_| {
        let mut stream = connect(roost.tls_port());
        // The beginning of a ClientHello.
        stream.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
        stream
    }));
    let mut slow = connect(roost.port());
    let mut endless = connect(roost.port());
    let begin = Instant::now();
    login(&roost).ok("NOOP").unwrap();
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    endless.set_nonblocking(true).unwrap();
    let mut sink = [0; 4096];
    let mut ended = false;
    while begin.elapsed() < PATIENCE && !ended {
        let _ = slow.write_all(b"x");
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until && !ended {
            let _ = endless.write(b"a NOOP\r\na NOOP\r\na NOOP\r\n");
            ended = match endless.read(&mut sink) {
                Ok(n) => n == 0,
                Err(e) => e.kind() != io::ErrorKind::WouldBlock,
            };
        }
    }
    assert!(ended, "one that never stops sending is never timed out");
    assert!(is_closed(&mut slow, PATIENCE));
    for mut stream in silent {
        assert!(is_closed(&mut stream, PATIENCE));
    }
    unharmed(&roost, &pids);
}

fn temporary_files(home: &Path) -> Vec<std::ffi::OsString> {
    let tmp = home.join("Maildir/tmp");
    fs::read_dir(tmp)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect()
}

#[test]
fn who_leaves_in_the_middle_leaves_nothing_behind() {
    let roost = start(&[]);
    let home = roost.dir().join("homes/u");
    let mut watcher = selected(&roost);
    let pids = processes(&roost);
    let message = [b"Subject: x\r\n\r\n".to_vec(), b"x".repeat(3 << 20)].concat();
    assert!(watcher.append("INBOX", "", &message).unwrap().ok());
    let half = b"x".repeat(500_000);
    for with_tls in [false, true] {
        for head in [
            "a APPEND INBOX {9999999+}\r\n",
            "a APPEND INBOX {3+}\r\nabc {9999999+}\r\n",
        ] {
            let mut wire = wire(&roost, with_tls);
            wire.write_all(SELECTED).unwrap();
            read_until(&mut *wire, b"ready OK ");
            wire.write_all(head.as_bytes()).unwrap();
            wire.write_all(&half).unwrap();
            let begun = eventually(PATIENCE, || {
                (!temporary_files(&home).is_empty()).then_some(())
            });
            assert!(begun.is_some(), "no message is written");
            drop(wire);
            let gone = eventually(PATIENCE, || temporary_files(&home).is_empty().then_some(()));
            assert!(gone.is_some(), "{:?}", temporary_files(&home));
        }
        for command in [
            &b"f FETCH 1 BODY.PEEK[]\r\n"[..],
            b"i IDLE\r\n",
            b"f FETCH 1 (BODY",
        ] {
            let mut wire = wire(&roost, with_tls);
            wire.write_all(SELECTED).unwrap();
            read_until(&mut *wire, b"ready OK ");
            wire.write_all(command).unwrap();
        }
    }
    let all = eventually(PATIENCE, || {
        (roost.log().matches(">: Disconnected: ").count() == 11).then_some(())
    });
    assert!(all.is_some(), "{}", roost.log());
    let answer = watcher.ok("STATUS INBOX (MESSAGES)").unwrap();
    assert!(
        answer.lines().any(|l| l.contains("MESSAGES 1)")),
        "{answer:?}"
    );
    unharmed(&roost, &pids);
}
