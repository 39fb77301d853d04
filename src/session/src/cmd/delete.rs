//! DELETE (RFC 9051 §6.3.5).

use crate::error::Error;
use crate::job::Reply;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::write::{self, Status};

/// The mailbox that this session has selected can be deleted: it is closed
/// then. Other sessions that have it selected are ended.
pub(super) fn run(
    session: &mut Session,
    mailbox: &[u8],
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let named = session.name(mailbox)?;
    let name = &named.given.name;
    let acl = session.account.acl(name);
    let shared = acl.is_ok_and(|acl| acl.lookers().next().is_some());
    session.own_change(name, |session| Ok(session.account.delete(name)?))?;
    if shared {
        session.tell_shares();
    }
    let selected = session
        .selected()
        .is_ok_and(|s| s.mailbox().name() == named.given.name);
    if selected {
        session.leave();
        let text = "Selected mailbox is closed";
        write::untagged(out, Status::Ok, Some(&ResponseCode::Closed), text);
    }
    session.tell_normalized(&named, true, out);
    Ok(Reply::ok("Delete completed"))
}
