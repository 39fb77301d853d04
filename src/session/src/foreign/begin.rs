//! Where a command of the client's goes.

use super::across::{self, Across};
use super::alias;
use super::append::Append;
use super::fetching;
use super::incoming::Incoming;
use super::listing::Listing;
use super::moving::Moving;
use super::out::Out;
use super::place::{Place, Uses, account, uses};
use super::relay::{Idle, Relay};
use super::replacing::{Old, Replacing, Taking, To};
use super::resume::{self, Resume};
use super::select::Select;
use super::sending;
use super::watching::Watching;
use super::{Remote, Task};
use crate::cmd;
use crate::error::Error;
use crate::names::Names;
use crate::rights;
use crate::session::{Phase, Progress, Session, State};
use roost_imap::command::{CopyArgs, Encrypted, SelectArgs};
use roost_imap::frame::AppendStart;
use roost_imap::{Command, CommandKind, Request};
use roost_store::CopyMode;
use roost_types::SequenceSet;
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
            (Place::There(shown), Command::Copy(args) | Command::Move(args)) => {
                let bytes = self.with_certificate(bytes, args)?;
                Box::new(Relay::new(shown, bytes, false))
            }
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

    /// The certificate in the place of `*`, which would be the owner's there.
    fn with_certificate(&self, mut bytes: Vec<u8>, args: &CopyArgs) -> Result<Vec<u8>, Error> {
        const KEYWORD: &[u8] = b" ENCRYPTED";
        if let Some(own @ Encrypted::Own) = &args.encrypted
            && let Some(at) =
                (bytes.windows(KEYWORD.len())).rposition(|word| word.eq_ignore_ascii_case(KEYWORD))
        {
            bytes.truncate(at);
            bytes.extend_from_slice(cmd::encrypted::argument(self, own)?.as_bytes());
        }
        Ok(bytes)
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
                let recipient = match &args.encrypted {
                    Some(data) => Some(cmd::encrypted::recipient(self, data)?),
                    None => None,
                };
                Box::new(Incoming::new(from, args, mode, (to, within, recipient)))
            }
            Place::Across(to) => {
                let encrypted = args.encrypted.as_ref();
                let destination = sending::destination(self, &args.mailbox, encrypted)?;
                Box::new(Across::new(from, (to, destination), args, mode))
            }
            Place::Out(shown) => {
                self.permit_here(kind)?;
                let uids = cmd::copy::chosen(self, &args, mode)?;
                let mailbox = Arc::clone(self.selected()?.mailbox());
                let to = sending::destination(self, &args.mailbox, args.encrypted.as_ref())?;
                let out = Out::new(shown, to, mailbox, &uids, mode, args.uid)?;
                return Ok(Box::new(out));
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
        let from = match (&self.state, &start.replaced) {
            (_, None) => return Ok(to.map_or(Place::Here, Place::There)),
            (State::Foreign(remote), _) => Some(remote.shown.clone()),
            _ => None,
        };
        match (from, to) {
            (None, None) => Ok(Place::Here),
            (Some(from), Some(to)) if from == to => Ok(Place::There(to)),
            (None, Some(to)) => Ok(Place::Out(to)),
            (Some(_), None) => Ok(Place::In),
            (Some(_), Some(to)) => Ok(Place::Across(to)),
        }
    }

    /// Begins a REPLACE between two accounts.
    pub(crate) fn relay_replace(
        &mut self,
        place: Place,
        start: AppendStart,
        out: &mut Vec<u8>,
    ) -> Progress {
        self.bad_commands = 0;
        let (tag, kind) = (start.tag.clone(), cmd::append::kind_of(&start));
        match self.replacing(place, &start) {
            Ok(task) => self.relay(tag, kind, Box::new(Taking::new(task)), out),
            Err(error) => self.begin_append(start, Err(error), out),
        }
    }

    fn replacing(&self, place: Place, start: &AppendStart) -> Result<Box<dyn Task>, Error> {
        let replaced = start.replaced.ok_or(Error::Bad("No message"))?;
        let new = AppendStart {
            replaced: None,
            ..start.clone()
        };
        let to = match place {
            Place::Out(shown) | Place::Across(shown) => {
                let encrypted = new.encrypted.as_ref();
                let destination = sending::destination(self, &new.mailbox, encrypted)?;
                To::There(Append::new(shown, destination, new))
            }
            _ => To::Here(Some(Box::new(new))),
        };
        let State::Foreign(remote) = &self.state else {
            self.permit_here(cmd::append::kind_of(start))?;
            let uid = cmd::replace::target(self, &replaced)?;
            let mailbox = Arc::clone(self.selected()?.mailbox());
            return Ok(Box::new(Replacing::new(Old::Here(mailbox, uid), to)));
        };
        if self.enabled.uid_only && !replaced.uid {
            return Err(Error::UidRequired);
        }
        if remote.link.is_none() {
            return Err(super::lost());
        }
        fetching::may_move(&self.state)?;
        if !replaced.uid {
            let set = SequenceSet::Ranges(vec![(replaced.message, replaced.message)]);
            across::numbers(&set, remote.told.exists)?;
        }
        let old = Old::There(remote.shown.clone(), replaced);
        Ok(Box::new(Moving::new(Box::new(Replacing::new(old, to)))))
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
        match sending::destination(self, &start.mailbox, start.encrypted.as_ref()) {
            Ok(to) => self.relay(tag, kind, Box::new(Append::new(shown, to, start)), out),
            Err(error) => self.begin_append(start, Err(error), out),
        }
    }
}
