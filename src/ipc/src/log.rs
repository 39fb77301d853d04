//! Log records from the children to the supervisor, which alone writes them
//! to syslog or standard error.
//!
//! A child never waits for its log: when the supervisor is behind, records are
//! dropped and counted, and the count goes out first as soon as there is room.
//! Whatever a client sent passes through [`escape`] before it is part of a
//! text; control characters that are left are escaped in every record.

mod escape;
pub mod lines;
mod seldom;

use std::fmt::{self, Write};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use log::kv::Key;
use roost_os::fdpass;
use roost_types::{LogLevel, SessionId};
use zeroize::Zeroizing;

use crate::channel;
use crate::codec::{DecodeError, EncodeError, Message, Reader, Wire, Writer};
use crate::wire::wire_struct;

use escape::put_visible;
pub use escape::{Escaped, Field, MAX_ESCAPED, escape, field};
pub use seldom::Seldom;

/// The longest text of a record, in octets; the rest is cut off.
pub const MAX_RECORD: usize = 1000;
/// How the tag of a session travels in a [`log::Record`].
const SESSION_KEY: &str = "session";
/// Set where the text is the whole line.
const WHOLE_KEY: &str = "whole";
/// Set where the record is of a traced session.
const TRACED_KEY: &str = "traced";
/// Roost's own modules have targets that begin so.
const OWN_TARGET: &str = "roost";
/// The variant octet of the only message of a log channel.
const RECORD: u8 = 1;

wire_struct! {
    /// One line of the log.
    pub struct LogRecord {
        pub level: LogLevel,
        /// `None`: not about one session.
        pub session: Option<SessionId>,
        /// The line is in a form that log filters know (see [`lines`]), and
        /// gets no tag in front.
        pub whole: bool,
        /// It is logged whatever the level.
        pub traced: bool,
        /// At most [`MAX_RECORD`] octets, without control characters.
        pub text: String,
    }
}

impl Message for LogRecord {
    const HAS_SETUP: bool = false;

    fn encode(&self, out: &mut Zeroizing<Vec<u8>>) -> Result<(), EncodeError> {
        let mut out = Writer::new(out);
        out.octet(RECORD);
        self.put(&mut out)
    }

    /// The text is cleaned and cut again: the peer may be anything.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match input.octet()? {
            RECORD => {}
            other => return Err(DecodeError::Variant(other)),
        }
        let record = Self::take(&mut input)?;
        input.finish()?;
        Ok(Self {
            text: clean(format_args!("{}", record.text)),
            ..record
        })
    }

    fn descriptors(&self) -> usize {
        0
    }
}

impl LogRecord {
    pub fn new(level: LogLevel, session: Option<SessionId>, text: fmt::Arguments<'_>) -> Self {
        Self {
            level,
            session,
            whole: false,
            traced: false,
            text: clean(text),
        }
    }
}

impl From<&log::Record<'_>> for LogRecord {
    fn from(record: &log::Record<'_>) -> Self {
        let session = record.key_values().get(Key::from_str(SESSION_KEY));
        let whole = record.key_values().get(Key::from_str(WHOLE_KEY));
        Self {
            level: own_level(record.level()),
            session: session.and_then(|v| v.to_u64()).map(SessionId),
            whole: whole.is_some_and(|v| v.to_bool() == Some(true)),
            traced: is_traced(record),
            text: clean(*record.args()),
        }
    }
}

/// A level as the `log` crate has it.
pub fn log_level(level: LogLevel) -> log::Level {
    match level {
        LogLevel::Failures => log::Level::Error,
        LogLevel::Major => log::Level::Warn,
        LogLevel::Problems => log::Level::Info,
        LogLevel::LowLevel => log::Level::Debug,
        LogLevel::AllInfo => log::Level::Trace,
    }
}

/// The reverse of [`log_level`].
pub fn own_level(level: log::Level) -> LogLevel {
    match level {
        log::Level::Error => LogLevel::Failures,
        log::Level::Warn => LogLevel::Major,
        log::Level::Info => LogLevel::Problems,
        log::Level::Debug => LogLevel::LowLevel,
        log::Level::Trace => LogLevel::AllInfo,
    }
}

/// Whether a record belongs in the log at all. Libraries are heard only when
/// they fail: what they warn of is what strangers send them.
pub fn is_wanted(metadata: &log::Metadata<'_>) -> bool {
    metadata.level() <= log::max_level()
        && (metadata.target().starts_with(OWN_TARGET) || metadata.level() <= log::Level::Error)
}

/// Logs on behalf of a session; [`slog!`](crate::slog) is shorter.
pub fn session_record(session: SessionId, level: LogLevel, text: fmt::Arguments<'_>) {
    submit(level, text, &(SESSION_KEY, session.0));
}

/// Logs a line of [`lines`] about a session, as it stands.
pub fn session_line(session: SessionId, level: LogLevel, line: &str) {
    let values: [(&str, log::kv::Value<'_>); 2] =
        [(SESSION_KEY, session.0.into()), (WHOLE_KEY, true.into())];
    submit(level, format_args!("{line}"), &values);
}

/// Logs the protocol of a session that an administrator traces, whatever the
/// level.
pub fn traced_record(session: SessionId, text: fmt::Arguments<'_>) {
    let values: [(&str, log::kv::Value<'_>); 2] =
        [(SESSION_KEY, session.0.into()), (TRACED_KEY, true.into())];
    hand_over(LogLevel::Problems, text, &values);
}

fn is_traced(record: &log::Record<'_>) -> bool {
    let traced = record.key_values().get(Key::from_str(TRACED_KEY));
    traced.is_some_and(|v| v.to_bool() == Some(true))
}

fn submit(level: LogLevel, text: fmt::Arguments<'_>, values: &dyn log::kv::Source) {
    if log_level(level) <= log::max_level() {
        hand_over(level, text, values);
    }
}

fn hand_over(level: LogLevel, text: fmt::Arguments<'_>, values: &dyn log::kv::Source) {
    log::logger().log(
        &log::Record::builder()
            .level(log_level(level))
            .target(OWN_TARGET)
            .args(text)
            .key_values(&values)
            .build(),
    );
}

/// `slog!(session, LogLevel::Major, "login: user=<{}>", escape(user))`:
/// a record with the session's tag.
#[macro_export]
macro_rules! slog {
    ($session:expr, $level:expr, $($text:tt)+) => {
        $crate::log::session_record($session, $level, format_args!($($text)+))
    };
}

/// Sends this process's log records over `socket` from now on, panics
/// included.
///
/// # Errors
/// `AlreadyExists` when the process has a logger.
pub fn init_child_logger(socket: OwnedFd, level: LogLevel) -> io::Result<()> {
    let logger = ChildLogger::new(socket)?;
    log::set_boxed_logger(Box::new(logger)).map_err(|_| io::ErrorKind::AlreadyExists)?;
    set_level(level);
    std::panic::set_hook(Box::new(|panic| {
        // The payload is a string in all but contrived cases.
        let text = panic.payload_as_str().unwrap_or("?");
        match panic.location() {
            Some(place) => log::error!(target: OWN_TARGET, "panic at {place}: {text}"),
            None => log::error!(target: OWN_TARGET, "panic: {text}"),
        }
    }));
    Ok(())
}

/// Changes how much is logged.
pub fn set_level(level: LogLevel) {
    log::set_max_level(log_level(level).to_level_filter());
}

struct ChildLogger {
    socket: OwnedFd,
    dropped: AtomicU64,
}

impl ChildLogger {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        fdpass::set_nonblocking(&socket, true)?;
        Ok(Self {
            socket,
            dropped: AtomicU64::new(0),
        })
    }

    fn submit(&self, record: &LogRecord) {
        let missing = self.dropped.swap(0, Ordering::Relaxed);
        if missing > 0 && !self.send(&dropped_record(missing)) {
            // The count stands, and this record is one more.
            self.dropped.fetch_add(missing + 1, Ordering::Relaxed);
            return;
        }
        if !self.send(record) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send(&self, record: &LogRecord) -> bool {
        channel::single_packet(record)
            .is_ok_and(|packet| fdpass::send(&self.socket, &packet, &[]).is_ok())
    }
}

fn dropped_record(count: u64) -> LogRecord {
    LogRecord {
        level: LogLevel::Failures,
        session: None,
        whole: false,
        traced: false,
        text: format!("{count} log records dropped"),
    }
}

impl log::Log for ChildLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        is_wanted(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if is_traced(record) || self.enabled(record.metadata()) {
            self.submit(&LogRecord::from(record));
        }
    }

    fn flush(&self) {}
}

/// The text of a record: no control characters, not too long.
fn clean(text: fmt::Arguments<'_>) -> String {
    let mut out = Limited(String::new());
    // An error is the limit reached, or a broken Display; what was written
    // stands.
    if out.write_fmt(text).is_err() {
        out.0.push_str("...");
    }
    out.0
}

struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Room is left for the longest escape and the mark.
        const STOP: usize = MAX_RECORD - "\\u{10ffff}...".len();
        for c in text.chars() {
            if self.0.len() > STOP {
                return Err(fmt::Error);
            }
            put_visible(&mut self.0, c)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Receiver;
    use log::Log;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn record_texts_are_short_and_clean(text in any::<String>(), times in 1usize..200) {
            let text = text.repeat(times);
            let record = LogRecord::new(LogLevel::Major, None, format_args!("{text}"));
            prop_assert!(record.text.len() <= MAX_RECORD);
            prop_assert!(!record.text.chars().any(char::is_control));
        }
    }

    fn record(n: usize) -> LogRecord {
        LogRecord::new(
            LogLevel::Problems,
            Some(SessionId(7)),
            format_args!("record {n}"),
        )
    }

    #[tokio::test]
    async fn a_full_socket_costs_records_and_tells_how_many() {
        let (child, supervisor) = fdpass::seqpacket_pair().unwrap();
        let logger = ChildLogger::new(child).unwrap();
        let mut receiver = Receiver::<LogRecord>::new(supervisor).unwrap();
        let sent = 5_000;
        for n in 0..sent {
            logger.submit(&record(n));
        }
        let dropped = logger.dropped.load(Ordering::Relaxed);
        assert!(dropped > 0);
        let arrived = usize::try_from(sent as u64 - dropped).unwrap();
        for n in 0..arrived {
            let (got, _) = receiver.recv().await.unwrap().unwrap();
            assert_eq!(got, record(n));
        }
        logger.submit(&record(sent));
        let (count, _) = receiver.recv().await.unwrap().unwrap();
        assert_eq!(count, dropped_record(dropped));
        let (last, _) = receiver.recv().await.unwrap().unwrap();
        assert_eq!(last, record(sent));
    }

    #[test]
    fn levels_map_both_ways() {
        for &level in LogLevel::ALL {
            assert_eq!(own_level(log_level(level)), level);
        }
    }

    #[test]
    fn session_and_level_travel_in_the_record() {
        let made = LogRecord::from(
            &log::Record::builder()
                .level(log::Level::Warn)
                .args(format_args!("two\nlines"))
                .key_values(&(SESSION_KEY, 42u64))
                .build(),
        );
        assert_eq!((made.session, made.whole), (Some(SessionId(42)), false));
        assert_eq!(made.level, LogLevel::Major);
        assert_eq!(made.text, "two\\x0alines");
    }

    /// The only test that may touch the process's own logger.
    #[tokio::test]
    async fn macros_panics_and_libraries_reach_the_supervisor() {
        let (child, supervisor) = fdpass::seqpacket_pair().unwrap();
        init_child_logger(child, LogLevel::Failures).unwrap();
        slog!(SessionId(4), LogLevel::Problems, "too detailed");
        traced_record(SessionId(4), format_args!("C: 1 NOOP"));
        set_level(LogLevel::LowLevel);
        slog!(SessionId(3), LogLevel::LowLevel, "a {}", 1);
        slog!(SessionId(3), LogLevel::AllInfo, "too detailed");
        session_line(SessionId(3), LogLevel::Major, "a whole line");
        log::warn!(target: "rustls::conn", "what a stranger sent");
        log::error!(target: "rustls::conn", "trouble");
        let panicked = std::thread::spawn(|| panic!("oh no")).join();
        assert!(panicked.is_err());
        // Other tests' failures are to be seen again.
        drop(std::panic::take_hook());
        let mut receiver = Receiver::<LogRecord>::new(supervisor).unwrap();
        let (traced, _) = receiver.recv().await.unwrap().unwrap();
        assert_eq!((traced.session, traced.traced), (Some(SessionId(4)), true));
        assert_eq!(traced.text, "C: 1 NOOP");
        let mut texts = Vec::new();
        for _ in 0..4 {
            texts.push(receiver.recv().await.unwrap().unwrap().0);
        }
        assert_eq!(texts[0].session, Some(SessionId(3)));
        assert_eq!(texts[0].text, "a 1");
        assert!(texts[1].whole && !texts[0].whole && !texts[1].traced);
        assert_eq!(texts[1].session, Some(SessionId(3)));
        assert_eq!(texts[2].text, "trouble");
        assert_eq!(texts[3].level, LogLevel::Failures);
        assert!(texts[3].text.ends_with(": oh no"), "{}", texts[3].text);
        assert!(
            ChildLogger::new(fdpass::seqpacket_pair().unwrap().0)
                .unwrap()
                .enabled(
                    &log::Metadata::builder()
                        .target("roost_gate")
                        .level(log::Level::Info)
                        .build()
                )
        );
    }
}
