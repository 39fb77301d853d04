//! The protocol of a session in the log: commands without literals, and the last
//! line of each answer.
//!
//! Nothing of a message's text and nothing of an attempt to log in gets there.

use roost_imap::Frame;
use roost_ipc::log::{escape, traced_record};
use roost_ipc::{LogLevel, slog};
use roost_types::SessionId;
use std::fmt;

pub struct Trace {
    session: SessionId,
    /// An administrator wants it, whatever the level.
    always: bool,
}

impl Trace {
    /// None: it is not logged.
    pub fn of(session: SessionId, always: bool) -> Option<Self> {
        let wanted = always || log::max_level() >= log::LevelFilter::Trace;
        wanted.then_some(Self { session, always })
    }

    pub fn frame(&self, frame: &Frame) {
        match frame {
            Frame::Command(bytes) => match shown(bytes) {
                Shown::Line(line) => self.put(format_args!("C: {}", escape(line))),
                Shown::Word(word) => self.put(format_args!("C: {} ...", escape(word))),
            },
            other => self.put(format_args!("C: {other:?}")),
        }
    }

    /// What came of a command that is over.
    pub fn answer(&self, out: &[u8]) {
        if let Some(line) = last_line(out) {
            self.put(format_args!("S: {}", escape(line)));
        }
    }

    fn put(&self, text: fmt::Arguments<'_>) {
        match self.always {
            true => traced_record(self.session, text),
            false => slog!(self.session, LogLevel::AllInfo, "{text}"),
        }
    }
}

/// What may be seen of a command.
#[derive(Debug, PartialEq)]
enum Shown<'a> {
    Line(&'a [u8]),
    Word(&'a [u8]),
}

/// A password may be in it also where it is no valid command.
fn shown(command: &[u8]) -> Shown<'_> {
    let line = command.split(|&b| b == b'\r').next().unwrap_or_default();
    let words = line.split(|&b| b == b' ' || b == b'\t');
    let mut first = words.filter(|word| !word.is_empty()).take(2);
    let secret = first.find(|word| {
        word.eq_ignore_ascii_case(b"LOGIN") || word.eq_ignore_ascii_case(b"AUTHENTICATE")
    });
    match secret {
        Some(word) => Shown::Word(word),
        None => Shown::Line(line),
    }
}

/// The one that tells how the command went, or asks for more of it.
fn last_line(out: &[u8]) -> Option<&[u8]> {
    let out = out.strip_suffix(b"\r\n")?;
    let line = out.rsplit(|&b| b == b'\n').next()?;
    (!line.starts_with(b"*")).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_literals_are_left_out() {
        let line = |text: &'static str| shown(text.as_bytes());
        assert_eq!(line("1 NOOP\r\n"), Shown::Line(b"1 NOOP"));
        let search = "1 SEARCH BODY {3}\r\nfoo BCC x\r\n";
        assert_eq!(line(search), Shown::Line(b"1 SEARCH BODY {3}"));
        for secret in [
            "1 login u p\r\n",
            "1  login u p",
            " 1\tlogin\tu p",
            "login u p",
        ] {
            assert_eq!(line(secret), Shown::Word(b"login"), "{secret}");
        }
        let plain = "a AUTHENTICATE PLAIN AGEAYg==\r\n";
        assert_eq!(line(plain), Shown::Word(b"AUTHENTICATE"));
    }

    #[test]
    fn only_the_last_line_of_an_answer_is_shown() {
        let fetched = b"* 1 FETCH (BODY[] {6}\r\nbody\r\n)\r\n1 OK done\r\n";
        assert_eq!(last_line(fetched), Some(&b"1 OK done"[..]));
        assert_eq!(last_line(b"+ go on\r\n"), Some(&b"+ go on"[..]));
        assert_eq!(last_line(b"* 1 EXISTS\r\n"), None);
        assert_eq!(last_line(b""), None);
        assert_eq!(last_line(b"in the middle"), None);
    }
}
