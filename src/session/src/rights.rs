//! Which rights commands need (RFC 4314 §4), and what becomes of one that
//! lacks them.
//!
//! What must stay true: to who may not see a mailbox, it is one that does not
//! exist, to the letter of the answer.

mod table;

use crate::error::{Error, Fatal};
use crate::session::{Session, State};
use roost_imap::command::AclCommand;
use roost_imap::write::{self, Status};
use roost_imap::{Command, CommandKind, ResponseCode};
use roost_store::acl::Subject;
use roost_store::{Error as StoreError, Sight};
use roost_types::{MailboxName, Rights};
pub(crate) use table::{can_change, flags, needs};

/// One of these lets somebody ask for his rights.
const ANY: [Rights; 6] = [
    Rights::LOOKUP,
    Rights::READ,
    Rights::INSERT,
    Rights::CREATE,
    Rights::DELETE,
    Rights::ADMIN,
];

/// What has become of the selected mailbox by a change of rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Same,
    /// It is not selected any more; the client has been told (RFC 9051 §3).
    PutOut,
}

const PUT_OUT: &str = "Mailbox may not be read any more";

/// The answer to a command that needed the mailbox.
pub(crate) fn put_out() -> Error {
    Error::refused(ResponseCode::NoPerm, PUT_OUT)
}

pub(crate) fn refused() -> Error {
    Error::refused(ResponseCode::NoPerm, "Permission denied")
}

impl Session {
    /// Somebody other than the owner of the account asks, or the owner by
    /// another name.
    pub(crate) fn is_foreign(&self) -> bool {
        self.identity.asker.is_some()
    }

    /// What is shown of a mailbox to who has these rights to it.
    pub(crate) fn sight(&self, rights: Rights) -> Sight {
        Sight {
            service: self.enabled.show_all,
            hidden: !self.settings.hide_hidden || rights.contains(Rights::ADMIN),
        }
    }

    /// What is shown of a mailbox.
    pub(crate) fn sight_of(&self, name: &MailboxName) -> Sight {
        match self.settings.hide_hidden {
            true => self.sight(self.rights(name)),
            false => self.sight(Rights::ALL),
        }
    }

    /// Also by another name.
    pub(crate) fn is_owner(&self) -> bool {
        self.subject().is_owner()
    }

    fn subject(&self) -> Subject<'_> {
        let asker = self.identity.asker.as_ref();
        Subject {
            owner: self.account.owner(),
            asker: asker.map(|a| (a.account.as_str(), a.groups.as_slice())),
        }
    }

    /// What the client may do with a mailbox of the account; nothing, unless
    /// it is the owner, where there is none.
    pub fn rights(&self, name: &MailboxName) -> Rights {
        self.account.rights(name, &self.subject())
    }

    /// What the client may do where that depends on flags: `\Seen` may be its
    /// own, which nobody else has to let it change.
    pub(crate) fn rights_to_flags(&self, name: &MailboxName) -> Rights {
        let rights = self.rights(name);
        let own = self.reads_for_itself()
            && rights.contains(Rights::READ)
            && !self.account.is_locked(name);
        match own {
            true => rights | Rights::SEEN,
            false => rights,
        }
    }

    /// The mailbox is shown to the client.
    pub(crate) fn may_see(&self, name: &MailboxName) -> bool {
        !self.is_foreign() || self.rights(name).contains(Rights::LOOKUP)
    }

    /// Whether the client may do with a mailbox what needs these rights.
    pub(crate) fn permit(&self, name: &MailboxName, needed: Rights) -> Result<(), Error> {
        if needed.is_empty() {
            return Ok(());
        }
        let rights = self.rights(name);
        match (rights.contains(needed), rights.contains(Rights::LOOKUP)) {
            (true, _) => Ok(()),
            (false, true) => Err(refused()),
            (false, false) => Err(StoreError::NoSuchMailbox.into()),
        }
    }

    /// The same for the nearest mailbox above `name`; above the top level
    /// there is the owner alone.
    fn permit_above(&self, name: &MailboxName, needed: Rights) -> Result<(), Error> {
        let rights = match self.account.mailbox_above(name)? {
            Some(above) => self.rights(&above),
            None if self.subject().is_owner() => Rights::ALL,
            None => Rights::NONE,
        };
        match rights.contains(needed) {
            true => Ok(()),
            false => Err(refused()),
        }
    }

    /// Whether the client may ask for its rights to a mailbox.
    pub(crate) fn permit_question(&self, name: &MailboxName) -> Result<Rights, Error> {
        let rights = self.rights(name);
        match ANY.into_iter().any(|right| rights.contains(right)) {
            true => Ok(rights),
            false => Err(StoreError::NoSuchMailbox.into()),
        }
    }

    /// Whether the client may read and write notes on a mailbox: with `l` and
    /// any right to its messages (RFC 5464 §3.3).
    pub(crate) fn permit_annotations(&self, name: &MailboxName) -> Result<(), Error> {
        let rights = self.rights(name);
        let any = Rights::READ | Rights::SEEN | Rights::WRITE | Rights::INSERT | Rights::POST;
        match (rights.contains(Rights::LOOKUP), rights.intersects(any)) {
            (true, true) => Ok(()),
            (true, false) => Err(refused()),
            (false, _) => Err(StoreError::NoSuchMailbox.into()),
        }
    }

    /// Whether the client may do with the selected mailbox what `kind` does.
    pub(crate) fn permit_here(&self, kind: CommandKind) -> Result<(), Error> {
        let needed = needs(kind).selected;
        match needed.is_empty() || self.selected()?.rights().contains(needed) {
            true => Ok(()),
            false => Err(refused()),
        }
    }

    /// The same by the rights of now, where the command has taken a while.
    pub(crate) fn permit_here_still(
        &mut self,
        kind: CommandKind,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match self.renew_rights(false, out)? {
            Standing::PutOut => Err(put_out()),
            Standing::Same => self.permit_here(kind),
        }
    }

    /// Refuses commands that the client has no right to. SELECT looks itself,
    /// for it leaves the mailbox before in any case; so do APPEND and REPLACE.
    pub(crate) fn check_rights(&self, command: &Command) -> Result<(), Error> {
        let kind = command.kind();
        let needs = needs(kind);
        self.permit_here(kind)?;
        match command {
            Command::Delete { mailbox } | Command::Status { mailbox, .. } => {
                self.permit(&self.name(mailbox)?.given.name, needs.named)
            }
            Command::Copy(args) | Command::Move(args) => {
                let name = self.name(&args.mailbox)?.given.name;
                self.permit(&name, needs.named).map_err(destination)
            }
            Command::Create(args) => {
                self.permit_above(&self.new_name(&args.mailbox)?.given.name, needs.above)
            }
            Command::Rename { from, to } => {
                self.permit(&self.name(from)?.given.name, needs.named)?;
                match self.new_name(to) {
                    Ok(to) => self.permit_above(&to.given.name, needs.above),
                    // RENAME has words of its own for that.
                    Err(_) => Ok(()),
                }
            }
            Command::Acl(command) if !matches!(command, AclCommand::My { .. }) => {
                self.permit(&self.name(command.mailbox())?.given.name, needs.named)
            }
            _ => Ok(()),
        }
    }

    /// Looks what the client may still do with the selected mailbox. Without
    /// `r` who is not its owner has it selected no more, and the session goes
    /// on; nothing is told in the middle of a response.
    pub(crate) fn renew_rights(
        &mut self,
        mid_response: bool,
        out: &mut Vec<u8>,
    ) -> Result<Standing, Fatal> {
        let changes = self.account.acl_changes();
        let foreign = self.is_foreign();
        let State::Selected(selected) = &self.state else {
            return Ok(Standing::Same);
        };
        // Of the owner's own restrictions it is enough to know by the next
        // SELECT, where they do not come from a session.
        if !foreign && selected.rights_as_of == changes {
            return Ok(Standing::Same);
        }
        let name = selected.mailbox().name();
        let rights = self.rights_to_flags(&name);
        if foreign && !rights.contains(Rights::READ) {
            self.forget_reader(&name);
            if mid_response {
                return Err(Fatal::Truncated);
            }
            if !selected.mailbox().exists() || !selected.mailbox().is_in_place() {
                return Err(Fatal::MailboxDeleted);
            }
            self.leave();
            write::untagged(out, Status::Ok, Some(&ResponseCode::Closed), PUT_OUT);
            return Ok(Standing::PutOut);
        }
        if mid_response {
            return Ok(Standing::Same);
        }
        let sight = self.sight(rights);
        let State::Selected(selected) = &mut self.state else {
            return Ok(Standing::Same);
        };
        selected.rights_as_of = changes;
        if selected.set_rights(rights, sight) {
            selected.write_flags_responses(out, self.enabled);
        }
        Ok(Standing::Same)
    }

    /// The same in the middle of a command, where a session of this worker
    /// has changed rights meanwhile.
    pub(crate) fn renew_rights_amid(
        &mut self,
        mid_response: bool,
        out: &mut Vec<u8>,
    ) -> Result<Standing, Fatal> {
        let changes = self.account.acl_changes();
        match &self.state {
            State::Selected(selected) if selected.rights_as_of != changes => {
                self.renew_rights(mid_response, out)
            }
            _ => Ok(Standing::Same),
        }
    }

    /// Tells who keeps book of it which accounts are shown mailboxes of this
    /// one.
    pub(crate) fn tell_shares(&self) {
        let Some(hook) = &self.settings.shares else {
            return;
        };
        match self.account.shares() {
            Ok(all) => hook.changed(&self.identity.user, all.into_iter().collect()),
            Err(error) => self.log_problem(&error.into()),
        }
    }
}

/// What is missing there can be made.
pub(crate) fn destination(error: Error) -> Error {
    match error {
        Error::Store(error) => Error::Destination(error),
        other => other,
    }
}
