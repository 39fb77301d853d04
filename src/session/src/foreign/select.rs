//! SELECT and EXAMINE of a mailbox of another account.

use super::{Event, Next, Remote, Task, Turn};
use crate::error::Error;
use crate::link::LinkId;
use crate::session::State;
use roost_imap::ResponseCode;
use roost_imap::write::{self, Status};

pub(super) struct Select {
    /// Until it is selected.
    remote: Option<Box<Remote>>,
    shown: String,
    command: Vec<u8>,
    begun: bool,
}

impl Select {
    pub fn new(remote: Remote, command: Vec<u8>) -> Self {
        Self {
            shown: remote.shown.clone(),
            remote: Some(Box::new(remote)),
            command,
            begun: false,
        }
    }

    fn selected(&mut self, turn: &mut Turn<'_>, id: LinkId, line: &[u8]) {
        let Some(mut remote) = self.remote.take() else {
            return;
        };
        remote.link = Some(id);
        let read_only = b"[READ-ONLY]";
        remote.read_only = line.windows(read_only.len()).any(|part| part == read_only);
        turn.session.state = State::Foreign(remote);
    }
}

/// The mailbox before is closed even if the new one cannot be opened. The
/// session that has it says so itself, if it is the one that gets the command.
fn close(turn: &mut Turn<'_>, shown: &str) {
    let same = turn.session.links_mut().to(shown);
    match &turn.session.state {
        State::Selected(_) => turn.session.leave(),
        State::Foreign(remote) if remote.link.is_none() || remote.link != same => {
            turn.session.leave();
        }
        State::Foreign(_) | State::Authenticated | State::LoggedOut => return,
    }
    let text = "Previous mailbox is closed";
    write::untagged(turn.out, Status::Ok, Some(&ResponseCode::Closed), text);
}

impl Task for Select {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        match event {
            Event::Go => {
                let link = turn.link(&self.shown);
                if !std::mem::replace(&mut self.begun, true) {
                    close(turn, &self.shown);
                }
                match link {
                    Ok(id) => turn.send(id, &self.command),
                    Err(ask) => Ok(ask),
                }
            }
            Event::Text(id, text) => {
                if let (true, Some(remote)) = (text.begins, &mut self.remote) {
                    remote.describes(text.bytes);
                }
                turn.usual(&Event::Text(id, text))
            }
            Event::Tagged(id, status, line) => {
                turn.out.extend_from_slice(line);
                if status == Status::Ok {
                    self.selected(turn, id, line);
                }
                if status == Status::No {
                    turn.session.state = State::Authenticated;
                }
                if let Some(link) = turn.session.links_mut().get(id)
                    && status != Status::Bad
                {
                    link.selected = status == Status::Ok;
                }
                Ok(Next::Passed)
            }
            other => turn.usual(&other),
        }
    }
}
