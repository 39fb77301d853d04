//! Mailboxes of other accounts (`~bob/Team`).
//!
//! The owner's worker serves them with the same code, as a session that has an
//! [`Asker`](crate::Asker); this side relays. The two speak IMAP over a link
//! that the driver holds, see [`crate::link`] and [`drive`]. What concerns one
//! account goes there as the client has written it, under the client's tag,
//! and the answer comes back as it is. Only what concerns two accounts (COPY,
//! MOVE), or is the asker's own (subscriptions), is done here.
//!
//! What must stay true:
//! - the client's numbers for the messages of a foreign mailbox are those of
//!   the session there: everything untagged that it says of that mailbox is
//!   passed on, and a mailbox whose link was lost is selected anew only where
//!   these numbers hold, or what has gone can be told ([`resume`]);
//! - a link on which a command was not answered to the end is closed;
//! - nothing is held whole that can be large: see [`reader`].

mod drive;

mod across;
mod alias;
mod append;
mod begin;
mod fetching;
mod hearing;
mod incoming;
mod links;
mod listing;
mod moving;
mod out;
mod place;
mod reader;
mod relay;
mod remote;
mod replacing;
mod resume;
mod select;
mod sending;
mod targets;
mod turn;
mod watching;

#[cfg(test)]
mod tests;

pub(crate) use links::Links;
pub(crate) use place::{Place, subscription};
pub(crate) use remote::Remote;

use crate::error::Error;
use crate::flag_names;
use crate::job::Reply;
use crate::link::{Ask, LinkError, LinkId};
use crate::session::{Session, Silence};
use reader::Text;
use roost_imap::command::AppendMessage;
use roost_imap::write::{self, Status};
use roost_imap::{CommandKind, ResponseCode, Tag};
use roost_types::{Keyword, SystemFlags, UnixTime};

/// Messages that are fetched, added or expunged at once by COPY and MOVE
/// between accounts: each takes some memory until then.
const STEP: usize = if cfg!(test) { 2 } else { 1000 };

/// A command that is relayed, as far as it is.
pub(crate) struct Relaying {
    pub tag: Tag,
    pub kind: CommandKind,
    task: Box<dyn Task>,
    wait: Wait,
    /// The client has got a part of a response.
    partial: bool,
    /// In IDLE: other mailboxes may have something to be told.
    woken: bool,
    silence: Silence,
}

impl Relaying {
    pub fn mid_response(&self) -> bool {
        self.partial
    }

    /// Own mailboxes have changed: the client is told of it if it is in IDLE.
    pub fn wake(&mut self) {
        self.woken = matches!(self.wait, Wait::Idle(_));
    }

    /// What others have to tell is to be told now.
    fn tells(&self) -> bool {
        self.woken && !self.partial && matches!(self.wait, Wait::Idle(_))
    }
}

/// What it waits for.
enum Wait {
    /// Its next step.
    Step,
    /// For everything that is queued to be sent.
    Written,
    /// For a link to be read.
    Link(LinkId),
    Ask(Ask),
    /// For the client's next frame.
    Frame,
    /// The same, the client being in IDLE, and for a link.
    Idle(Option<LinkId>),
}

/// What a task is told.
pub(crate) enum Event<'a> {
    /// It begins, or what it waited for is there.
    Go,
    /// The accounts that share something.
    Shares(Vec<String>),
    NoLink(LinkError),
    /// An untagged response, or a piece of one.
    Text(LinkId, Text<'a>),
    Literal(LinkId, &'a [u8]),
    /// `+`
    Continue(LinkId),
    /// The answer to its command.
    Tagged(LinkId, Status, &'a [u8]),
    /// The beginning of an answer that is too long to be held; the rest is
    /// text.
    Ending(LinkId, Status, Text<'a>),
    Lost(LinkId),
    Frame(ClientFrame),
}

/// What a client sends within an APPEND or IDLE.
pub(crate) enum ClientFrame {
    Data(Vec<u8>),
    Next(AppendMessage),
    End,
    Done,
}

/// What a task wants.
pub(crate) enum Next {
    /// To be called again soon.
    Step,
    /// To be called again when everything queued has been sent.
    Write,
    /// To hear what comes over this link.
    Read(LinkId),
    Ask(Ask),
    /// To get the client's next frame.
    Frame,
    /// The same, with the message that was announced taken or refused.
    Accept,
    Refuse,
    /// The same, the client being in IDLE, and to hear of the link.
    Idle(Option<LinkId>),
    Done(Reply),
    /// The answer has been passed on.
    Passed,
}

/// A command that is relayed. Dropping it gives it up; links on which it waits
/// for an answer are closed then.
pub(crate) trait Task: Send {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error>;

    /// See [`crate::job::Job::progress`].
    fn progress(&self) -> Option<(u64, Option<u64>)> {
        None
    }
}

/// What a task works with.
pub(crate) struct Turn<'a> {
    pub session: &'a mut Session,
    pub tag: &'a Tag,
    pub kind: CommandKind,
    pub out: &'a mut Vec<u8>,
    partial: &'a mut bool,
}

impl Turn<'_> {
    /// What most tasks do: what the other account says is the client's answer,
    /// and without it there is none.
    fn usual(&mut self, event: &Event<'_>) -> Result<Next, Error> {
        match *event {
            Event::Text(id, text) => {
                self.pass(text);
                Ok(Next::Read(id))
            }
            Event::Literal(id, octets) => {
                self.pass_octets(octets);
                Ok(Next::Read(id))
            }
            // Literals have gone with the command.
            Event::Continue(id) => Ok(Next::Read(id)),
            Event::Tagged(_, _, line) => {
                self.out.extend_from_slice(line);
                Ok(Next::Passed)
            }
            Event::NoLink(error) => Err(no_link(self.kind, error)),
            Event::Go | Event::Lost(_) | Event::Ending(..) | Event::Shares(_) | Event::Frame(_) => {
                Err(lost())
            }
        }
    }
}

/// Appends what stands before the literal of a message in an APPEND; the
/// session there takes its names of flags for the client's.
fn announce(
    output: &mut Vec<u8>,
    flags: SystemFlags,
    keywords: &[Keyword],
    short_mdn: bool,
    date: Option<UnixTime>,
) {
    output.push(b' ');
    let keywords = flag_names::shown(keywords, short_mdn);
    write::flag_list(output, flags, &*keywords, None);
    output.push(b' ');
    if let Some(date) = date {
        write::internal_date(output, date);
        output.push(b' ');
    }
}

/// The link went in the middle of a command.
fn lost() -> Error {
    Error::refused(
        ResponseCode::Unavailable,
        "Connection to the other account was lost",
    )
}

/// Why there is no link, in words that do not tell whether there is an account.
fn no_link(kind: CommandKind, error: LinkError) -> Error {
    use CommandKind as K;
    use roost_store::Error as StoreError;
    match error {
        // Above the top level there is the owner alone.
        LinkError::NoSuchAccount if kind == K::Create => crate::rights::refused(),
        LinkError::NoSuchAccount => match kind {
            K::Append
            | K::Replace
            | K::UidReplace
            | K::Copy
            | K::UidCopy
            | K::Move
            | K::UidMove => Error::Destination(StoreError::NoSuchMailbox),
            _ => StoreError::NoSuchMailbox.into(),
        },
        LinkError::Unavailable => Error::refused(
            ResponseCode::Unavailable,
            "Mailboxes of this account cannot be reached now",
        ),
        LinkError::Limit => Error::refused(
            ResponseCode::Limit,
            "Too many mailboxes of other accounts in use",
        ),
    }
}
