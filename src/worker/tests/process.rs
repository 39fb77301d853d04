//! The worker as a process, with the test in the supervisor's place.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as none

use roost_ipc::{
    BlockingChannel, DirectoryEncoding, EndReason, Endpoints, Fsync, LogLevel, MailSetup,
    SupervisorToWorker, WorkerLimits, WorkerSetup, WorkerToSupervisor,
};
use roost_os::fdpass;
use roost_os::spawn::{Child, Spawn};
use roost_types::SessionId;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

struct Supervisor {
    control: BlockingChannel<SupervisorToWorker, WorkerToSupervisor>,
    child: Child,
    dir: TempDir,
    /// Kept open, so that the worker's log has somewhere to go.
    _log: OwnedFd,
}

fn setup() -> WorkerSetup {
    WorkerSetup {
        log_level: LogLevel::LowLevel,
        hostname: "test.example".into(),
        admin: None,
        comment: None,
        mail: MailSetup {
            separator: '/',
            prefix: String::new(),
            sees_non_mail: false,
            own_seen: false,
            hide_hidden: false,
            mark_media: false,
            directory_encoding: DirectoryEncoding::Detect,
            fsync: Fsync::Never,
            special_use: Vec::new(),
            initial_subscriptions: vec!["INBOX".into()],
            inotify: true,
            public: false,
            poll_interval: Duration::from_secs(1),
            certificate_dir: None,
            default_domain: None,
        },
        limits: WorkerLimits {
            max_message_size: 0,
            idle_timeout: Duration::from_secs(60),
            max_bad_commands: 5,
            running_interval: Duration::ZERO,
            worker_idle: Duration::from_secs(60),
        },
    }
}

impl Supervisor {
    fn start(setup: WorkerSetup) -> Self {
        let (control, theirs) = fdpass::seqpacket_pair().unwrap();
        let (log, their_log) = fdpass::seqpacket_pair().unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_roost-worker"));
        // The test's threads come and go, and must not take the worker along.
        let child = Spawn::new(program, "roost-worker")
            .descriptor(theirs)
            .descriptor(their_log)
            .die_with_parent(false)
            .spawn()
            .unwrap();
        let mut supervisor = Self {
            control: BlockingChannel::new(control).unwrap(),
            child,
            dir: tempfile::tempdir().unwrap(),
            _log: log,
        };
        supervisor.send(&SupervisorToWorker::Setup(setup), None);
        assert_eq!(supervisor.next(), WorkerToSupervisor::Ready);
        supervisor
    }

    fn send(&mut self, message: &SupervisorToWorker, fd: Option<&OwnedFd>) {
        let fds: Vec<_> = fd.iter().map(|fd| fd.as_fd()).collect();
        self.control.send(message, &fds).unwrap();
    }

    fn next(&mut self) -> WorkerToSupervisor {
        self.control.recv().unwrap().unwrap().0
    }

    /// A client whose login command has the tag `login`.
    fn client(&mut self, number: u64, leftover: &str) -> Client {
        let mut client = self.session(number, leftover, None);
        let greeting = client.line();
        assert!(greeting.starts_with("login OK [CAPABILITY IMAP4rev1 IMAP4rev2 "));
        assert!(greeting.ends_with("] Logged in"));
        client
    }

    fn session(&mut self, number: u64, leftover: &str, asker: Option<roost_ipc::Asker>) -> Client {
        let (ours, theirs) = fdpass::stream_pair().unwrap();
        let session = roost_ipc::Session {
            session: SessionId(number),
            account: "alice".into(),
            home: self.dir.path().into(),
            maildir: self.dir.path().join("Maildir"),
            index_dir: None,
            tag: "login".into(),
            leftover: roost_ipc::Bytes(leftover.as_bytes().to_vec()),
            endpoints: Endpoints {
                remote: "192.0.2.1:5000".parse().unwrap(),
                local: "192.0.2.2:143".parse().unwrap(),
            },
            tls: None,
            method: "PLAIN".into(),
            max_message_size: None,
            sees_non_mail: None,
            quota: roost_ipc::Quota {
                limits: None,
                max_mailboxes: 0,
                inbox_only: false,
                count_trash: true,
                alert_percent: 80,
            },
            asker,
            traced: false,
        };
        self.send(&SupervisorToWorker::Session(session), Some(&theirs));
        drop(theirs);
        assert_eq!(
            self.next(),
            WorkerToSupervisor::SessionStarted(SessionId(number))
        );
        let stream = UnixStream::from(ours);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    fn ended(&mut self) -> (SessionId, EndReason) {
        match self.next() {
            WorkerToSupervisor::SessionEnded(end) => (end.session, end.reason),
            other => panic!("{other:?}"),
        }
    }

    /// The worker's exit status, soon.
    fn exits(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the worker goes on");
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    }

    /// Reads until a line begins with `start`; returns all lines.
    fn until(&mut self, start: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "closed after {lines:?}");
            let last = line.starts_with(start);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    fn rest(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

#[test]
fn a_session_from_login_to_logout() {
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(7, "a SELECT INBOX\r\n");
    let answer = client.until("a ");
    assert_eq!(answer.last().unwrap(), "a OK [READ-WRITE] Select completed");
    client.send("b APPEND INBOX {4}\r\n");
    assert_eq!(client.line(), "+ OK");
    client.send("x:y\nc LOGOUT\r\n");
    // The line end of APPEND is missing: what follows is not its own command.
    assert!(client.until("b ").last().unwrap().starts_with("b BAD"));
    client.send("d APPEND INBOX {4+}\r\nx:y\n\r\ne LOGOUT\r\n");
    let answer = client.until("e ");
    assert!(answer.contains(&"* 1 EXISTS".to_string()), "{answer:?}");
    assert_eq!(answer.last().unwrap(), "e OK Logout completed");
    assert_eq!(client.rest(), "");
    assert_eq!(supervisor.ended(), (SessionId(7), EndReason::Logout));
}

#[test]
fn idle_hears_of_another_session() {
    let mut supervisor = Supervisor::start(setup());
    let mut a = supervisor.client(1, "a SELECT INBOX\r\n");
    let mut b = supervisor.client(2, "");
    a.until("a ");
    a.send("b IDLE\r\n");
    a.until("+ ");
    b.send("x APPEND INBOX {4+}\r\nx:y\n\r\n");
    b.until("x OK");
    assert_eq!(a.line(), "* 1 EXISTS");
    assert_eq!(a.line(), "* 1 RECENT");
    a.send("DONE\r\nc NOOP\r\nd LOGOUT\r\n");
    let answer = a.until("d ");
    let tagged: Vec<_> = answer.iter().filter(|l| !l.starts_with('*')).collect();
    assert_eq!(
        tagged,
        [
            "b OK Idle completed",
            "c OK NOOP completed",
            "d OK Logout completed"
        ]
    );
}

#[test]
fn a_client_that_has_said_all_still_hears_all() {
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(1, "");
    let mut commands = String::from("a SELECT INBOX\r\n");
    for i in 0..200 {
        commands += &format!("b{i} APPEND INBOX {{4+}}\r\nx:y\n\r\n");
    }
    commands += "c FETCH 1:* FLAGS\r\nd LOGOUT\r\n";
    client.send(&commands);
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    let answer = client.rest();
    assert!(answer.contains("* 200 FETCH "), "{answer}");
    assert!(answer.ends_with("d OK Logout completed\r\n"));
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::Logout));
}

/// A client that speaks DEFLATE.
struct Compressed {
    stream: UnixStream,
    out: flate2::Compress,
    input: flate2::Decompress,
    text: String,
}

impl Compressed {
    fn new(client: Client) -> Self {
        Self {
            stream: client.0.into_inner(),
            out: flate2::Compress::new(flate2::Compression::fast(), false),
            input: flate2::Decompress::new(false),
            text: String::new(),
        }
    }

    fn pack(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len() * 2 + 64);
        self.out
            .compress_vec(text.as_bytes(), &mut bytes, flate2::FlushCompress::Partial)
            .unwrap();
        assert!(bytes.len() < bytes.capacity());
        bytes
    }

    fn send(&mut self, text: &str) {
        let bytes = self.pack(text);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Reads until the text ends with a line that begins with `start`.
    fn until(&mut self, start: &str) -> String {
        loop {
            let last = self.text.lines().last().unwrap_or_default();
            if self.text.ends_with("\r\n") && last.starts_with(start) {
                return std::mem::take(&mut self.text);
            }
            let mut bytes = [0; 4096];
            let n = self.stream.read(&mut bytes).unwrap();
            assert!(n > 0, "closed after {}", self.text);
            let (mut rest, mut plain) = (&bytes[..n], Vec::new());
            while !rest.is_empty() {
                plain.reserve(4096);
                let before = self.input.total_in();
                self.input
                    .decompress_vec(rest, &mut plain, flate2::FlushDecompress::None)
                    .unwrap();
                rest = &rest[usize::try_from(self.input.total_in() - before).unwrap()..];
            }
            self.text += std::str::from_utf8(&plain).unwrap();
        }
    }
}

#[test]
fn a_compressed_session() {
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(1, "a COMPRESS DEFLATE\r\n");
    assert_eq!(client.line(), "a OK DEFLATE active");
    let mut client = Compressed::new(client);
    client.send("b COMPRESS DEFLATE\r\n");
    assert_eq!(
        client.until("b "),
        "b NO [COMPRESSIONACTIVE] Compression is already active\r\n"
    );
    client.send("c SELECT INBOX\r\nd APPEND INBOX {9}\r\n");
    assert!(client.until("+ ").contains("c OK [READ-WRITE]"));
    client.send("x:y\r\n\r\nz\n\r\ne IDLE\r\n");
    let answer = client.until("+ ");
    assert!(answer.contains("* 1 EXISTS\r\n"), "{answer}");
    // More than any buffer on the way, both ways.
    client.send(&format!(
        "DONE\r\nf APPEND INBOX {{1000000+}}\r\n{}",
        "a\r\nb".repeat(250_000)
    ));
    client.send("\r\ng FETCH 2 BODY.PEEK[]\r\n");
    let answer = client.until("g ");
    assert!(answer.contains(&"a\r\nb".repeat(250_000)));
    client.send("h LOGOUT\r\n");
    assert!(client.until("h ").starts_with("* BYE"));
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::Logout));
}

#[test]
fn what_comes_with_compress_is_compressed_already() {
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(1, "");
    let mut packer = Compressed::new(Client(BufReader::new(UnixStream::pair().unwrap().0)));
    let mut packet = b"a COMPRESS DEFLATE\r\n".to_vec();
    packet.extend(packer.pack("b NOOP\r\nc SELECT INBOX\r\n"));
    client.0.get_mut().write_all(&packet).unwrap();
    assert_eq!(client.line(), "a OK DEFLATE active");
    // What was read ahead of the line belongs to the stream.
    let ahead = client.0.buffer().to_vec();
    let mut client = Compressed {
        out: packer.out,
        ..Compressed::new(client)
    };
    let mut plain = Vec::with_capacity(4096);
    client
        .input
        .decompress_vec(&ahead, &mut plain, flate2::FlushDecompress::None)
        .unwrap();
    client.text = String::from_utf8(plain).unwrap();
    let answer = client.until("c ");
    assert!(answer.starts_with("b OK NOOP completed\r\n"), "{answer}");
    client.send("d LOGOUT\r\n");
    client.until("d ");
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::Logout));
}

#[test]
fn what_is_not_deflate_ends_a_compressed_session() {
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(1, "a COMPRESS DEFLATE\r\n");
    assert_eq!(client.line(), "a OK DEFLATE active");
    client.send("b NOOP in clear\r\n");
    assert_eq!(client.rest(), "");
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::Disconnected));
    // The worker serves others.
    let mut other = supervisor.client(2, "");
    other.send("a NOOP\r\n");
    assert_eq!(other.line(), "a OK NOOP completed");
}

#[test]
fn a_client_that_leaves() {
    let mut supervisor = Supervisor::start(setup());
    let client = supervisor.client(1, "a SELECT INBOX\r\n");
    drop(client);
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::Disconnected));
    let mut idle = supervisor.client(2, "a IDLE\r\n");
    idle.until("+ ");
    drop(idle);
    assert_eq!(supervisor.ended(), (SessionId(2), EndReason::Disconnected));
}

#[test]
fn bad_commands_end_it() {
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(1, "");
    client.send(&"x\r\n".repeat(5));
    assert!(client.until("* BYE").len() == 6);
    assert_eq!(client.rest(), "");
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::ProtocolError));
}

#[test]
fn a_silent_client_is_logged_out() {
    let mut setup = setup();
    setup.limits.idle_timeout = Duration::from_millis(300);
    let mut supervisor = Supervisor::start(setup);
    let client = supervisor.client(1, "");
    let mut idle = supervisor.client(2, "a IDLE\r\n");
    idle.until("+ ");
    assert!(client.rest().starts_with("* BYE "));
    assert!(idle.rest().starts_with("* BYE "));
    assert_eq!(supervisor.ended().1, EndReason::Timeout);
    assert_eq!(supervisor.ended().1, EndReason::Timeout);
}

#[test]
fn shutdown_says_bye_to_all() {
    let mut supervisor = Supervisor::start(setup());
    let quiet = supervisor.client(1, "");
    let mut idle = supervisor.client(2, "a IDLE\r\n");
    idle.until("+ ");
    let within = Duration::from_secs(1);
    supervisor.send(&SupervisorToWorker::Shutdown(within), None);
    for client in [quiet, idle] {
        let last = client.rest();
        assert!(last.to_lowercase().contains("shutting down"), "{last}");
    }
    assert!(supervisor.exits());
}

#[test]
fn a_kicked_session_ends_alone() {
    let mut supervisor = Supervisor::start(setup());
    let mut other = supervisor.client(1, "");
    let kicked = supervisor.client(2, "");
    supervisor.send(&SupervisorToWorker::Kick(SessionId(2)), None);
    assert!(kicked.rest().starts_with("* BYE "));
    assert_eq!(supervisor.ended(), (SessionId(2), EndReason::Kicked));
    other.send("a NOOP\r\n");
    assert_eq!(other.line(), "a OK NOOP completed");
}

#[test]
fn a_worker_without_sessions_asks_to_end() {
    let mut setup = setup();
    setup.limits.worker_idle = Duration::from_millis(200);
    let mut supervisor = Supervisor::start(setup);
    let mut client = supervisor.client(1, "");
    client.send("a LOGOUT\r\n");
    client.until("a OK");
    // Where this test is slow, it asks before it has one, too.
    let reports = std::iter::repeat_with(|| supervisor.next());
    let mut reports = reports.take(10);
    let end = reports.find_map(|report| match report {
        WorkerToSupervisor::SessionEnded(end) => Some((end.session, end.reason)),
        _ => None,
    });
    assert_eq!(end, Some((SessionId(1), EndReason::Logout)));
    // What has not been told is, lest it be lost.
    let WorkerToSupervisor::Stats(stats) = supervisor.next() else {
        panic!("no statistics");
    };
    assert_eq!((stats.request, stats.jobs, stats.bytes_in), (0, 0, 10));
    let counts = stats.commands.iter().map(|c| c.classes.iter().sum::<u64>());
    assert_eq!(counts.collect::<Vec<_>>(), [1], "LOGOUT");
    assert_eq!(supervisor.next(), WorkerToSupervisor::Idle);
    // A session may come before the answer.
    let mut client = supervisor.client(2, "a LOGOUT\r\n");
    client.until("a OK");
    assert_eq!(supervisor.ended(), (SessionId(2), EndReason::Logout));
    let next = supervisor.next();
    assert!(matches!(next, WorkerToSupervisor::Stats(_)), "{next:?}");
    assert_eq!(supervisor.next(), WorkerToSupervisor::Idle);
    supervisor.send(&SupervisorToWorker::Stop, None);
    assert!(supervisor.exits());
}

#[test]
fn a_worker_that_was_only_looked_into_does_not_stay() {
    let mut setup = setup();
    setup.limits.worker_idle = Duration::from_secs(24 * 3600);
    let mut supervisor = Supervisor::start(setup);
    for sub in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(supervisor.dir.path().join("Maildir").join(sub)).unwrap();
    }
    let asker = roost_ipc::Asker {
        account: "bob".into(),
        groups: vec![],
        shown: "~alice".into(),
        alias: None,
    };
    let mut link = supervisor.session(1, "", Some(asker));
    link.send("a STATUS ~alice/INBOX (MESSAGES)\r\n");
    assert!(link.line().starts_with("a NO "));
    drop(link);
    assert_eq!(supervisor.ended(), (SessionId(1), EndReason::Disconnected));
    assert_eq!(supervisor.next(), WorkerToSupervisor::Idle);
}

#[test]
fn a_new_maildir_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mut supervisor = Supervisor::start(setup());
    let mut client = supervisor.client(1, "a LSUB \"\" *\r\n");
    assert_eq!(client.line(), "* LSUB () \"/\" INBOX");
    let maildir = supervisor.dir.path().join("Maildir");
    let mode = std::fs::metadata(maildir).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
