//! One log for all roles. Children send records over their log sockets, the
//! supervisor adds its own; each becomes one line, which the writer thread
//! takes to syslog, a file or standard error.
//!
//! Every line carries `IMAP-nnnnn` when it belongs to a session and `IMAP`
//! when not, so that one session's story can be picked out of the log. Those
//! about logins have the form that the site's log filters know.

pub mod file;
mod sink;
mod writer;

use std::sync::atomic::{AtomicU8, Ordering};

use roost_ipc::log::{LogRecord, MAX_RECORD, is_wanted};
use roost_types::LogLevel;

pub use sink::{DEV_LOG, Target};
pub use writer::{Queue, Writer};

use sink::Line;

/// The log as children's readers and the supervisor's own code see it.
#[derive(Clone)]
pub struct Log {
    queue: Queue,
}

/// How much is written, for all roles.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// Starts the writer and makes it this process's logger.
///
/// # Errors
/// When no thread can be started, or the process has a logger.
pub fn start(target: &Target, level: LogLevel) -> std::io::Result<(Log, Writer)> {
    let (queue, writer) = writer::start(target)?;
    let log = Log { queue };
    set_level(level);
    log::set_boxed_logger(Box::new(log.clone()))
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::AlreadyExists))?;
    Ok((log, writer))
}

pub fn set_level(level: LogLevel) {
    LEVEL.store(level as u8, Ordering::Relaxed);
    roost_ipc::log::set_level(level);
}

impl Log {
    /// Takes over a record of process `pid`. Never waits.
    pub fn put(&self, pid: u32, record: &LogRecord) {
        if record.traced || record.level as u8 <= LEVEL.load(Ordering::Relaxed) {
            self.queue.put(line(pid, record));
        }
    }

    pub fn set_target(&self, target: Target) {
        self.queue.set_target(target);
    }
}

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        is_wanted(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.put(std::process::id(), &LogRecord::from(record));
        }
    }

    fn flush(&self) {}
}

fn line(pid: u32, record: &LogRecord) -> Line {
    Line {
        level: record.level,
        pid,
        text: tagged(record),
    }
}

/// The text with its tag in front. Lines of a form that log filters know stay
/// as they are; most of them name the session themselves.
fn tagged(record: &LogRecord) -> String {
    let text = sanitised(&record.text);
    match record.session {
        _ if record.whole => text,
        None => format!("IMAP: {text}"),
        Some(session) => format!("{session}: {text}"),
    }
}

/// Records come without control characters; this is the last place where one
/// could still forge a line.
fn sanitised(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(MAX_RECORD)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_types::SessionId;

    fn text(session: Option<u64>, text: &str) -> String {
        tagged(&LogRecord {
            level: LogLevel::Major,
            session: session.map(SessionId),
            whole: false,
            traced: false,
            text: text.into(),
        })
    }

    #[test]
    fn every_line_has_a_tag() {
        assert_eq!(text(None, "started"), "IMAP: started");
        assert_eq!(text(Some(12), "SELECT INBOX"), "IMAP-00012: SELECT INBOX");
        let login = "imap-login: Login: user=<a>, session=<IMAP-00012>";
        let mut record = LogRecord::new(
            LogLevel::Major,
            Some(SessionId(12)),
            format_args!("{login}"),
        );
        assert_eq!(tagged(&record), format!("IMAP-00012: {login}"));
        record.whole = true;
        assert_eq!(tagged(&record), login);
    }

    #[test]
    fn no_line_holds_a_control_character() {
        assert_eq!(text(None, "a\nb\u{85}c"), "IMAP: a?b?c");
    }
}
