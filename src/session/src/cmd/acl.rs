//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3). What they
//! need is in [`crate::rights`].

use crate::error::Error;
use crate::job::Reply;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::{AclCommand, RightsMode};
use roost_imap::write;
use roost_store::Error as StoreError;
use roost_store::acl::{Acl, Identifier, Subject};
use roost_types::{MailboxName, Rights};

pub(super) fn run(
    session: &mut Session,
    command: &AclCommand,
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let name = session.name(command.mailbox())?.given.name;
    match command {
        AclCommand::My { .. } => my(session, &name, out),
        AclCommand::Get { .. } => get(session, &name, out),
        AclCommand::List { identifier, .. } => list(session, &name, identifier, out),
        AclCommand::Set {
            identifier,
            mode,
            rights,
            ..
        } => set(session, &name, identifier, (*mode, *rights)),
        AclCommand::Delete { identifier, .. } => delete(session, &name, identifier),
    }
}

/// An entry that a client names.
struct Entry {
    negative: bool,
    identifier: Identifier,
    /// It is about the owner.
    owner: bool,
}

impl Entry {
    fn parse(session: &Session, raw: &[u8]) -> Result<Self, Error> {
        let refused = || Error::refused(ResponseCode::Cannot, "Not an identifier");
        let text = std::str::from_utf8(raw).map_err(|_| refused())?;
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let owner = &session.identity.user;
        let identifier = Identifier::parse(text, owner).map_err(|_| refused())?;
        Ok(Self {
            negative,
            owner: is_owner(owner, &identifier),
            identifier,
        })
    }
}

fn is_owner(owner: &str, identifier: &Identifier) -> bool {
    match identifier {
        Identifier::Owner => true,
        Identifier::User(name) => Subject {
            owner,
            asker: Some((name, &[])),
        }
        .is_owner(),
        _ => false,
    }
}

/// What no entry can take from the owner.
const KEPT: [Rights; 2] = [Rights::LOOKUP, Rights::ADMIN];

fn my(session: &Session, name: &MailboxName, out: &mut Vec<u8>) -> Result<Reply, Error> {
    let rights = session.permit_question(name)?;
    exists(session, name)?;
    write::my_rights(out, &session.show(name)?, rights, session.dialect());
    Ok(Reply::ok("Myrights completed"))
}

/// Only a mailbox has rights.
fn exists(session: &Session, name: &MailboxName) -> Result<(), Error> {
    match session.account.folders()?.get(name) {
        Some(folder) if folder.selectable => Ok(()),
        Some(_) => Err(StoreError::NotSelectable.into()),
        None => Err(StoreError::NoSuchMailbox.into()),
    }
}

/// The owner stands first, with what he has by being the owner.
fn get(session: &Session, name: &MailboxName, out: &mut Vec<u8>) -> Result<Reply, Error> {
    exists(session, name)?;
    let acl = session.account.acl(name)?;
    let owner = session.identity.user.as_str();
    let mut entries = vec![(owner.to_owned(), Rights::ALL)];
    for (negative, identifier, rights) in acl.iter() {
        if negative {
            entries.push((format!("-{identifier}"), rights));
        } else if !is_owner(owner, identifier) {
            entries.push((identifier.to_string(), rights));
        }
    }
    write::acl(out, &session.show(name)?, entries, session.dialect());
    Ok(Reply::ok("Getacl completed"))
}

fn list(
    session: &Session,
    name: &MailboxName,
    raw: &[u8],
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    exists(session, name)?;
    let entry = Entry::parse(session, raw)?;
    let rights = match (entry.owner, entry.negative) {
        (false, _) => (Rights::NONE, Rights::ALL),
        (true, false) => (Rights::ALL, Rights::NONE),
        (true, true) => {
            let free = KEPT.into_iter().fold(Rights::ALL, |all, kept| all - kept);
            (Rights::NONE, free)
        }
    };
    write::list_rights(out, &session.show(name)?, raw, rights, session.dialect());
    Ok(Reply::ok("Listrights completed"))
}

fn set(
    session: &mut Session,
    name: &MailboxName,
    raw: &[u8],
    (mode, rights): (RightsMode, Rights),
) -> Result<Reply, Error> {
    let entry = Entry::parse(session, raw)?;
    let done = Reply::ok("Setacl completed");
    if entry.owner && !entry.negative {
        // He has everything already.
        return match (mode, rights) {
            (RightsMode::Add, _) | (RightsMode::Replace, Rights::ALL) => Ok(done),
            (RightsMode::Remove, Rights::NONE) => Ok(done),
            _ => Err(Error::refused(
                ResponseCode::Cannot,
                "The owner has all rights; set those of -owner to take some away",
            )),
        };
    }
    let kept = KEPT.into_iter().any(|kept| rights.contains(kept));
    if entry.owner && kept && mode != RightsMode::Remove {
        return Err(Error::refused(
            ResponseCode::Cannot,
            "The owner cannot lose the rights l and a",
        ));
    }
    change(session, name, |acl| {
        let had = acl.get(entry.negative, &entry.identifier);
        let now = match mode {
            RightsMode::Replace => rights,
            RightsMode::Add => had | rights,
            RightsMode::Remove => had - rights,
        };
        match acl.set(entry.negative, &entry.identifier, now) {
            true => Ok(()),
            false => Err(StoreError::Limit("entries of an ACL")),
        }
    })?;
    Ok(done)
}

fn delete(session: &mut Session, name: &MailboxName, raw: &[u8]) -> Result<Reply, Error> {
    let entry = Entry::parse(session, raw)?;
    change(session, name, |acl| {
        acl.remove(entry.negative, &entry.identifier);
        Ok(())
    })?;
    Ok(Reply::ok("Deleteacl completed"))
}

fn change(
    session: &mut Session,
    name: &MailboxName,
    edit: impl FnOnce(&mut Acl) -> Result<(), StoreError>,
) -> Result<(), Error> {
    if session.account.change_acl(name, edit)? {
        session.tell_shares();
    }
    Ok(())
}
