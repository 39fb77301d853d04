//! Which rights commands need (RFC 4314 §4), and what becomes of one that
//! lacks them.
//!
//! What must stay true: to who may not see a mailbox, it is one that does not
//! exist, to the letter of the answer.

use crate::error::{Error, Fatal};
use crate::session::{Session, State};
use roost_imap::command::AclCommand;
use roost_imap::write::{self, Status};
use roost_imap::{Command, CommandKind, ResponseCode};
use roost_store::acl::Subject;
use roost_store::{Error as StoreError, Mailbox, Reader, Sight, Within};
use roost_types::{MailboxName, Rights, SystemFlags, Uid, UidSet};
use std::sync::Arc;

/// What a command needs; flags, which are left out where a right is missing,
/// are not among this ([`flags`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Needs {
    /// Of the selected mailbox.
    pub selected: Rights,
    /// Of the mailbox that it names: the source of RENAME, the destination of
    /// APPEND, COPY and MOVE.
    pub named: Rights,
    /// Of the nearest mailbox above the one that it makes.
    pub above: Rights,
}

/// One of these lets somebody ask for his rights.
const ANY: [Rights; 6] = [
    Rights::LOOKUP,
    Rights::READ,
    Rights::INSERT,
    Rights::CREATE,
    Rights::DELETE,
    Rights::ADMIN,
];

/// The table. Commands of the selected state need no `r`: who loses that is
/// put out of the mailbox ([`Session::renew_rights`]). MYRIGHTS needs any of
/// [`ANY`]; LIST and LSUB leave out what is without `l`.
pub(crate) fn needs(kind: CommandKind) -> Needs {
    use CommandKind as K;
    let none = Needs::default();
    let named = |named| Needs { named, ..none };
    match kind {
        K::Select | K::Examine | K::Status => named(Rights::READ),
        K::Delete => named(Rights::DELETE),
        K::GetAcl | K::SetAcl | K::DeleteAcl | K::ListRights => named(Rights::ADMIN),
        K::Append | K::Copy | K::UidCopy => named(Rights::INSERT),
        K::Move | K::UidMove | K::Replace | K::UidReplace => Needs {
            selected: Rights::MARK_DELETED | Rights::EXPUNGE,
            ..named(Rights::INSERT)
        },
        K::Expunge | K::UidExpunge => Needs {
            selected: Rights::EXPUNGE,
            ..none
        },
        K::Create => Needs {
            above: Rights::CREATE,
            ..none
        },
        K::Rename => Needs {
            named: Rights::DELETE,
            above: Rights::CREATE,
            ..none
        },
        _ => none,
    }
}

/// The flags that somebody with `rights` may change.
pub(crate) fn flags(rights: Rights) -> Within {
    let mut system = SystemFlags::NONE;
    if rights.contains(Rights::SEEN) {
        system.insert(SystemFlags::SEEN);
    }
    if rights.contains(Rights::MARK_DELETED) {
        system.insert(SystemFlags::DELETED);
    }
    let write = rights.contains(Rights::WRITE);
    if write {
        system.insert(SystemFlags::ANSWERED | SystemFlags::FLAGGED | SystemFlags::DRAFT);
    }
    Within {
        system,
        keywords: write,
    }
}

/// Whether a mailbox is READ-WRITE for somebody (RFC 4314 §5.2).
pub(crate) fn can_change(rights: Rights) -> bool {
    let flags = Rights::SEEN | Rights::WRITE | Rights::MARK_DELETED;
    rights.intersects(Rights::INSERT | Rights::EXPUNGE | flags)
}

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

    /// The client is not the owner's, and `\Seen` is its own.
    pub(crate) fn reads_for_itself(&self) -> bool {
        self.settings.own_seen && !self.subject().is_owner()
    }

    /// What the client has seen in a mailbox, where that is its own matter.
    pub(crate) fn reader(&self, mailbox: &Mailbox) -> Result<Option<Arc<Reader>>, StoreError> {
        match &self.identity.asker {
            Some(asker) if self.reads_for_itself() => mailbox.reader(&asker.account).map(Some),
            _ => Ok(None),
        }
    }

    /// Marks the copies, by old and new UIDs, of messages of the selected mailbox
    /// that the client has seen.
    pub(crate) fn seen_in_copies(&self, to: &Mailbox, pairs: &[(Uid, Uid)]) {
        if !self.reads_for_itself() {
            return;
        }
        let Ok(selected) = self.selected() else {
            return;
        };
        let picture = selected.view().snapshot();
        let seen = |uid| {
            let row = picture.row_of(uid).map(|(_, row)| row);
            row.is_some_and(|row| row.flags.contains(SystemFlags::SEEN))
        };
        let copies = pairs.iter().filter(|(old, _)| seen(*old));
        self.seen_in(to, &copies.map(|&(_, new)| new).collect());
    }

    /// Marks messages as seen that the client has put there; they are there
    /// whether that can be noted or not.
    pub(crate) fn seen_in(&self, to: &Mailbox, uids: &UidSet) {
        let marked = match self.reader(to) {
            Ok(Some(reader)) if !uids.is_empty() => to.mark_seen(&reader, uids, true),
            other => other.map(drop),
        };
        if let Err(error) = marked {
            self.log_problem(&error.into());
        }
    }

    /// The client may not read the mailbox any more: what it has seen there is
    /// forgotten.
    pub(crate) fn forget_reader(&self, name: &MailboxName) {
        if let Some(asker) = self.identity.asker.as_ref()
            && self.reads_for_itself()
        {
            self.account.forget_reader(name, &asker.account);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_rfc() {
        let told = |kind| {
            let Needs {
                selected,
                named,
                above,
            } = needs(kind);
            format!("{selected} {named} {above}")
        };
        use CommandKind as K;
        for (kind, expected) in [
            (K::Select, " r "),
            (K::Examine, " r "),
            (K::Status, " r "),
            (K::Create, "  k"),
            (K::Delete, " x "),
            (K::Rename, " x k"),
            (K::SetAcl, " a "),
            (K::DeleteAcl, " a "),
            (K::GetAcl, " a "),
            (K::ListRights, " a "),
            (K::MyRights, "  "),
            (K::Append, " i "),
            (K::Copy, " i "),
            (K::Move, "te i "),
            (K::Expunge, "e  "),
            (K::Close, "  "),
            (K::Fetch, "  "),
            (K::Unsubscribe, "  "),
        ] {
            assert_eq!(told(kind), expected, "{}", kind.name());
        }
        // The UID forms need what the others do.
        for &kind in CommandKind::ALL {
            if let Some(plain) = kind.name().strip_prefix("UID ") {
                let plain = CommandKind::by_name(plain.as_bytes()).unwrap();
                assert_eq!(needs(kind), needs(plain), "{}", kind.name());
            }
        }
    }

    #[test]
    fn flags_by_right() {
        let told = |letters| {
            let within = flags(Rights::parse(letters).unwrap());
            format!("{:?} {}", within.system, within.keywords)
        };
        assert_eq!(told("lr"), "{} false");
        assert_eq!(told("st"), "{\"\\\\Deleted\", \"\\\\Seen\"} false");
        assert_eq!(flags(Rights::ALL), Within::ALL);
        assert!(!can_change(Rights::parse("lrpkxa").unwrap()));
        for letter in ["i", "e", "s", "w", "t"] {
            assert!(can_change(Rights::parse(letter).unwrap()), "{letter}");
        }
    }
}
