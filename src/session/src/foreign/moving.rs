//! Before MOVE out of a mailbox of another account: the session there is asked
//! whether messages may be taken away, for what has been copied by then cannot
//! always be taken back.

use super::{Event, Next, Task, Turn, lost};
use crate::error::Error;
use crate::rights;
use crate::session::State;
use roost_imap::write::{self, Status};

pub(super) struct Moving {
    inner: Box<dyn Task>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Asks {
        /// Its answer comes.
        within: bool,
        may: bool,
    },
    Done,
}

impl Moving {
    /// Before `inner`, which moves.
    pub fn new(inner: Box<dyn Task>) -> Self {
        Self {
            inner,
            stage: Stage::Begins,
        }
    }

    /// MYRIGHTS tells no expunges, so that the client's numbers still hold
    /// behind it.
    fn ask(&mut self, turn: &mut Turn<'_>) -> Result<Next, Error> {
        let State::Foreign(remote) = &turn.session.state else {
            return Err(lost());
        };
        let (shown, name) = (remote.shown.clone(), remote.name.clone());
        let id = match turn.link(&shown) {
            Ok(id) => id,
            Err(ask) => return Ok(ask),
        };
        let mut command = format!("{} MYRIGHTS ", turn.tag).into_bytes();
        write::mailbox(&mut command, &name, turn.session.dialect());
        let (within, may) = (false, false);
        self.stage = Stage::Asks { within, may };
        turn.send(id, &command)
    }
}

/// Whether `* MYRIGHTS name letters` has `t` and `e`. The old `d` stands for
/// either of them.
fn may_move(line: &[u8]) -> bool {
    let letters = line.trim_ascii_end().rsplit(|&b| b == b' ').next();
    letters.is_some_and(|letters| letters.contains(&b't') && letters.contains(&b'e'))
}

impl Task for Moving {
    fn on(&mut self, turn: &mut Turn<'_>, event: Event<'_>) -> Result<Next, Error> {
        let Stage::Asks { within, may } = &mut self.stage else {
            return match self.stage {
                Stage::Done => self.inner.on(turn, event),
                _ => match event {
                    Event::Go => self.ask(turn),
                    other => turn.usual(&other),
                },
            };
        };
        match event {
            Event::Text(id, text) => {
                if text.begins {
                    *within = text.bytes.starts_with(b"* MYRIGHTS ");
                }
                match *within {
                    true => *may = text.ends && may_move(text.bytes),
                    false => turn.pass(text),
                }
                Ok(Next::Read(id))
            }
            Event::Literal(id, _) if *within => Ok(Next::Read(id)),
            Event::Tagged(_, Status::Ok, _) if *may => {
                self.stage = Stage::Done;
                self.inner.on(turn, Event::Go)
            }
            Event::Tagged(_, Status::Ok, _) => Err(rights::refused()),
            other => turn.usual(&other),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        self.inner.progress()
    }
}
