//! Splits what a client sends into commands, before anything is parsed.
//!
//! What must stay true: the octets of a literal are never read as a command,
//! however broken the command is that announced it, and no client makes the
//! framer hold more than its [`Limits`]. A command that goes over a limit is
//! read away to its end and reported with its tag; only a literal too large
//! even for that ends the connection ([`Frame::Fatal`]).
//!
//! Message literals of APPEND and REPLACE are not collected but handed out as
//! they come:
//! ```text
//! AppendStart ── accept_append() ─► AppendData* ─┬─► AppendNext ── accept_append() ─► …
//!      └──────── refuse_append() ────────────────┴─► AppendEnd
//! ```

mod append;
mod discard;
mod framer;
mod literal;
#[cfg(test)]
mod tests;

pub use framer::Framer;

use crate::command::{AppendMessage, Encrypted, Replaced, Tag};
use std::fmt;

/// What a client may send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Octets of a command without its literals, line ends included.
    pub line: usize,
    /// Octets of all literals of a command together; message literals of
    /// APPEND do not count.
    pub literal_total: usize,
    /// Number of literals in a command, those of messages not counted.
    pub literals: usize,
    /// Octets of a line in answer to a SASL challenge.
    pub sasl_line: usize,
    /// Octets of a refused command that are read away to stay in step.
    pub swallow: u64,
    /// Messages in one APPEND; 0 where APPEND is not allowed at all.
    pub append_messages: usize,
}

impl Limits {
    /// For strangers: enough for any login.
    pub const BEFORE_LOGIN: Self = Self {
        line: 16 << 10,
        literal_total: 8 << 10,
        literals: 8,
        sasl_line: 12 << 10,
        swallow: 64 << 10,
        append_messages: 0,
    };

    pub const AUTHENTICATED: Self = Self {
        line: 64 << 10,
        literal_total: 1 << 20,
        literals: 256,
        sasl_line: 12 << 10,
        swallow: 64 << 20,
        append_messages: 1000,
    };

    /// For sessions that ask for another account's mailboxes: COPY comes from
    /// there as one APPEND.
    pub const LINK: Self = Self {
        append_messages: 10_000,
        ..Self::AUTHENTICATED
    };
}

/// What comes out of a [`Framer`].
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole command without its last line end, literals in their places
    /// (`a LOGIN {5}\r\nalice secret`). Never empty.
    Command(Vec<u8>),
    /// The client waits for a continuation (`+ OK`) before it sends a literal.
    NeedContinuation,
    /// An APPEND or REPLACE as far as its first message. Nothing more comes before
    /// [`Framer::accept_append`] or [`Framer::refuse_append`] is called.
    AppendStart(Box<AppendStart>),
    /// The next octets of the accepted message; never empty.
    AppendData(Vec<u8>),
    /// The message is complete, and another follows (RFC 3502): accept or
    /// refuse again.
    AppendNext(AppendMessage),
    /// The end of the APPEND: of its last message, or of what had to be read
    /// away after it was refused. The tagged response is due now.
    AppendEnd,
    /// DONE, after [`Framer::expect_done`].
    Done,
    /// A line without its end, after [`Framer::expect_line`].
    Line(Vec<u8>),
    /// `*` instead of such a line: the client gives up the exchange.
    Cancel,
    /// A command or line over a limit; ends an APPEND that was under way.
    TooLong { tag: Option<Tag> },
    /// Not a command; ends an APPEND that was under way.
    Bad {
        tag: Option<Tag>,
        reason: &'static str,
    },
    /// The framer can stay in step no longer: say BYE and close. Nothing comes
    /// after this.
    Fatal { reason: &'static str },
}

/// The beginning of an APPEND (RFC 9051 §6.3.12), or of a REPLACE, which has
/// one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendStart {
    pub tag: Tag,
    /// What a REPLACE replaces.
    pub replaced: Option<Replaced>,
    pub mailbox: Vec<u8>,
    /// Holds for all of its messages.
    pub encrypted: Option<Encrypted>,
    pub message: AppendMessage,
}

impl fmt::Debug for Frame {
    /// Without what may hold passwords or mail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(b) => write!(f, "Command({} octets)", b.len()),
            Self::NeedContinuation => f.write_str("NeedContinuation"),
            Self::AppendStart(start) => write!(f, "{start:?}"),
            Self::AppendData(b) => write!(f, "AppendData({} octets)", b.len()),
            Self::AppendNext(message) => write!(f, "AppendNext({message:?})"),
            Self::AppendEnd => f.write_str("AppendEnd"),
            Self::Done => f.write_str("Done"),
            Self::Line(b) => write!(f, "Line({} octets)", b.len()),
            Self::Cancel => f.write_str("Cancel"),
            Self::TooLong { tag } => write!(f, "TooLong({tag:?})"),
            Self::Bad { tag, reason } => write!(f, "Bad({tag:?}, {reason:?})"),
            Self::Fatal { reason } => write!(f, "Fatal({reason:?})"),
        }
    }
}
