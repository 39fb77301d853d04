//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7 and §6.3.8): the mailbox need
//! not exist.

use crate::error::Error;
use crate::foreign::subscription;
use crate::job::Reply;
use crate::session::Session;
use roost_types::{MailboxName, Rights};

pub(super) fn subscribe(session: &mut Session, mailbox: &[u8]) -> Result<Reply, Error> {
    let name = &name(session, mailbox)?;
    if session.is_foreign() {
        session.permit(name, Rights::LOOKUP)?;
        return Ok(Reply::ok("Subscribe completed"));
    }
    session.own_change(name, |session| Ok(session.account.subscribe(name)?))?;
    Ok(Reply::ok("Subscribe completed"))
}

pub(super) fn unsubscribe(session: &mut Session, mailbox: &[u8]) -> Result<Reply, Error> {
    let name = &name(session, mailbox)?;
    if session.is_foreign() {
        return Ok(Reply::ok("Unsubscribe completed"));
    }
    session.own_change(name, |session| Ok(session.account.unsubscribe(name)?))?;
    Ok(Reply::ok("Unsubscribe completed"))
}

/// What stands in the list: own mailboxes by their names, those of other
/// accounts by all that the client writes.
fn name(session: &Session, mailbox: &[u8]) -> Result<MailboxName, Error> {
    // Whoever asks for another account's mailboxes keeps its subscriptions itself.
    if session.is_foreign() {
        return Ok(session.name(mailbox)?.given.name);
    }
    match subscription(session, mailbox)? {
        Some(name) => Ok(name),
        None => Ok(session.name(mailbox)?.given.name),
    }
}
