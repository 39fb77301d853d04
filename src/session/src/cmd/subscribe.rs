//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7 and §6.3.8): the mailbox need
//! not exist.

use crate::error::Error;
use crate::job::Reply;
use crate::session::Session;
use roost_types::Rights;

pub(super) fn subscribe(session: &mut Session, mailbox: &[u8]) -> Result<Reply, Error> {
    let named = session.name(mailbox)?;
    let name = &named.given.name;
    if session.is_foreign() {
        // Whoever asks keeps its subscriptions itself.
        session.permit(name, Rights::LOOKUP)?;
        return Ok(Reply::ok("Subscribe completed"));
    }
    session.own_change(name, |session| Ok(session.account.subscribe(name)?))?;
    Ok(Reply::ok("Subscribe completed"))
}

pub(super) fn unsubscribe(session: &mut Session, mailbox: &[u8]) -> Result<Reply, Error> {
    let named = session.name(mailbox)?;
    let name = &named.given.name;
    if session.is_foreign() {
        return Ok(Reply::ok("Unsubscribe completed"));
    }
    session.own_change(name, |session| Ok(session.account.unsubscribe(name)?))?;
    Ok(Reply::ok("Unsubscribe completed"))
}
