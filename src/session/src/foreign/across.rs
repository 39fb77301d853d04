//! COPY and MOVE between two other accounts: what is fetched from one goes
//! into an APPEND at the other, which takes all or none.

use super::append::write_name;
use super::fetching::{self, Removed, Removing};
use super::reader::Text;
use super::{Event, Next, Task, Turn, announce, lost, no_link};
use crate::error::Error;
use crate::job::Reply;
use crate::link::LinkId;
use roost_imap::ResponseCode;
use roost_imap::command::CopyArgs;
use roost_imap::parse::{appended, fetched};
use roost_imap::write::{self, Status};
use roost_store::CopyMode;
use roost_types::{Uid, UidSet};

pub(super) struct Across {
    from: String,
    to: String,
    args: CopyArgs,
    mode: CopyMode,
    stage: Stage,
    /// Those that have been sent.
    sent: Vec<Uid>,
    /// The octets of one of them come.
    within: bool,
    removing: Option<Removing>,
    refusal: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
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
    },
    Removes,
}

impl Across {
    pub fn new(from: String, to: String, args: CopyArgs, mode: CopyMode) -> Self {
        Self {
            from,
            to,
            args,
            mode,
            stage: Stage::Begins,
            sent: Vec::new(),
            within: false,
            removing: None,
            refusal: None,
        }
    }

    /// An empty message is never taken; the reason tells whether another
    /// would be.
    fn probe(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let (from, to) = match (turn.link(&self.from), turn.link(&self.to)) {
            (Ok(_), Ok(to)) => (to, to),
            (Err(ask), _) | (_, Err(ask)) => return Ok(ask),
        };
        self.stage = Stage::Probes(from);
        let head = self.head(turn);
        turn.begin(to, &head)?;
        turn.output(to)?.extend_from_slice(b" {0}\r\n");
        Ok(Next::Read(to))
    }

    fn head(&self, turn: &Turn<'_>) -> Vec<u8> {
        let mut head = format!("{} APPEND ", turn.tag).into_bytes();
        write_name(&mut head, &self.args.mailbox);
        head
    }

    /// The probe is answered.
    fn fetch(&mut self, turn: &mut Turn<'_>, to: LinkId, line: &[u8]) -> Result<Next, Error> {
        let rest = line.get(turn.tag.as_str().len()..).unwrap_or_default();
        if !rest.starts_with(b" NO ") || rest.starts_with(b" NO [") {
            turn.out.extend_from_slice(line);
            return Ok(Next::Passed);
        }
        let from = turn.link(&self.from).map_err(|_| lost())?;
        self.stage = Stage::Brings { from, to };
        let command = fetching::command(turn, &self.args);
        turn.send(from, &command)
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
            let head = self.head(turn);
            turn.begin(to, &head)?;
        }
        let short_mdn = turn.session.enabled.short_mdn;
        let output = turn.output(to)?;
        announce(
            output,
            message.flags.system,
            &message.flags.keywords,
            short_mdn,
            message.date,
        );
        output.push(b'{');
        write::number64(output, message.size);
        output.extend_from_slice(if first { b"}\r\n" } else { b"+}\r\n" });
        self.sent.push(message.uid);
        self.within = true;
        if !first {
            return Ok(Next::Read(from));
        }
        self.stage = Stage::Asks { from, to };
        Ok(Next::Read(to))
    }

    fn text(&mut self, turn: &mut Turn<'_>, id: LinkId, text: Text<'_>) -> Result<Next, Error> {
        match self.stage {
            Stage::Brings { from, to } if id == from => {
                if text.begins {
                    return self.begins(turn, (from, to), text);
                }
                match self.within {
                    true => self.within = false,
                    false => turn.pass(text),
                }
            }
            Stage::Removes => turn.pass(text),
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
            Stage::Probes(to) => return self.fetch(turn, to, line),
            Stage::Brings { from, to } if id == from && status == Status::Ok => {
                if self.sent.is_empty() {
                    return Ok(Next::Done(Reply::ok("No messages to copy")));
                }
                turn.output(to)?.extend_from_slice(b"\r\n");
                self.stage = Stage::Ends { from };
                return Ok(Next::Read(to));
            }
            Stage::Ends { from } if status == Status::Ok => return self.done(turn, from, line),
            Stage::Removes => {
                if status != Status::Ok && self.refusal.is_none() {
                    self.refusal = Some(line.to_vec());
                }
                if let Some(mut removing) = self.removing.take() {
                    let removed = removing.answered(turn, id, status)?;
                    self.removing = Some(removing);
                    return self.goes_on(turn, removed);
                }
            }
            _ => {}
        }
        turn.out.extend_from_slice(line);
        Ok(Next::Passed)
    }

    /// The messages are there.
    fn done(&mut self, turn: &mut Turn<'_>, from: LinkId, line: &[u8]) -> Result<Next, Error> {
        let sent = std::mem::take(&mut self.sent);
        let code = appended(line).and_then(|(validity, uids)| {
            let pairs: Vec<(Uid, Uid)> = sent.iter().copied().zip(uids.iter()).collect();
            (uids.len() == sent.len() as u64).then_some(ResponseCode::CopyUid { validity, pairs })
        });
        if self.mode == CopyMode::Copy {
            let mut reply = Reply::ok("Copy completed");
            reply.code = code;
            return Ok(Next::Done(reply));
        }
        if code.is_some() {
            write::untagged(turn.out, Status::Ok, code.as_ref(), "Moved");
        }
        let uids: UidSet = sent.into_iter().collect();
        let mut removing = Removing::new(&uids);
        let removed = removing.go(turn, from)?;
        self.removing = Some(removing);
        self.stage = Stage::Removes;
        self.goes_on(turn, removed)
    }

    fn goes_on(&mut self, turn: &mut Turn<'_>, removed: Removed) -> Result<Next, Error> {
        match removed {
            Removed::Go(next) => Ok(next),
            Removed::All => Ok(Next::Done(Reply::ok("Move completed"))),
            Removed::Refused => {
                let line = self.refusal.take().ok_or_else(lost)?;
                turn.out.extend_from_slice(&line);
                Ok(Next::Passed)
            }
        }
    }
}

impl Task for Across {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => self.probe(turn),
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
            Event::NoLink(error) => Err(no_link(turn.kind, error)),
            Event::Lost(_) | Event::Ending(..) | Event::Shares(_) | Event::Frame(_) => Err(lost()),
        }
    }
}
