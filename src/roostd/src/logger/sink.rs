//! Where log lines go: the local syslog socket, a file or standard error. Only
//! the writer thread calls these, so they may wait; nothing else does.

use std::io::{self, BufWriter, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roost_types::time::MONTHS;
use roost_types::{LogLevel, UnixTime};
use syslog::{Facility, Formatter3164, LogFormat, LoggerBackend, Severity};

use super::file::LogFile;

/// syslogd's usual socket.
pub const DEV_LOG: &str = "/dev/log";

/// How long one line may wait for a syslogd that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// One line, sanitised already.
#[derive(Debug, Clone)]
pub struct Line {
    pub level: LogLevel,
    /// The process it is from.
    pub pid: u32,
    pub text: String,
}

/// What the configuration says about the log's target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Stderr {
        ident: String,
    },
    File {
        ident: String,
        path: PathBuf,
    },
    Syslog {
        ident: String,
        /// Its number (RFC 5424 §6.2.1).
        facility: u8,
        socket: PathBuf,
    },
}

/// An open target.
pub enum Sink {
    Stderr {
        ident: String,
    },
    File {
        /// This host's name and the program's.
        ident: String,
        file: LogFile,
    },
    Syslog(Box<Syslog>),
}

impl Sink {
    pub fn new(target: &Target) -> Self {
        match target {
            Target::Stderr { ident } => Self::Stderr {
                ident: ident.clone(),
            },
            Target::File { ident, path } => Self::File {
                ident: format!("{} {ident}", host()),
                file: LogFile::new(path.clone()),
            },
            Target::Syslog {
                ident,
                facility,
                socket,
            } => Self::Syslog(Box::new(Syslog::new(ident, *facility, socket))),
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// Whatever the socket says; the next call connects anew.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        match self {
            Self::Stderr { ident } => {
                let text = dated(ident, line, UnixTime::now());
                io::stderr().lock().write_all(text.as_bytes())
            }
            Self::File { ident, file } => {
                let UnixTime(now) = UnixTime::now();
                let here = UnixTime(now.saturating_add(roost_os::clock::ahead_of_utc(now)));
                file.write(dated(ident, line, here).as_bytes())
            }
            Self::Syslog(syslog) => syslog.write(line),
        }
    }
}

/// As syslogd writes it into its files, without a domain.
fn host() -> String {
    let name = roost_os::identity::hostname().unwrap_or_default();
    let short = name.split('.').next().unwrap_or_default();
    let of_name = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    match short.chars().filter(of_name).collect::<String>() {
        empty if empty.is_empty() => "localhost".to_owned(),
        short => short,
    }
}

/// `Nov 22 05:24:17 roost[4711]: text`, with the time as it is given: UTC on
/// standard error, whose readers add their own, local in files.
fn dated(ident: &str, line: &Line, now: UnixTime) -> String {
    let t = now.civil();
    let month = MONTHS
        .get((t.month as usize).saturating_sub(1))
        .copied()
        .unwrap_or("Jan");
    format!(
        "{month} {:2} {:02}:{:02}:{:02} {ident}[{}]: {}\n",
        t.day, t.hour, t.minute, t.second, line.pid, line.text
    )
}

/// A connection to syslogd that is made again after an error.
pub struct Syslog {
    formatter: Formatter3164,
    socket: PathBuf,
    backend: Option<LoggerBackend>,
}

impl Syslog {
    fn new(ident: &str, number: u8, socket: &Path) -> Self {
        Self {
            formatter: Formatter3164 {
                facility: facility(number),
                // syslogd knows its own host; on the local socket a host name
                // would be taken for the tag.
                hostname: None,
                process: ident.to_owned(),
                pid: 0,
            },
            socket: socket.to_owned(),
            backend: None,
        }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        self.formatter.pid = line.pid;
        let backend = match &mut self.backend {
            Some(backend) => backend,
            None => self.backend.insert(connect(&self.socket)?),
        };
        let result = self
            .formatter
            .format(backend, severity(line.level), &line.text);
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                // ECONNREFUSED once and ENOTCONN ever after follow a restart
                // of syslogd: only a new connection helps.
                self.backend = None;
                Err(match error {
                    syslog::Error::Write(e) => e,
                    other => io::Error::other(other.to_string()),
                })
            }
        }
    }
}

fn severity(level: LogLevel) -> Severity {
    match level.syslog_severity() {
        0..=3 => Severity::LOG_ERR,
        4 => Severity::LOG_WARNING,
        5 => Severity::LOG_NOTICE,
        6 => Severity::LOG_INFO,
        _ => Severity::LOG_DEBUG,
    }
}

/// Those that the configuration knows by name; mail for any other.
fn facility(number: u8) -> Facility {
    match number {
        1 => Facility::LOG_USER,
        3 => Facility::LOG_DAEMON,
        4 => Facility::LOG_AUTH,
        10 => Facility::LOG_AUTHPRIV,
        16 => Facility::LOG_LOCAL0,
        17 => Facility::LOG_LOCAL1,
        18 => Facility::LOG_LOCAL2,
        19 => Facility::LOG_LOCAL3,
        20 => Facility::LOG_LOCAL4,
        21 => Facility::LOG_LOCAL5,
        22 => Facility::LOG_LOCAL6,
        23 => Facility::LOG_LOCAL7,
        _ => Facility::LOG_MAIL,
    }
}

fn connect(path: &Path) -> io::Result<LoggerBackend> {
    let datagram = UnixDatagram::unbound()?;
    datagram.set_write_timeout(Some(WRITE_TIMEOUT))?;
    match datagram.connect(path) {
        Ok(()) => Ok(LoggerBackend::Unix(datagram)),
        // Some syslogds listen on a stream.
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::EPROTOTYPE as i32) => {
            let stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
            Ok(LoggerBackend::UnixStream(BufWriter::new(stream)))
        }
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            level: LogLevel::Major,
            pid: 42,
            text: text.into(),
        }
    }

    fn target(socket: &Path) -> Target {
        Target::Syslog {
            ident: "roost".into(),
            facility: 2,
            socket: socket.into(),
        }
    }

    fn receive(socket: &UnixDatagram) -> String {
        let mut buf = [0; 2048];
        let n = socket.recv(&mut buf).unwrap();
        String::from_utf8(buf[..n].to_vec()).unwrap()
    }

    #[test]
    fn stderr_has_syslogs_form() {
        let text = dated("roost", &line("hello"), UnixTime(1_762_320_257));
        assert_eq!(text, "Nov  5 05:24:17 roost[42]: hello\n");
    }

    #[test]
    fn packets_have_facility_severity_and_tag() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        let mut sink = Sink::new(&target(&path));
        sink.write(&line("hello")).unwrap();
        let got = receive(&server);
        // mail is 2, notice is 5: 2 * 8 + 5.
        assert!(got.starts_with("<21>"), "{got}");
        assert!(got.ends_with(" roost[42]: hello"), "{got}");
    }

    #[test]
    fn every_facility_keeps_its_number() {
        for number in [1, 2, 3, 4, 10, 16, 17, 18, 19, 20, 21, 22, 23] {
            assert_eq!(facility(number) as u8, number << 3);
        }
    }

    #[test]
    fn a_restarted_syslogd_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut sink = Sink::new(&target(&path));
        assert!(sink.write(&line("nobody there")).is_err());
        let server = UnixDatagram::bind(&path).unwrap();
        sink.write(&line("one")).unwrap();
        assert!(receive(&server).ends_with("one"));
        drop(server);
        std::fs::remove_file(&path).unwrap();
        assert!(sink.write(&line("lost")).is_err());
        let server = UnixDatagram::bind(&path).unwrap();
        sink.write(&line("two")).unwrap();
        assert!(receive(&server).ends_with("two"));
    }

    #[test]
    fn a_stream_socket_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut sink = Sink::new(&target(&path));
        sink.write(&line("hello")).unwrap();
        drop(sink);
        let mut text = String::new();
        let (mut peer, _) = server.accept().unwrap();
        io::Read::read_to_string(&mut peer, &mut text).unwrap();
        assert!(text.ends_with("hello\0"), "{text:?}");
    }
}
