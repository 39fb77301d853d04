//! APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4), and
//! what REPLACE has in common with them.
//!
//! Messages go from the connection to their files in the pieces in which they
//! come; nothing is visible before the last of them is complete ([`adding`]).

mod adding;

use super::encrypted;
use super::encrypted::append::Sealing;
use super::replace;
use crate::error::Error;
use crate::job::{Job, Reply};
use crate::rights;
use crate::session::{Named, Progress, Session, Silence};
use roost_imap::command::AppendMessage;
use roost_imap::frame::AppendStart;
use roost_imap::write;
use roost_imap::{CommandKind, ResponseCode, Tag};
use roost_store::{Append, Mailbox, Within};
use roost_types::{Keyword, Rights, SystemFlags, Uid};
use std::sync::Arc;

/// What follows when the client has sent all.
pub(crate) enum Ended {
    Done(Reply),
    /// There are many messages.
    Job(Box<dyn Job>),
}

/// An APPEND under way.
pub(crate) struct Appending {
    tag: Tag,
    kind: CommandKind,
    state: State,
    silence: Silence,
    /// Octets of the messages.
    taken: u64,
}

enum State {
    Open(Box<Open>),
    /// The rest of the command is read away, then this is said.
    Failed(Error),
}

struct Open {
    append: Append,
    /// The message that a REPLACE takes away.
    old: Option<Uid>,
    /// The flags that may be set there.
    within: Within,
    named: Named,
    /// Messages are encrypted before they are stored.
    sealing: Option<Sealing>,
    /// Messages so far, and those among them that the client has seen where
    /// that is its own matter.
    count: u64,
    seen: Vec<u64>,
    own_seen: bool,
    literal8: bool,
    last_octet: u8,
}

/// The mailbox that APPEND, COPY or MOVE put messages into.
pub(crate) fn destination(session: &Session, raw: &[u8]) -> Result<Arc<Mailbox>, Error> {
    let named = session.name(raw)?;
    open(session, &named)
}

fn open(session: &Session, named: &Named) -> Result<Arc<Mailbox>, Error> {
    let account = session.account();
    account.open(&named.given.name).map_err(Error::Destination)
}

/// Begins with the first message, if it is `allowed` at all.
pub(crate) fn begin(
    session: &Session,
    start: AppendStart,
    allowed: Result<(), Error>,
    out: &mut Vec<u8>,
) -> (Appending, Progress) {
    let state = match allowed.and_then(|()| prepare(session, &start)) {
        Ok(open) => State::Open(Box::new(open)),
        Err(error) => State::Failed(error),
    };
    let kind = kind_of(&start);
    let mut appending = Appending {
        tag: start.tag,
        kind,
        state,
        silence: Silence::begins(session.settings.running_interval),
        taken: 0,
    };
    let progress = appending.message(session, &start.message, out);
    (appending, progress)
}

/// The command that a message comes with.
pub(crate) fn kind_of(start: &AppendStart) -> CommandKind {
    match &start.replaced {
        None => CommandKind::Append,
        Some(old) if old.uid => CommandKind::UidReplace,
        Some(_) => CommandKind::Replace,
    }
}

fn prepare(session: &Session, start: &AppendStart) -> Result<Open, Error> {
    let old = match &start.replaced {
        Some(replaced) => Some(replace::target(session, replaced)?),
        None => None,
    };
    let sealing = match &start.encrypted {
        Some(data) => Some(Sealing::new(encrypted::recipient(session, data)?)),
        None => None,
    };
    let named = session.name(&start.mailbox)?;
    let kind = kind_of(start);
    session.permit_here(kind)?;
    let name = &named.given.name;
    let needed = rights::needs(kind).named;
    session.permit(name, needed).map_err(rights::destination)?;
    let within = rights::flags(session.rights(name));
    let append = open(session, &named)?
        .append()
        .map_err(Error::Destination)?;
    Ok(Open {
        // What counts is the size before encryption, which `check` has seen.
        append: match sealing {
            Some(_) => append.of_any_size(),
            None => append,
        },
        old,
        within,
        named,
        sealing,
        count: 0,
        seen: Vec::new(),
        own_seen: session.reads_for_itself(),
        literal8: false,
        last_octet: 0,
    })
}

impl Appending {
    /// Takes octets of the message begun last.
    pub fn data(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Progress {
        let State::Open(open) = &mut self.state else {
            return Progress::RefuseAppend;
        };
        self.taken += bytes.len() as u64;
        let taken = self.taken;
        match open.write(bytes) {
            Ok(()) => {
                // How many messages there will be, the client knows alone.
                self.silence.lasts(&self.tag, || Some((taken, None)), out);
                Progress::Next
            }
            Err(error) => self.fail(error),
        }
    }

    /// Ends a message and begins the next one.
    pub fn next(
        &mut self,
        session: &Session,
        message: &AppendMessage,
        out: &mut Vec<u8>,
    ) -> Progress {
        if let State::Open(open) = &mut self.state
            && let Err(error) = open.finish_message()
        {
            return self.fail(error);
        }
        self.message(session, message, out)
    }

    /// Begins a message whose octets come next.
    fn message(
        &mut self,
        session: &Session,
        message: &AppendMessage,
        out: &mut Vec<u8>,
    ) -> Progress {
        let State::Open(open) = &mut self.state else {
            return Progress::RefuseAppend;
        };
        let begun = check(session, message).and_then(|()| open.begin(session, message));
        if let Err(error) = begun {
            return self.fail(error);
        }
        if message.sync {
            write::continuation(out, "OK");
        }
        Progress::AcceptAppend
    }

    fn fail(&mut self, error: Error) -> Progress {
        self.state = State::Failed(error);
        Progress::RefuseAppend
    }

    /// The end of the command, or of what the client sends for it.
    pub fn end(
        self,
        session: &mut Session,
        out: &mut Vec<u8>,
    ) -> (Tag, CommandKind, Result<Ended, Error>) {
        let result = match self.state {
            State::Failed(error) => Err(error),
            State::Open(open) => commit(session, self.kind, *open, out),
        };
        (self.tag, self.kind, result)
    }

    /// Why the command was given up, if it was.
    pub fn failure(self) -> Option<(Tag, Error)> {
        match self.state {
            State::Failed(error) => Some((self.tag, error)),
            State::Open(_) => None,
        }
    }
}

fn commit(
    session: &mut Session,
    kind: CommandKind,
    mut open: Open,
    out: &mut Vec<u8>,
) -> Result<Ended, Error> {
    let name = &open.named.given.name;
    session.permit_here(kind)?;
    session
        .permit(name, Rights::INSERT)
        .map_err(rights::destination)?;
    open.finish_message()?;
    if let Some(old) = open.old {
        let replaced = replace::commit(session, open.append, old, &open.named, out);
        return replaced.map(Ended::Done);
    }
    adding::start(session, open, out)
}

/// What can be said before the message comes.
fn check(session: &Session, message: &AppendMessage) -> Result<(), Error> {
    let most = session.settings.max_message_size;
    if message.size == 0 {
        // The client's way to give up (RFC 3502 §6.3.11).
        return Err(Error::Refused {
            code: None,
            text: "Append cancelled: empty message".into(),
        });
    }
    if most > 0 && message.size > most {
        // RFC 7889 §4.
        return Err(Error::refused(ResponseCode::TooBig, "Message is too large"));
    }
    Ok(())
}

impl Open {
    fn begin(&mut self, session: &Session, message: &AppendMessage) -> Result<(), Error> {
        let freed = match self.old {
            Some(old) => Some(session.selected()?.mailbox().weight(old)),
            None => None,
        };
        let announced = self.append.announce(message.size, freed);
        announced.map_err(Error::Destination)?;
        self.literal8 = message.literal8;
        self.last_octet = 0;
        let flags = &message.flags;
        let keywords: &[Keyword] = match self.within.keywords {
            true => &flags.keywords,
            false => &[],
        };
        let mut system = flags.system & self.within.system;
        if self.own_seen {
            if flags.system.contains(SystemFlags::SEEN) {
                self.seen.push(self.count);
            }
            system = system & !SystemFlags::SEEN;
        }
        self.count += 1;
        self.append
            .begin_message(system, keywords, message.date)
            .map_err(Error::Destination)?;
        if let Some(sealing) = &mut self.sealing {
            sealing.begin(message.size);
        }
        Ok(())
    }

    fn finish_message(&mut self) -> Result<(), Error> {
        if let Some(sealing) = &mut self.sealing {
            sealing.finish(&mut self.append)?;
        }
        self.append.finish_message().map_err(Error::Destination)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(sealing) = &mut self.sealing {
            return sealing.write(bytes, &mut self.append);
        }
        if self.literal8 && self.has_bare_line_feed(bytes) {
            return Err(Error::refused(
                ResponseCode::UnknownCte,
                "Binary parts with line feeds of their own cannot be stored",
            ));
        }
        self.append.write(bytes).map_err(Error::Destination)
    }

    /// Maildirs hold lines that end in LF, so that a bare one would come back
    /// as CRLF (RFC 3516 §4.4 allows no such loss).
    fn has_bare_line_feed(&mut self, bytes: &[u8]) -> bool {
        let mut before = self.last_octet;
        self.last_octet = bytes.last().copied().unwrap_or(before);
        memchr::memchr_iter(b'\n', bytes).any(|at| {
            if let Some(at) = at.checked_sub(1) {
                before = bytes.get(at).copied().unwrap_or(0);
            }
            before != b'\r'
        })
    }
}
