//! Log filters: fail2ban finds each failed login and nothing else, in each
//! style of the log, with Debian's filters and with ours.
//!
//! All lines are those of a running server.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roost_tests::client::Client;
use roost_tests::process::{Finish, loopback};
use roost_tests::roost::{Roost, Setup, folder};
use roost_tests::syslogd::Syslogd;
use roost_tests::tls;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const FILTERS: &str = "/etc/fail2ban/filter.d";

fn is_missing() -> bool {
    let missing = Command::new("fail2ban-regex").arg("-V").finish().is_err()
        || !Path::new(FILTERS).join("dovecot.conf").exists();
    if missing {
        eprintln!("left out: fail2ban is not installed");
    }
    missing
}

fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/fail2ban")
}

fn plain(text: &[u8]) -> Vec<u8> {
    format!("a AUTHENTICATE PLAIN {}\r\n", STANDARD.encode(text)).into_bytes()
}

/// What a client sends, and how many failed logins that is.
fn failing() -> Vec<(Vec<u8>, usize)> {
    vec![
        (b"a LOGIN u wrong\r\n".to_vec(), 1),
        (b"a LOGIN nobody wrong\r\n".to_vec(), 1),
        (
            b"a LOGIN u wrong\r\nb LOGIN denied wrong\r\nc LOGOUT\r\n".to_vec(),
            2,
        ),
        (b"a LOGIN denied roost-test\r\n".to_vec(), 1),
        (
            b"a LOGIN {30+}\r\nx>, rip=9.9.9.9, session=<y\r\n\t x\r\n".to_vec(),
            1,
        ),
        (b"a LOGIN \"a (b) \\\"c, ip=[9.9.9.9], \" x\r\n".to_vec(), 1),
        (b"a LOGIN {2+}\r\n\xff\xfe x\r\n".to_vec(), 1),
        ([&b"a LOGIN "[..], &b"n".repeat(300), b" x\r\n"].concat(), 1),
        (b"a LOGIN \"\" \"\"\r\n".to_vec(), 1),
        (plain(b"\0u\0wrong"), 1),
        (plain(b"\0no,body\0wrong"), 1),
        (plain(b"denied\0u\0roost-test"), 1),
        (b"a AUTHENTICATE LOGIN\r\ndQ==\r\neA==\r\n".to_vec(), 1),
        // Failures do not go unseen because a login of one's own follows.
        (
            b"a LOGIN v wrong\r\nb LOGIN u roost-test\r\nc LOGOUT\r\n".to_vec(),
            1,
        ),
    ]
}

const INNOCENT: [&[u8]; 9] = [
    b"a LOGIN u roost-test\r\nb SELECT INBOX\r\nc LOGOUT\r\n",
    b"a LOGIN u roost-test\r\nb IDLE\r\n",
    b"a NOOP\r\n",
    b"a LOGOUT\r\n",
    b"a AUTHENTICATE PLAIN\r\n",
    b"a AUTHENTICATE PLAIN\r\n*\r\n",
    b"a AUTHENTICATE PLAIN !\r\n",
    b"a LOGIN u\r\n",
    b"\x16\x03\x01\x00\x05hello\r\n",
];

/// Plays `input` and reads until the server closes or is silent for `limit`.
fn play(roost: &Roost, with_tls: bool, input: &[u8], limit: Duration) {
    let limit = Some(limit);
    let mut sink = Vec::new();
    if with_tls {
        let mut stream = tls::connect(loopback(roost.tls_port())).unwrap();
        stream.sock.set_read_timeout(limit).unwrap();
        stream.write_all(input).unwrap();
        let _ = stream.read_to_end(&mut sink);
    } else {
        let mut stream = std::net::TcpStream::connect(roost.addr()).unwrap();
        stream.set_read_timeout(limit).unwrap();
        stream.write_all(input).unwrap();
        let _ = stream.read_to_end(&mut sink);
    }
}

/// A SCRAM exchange whose proof is wrong.
fn bad_scram(roost: &Roost) {
    let mut stream = std::net::TcpStream::connect(roost.addr()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let first = STANDARD.encode("n,,n=u,r=abcdefgh");
    write!(stream, "a AUTHENTICATE SCRAM-SHA-256 {first}\r\n").unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    let challenge = STANDARD
        .decode(line.strip_prefix("+ ").unwrap().trim())
        .unwrap();
    let challenge = String::from_utf8(challenge).unwrap();
    let nonce = challenge.split(',').next().unwrap();
    let last = format!("c=biws,{nonce},p={}", STANDARD.encode([7; 32]));
    write!(stream, "{}\r\nb LOGOUT\r\n", STANDARD.encode(last)).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("a NO [AUTHENTICATIONFAILED]"), "{rest}");
}

/// Fails until the address may fail no more; how often it did.
fn fail_too_often(roost: &Roost) -> usize {
    for n in 1..200 {
        let mut client = Client::connect(roost.addr()).unwrap();
        let answer = client.command("LOGIN u wrong").unwrap().tagged;
        if answer.starts_with("NO [LIMIT]") {
            return n;
        }
        assert!(answer.starts_with("NO [AUTHENTICATIONFAILED]"), "{answer}");
    }
    panic!("no limit");
}

/// The lines that the filter takes for failed logins, the address before each.
fn matched(filter: &Path, log: &Path) -> Vec<String> {
    let output = Command::new("fail2ban-regex")
        .args(["-o", "<ip> <matches>"])
        .args([log, filter])
        .finish()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    report.lines().map(str::to_owned).collect()
}

/// `in_connection`: each failed login is told by itself, as Courier does.
fn check(style: &str, filter: &Path, in_connection: bool, mark: &str) {
    let dir = folder();
    let mut syslogd = Syslogd::new(dir.path());
    let setup = Setup {
        env: vec![("ROOST_LOG_SOCKET", syslogd.path().to_owned())],
        ..Setup::of(&["u", "denied"])
    };
    let setup = setup.with(&[
        ("server", "log_target = syslog"),
        ("server", &format!("log_style = {style}")),
        ("auth", "deny_users = denied"),
        ("auth", "max_failures_per_minute = 60"),
    ]);
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let mut expected = 0;
    for with_tls in [false, true] {
        for (input, failures) in failing() {
            let to_its_end = [input.as_slice(), b"z LOGOUT\r\n"].concat();
            play(&roost, with_tls, &to_its_end, Duration::from_secs(30));
            expected += if in_connection { failures } else { 1 };
        }
        // Some of these leave the server waiting.
        for input in INNOCENT {
            play(&roost, with_tls, input, Duration::from_millis(200));
        }
        // Empties the socket, which holds only a few records.
        let mut client = roost.login("u");
        client.command("LOGOUT").unwrap();
        syslogd.drain();
    }
    bad_scram(&roost);
    expected += 1;
    syslogd.drain();
    expected += fail_too_often(&roost);
    let last = |r: &str| r.contains("login of <u>") && r.contains("too many failures");
    syslogd.wait(last);
    syslogd.wait_count(mark, expected);
    syslogd.drain();
    let records = syslogd.records();
    let lines: String = records
        .iter()
        .map(|r| {
            let (_, line) = r.split_once('>').unwrap();
            let (time, line) = line.split_at(16);
            // As if from elsewhere: the filter knows this host's addresses.
            format!("{time}mail {}\n", line.replace("127.0.0.1", "192.0.2.7"))
        })
        .collect();
    let log = dir.path().join("mail.log");
    fs::write(&log, &lines).unwrap();
    let matched = matched(filter, &log);
    assert!(
        matched.iter().all(|l| l.starts_with("192.0.2.7 ")),
        "{matched:#?}"
    );
    let wanted: Vec<_> = lines.lines().filter(|l| l.contains(mark)).collect();
    assert_eq!(matched.len(), wanted.len(), "{matched:#?}\n{lines}");
    for (found, wanted) in matched.iter().zip(&wanted) {
        assert_eq!(found.strip_prefix("192.0.2.7 "), Some(*wanted));
    }
    assert_eq!(wanted.len(), expected, "{lines}");
}

#[test]
fn our_filter_with_our_lines() {
    if is_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::copy(
        Path::new(FILTERS).join("common.conf"),
        dir.path().join("common.conf"),
    )
    .unwrap();
    let filter = dir.path().join("roost.conf");
    fs::copy(contrib().join("filter.d/roost.conf"), &filter).unwrap();
    check("roost", &filter, false, "(auth failed, ");
}

#[test]
fn debians_dovecot_filter_with_dovecots_lines() {
    if !is_missing() {
        let filter = Path::new(FILTERS).join("dovecot.conf");
        check("dovecot", &filter, false, "(auth failed, ");
    }
}

#[test]
fn debians_courier_filter_with_couriers_lines() {
    if !is_missing() {
        let filter = Path::new(FILTERS).join("courier-auth.conf");
        check("courier", &filter, true, "LOGIN FAILED, ");
    }
}

#[test]
fn fail2ban_takes_the_jail() {
    if is_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("fail2ban");
    let copied = Command::new("cp")
        .arg("-r")
        .args([Path::new("/etc/fail2ban"), &conf])
        .finish()
        .unwrap();
    assert!(copied.status.success());
    // Other jails are the host's affair.
    let _ = fs::remove_file(conf.join("jail.d/defaults-debian.conf"));
    let log = dir.path().join("mail.log");
    fs::write(&log, "").unwrap();
    for name in ["filter.d/roost.conf", "jail.d/roost.conf"] {
        let text = fs::read_to_string(contrib().join(name)).unwrap();
        let text = text.replace("%(syslog_mail)s", &log.display().to_string());
        fs::write(conf.join(name), text).unwrap();
    }
    let tested = Command::new("fail2ban-client")
        .args(["-c".as_ref(), conf.as_os_str(), "-d".as_ref()])
        .finish()
        .unwrap();
    let told = String::from_utf8_lossy(&tested.stdout).into_owned();
    let text = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{told}{text}");
    assert!(told.contains("['start', 'roost']"), "{told}{text}");
}
