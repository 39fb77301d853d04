//! The log as other programs get it: syslogd, and what reads its files.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roost_tests::client::Client;
use roost_tests::process::{Finish, loopback};
use roost_tests::roost::{PASSWORD, Roost, Setup};
use roost_tests::tls;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A log socket of the test's own.
struct Syslogd {
    path: PathBuf,
    socket: UnixDatagram,
    records: Vec<String>,
}

impl Syslogd {
    fn new(dir: &Path) -> Self {
        let path = dir.join("log-socket");
        Self {
            socket: bind(&path),
            path,
            records: Vec::new(),
        }
    }

    /// Closes the socket, lets `meanwhile` happen, opens it anew.
    fn restart(&mut self, meanwhile: impl FnOnce()) {
        let (unused, _) = UnixDatagram::pair().unwrap();
        self.socket = unused;
        fs::remove_file(&self.path).unwrap();
        meanwhile();
        self.socket = bind(&self.path);
    }

    /// Receives until a record holds `text`.
    fn wait_for(&mut self, text: &str) {
        let limit = Instant::now() + Duration::from_secs(15);
        let mut buffer = vec![0; 64 << 10];
        while !self.records.iter().any(|r| r.contains(text)) {
            assert!(Instant::now() < limit, "no `{text}` in {:#?}", self.records);
            if let Ok(n) = self.socket.recv(&mut buffer) {
                let record = String::from_utf8(buffer[..n].to_vec()).unwrap();
                self.records.push(record);
            }
        }
    }
}

fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    socket
}

fn start(dir: &Path) -> (Roost, Syslogd) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let syslogd = Syslogd::new(dir);
    let setup = Setup {
        users: vec!["u".into()],
        env: vec![("ROOST_LOG_SOCKET", syslogd.path.clone())],
        settings: vec![
            ("server", "log_target = syslog".into()),
            ("server", "syslog_ident = dovecot".into()),
        ],
        ..Setup::default()
    };
    (Roost::start(dir, &setup).unwrap(), syslogd)
}

/// `<PRI>Mmm dd hh:mm:ss ident[pid]: text` (RFC 3164 §4.1, without the host,
/// which syslogd knows): the severity and the text.
fn framed(record: &str) -> Option<(u8, &str)> {
    let (priority, rest) = record.strip_prefix('<')?.split_once('>')?;
    let priority: u8 = priority.parse().ok()?;
    let (time, rest) = rest.split_at_checked(16)?;
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".contains(&shape[..3]);
    let time_fits = shape.ends_with(" 00 00:00:00 ") || shape.ends_with("  0 00:00:00 ");
    let (pid, text) = rest.strip_prefix("dovecot[")?.split_once("]: ")?;
    pid.parse::<u32>().ok()?;
    let one_line = !text.contains(['\r', '\n', '\0']);
    // Facility mail is 2.
    (month && time_fits && one_line && priority >> 3 == 2).then_some((priority & 7, text))
}

fn fail(roost: &Roost, user: &str) {
    let mut client = Client::connect(roost.addr()).unwrap();
    let answer = client.command(&format!("LOGIN {user} wrong")).unwrap();
    assert!(answer.tagged.starts_with("NO [AUTHENTICATIONFAILED]"));
}

#[test]
fn records_are_framed_for_syslogd_and_outlive_its_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (roost, mut syslogd) = start(dir.path());
    let mut client = Client::login(roost.addr(), "u", PASSWORD).unwrap();
    client.ok("SELECT INBOX").unwrap();
    client.command("LOGOUT").unwrap();
    syslogd.wait_for(">: Disconnected: Logged out");
    fail(&roost, "mallory");
    syslogd.wait_for("user=<mallory>, method=");
    for record in &syslogd.records {
        let (severity, text) = framed(record).unwrap_or_else(|| panic!("{record:?}"));
        assert!((3..=7).contains(&severity), "{record}");
        let tagged = text.starts_with("IMAP: ")
            || text.split_once("IMAP-").is_some_and(|(before, after)| {
                (before.is_empty() || before.ends_with('<'))
                    && after.len() >= 5
                    && after.bytes().take(5).all(|b| b.is_ascii_digit())
            });
        assert!(tagged, "{record}");
    }
    syslogd.restart(|| {
        for n in 0..3 {
            fail(&roost, &format!("away{n}"));
        }
    });
    for n in 0..5 {
        fail(&roost, &format!("back{n}"));
    }
    syslogd.wait_for("user=<back4>");
    let reports = |name: &str| {
        let field = format!("user=<{name}");
        syslogd
            .records
            .iter()
            .filter(|r| r.contains(&field))
            .count()
    };
    assert_eq!(reports("back"), 5, "{:#?}", syslogd.records);
    assert!(reports("away") >= 2, "{:#?}", syslogd.records);
}

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

#[test]
fn fail2ban_finds_every_failed_login_and_nothing_else() {
    let filter = Path::new("/etc/fail2ban/filter.d/dovecot.conf");
    if Command::new("fail2ban-regex").arg("-V").finish().is_err() || !filter.exists() {
        eprintln!("left out: fail2ban is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (roost, mut syslogd) = start(dir.path());
    let plain = |text: &[u8]| {
        let text = STANDARD.encode(text);
        format!("a AUTHENTICATE PLAIN {text}\r\n").into_bytes()
    };
    let failing = [
        b"a LOGIN u wrong\r\n".to_vec(),
        b"a LOGIN nobody wrong\r\n".to_vec(),
        b"a LOGIN u wrong\r\nb LOGIN v wrong\r\nc LOGOUT\r\n".to_vec(),
        b"a LOGIN {30+}\r\nx>, rip=9.9.9.9, session=<y\r\n\t x\r\n".to_vec(),
        b"a LOGIN \"a (b) \\\"c\" x\r\n".to_vec(),
        b"a LOGIN {2+}\r\n\xff\xfe x\r\n".to_vec(),
        [&b"a LOGIN "[..], &b"n".repeat(300), b" x\r\n"].concat(),
        b"a LOGIN \"\" \"\"\r\n".to_vec(),
        plain(b"\0u\0wrong"),
        plain(b"\0no,body\0wrong"),
        plain(b"v\0u\0roost-test"),
        b"a AUTHENTICATE LOGIN\r\ndQ==\r\neA==\r\n".to_vec(),
        // Failures do not go unseen because a login of one's own follows.
        b"a LOGIN v wrong\r\nb LOGIN u roost-test\r\nc LOGOUT\r\n".to_vec(),
    ];
    let innocent: [&[u8]; 7] = [
        b"a LOGIN u roost-test\r\nb SELECT INBOX\r\nc LOGOUT\r\n",
        b"a LOGIN u roost-test\r\nb IDLE\r\n",
        b"a NOOP\r\n",
        b"a LOGOUT\r\n",
        b"a AUTHENTICATE PLAIN\r\n",
        b"a AUTHENTICATE PLAIN !\r\n",
        b"\x16\x03\x01\x00\x05hello\r\n",
    ];
    for with_tls in [false, true] {
        for input in &failing {
            let to_its_end = [input.as_slice(), b"z LOGOUT\r\n"].concat();
            play(&roost, with_tls, &to_its_end, Duration::from_secs(30));
        }
        // Some of these leave the server waiting.
        for input in innocent {
            play(&roost, with_tls, input, Duration::from_millis(300));
        }
        // Empties the socket, which holds only a few records.
        fail(&roost, &format!("last{with_tls}"));
        syslogd.wait_for(&format!("user=<last{with_tls}>, method="));
    }
    let lines: String = syslogd
        .records
        .iter()
        .map(|r| {
            let (_, line) = r.split_once('>').unwrap();
            let (time, line) = line.split_at(16);
            // As if from elsewhere: the filter knows this host's addresses.
            format!("{time}mail {}\n", line.replace("127.0.0.1", "192.0.2.7"))
        })
        .collect();
    let file = dir.path().join("mail.log");
    fs::write(&file, lines).unwrap();
    let output = Command::new("fail2ban-regex")
        .arg("--print-all-matched")
        .args([&file, filter])
        .finish()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let matched: Vec<_> = report
        .lines()
        .filter(|l| l.starts_with("|  ") && l.contains("]: imap-login: "))
        .collect();
    assert!(
        matched.iter().all(|l| l.contains("(auth failed, ")),
        "{report}"
    );
    assert_eq!(matched.len(), 2 * (failing.len() + 1), "{report}");
}
