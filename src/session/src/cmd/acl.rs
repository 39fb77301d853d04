//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3). What they
//! need is in [`crate::rights`].

use crate::error::Error;
use crate::job::Reply;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::{AclCommand, RightsMode};
use roost_imap::write;
use roost_store::acl::{BadEntry, Entry, Mode};
use roost_store::{AclError, Error as StoreError};
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

fn entry(session: &Session, raw: &[u8]) -> Result<Entry, Error> {
    let text = std::str::from_utf8(raw).map_err(|_| refused(BadEntry::Identifier))?;
    Entry::parse(text, session.account.owner()).map_err(refused)
}

fn refused(problem: BadEntry) -> Error {
    Error::Refused {
        code: Some(ResponseCode::Cannot),
        text: problem.to_string().into(),
    }
}

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

fn get(session: &Session, name: &MailboxName, out: &mut Vec<u8>) -> Result<Reply, Error> {
    let entries = session.account.acl_entries(name)?;
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
    let range = entry(session, raw)?.range();
    write::list_rights(out, &session.show(name)?, raw, range, session.dialect());
    Ok(Reply::ok("Listrights completed"))
}

fn set(
    session: &mut Session,
    name: &MailboxName,
    raw: &[u8],
    (mode, rights): (RightsMode, Rights),
) -> Result<Reply, Error> {
    let entry = entry(session, raw)?;
    let mode = match mode {
        RightsMode::Replace => Mode::Replace,
        RightsMode::Add => Mode::Add,
        RightsMode::Remove => Mode::Remove,
    };
    let done = session.account.set_rights(name, &entry, mode, rights);
    changed(session, done)?;
    Ok(Reply::ok("Setacl completed"))
}

fn delete(session: &mut Session, name: &MailboxName, raw: &[u8]) -> Result<Reply, Error> {
    let entry = entry(session, raw)?;
    let done = session.account.delete_rights(name, &entry);
    changed(session, done)?;
    Ok(Reply::ok("Deleteacl completed"))
}

fn changed(session: &Session, shown: Result<bool, AclError>) -> Result<(), Error> {
    match shown {
        Ok(true) => session.tell_shares(),
        Ok(false) => {}
        Err(AclError::Store(error)) => return Err(error.into()),
        Err(AclError::Entry(problem)) => return Err(refused(problem)),
    }
    Ok(())
}
