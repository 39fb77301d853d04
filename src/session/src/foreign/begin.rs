//! Where a command of the client's goes.

use super::across::Across;
use super::alias;
use super::append::Append;
use super::fetching;
use super::incoming::Incoming;
use super::listing::Listing;
use super::moving::Moving;
use super::out::Out;
use super::place::{Place, Uses, account, uses};
use super::relay::{Idle, Relay};
use super::resume::{self, Resume};
use super::select::Select;
use super::watching::Watching;
use super::{Remote, Task};
use crate::cmd;
use crate::error::Error;
use crate::names::Names;
use crate::rights;
use crate::session::{Phase, Progress, Session, State};
use roost_imap::command::{CopyArgs, SelectArgs};
use roost_imap::frame::AppendStart;
use roost_imap::{Command, CommandKind, Request, ResponseCode};
use roost_store::CopyMode;
use std::sync::Arc;

fn uses_selected(command: &Command) -> bool {
    matches!(uses(command), Uses::Selected | Uses::SelectedAnd(_))
}

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
        let task = match self.repointed(&request.command) {
            true => Err(resume::selected_anew(self, out)),
            false => place.and_then(|place| self.task(place, &request.command, bytes)),
        };
        match task {
            Ok(task) => self.relay(request.tag, kind, task, out),
            Err(error) => self.failed(request.tag, kind, &error, out),
        }
    }

    /// The selected mailbox is one that its alias does not stand for any more.
    fn repointed(&self, command: &Command) -> bool {
        match &self.state {
            State::Foreign(remote) => {
                uses_selected(command) && alias::ask(self, &remote.shown) != remote.ask
            }
            _ => false,
        }
    }

    fn task(
        &mut self,
        place: Place,
        command: &Command,
        bytes: Vec<u8>,
    ) -> Result<Box<dyn Task>, Error> {
        cmd::prepare_foreign(self, command)?;
        if let Command::Enable(names) = command {
            cmd::enable::note(self, names);
        }
        let resumes = uses_selected(command)
            && matches!(&self.state, State::Foreign(remote) if remote.link.is_none());
        if let (Command::Search(args), State::Foreign(remote)) = (command, &mut self.state) {
            remote.saved |= args.returns.is_some_and(|returns| returns.save);
        }
        let task: Box<dyn Task> = match (place, command) {
            (Place::Everywhere(patterns), Command::List(args)) => {
                let own = cmd::list::start(self, args)?;
                let separator = self.names.separator();
                Box::new(Listing::new(bytes, own, &patterns, separator))
            }
            (Place::Watched(targets), Command::Notify(args)) => {
                Box::new(Watching::new(args.clone(), targets))
            }
            (Place::There(shown), Command::Select(args)) => {
                Box::new(Select::new(self.remote(shown, args)?, bytes))
            }
            (Place::There(shown), Command::Idle) => Box::new(Idle::new(shown)),
            (Place::There(shown), command) => {
                let leaves = matches!(command, Command::Close | Command::Unselect);
                Box::new(Relay::new(shown, bytes, leaves))
            }
            (place, Command::Copy(args)) => self.copying(place, args, CopyMode::Copy)?,
            (place, Command::Move(args)) => self.copying(place, args, CopyMode::Move)?,
            _ => return Err(Error::Bad("Command cannot be relayed")),
        };
        Ok(match resumes {
            true => Box::new(Resume::new(task, cmd::has_numbers(command))),
            false => task,
        })
    }

    /// The mailbox that a SELECT names.
    fn remote(&mut self, shown: String, args: &SelectArgs) -> Result<Remote, Error> {
        self.enabled.condstore |= cmd::select::wants_condstore(self, args.params.clone())?;
        let name = Names::decode(&args.mailbox, self.dialect())?;
        let ask = alias::ask(self, &shown);
        Ok(Remote::new(shown, ask, name, args.examine))
    }

    /// Whether a command is relayed now.
    pub(crate) fn relays(&self) -> bool {
        matches!(self.phase, Phase::Foreign(_))
    }

    /// COPY and MOVE between two accounts.
    fn copying(
        &self,
        place: Place,
        args: &CopyArgs,
        mode: CopyMode,
    ) -> Result<Box<dyn Task>, Error> {
        let from = match &self.state {
            State::Foreign(remote) => remote.shown.clone(),
            _ => String::new(),
        };
        if args.encrypted.is_some() {
            return Err(Error::refused(
                ResponseCode::Cannot,
                "Messages are not encrypted on their way to another account",
            ));
        }
        let kind = match mode {
            CopyMode::Copy => CommandKind::Copy,
            CopyMode::Move => CommandKind::Move,
        };
        if mode == CopyMode::Move {
            fetching::may_move(&self.state)?;
        }
        let args = args.clone();
        let task: Box<dyn Task> = match place {
            Place::In => {
                let name = self.name(&args.mailbox)?.given.name;
                let needed = rights::needs(kind).named;
                self.permit(&name, needed).map_err(rights::destination)?;
                let to = cmd::append::destination(self, &args.mailbox)?;
                let within = rights::flags(self.rights(&name));
                Box::new(Incoming::new(from, args, mode, (to, within)))
            }
            Place::Across(to) => Box::new(Across::new(from, to, args, mode)),
            Place::Out(shown) => {
                self.permit_here(kind)?;
                let uids = cmd::copy::chosen(self, &args, mode)?;
                let mailbox = Arc::clone(self.selected()?.mailbox());
                let CopyArgs {
                    mailbox: name, uid, ..
                } = args;
                return Ok(Box::new(Out::new(shown, name, mailbox, &uids, mode, uid)?));
            }
            Place::Here | Place::There(_) | Place::Everywhere(_) | Place::Watched(_) => {
                return Err(Error::Bad("Not between accounts"));
            }
        };
        Ok(match mode {
            CopyMode::Copy => task,
            CopyMode::Move => Box::new(Moving::new(task)),
        })
    }

    /// Where an APPEND or REPLACE has to be carried out.
    pub(crate) fn append_place(&self, start: &AppendStart) -> Result<Place, Error> {
        let to = account(self, &start.mailbox)?;
        if to.is_some() && start.encrypted.is_some() {
            return Err(Error::refused(
                ResponseCode::Cannot,
                "Messages are not encrypted on their way to another account",
            ));
        }
        let from = match (&self.state, &start.replaced) {
            (_, None) => return Ok(to.map_or(Place::Here, Place::There)),
            (State::Foreign(remote), _) => Some(remote.shown.clone()),
            _ => None,
        };
        match (from, to) {
            (None, None) => Ok(Place::Here),
            (Some(from), Some(to)) if from == to => Ok(Place::There(to)),
            _ => Err(Error::refused(
                ResponseCode::Cannot,
                "A message is replaced within its account",
            )),
        }
    }

    /// Begins an APPEND or REPLACE there.
    pub(crate) fn relay_append(
        &mut self,
        shown: String,
        start: AppendStart,
        out: &mut Vec<u8>,
    ) -> Progress {
        self.bad_commands = 0;
        let kind = cmd::append::kind_of(&start);
        let tag = start.tag.clone();
        self.relay(tag, kind, Box::new(Append::new(shown, start)), out)
    }
}
