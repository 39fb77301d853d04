//! Where a command of the client's goes.

use super::place::Place;
use super::relay::{Idle, Relay};
use super::select::Select;
use super::{Remote, Task};
use crate::cmd;
use crate::error::Error;
use crate::names::Names;
use crate::session::{Phase, Progress, Session};
use roost_imap::command::SelectArgs;
use roost_imap::{Command, Request};

impl Session {
    /// Begins a command that is not carried out here; `bytes` is the command as
    /// it came.
    pub(crate) fn relay_command(
        &mut self,
        request: Request,
        place: Result<Place, Error>,
        bytes: Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let kind = request.command.kind();
        match place.and_then(|place| self.task(place, &request.command, bytes)) {
            Ok(task) => self.relay(request.tag, kind, task, out),
            Err(error) => self.failed(request.tag, kind, &error, out),
        }
    }

    fn task(
        &mut self,
        place: Place,
        command: &Command,
        bytes: Vec<u8>,
    ) -> Result<Box<dyn Task>, Error> {
        cmd::prepare_foreign(self, command)?;
        Ok(match (place, command) {
            (Place::There(shown), Command::Select(args)) => {
                Box::new(Select::new(self.remote(shown, args)?, bytes))
            }
            (Place::There(shown), Command::Idle) => Box::new(Idle::new(shown)),
            (Place::There(shown), command) => {
                let leaves = matches!(command, Command::Close | Command::Unselect);
                Box::new(Relay::new(shown, bytes, leaves))
            }
            _ => return Err(Error::Bad("Not yet")),
        })
    }

    /// The mailbox that a SELECT names.
    fn remote(&mut self, shown: String, args: &SelectArgs) -> Result<Remote, Error> {
        self.enabled.condstore |= cmd::select::wants_condstore(self, args.params.clone())?;
        let name = Names::decode(&args.mailbox, self.dialect())?;
        Ok(Remote::new(shown, name, args.examine))
    }

    /// Whether a command is relayed now.
    pub(crate) fn relays(&self) -> bool {
        matches!(self.phase, Phase::Foreign(_))
    }
}
