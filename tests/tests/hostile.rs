//! Clients that break the protocol, send without end, read nothing, say
//! nothing or leave in the middle.
//!
//! What must hold: whatever one connection does, no process ends or grows, no
//! other session waits, and nothing is left behind.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::unistd::Pid;
use roost_tests::client::Client;
use roost_tests::process::{eventually, loopback};
use roost_tests::roost::{PASSWORD, Roost, Setup};
use roost_tests::tls;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Far above what a few dozen sessions need, far below what a flaw would take.
const MOST_MEMORY: u64 = 96 << 20;

fn start(settings: &[(&'static str, &str)]) -> (tempfile::TempDir, Roost) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let setup = Setup {
        users: vec!["u".into()],
        settings: settings
            .iter()
            .map(|(s, l)| (*s, (*l).to_owned()))
            .collect(),
        ..Setup::default()
    };
    let roost = Roost::start(dir.path(), &setup).unwrap();
    (dir, roost)
}

fn login(roost: &Roost) -> Client {
    Client::login(roost.addr(), "u", PASSWORD).unwrap()
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
    let wait = Some(Duration::from_secs(5));
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

/// What the server says to `input`, up to the answer to a NOOP behind it.
fn answer(roost: &Roost, with_tls: bool, prologue: &[u8], input: &[u8]) -> String {
    let mut wire = wire(roost, with_tls);
    wire.write_all(prologue).unwrap();
    read_until(&mut *wire, b"ready\r\n");
    if !prologue.is_empty() {
        read_until(&mut *wire, b"ready OK ");
    }
    // It may be cut off before all is sent.
    let _ = wire.write_all(&[input, b"\r\nlast NOOP\r\n"].concat());
    let got = read_until(&mut *wire, b"last OK");
    String::from_utf8_lossy(&got).into_owned()
}

const SELECTED: &[u8] = b"in LOGIN u roost-test\r\nready SELECT INBOX\r\n";

#[test]
fn what_cannot_be_obeyed_is_answered_and_the_next_command_is_heard() {
    let (_dir, roost) = start(&[]);
    let mut watcher = login(&roost);
    watcher
        .append("INBOX", "", b"Subject: x\r\n\r\nx\r\n")
        .unwrap();
    let pids = processes(&roost);
    let long = |head: &str, piece: &str, n: usize, tail: &str| {
        format!("{head}{}{tail}", piece.repeat(n)).into_bytes()
    };
    let before: Vec<(Vec<u8>, &str)> = vec![
        (b"a LOGIN {-1}".to_vec(), "a BAD"),
        (b"a LOGIN {4294967296}".to_vec(), "a BAD"),
        (long("a LOGIN ", "{0+}\r\n ", 50, ""), "a BAD"),
        (b"a LOGIN {3+}\r\n\0\0\0 x".to_vec(), "a BAD"),
        (
            b"a LOGIN {2+}\r\n\xff\xfe x".to_vec(),
            "a NO [AUTHENTICATIONFAILED]",
        ),
        (long("a ", "x", 30_000, ""), "a BAD"),
        (b"a APPEND INBOX {5+}\r\nhello".to_vec(), "a BAD"),
        (b"a IDLE".to_vec(), "a BAD Log in first"),
        (b"a AUTHENTICATE PLAIN\r\n*".to_vec(), "a BAD"),
        (b"a AUTHENTICATE PLAIN\r\n!!!".to_vec(), "a BAD"),
        (b"a AUTHENTICATE PLAIN !!!".to_vec(), "a BAD"),
        (long("a AUTHENTICATE PLAIN\r\n", "A", 20_000, ""), "a BAD"),
        (b"a AUTHENTICATE PLAIN =".to_vec(), "a BAD"),
        (b"a AUTHENTICATE NONE".to_vec(), "a NO"),
        (b"\r\n\n\r\r\n* NOOP\r\n+ NOOP\r\n\0\0".to_vec(), "* BAD"),
        (b"GET / HTTP/1.0\r\nHost: x".to_vec(), "GET BAD"),
        (long("", "a NOOP\r\n", 5000, "b NOOP"), "b OK"),
    ];
    for (input, expected) in &before {
        for with_tls in [false, true] {
            let got = answer(&roost, with_tls, b"", input);
            check(input, &got, expected);
        }
    }
    let after: Vec<(Vec<u8>, &str)> = vec![
        (b"a FETCH 1:4294967295 FLAGS".to_vec(), "a BAD"),
        (b"a FETCH 4294967296 FLAGS".to_vec(), "a BAD"),
        (b"a FETCH *:* UID".to_vec(), "a OK"),
        (b"a UID FETCH 1:4294967295 UID".to_vec(), "a OK"),
        (b"a FETCH 0 UID".to_vec(), "a BAD"),
        (b"a FETCH  UID".to_vec(), "a BAD"),
        (b"a FETCH 1,,1 UID".to_vec(), "a BAD"),
        (b"a FETCH 1 BODY[]<4294967295.4294967295>".to_vec(), "a OK"),
        (
            b"a FETCH 1 BODY[]<18446744073709551615.1>".to_vec(),
            "a BAD",
        ),
        (b"a STORE 1 FLAGS (\\Recent)".to_vec(), "a BAD"),
        (b"a STORE 1 +FLAGS \\Recent".to_vec(), "a BAD"),
        (b"a SEARCH 4294967295".to_vec(), "a OK"),
        (b"a SEARCH LARGER 99999999999999999999".to_vec(), "a BAD"),
        (long("a SEARCH ", "(", 3000, "ALL"), "a BAD"),
        (long("a SEARCH ", "NOT ", 10_000, "ALL"), "a BAD"),
        (long("a SEARCH ", "OR ALL ", 9000, "ALL"), "a BAD"),
        (long("a SEARCH ", "{1+}\r\na ", 300, ""), "a BAD"),
        (long("a FETCH 1 ", "(", 3000, "FLAGS"), "a BAD"),
        (long("a LIST \"\" ", "(", 3000, ""), "a BAD"),
        (long("a LIST \"\" \"", "%*", 2500, "x\""), "a OK"),
        (long("a CREATE \"", "a/", 500, "\""), "a NO"),
        (b"a SELECT \"a\0b\"".to_vec(), "a BAD"),
        (b"a SELECT \"\xff\"".to_vec(), "a NO"),
        (long("a ", "x", 80_000, ""), "a BAD"),
        (long("a NOOP {2000000+}\r\n", "x", 2_000_000, ""), "a BAD"),
        (b"a APPEND INBOX {99999999999999999999}".to_vec(), "a NO"),
        (b"a APPEND none {5+}\r\nhello".to_vec(), "a NO [TRYCREATE]"),
        (b"a LOGIN u x".to_vec(), "a BAD"),
        (b"a STARTTLS".to_vec(), "a BAD"),
        // What ends an IDLE without a DONE is answered for the IDLE.
        (b"a IDLE\r\nb NOOP".to_vec(), "a BAD"),
        (long("a IDLE\r\nb ", "x", 100_000, ""), "a BAD"),
        (
            b"a IDLE\r\nDONE\r\nb IDLE\r\ndone\r\nc NOOP".to_vec(),
            "c OK",
        ),
    ];
    for (input, expected) in &after {
        let got = answer(&roost, false, SELECTED, input);
        check(input, &got, expected);
    }
    watcher.ok("NOOP").unwrap();
    unharmed(&roost, &pids);
}

fn check(input: &[u8], got: &str, expected: &str) {
    let shown = String::from_utf8_lossy(&input[..input.len().min(60)]);
    let begin = got.lines().find(|l| l.starts_with(expected));
    assert!(begin.is_some(), "{shown}: {got:.300}");
    assert!(got.contains("last OK"), "{shown}: {got:.300}");
}

#[test]
fn more_than_can_be_read_away_ends_the_connection() {
    let (_dir, roost) = start(&[]);
    let pids = processes(&roost);
    let huge = [b"a ", &b"x".repeat(1 << 20)[..]].concat();
    for input in [&huge[..], b"a LOGIN {4294967296+}\r\n"] {
        for with_tls in [false, true] {
            let got = answer(&roost, with_tls, b"", input);
            assert!(
                got.contains("* BYE") && !got.contains("last OK"),
                "{got:.300}"
            );
        }
    }
    let got = answer(&roost, false, b"", &b"x\r\n".repeat(100));
    assert!(
        got.contains("* BYE Too many invalid commands"),
        "{got:.300}"
    );
    unharmed(&roost, &pids);
}

/// Repeatable randomness.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.below(from.len())]
    }
}

const SEEDS: [&[u8]; 20] = [
    b"a LOGIN {1}\r\nx {4}\r\nxxxx\r\n",
    b"a AUTHENTICATE PLAIN AHUAcHc=\r\n",
    b"a STARTTLS\r\n",
    b"a ID (\"a\" \"b\" NIL NIL)\r\n",
    b"a SELECT INBOX\r\n",
    b"a FETCH 1:* (FLAGS BODY[1.2.HEADER.FIELDS (a b)]<1.2>)\r\n",
    b"a SEARCH OR (NOT ALL) (FROM \"x\" TO {3+}\r\nabc)\r\n",
    b"a LIST (SUBSCRIBED) \"\" (\"*\" \"%\") RETURN (CHILDREN STATUS (MESSAGES))\r\n",
    b"a STORE 1:4294967295 +FLAGS (\\Seen x)\r\n",
    b"a APPEND INBOX (\\Seen) \"01-Jan-2020 00:00:00 +0000\" {5+}\r\nhello\r\n",
    b"a APPEND INBOX {3+}\r\nabc {3+}\r\nabc\r\n",
    b"a IDLE\r\nDONE\r\n",
    b"a UID COPY *:1 \"x&AGE-\"\r\n",
    b"a CREATE \"a/b\" (USE (\\Sent))\r\n",
    b"a ENABLE IMAP4rev2 X\r\n",
    b"a STATUS INBOX (SIZE DELETED)\r\n",
    b"a RENAME a b\r\n",
    b"a UID SEARCH RETURN (SAVE) CHARSET UTF-8 UID 1:*\r\n",
    b"a FETCH $ (BINARY[1] ENVELOPE BODYSTRUCTURE)\r\n",
    b"a EXPUNGE\r\n",
];

const PIECES: [&[u8]; 16] = [
    b"{99999999999999999999}",
    b"{4294967295+}\r\n",
    b"{-1}\r\n",
    b"{0}\r\n",
    b"~{1}\r\n",
    b"\0",
    b"\r",
    b"\n",
    b"((((((((((",
    b"\"",
    b"4294967296",
    b"*",
    b"\\",
    b"\xff\xfe",
    b"{1000}\r\n",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

fn mutated(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(&SEEDS).to_vec();
    for _ in 0..dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            1 => drop(bytes.drain(at..(at + 3).min(bytes.len()))),
            2 => bytes = bytes.repeat(2),
            _ => drop(bytes.splice(at..at, dice.pick(&PIECES).repeat(1 + dice.below(40)))),
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
    bytes
}

#[test]
fn streams_of_nonsense_harm_nobody() {
    const LENGTH: Duration = Duration::from_secs(10);
    let (_dir, roost) = start(&[]);
    let mut watcher = selected(&roost);
    let pids = processes(&roost);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let end = Instant::now() + LENGTH;
    let mut connections = 0;
    while Instant::now() < end {
        let mut wire = wire(&roost, dice.below(3) == 0);
        if dice.below(2) == 0 {
            wire.write_all(SELECTED).unwrap();
            read_until(&mut *wire, b"ready OK ");
        }
        for _ in 0..=dice.below(12) {
            if wire.write_all(&mutated(&mut dice)).is_err() {
                break;
            }
        }
        // Whatever state that left behind, it is heard or has ended soon.
        let _ = wire.write_all(b"\r\n\r\n*\r\nDONE\r\nzz LOGOUT\r\nzz LOGOUT\r\n");
        drop(wire);
        connections += 1;
        if connections % 50 == 0 {
            watcher.ok("NOOP").unwrap();
        }
    }
    assert!(connections > 50, "{connections}");
    watcher
        .ok("FETCH 1:* FLAGS")
        .or_else(|_| watcher.ok("NOOP"))
        .unwrap();
    unharmed(&roost, &pids);
}

#[test]
fn clients_that_read_nothing_hold_nobody_up() {
    let (_dir, roost) = start(&[]);
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
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    unharmed(&roost, &pids);
    drop(greedy);
    assert!(
        eventually(Duration::from_secs(10), || {
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
    let (_dir, roost) = start(&[("limits", "login_timeout = 2s")]);
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
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    endless.set_nonblocking(true).unwrap();
    let mut sink = [0; 4096];
    let mut ended = false;
    while begin.elapsed() < Duration::from_secs(8) && !ended {
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
    assert!(is_closed(&mut slow, Duration::from_secs(2)));
    for mut stream in silent {
        assert!(is_closed(&mut stream, Duration::from_secs(4)));
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
    let (dir, roost) = start(&[]);
    let home = dir.path().join("homes/u");
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
            let limit = Duration::from_secs(5);
            let begun = eventually(limit, || (!temporary_files(&home).is_empty()).then_some(()));
            assert!(begun.is_some(), "no message is written");
            drop(wire);
            let gone = eventually(limit, || temporary_files(&home).is_empty().then_some(()));
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
    let all = eventually(Duration::from_secs(10), || {
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

#[test]
fn what_is_sent_behind_a_login_is_done_in_its_order() {
    let (_dir, roost) = start(&[]);
    for with_tls in [false, true] {
        let mut wire = wire(&roost, with_tls);
        let all = b"a LOGIN {1+}\r\nu {10+}\r\nroost-test\r\nb SELECT INBOX\r\n\
                    c IDLE\r\nDONE\r\nd CREATE x\r\ne DELETE x\r\nf LOGOUT\r\n";
        wire.write_all(all).unwrap();
        let got = read_until(&mut *wire, b"f OK");
        let got = String::from_utf8_lossy(&got).into_owned();
        let tagged: Vec<_> = got
            .lines()
            .filter(|l| !l.starts_with(['*', '+']))
            .map(|l| l.get(..4).unwrap_or(l))
            .collect();
        assert_eq!(
            tagged,
            ["a OK", "b OK", "c OK", "d OK", "e OK", "f OK"],
            "{got}"
        );
        // Nothing but the logout's end comes before login either.
        assert!(answer(&roost, with_tls, b"", b"a LOGOUT").contains("a OK"));
    }
}
