//! COPY and MOVE between two other accounts: what is fetched from one goes
//! into an APPEND at the other. Which messages there are is asked first, so
//! that too many are refused before one has gone, and a MOVE is done in pieces.

use super::fetching::{self, Removed, Removing};
use super::reader::Text;
use super::{Event, Next, STEP, Task, Turn, lost, sending};
use crate::error::Error;
use crate::job::{Reply, UidPieces};
use crate::link::LinkId;
use crate::session::State;
use roost_imap::ResponseCode;
use roost_imap::command::CopyArgs;
use roost_imap::parse::{fetched, found, write_set};
use roost_imap::write::Status;
use roost_store::{CopyMode, Error as StoreError};
use roost_types::{SeqNum, SeqSet, SequenceSet, SetBound, SystemFlags, Uid, UidSet};

/// Octets of the answer that tells which messages there are.
const MAX_FOUND: usize = 512 << 10;

pub(super) struct Across {
    from: String,
    to: String,
    /// See [`sending::destination`].
    destination: Vec<u8>,
    args: CopyArgs,
    mode: CopyMode,
    stage: Stage,
    /// The answer that tells which messages there are, as far as it has come.
    found: Vec<u8>,
    /// How many there are to be, where that is known.
    expected: Option<u64>,
    left: UidPieces,
    /// How many have gone in all, and of how many.
    gone: u64,
    total: Option<u64>,
    /// Those that have been sent with the APPEND under way.
    sent: Vec<Uid>,
    /// Those of them that were marked as deleted.
    marked: UidSet,
    /// The octets of one of them come.
    within: bool,
    removing: Option<Removing>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    /// Which messages there are is asked for.
    Finds,
    /// The one that is to get the messages is asked whether it would.
    Probes(LinkId),
    /// It is asked for the first message.
    Asks {
        from: LinkId,
        to: LinkId,
    },
    Brings {
        from: LinkId,
        to: LinkId,
    },
    Ends {
        from: LinkId,
        to: LinkId,
    },
    Removes {
        to: LinkId,
    },
}

impl Across {
    pub fn new(
        from: String,
        (to, destination): (String, Vec<u8>),
        args: CopyArgs,
        mode: CopyMode,
    ) -> Self {
        Self {
            from,
            to,
            destination,
            args,
            mode,
            stage: Stage::Begins,
            found: Vec::new(),
            expected: None,
            left: UidPieces::new(&UidSet::new()),
            gone: 0,
            total: None,
            sent: Vec::new(),
            marked: UidSet::new(),
            within: false,
            removing: None,
        }
    }

    /// The UIDs are those of the view that the client knows: what is expunged
    /// is told behind them.
    fn find(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let from = match (turn.link(&self.from), turn.link(&self.to)) {
            (Ok(from), Ok(_)) => from,
            (Err(ask), _) | (_, Err(ask)) => return Ok(ask),
        };
        let State::Foreign(remote) = &turn.session.state else {
            return Err(lost());
        };
        if !self.args.uid && self.args.set != SequenceSet::Saved {
            self.expected = Some(numbers(&self.args.set, remote.told.exists)?.len());
        }
        let by = if self.args.uid { "UID " } else { "" };
        let mut command = format!("{} UID SEARCH RETURN (ALL) {by}", turn.tag).into_bytes();
        write_set(&mut command, &self.args.set);
        self.stage = Stage::Finds;
        turn.send(from, &command)
    }

    /// An empty message is never taken; the reason tells whether another
    /// would be.
    fn probe(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let uids = found(&self.found)
            .ok_or_else(|| Error::refused(ResponseCode::Limit, "Too many messages at once"))?;
        self.found = Vec::new();
        sending::check(self.mode, uids.len())?;
        self.left = UidPieces::new(&uids);
        self.total = Some(uids.len());
        let to = turn.link(&self.to).map_err(|_| lost())?;
        self.stage = Stage::Probes(to);
        sending::begin(turn, to, &self.destination)?;
        turn.output(to)?.extend_from_slice(b" {0}\r\n");
        Ok(Next::Read(to))
    }

    /// The probe is answered.
    fn probed(&mut self, turn: &mut Turn<'_>, to: LinkId, line: &[u8]) -> Result<Next, Error> {
        let rest = line.get(turn.tag.as_str().len()..).unwrap_or_default();
        if !rest.starts_with(b" NO ") || rest.starts_with(b" NO [") {
            turn.out.extend_from_slice(line);
            return Ok(Next::Passed);
        }
        let from = turn.link(&self.from).map_err(|_| lost())?;
        self.fetch(turn, from, to)
    }

    /// Fetches the next piece, if there is one.
    fn fetch(&mut self, turn: &mut Turn<'_>, from: LinkId, to: LinkId) -> Result<Next, Error> {
        let Some(piece) = self.left.next(STEP as u64) else {
            return self.fetched_all(turn, from, to);
        };
        self.stage = Stage::Brings { from, to };
        let command = fetching::command(turn, true, piece.to_string().as_bytes());
        turn.send(from, &command)
    }

    fn fetched_all(
        &mut self,
        turn: &mut Turn<'_>,
        from: LinkId,
        to: LinkId,
    ) -> Result<Next, Error> {
        match (self.mode, self.sent.is_empty()) {
            (CopyMode::Move, true) => Ok(Next::Done(Reply::ok("Move completed"))),
            // By number all are copied or none.
            (CopyMode::Copy, _) if self.expected.is_some_and(|n| n != self.sent.len() as u64) => {
                Err(StoreError::Expunged.into())
            }
            (CopyMode::Copy, true) => Ok(Next::Done(Reply::ok("No messages to copy"))),
            (_, false) => self.end(turn, from, to),
        }
    }

    /// The APPEND is complete.
    fn end(&mut self, turn: &mut Turn<'_>, from: LinkId, to: LinkId) -> Result<Next, Error> {
        turn.output(to)?.extend_from_slice(b"\r\n");
        self.stage = Stage::Ends { from, to };
        Ok(Next::Read(to))
    }

    /// A response of the session that has the messages begins.
    fn begins(
        &mut self,
        turn: &mut Turn<'_>,
        (from, to): (LinkId, LinkId),
        text: Text<'_>,
    ) -> Result<Next, Error> {
        let Some(message) = text.literal.and_then(|_| fetched(text.bytes)) else {
            turn.pass(text);
            return Ok(Next::Read(from));
        };
        let first = self.sent.is_empty();
        if first {
            sending::begin(turn, to, &self.destination)?;
        }
        let short_mdn = turn.session.enabled.short_mdn;
        let flags = (message.flags.system, &*message.flags.keywords, short_mdn);
        sending::message(turn.output(to)?, flags, message.date, message.size, first);
        self.sent.push(message.uid);
        self.gone += 1;
        if message.flags.system.contains(SystemFlags::DELETED) {
            self.marked.insert(message.uid);
        }
        self.within = true;
        if !first {
            return Ok(Next::Read(from));
        }
        self.stage = Stage::Asks { from, to };
        Ok(Next::Read(to))
    }

    fn text(&mut self, turn: &mut Turn<'_>, id: LinkId, text: Text<'_>) -> Result<Next, Error> {
        match self.stage {
            Stage::Finds => {
                let begins = text.begins && text.bytes.starts_with(b"* ESEARCH ");
                if begins || !text.begins && !self.found.is_empty() {
                    if self.found.len() + text.bytes.len() > MAX_FOUND {
                        let words = "Too many messages at once";
                        return Err(Error::refused(ResponseCode::Limit, words));
                    }
                    self.found.extend_from_slice(text.bytes);
                } else {
                    turn.pass(text);
                }
            }
            Stage::Brings { from, to } if id == from => {
                if text.begins {
                    return self.begins(turn, (from, to), text);
                }
                match self.within {
                    true => self.within = false,
                    false => turn.pass(text),
                }
            }
            Stage::Removes { .. } => turn.pass(text),
            // Of the other one nothing is selected.
            _ => {}
        }
        Ok(Next::Read(id))
    }

    fn literal(&mut self, turn: &mut Turn<'_>, id: LinkId, octets: &[u8]) -> Result<Next, Error> {
        match self.stage {
            Stage::Brings { from, to } if id == from && self.within => {
                turn.output(to)?.extend_from_slice(octets);
            }
            _ => turn.pass_octets(octets),
        }
        Ok(Next::Read(id))
    }

    fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        id: LinkId,
        status: Status,
        line: &[u8],
    ) -> Result<Next, Error> {
        match self.stage {
            Stage::Finds if status == Status::Ok => return self.probe(turn),
            Stage::Probes(to) => return self.probed(turn, to, line),
            Stage::Brings { from, to } if id == from && status == Status::Ok => {
                return match self.mode == CopyMode::Move && !self.sent.is_empty() {
                    true => self.end(turn, from, to),
                    false => self.fetch(turn, from, to),
                };
            }
            Stage::Ends { from, to } if status == Status::Ok => {
                return self.appended(turn, from, to, line);
            }
            Stage::Removes { to } => {
                if let Some(mut removing) = self.removing.take() {
                    let removed = removing.answered(turn, id, status, line)?;
                    self.removing = Some(removing);
                    return self.goes_on(turn, (id, to), removed);
                }
            }
            _ => {}
        }
        turn.usual(&Event::Tagged(id, status, line))
    }

    /// The messages are there.
    fn appended(
        &mut self,
        turn: &mut Turn<'_>,
        from: LinkId,
        to: LinkId,
        line: &[u8],
    ) -> Result<Next, Error> {
        let sent = std::mem::take(&mut self.sent);
        if let Some(reply) = sending::done(turn, self.mode, &sent, line) {
            return Ok(Next::Done(reply));
        }
        let uids: UidSet = sent.into_iter().collect();
        let mut removing = Removing::new(&uids, std::mem::take(&mut self.marked));
        let removed = removing.go(turn, from)?;
        self.removing = Some(removing);
        self.stage = Stage::Removes { to };
        self.goes_on(turn, (from, to), removed)
    }

    /// Behind one piece comes the next.
    fn goes_on(
        &mut self,
        turn: &mut Turn<'_>,
        (from, to): (LinkId, LinkId),
        removed: Removed,
    ) -> Result<Next, Error> {
        match removed {
            Removed::All => self.fetch(turn, from, to),
            other => Ok(other.ends(turn)),
        }
    }
}

/// The messages that a set means in a mailbox of so many.
pub(super) fn numbers(set: &SequenceSet, exists: u32) -> Result<SeqSet, Error> {
    let seqs: SeqSet = set.resolve(SeqNum::new(exists));
    let star = |bound: &SetBound| *bound == SetBound::Star;
    let none = match set {
        SequenceSet::Ranges(ranges) => {
            exists == 0 && ranges.iter().any(|(a, b)| star(a) || star(b))
        }
        SequenceSet::Saved => false,
    };
    match none || seqs.max().is_some_and(|last| last.get() > exists) {
        true => Err(Error::Bad("No message has such a number")),
        false => Ok(seqs),
    }
}

impl Task for Across {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => self.find(turn),
            Event::Text(id, text) => self.text(turn, id, text),
            Event::Literal(id, octets) => self.literal(turn, id, octets),
            Event::Continue(id) => match self.stage {
                Stage::Asks { from, to } if id == to => {
                    self.stage = Stage::Brings { from, to };
                    Ok(Next::Read(from))
                }
                _ => Ok(Next::Read(id)),
            },
            Event::Tagged(id, status, line) => self.answered(turn, id, status, line),
            other => turn.usual(&other),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some((self.gone, self.total))
    }
}
