//! A selected mailbox whose link was lost is selected anew for the next command
//! that uses it, if the client's numbers hold: the mailbox is the same, and
//! what the client knows of is all still there. UIDs only grow, so that is so
//! where as many messages as the client knows lie below the UIDNEXT that it has
//! been told. Otherwise the client is told that it has nothing selected.

use super::{Event, Next, Remote, Task, Turn, lost, no_link};
use crate::error::Error;
use crate::link::{Ask, LinkId};
use crate::session::{Session, State};
use roost_imap::ResponseCode;
use roost_imap::write::{self, Status};

pub(super) struct Resume {
    inner: Box<dyn Task>,
    stage: Stage,
    /// The mailbox as it is now.
    found: Remote,
    /// Messages that the client knows and that are still there.
    count: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Selects,
    Counts,
    /// Flags may have changed meanwhile.
    Flags,
    Done,
}

impl Resume {
    /// Before `inner`, which uses the selected mailbox.
    pub fn new(inner: Box<dyn Task>) -> Self {
        Self {
            inner,
            stage: Stage::Begins,
            found: Remote::new(String::new(), Ask::Shares, String::new(), false),
            count: None,
        }
    }

    fn select(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let State::Foreign(remote) = &turn.session.state else {
            return Err(lost());
        };
        let (shown, name, examined) = (remote.shown.clone(), remote.name.clone(), remote.examined);
        let id = match turn.link(&shown) {
            Ok(id) => id,
            Err(ask) => return Ok(ask),
        };
        let select = if examined { "EXAMINE" } else { "SELECT" };
        let mut command = format!("{} {select} ", turn.tag).into_bytes();
        write::mailbox(&mut command, &name, turn.session.dialect());
        self.stage = Stage::Selects;
        turn.send(id, &command)
    }

    fn answered(&mut self, turn: &mut Turn<'_>, id: LinkId, ok: bool) -> Result<Next, Error> {
        let State::Foreign(remote) = &turn.session.state else {
            return Err(lost());
        };
        let (told, saved) = (remote.told, remote.saved);
        match self.stage {
            Stage::Selects => {
                let same = self.found.told.uid_validity == told.uid_validity;
                if !ok || !same || !told.is_sure() || saved {
                    return give_up(turn, id);
                }
                let uid = if turn.session.enabled.uid_only {
                    "UID "
                } else {
                    ""
                };
                let last = told.uid_next.saturating_sub(1).max(1);
                let command = format!("{} {uid}SEARCH RETURN (COUNT) UID 1:{last}", turn.tag);
                self.stage = Stage::Counts;
                turn.send(id, command.as_bytes())
            }
            Stage::Counts if ok && self.count == Some(told.exists) => self.resumed(turn, id),
            Stage::Flags if ok => self.go(turn),
            _ => give_up(turn, id),
        }
    }

    /// The numbers hold.
    fn resumed(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
        let found = self.found.told;
        let enabled = turn.session.enabled;
        let State::Foreign(remote) = &mut turn.session.state else {
            return Err(lost());
        };
        let before = std::mem::replace(&mut remote.told, found);
        remote.link = Some(id);
        if let Some(link) = turn.session.links_mut().get(id) {
            link.selected = true;
        }
        if found.exists != before.exists {
            write::exists(turn.out, found.exists);
        }
        if found.highest_modseq == before.highest_modseq || before.exists == 0 {
            return self.go(turn);
        }
        let (tag, known, last) = (turn.tag, before.exists, before.uid_next.saturating_sub(1));
        let set = match enabled.uid_only {
            true => format!("UID FETCH 1:{last}"),
            false => format!("FETCH 1:{known}"),
        };
        let command = match enabled.condstore {
            true => format!(
                "{tag} {set} (UID FLAGS) (CHANGEDSINCE {})",
                before.highest_modseq
            ),
            false => format!("{tag} {set} (FLAGS)"),
        };
        self.stage = Stage::Flags;
        turn.send(id, command.as_bytes())
    }

    /// On with what the client wants.
    fn go(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        self.stage = Stage::Done;
        self.inner.on(turn, Event::Go)
    }
}

/// The client has to select the mailbox again.
fn give_up(turn: &mut Turn<'_>, id: LinkId) -> Result<Next, Error> {
    turn.session.leave_remote(Some(id));
    let text = "Mailbox was lost, and has changed since";
    Err(closed(turn.out, text))
}

/// The same, for its name stands for another mailbox.
pub(super) fn selected_anew(session: &mut Session, out: &mut Vec<u8>) -> Error {
    session.leave();
    closed(out, "Name stands for another mailbox now")
}

fn closed(out: &mut Vec<u8>, text: &str) -> Error {
    write::untagged(out, Status::Ok, Some(&ResponseCode::Closed), text);
    Error::refused(
        ResponseCode::Unavailable,
        "Mailbox has to be selected again",
    )
}

fn count(line: &[u8]) -> Option<u32> {
    let line = line.strip_prefix(b"* ESEARCH ")?.trim_ascii_end();
    let at = line.windows(7).position(|part| part == b" COUNT ")?;
    super::remote::number(line.get(at + 7..)?)
}

impl Task for Resume {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        if self.stage == Stage::Done {
            return self.inner.on(turn, event);
        }
        match event {
            Event::Go => self.select(turn),
            Event::Text(id, text) => {
                match self.stage {
                    Stage::Flags => turn.pass(text),
                    Stage::Counts if text.begins => {
                        self.count = count(text.bytes).or(self.count);
                        self.found.hears(text.bytes);
                    }
                    _ if text.begins => self.found.describes(text.bytes),
                    _ => {}
                }
                Ok(Next::Read(id))
            }
            Event::Literal(id, octets) => {
                if self.stage == Stage::Flags {
                    turn.pass_octets(octets);
                }
                Ok(Next::Read(id))
            }
            Event::Continue(id) => Ok(Next::Read(id)),
            Event::Tagged(id, status, _) => self.answered(turn, id, status == Status::Ok),
            Event::NoLink(error) => Err(no_link(turn.kind, error)),
            Event::Lost(_) | Event::Ending(..) | Event::Shares(_) | Event::Frame(_) => Err(lost()),
        }
    }
}
