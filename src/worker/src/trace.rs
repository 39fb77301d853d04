//! The protocol of a session in the log: commands without literals, and the last
//! line of each answer.
//!
//! Nothing of a message's text and nothing of an attempt to log in gets there.
//! What is no command may be one: a password behind an AUTHENTICATE that was
//! refused, or the rest of one with a line end in it. So nothing is shown of
//! what does not parse but the name of a command, and the tag before such a name.

mod pace;

use pace::{Pace, Said};
use roost_imap::command::CommandKind;
use roost_imap::{Frame, parse};
use roost_ipc::log::{escape, traced_record};
use roost_ipc::{LogLevel, slog};
use roost_types::SessionId;
use std::fmt;
use std::time::Instant;

/// Of one session, as long as it is traced.
pub struct Trace {
    session: SessionId,
    /// An administrator wants it, whatever the level.
    always: bool,
    /// What came last may have been anything, what looked like its tag too.
    hidden: bool,
    pace: Pace,
}

impl Trace {
    /// Keeps `known` as long as it is logged, begins it where need be.
    pub fn of(
        known: &mut Option<Box<Self>>,
        session: SessionId,
        always: bool,
    ) -> Option<&mut Self> {
        if !always && log::max_level() < log::LevelFilter::Trace {
            *known = None;
            return None;
        }
        let trace = known.get_or_insert_with(|| {
            Box::new(Self {
                session,
                always,
                hidden: true,
                pace: Pace::default(),
            })
        });
        trace.always = always;
        Some(trace)
    }

    pub fn frame(&mut self, frame: &Frame) {
        let shown = match frame {
            Frame::Command(bytes) => command(bytes),
            // Many for one command, or of no interest.
            Frame::AppendData(_) | Frame::AppendEnd | Frame::NeedContinuation => return,
            Frame::AppendStart(start) => {
                let name = match &start.replaced {
                    Some(replaced) if replaced.uid => "UID REPLACE",
                    Some(_) => "REPLACE",
                    None => "APPEND",
                };
                let (tag, mailbox) = (&start.tag, escape(&start.mailbox));
                Shown::Whole(format!("{tag} {name} {mailbox} {{{}}}", start.message.size))
            }
            Frame::AppendNext(message) => Shown::Whole(format!("... {{{}}}", message.size)),
            Frame::Done => Shown::Whole("DONE".to_owned()),
            Frame::Fatal { reason } | Frame::Bad { reason, .. } => {
                Shown::Untagged(format!("... ({reason})"))
            }
            Frame::TooLong { .. } => Shown::Untagged("... (too long)".to_owned()),
            Frame::Line(_) | Frame::Cancel => Shown::Untagged("...".to_owned()),
        };
        let (Shown::Whole(text) | Shown::Untagged(text)) = &shown;
        self.hidden = matches!(shown, Shown::Untagged(_));
        self.put(format_args!("C: {text}"));
    }

    /// What came of a command that is over.
    pub fn answer(&mut self, out: &[u8]) {
        let Some(line) = last_line(out) else {
            return;
        };
        match untagged(line) {
            Some(rest) if self.hidden => self.put(format_args!("S: ... {}", escape(rest))),
            _ => self.put(format_args!("S: {}", escape(line))),
        }
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        match self.pace.say(Instant::now()) {
            Said::Nothing => return,
            Said::Line { missed: 0 } => {}
            Said::Line { missed } => self.left_out(missed),
        }
        self.log(text);
    }

    fn left_out(&self, lines: u64) {
        self.log(format_args!("{lines} lines left out"));
    }

    fn log(&self, text: fmt::Arguments<'_>) {
        match self.always {
            true => traced_record(self.session, text),
            false => slog!(self.session, LogLevel::AllInfo, "{text}"),
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let missed = self.pace.missed();
        if missed > 0 {
            self.left_out(missed);
        }
    }
}

/// What may be seen of a command.
#[derive(Debug, PartialEq)]
enum Shown {
    Whole(String),
    /// Nor may its tag in the answer.
    Untagged(String),
}

/// Its first line; of what is no command its name, if it has one.
fn command(bytes: &[u8]) -> Shown {
    let (tag, kind) = match parse::parse(bytes) {
        Ok(request) => {
            let kind = request.command.kind();
            if !is_secret(kind) {
                let mut lines = bytes.split(|&b| b == b'\r' || b == b'\n');
                let first = lines.next().unwrap_or_default();
                return Shown::Whole(escape(first).to_string());
            }
            (Some(request.tag), Some(kind))
        }
        Err(error) => (error.tag, error.kind),
    };
    match (tag, kind) {
        (Some(tag), Some(kind)) if is_secret(kind) => {
            Shown::Whole(format!("{tag} {} ...", kind.name()))
        }
        (Some(tag), Some(kind)) => {
            let (name, length) = (kind.name(), bytes.len());
            Shown::Whole(format!("{tag} {name} ... ({length} octets)"))
        }
        _ => Shown::Untagged("...".to_owned()),
    }
}

fn is_secret(kind: CommandKind) -> bool {
    matches!(kind, CommandKind::Login | CommandKind::Authenticate)
}

/// The one that tells how the command went, or asks for more of it.
fn last_line(out: &[u8]) -> Option<&[u8]> {
    let out = out.strip_suffix(b"\r\n")?;
    let line = out.rsplit(|&b| b == b'\n').next()?;
    (!line.starts_with(b"*")).then_some(line)
}

/// A tagged line without its tag.
fn untagged(line: &[u8]) -> Option<&[u8]> {
    if line.starts_with(b"+") {
        return None;
    }
    let blank = line.iter().position(|&b| b == b' ')?;
    line.get(blank + 1..)
}

#[cfg(test)]
mod tests;
