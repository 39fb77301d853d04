//! Commands that concern one other account: they go there as they are, and
//! what it answers comes back as it is.

use super::{ClientFrame, Event, Next, Task, Turn, lost};
use crate::error::Error;
use crate::link::LinkId;
use crate::session::State;
use roost_imap::write::Status;

pub(super) struct Relay {
    shown: String,
    command: Vec<u8>,
    /// Done, it leaves nothing selected: CLOSE and UNSELECT.
    leaves: bool,
    /// What the answer is, of which the rest is still to come.
    ending: Option<Status>,
}

impl Relay {
    /// `command` is without its line end.
    pub fn new(shown: String, command: Vec<u8>, leaves: bool) -> Self {
        Self {
            shown,
            command,
            leaves,
            ending: None,
        }
    }

    fn ends(&self, turn: &mut Turn<'_>, id: LinkId, status: Status) -> Next {
        if self.leaves && status == Status::Ok {
            leave(turn, id);
        }
        Next::Passed
    }
}

impl Task for Relay {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => match turn.link(&self.shown) {
                Ok(id) => turn.send(id, &self.command),
                Err(ask) => Ok(ask),
            },
            Event::Text(id, text) => {
                turn.pass(text);
                Ok(match self.ending.take_if(|_| text.ends) {
                    Some(status) => {
                        turn.answered(id);
                        self.ends(turn, id, status)
                    }
                    None => Next::Read(id),
                })
            }
            Event::Ending(id, status, text) => {
                turn.pass(text);
                self.ending = Some(status);
                Ok(Next::Read(id))
            }
            Event::Tagged(id, status, line) => {
                turn.out.extend_from_slice(line);
                Ok(self.ends(turn, id, status))
            }
            other => turn.usual(&other),
        }
    }
}

/// Nothing is selected any more.
fn leave(turn: &mut Turn<'_>, id: LinkId) {
    turn.session.state = State::Authenticated;
    if let Some(link) = turn.session.links_mut().get(id) {
        link.selected = false;
    }
}

/// IDLE (RFC 2177) with a mailbox of another account selected.
pub(super) struct Idle {
    shown: String,
    idling: bool,
}

impl Idle {
    pub fn new(shown: String) -> Self {
        Self {
            shown,
            idling: false,
        }
    }

    fn next(&self, id: LinkId) -> Result<Next, Error> {
        Ok(match self.idling {
            true => Next::Idle(Some(id)),
            false => Next::Read(id),
        })
    }
}

impl Task for Idle {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => match turn.link(&self.shown) {
                Ok(id) => {
                    let command = format!("{} IDLE", turn.tag);
                    turn.send(id, command.as_bytes())
                }
                Err(ask) => Ok(ask),
            },
            Event::Text(id, text) => {
                turn.pass(text);
                self.next(id)
            }
            Event::Literal(id, octets) => {
                turn.pass_octets(octets);
                self.next(id)
            }
            Event::Continue(id) => {
                if !std::mem::replace(&mut self.idling, true) {
                    roost_imap::write::continuation(turn.out, "idling");
                }
                self.next(id)
            }
            Event::Frame(ClientFrame::Done) => {
                self.idling = false;
                let id = turn.session.links_mut().to(&self.shown).ok_or_else(lost)?;
                let link = turn.session.links_mut().get(id).ok_or_else(lost)?;
                link.output.extend_from_slice(b"DONE\r\n");
                Ok(Next::Read(id))
            }
            // The client hears of it when it is done.
            Event::Lost(_) if self.idling => Ok(Next::Idle(None)),
            other => turn.usual(&other),
        }
    }
}
