//! COPY and MOVE of own messages into a mailbox of another account: an APPEND
//! there, which takes all or none.

use super::{Event, Next, STEP, Task, Turn, lost, sending};
use crate::error::Error;
use crate::job::{Reply, STEP_OCTETS};
use crate::link::LinkId;
use roost_imap::write::Status;
use roost_message::crlf::{CrlfReader, Nul};
use roost_store::{CopyMode, Error as StoreError, Mailbox, Message};
use roost_types::{Uid, UidSet};
use std::sync::Arc;

pub(super) struct Out {
    shown: String,
    /// See [`sending::destination`].
    to: Vec<u8>,
    from: Arc<Mailbox>,
    mode: CopyMode,
    by_uid: bool,
    /// Messages that are still to go.
    left: std::vec::IntoIter<Uid>,
    total: u64,
    /// Those of the APPEND under way.
    sent: Vec<Uid>,
    body: Option<Body>,
    stage: Stage,
    moved: bool,
    /// See [`announce`].
    short_mdn: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Asks,
    Sends(LinkId),
    Ends,
}

/// A message on its way.
struct Body {
    reader: CrlfReader<Message>,
    left: u64,
}

impl Out {
    /// Messages by number are there, or none is copied.
    pub fn new(
        shown: String,
        to: Vec<u8>,
        from: Arc<Mailbox>,
        uids: &UidSet,
        mode: CopyMode,
        by_uid: bool,
    ) -> Result<Self, Error> {
        sending::check(mode, uids.len())?;
        Ok(Self {
            shown,
            to,
            from,
            mode,
            by_uid,
            total: uids.len(),
            left: uids.iter().collect::<Vec<_>>().into_iter(),
            sent: Vec::new(),
            body: None,
            stage: Stage::Begins,
            moved: false,
            short_mdn: false,
        })
    }

    /// Opens the next message and announces it; false when there is none.
    fn announce(&mut self, output: &mut Vec<u8>, sync: bool) -> Result<bool, Error> {
        for uid in self.left.by_ref() {
            match self.from.size(uid).and_then(|size| {
                let message = self.from.open_message(uid)?;
                Ok((size, message, self.from.internal_date(uid)?))
            }) {
                Ok((size, message, date)) => {
                    let picture = self.from.snapshot();
                    let Some((_, row)) = picture.row_of(uid) else {
                        continue;
                    };
                    let keywords = picture.keyword_names(row.keywords);
                    let flags = (row.flags, keywords, self.short_mdn);
                    sending::message(output, flags, Some(date), size, sync);
                    self.sent.push(uid);
                    self.body = Some(Body {
                        reader: CrlfReader::new(message, Nul::Replace),
                        left: size,
                    });
                    return Ok(true);
                }
                // Others have taken it away.
                Err(StoreError::Expunged) if self.by_uid || self.mode == CopyMode::Move => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn begin(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let id = match turn.link(&self.shown) {
            Ok(id) => id,
            Err(ask) => return Ok(ask),
        };
        self.short_mdn = turn.session.enabled.short_mdn;
        let mut first = Vec::new();
        self.sent.clear();
        if !self.announce(&mut first, true)? {
            return self.nothing();
        }
        sending::begin(turn, id, &self.to)?;
        turn.output(id)?.extend_from_slice(&first);
        self.stage = Stage::Asks;
        Ok(Next::Read(id))
    }

    fn nothing(&self) -> Result<Next, Error> {
        match self.by_uid || self.moved {
            true => Ok(Next::Done(Reply::ok(match (self.mode, self.moved) {
                (CopyMode::Copy, _) => "No messages to copy",
                (CopyMode::Move, false) => "No messages to move",
                (CopyMode::Move, true) => "Move completed",
            }))),
            false => Err(StoreError::Expunged.into()),
        }
    }

    /// Queues a piece of the messages.
    fn send(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
        let mut output = std::mem::take(turn.output(id)?);
        let filled = self.fill(&mut output);
        *turn.output(id)? = output;
        Ok(match filled? {
            true => {
                self.stage = Stage::Ends;
                Next::Read(id)
            }
            false => Next::Write,
        })
    }

    /// True when the APPEND is complete.
    fn fill(&mut self, output: &mut Vec<u8>) -> Result<bool, Error> {
        while output.len() < STEP_OCTETS {
            if let Some(body) = &mut self.body {
                let most = usize::try_from(body.left).unwrap_or(usize::MAX);
                let n = body.reader.append(output, most.min(STEP_OCTETS))?;
                body.left = body.left.saturating_sub(n as u64);
                if body.left > 0 && n == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
                if body.left == 0 {
                    self.body = None;
                }
                continue;
            }
            let full = self.mode == CopyMode::Move && self.sent.len() >= STEP;
            if full || !self.announce(output, false)? {
                output.extend_from_slice(b"\r\n");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The messages are there.
    fn done(&mut self, turn: &mut Turn<'_>, line: &[u8]) -> Result<Next, Error> {
        let sent = std::mem::take(&mut self.sent);
        if let Some(reply) = sending::done(turn, self.mode, &sent, line) {
            return Ok(Next::Done(reply));
        }
        turn.session.permit_here_still(turn.kind, turn.out)?;
        let gone = self.from.remove(&sent.into_iter().collect())?;
        turn.session.counters.expunged += gone.len();
        self.moved = true;
        self.stage = Stage::Begins;
        Ok(Next::Step)
    }
}

impl Task for Out {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => match self.stage {
                Stage::Begins => self.begin(turn),
                Stage::Sends(id) => self.send(turn, id),
                Stage::Asks | Stage::Ends => Err(lost()),
            },
            Event::Continue(id) if self.stage == Stage::Asks => {
                self.stage = Stage::Sends(id);
                self.send(turn, id)
            }
            Event::Text(id, _) | Event::Literal(id, _) => Ok(Next::Read(id)),
            Event::Tagged(_, Status::Ok, line) if self.stage == Stage::Ends => {
                self.done(turn, line)
            }
            other => turn.usual(&other),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        let left = self.left.len() as u64;
        Some((self.total.saturating_sub(left), Some(self.total)))
    }
}
