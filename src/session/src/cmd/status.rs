//! STATUS (RFC 9051 §6.3.11).

use crate::error::Error;
use crate::job::Reply;
use crate::object_id;
use crate::session::Session;
use roost_imap::command::{StatusItem, StatusItems};
use roost_imap::write::{self, StatusValues};
use roost_types::MailboxName;

pub(super) fn run(
    session: &Session,
    mailbox: &[u8],
    items: StatusItems,
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let named = session.name(mailbox)?;
    let name = session.show(&named.given.name)?;
    let values = values(session, &named.given.name, items)?;
    write::status(out, &name, items, &values, session.dialect());
    Ok(Reply::ok("Status completed"))
}

/// What `items` ask for.
pub(super) fn values(
    session: &Session,
    name: &MailboxName,
    items: StatusItems,
) -> Result<StatusValues, Error> {
    let sizes = items.contains(StatusItem::Size) || items.contains(StatusItem::DeletedStorage);
    let status = session.account.status(name, sizes)?;
    Ok(StatusValues {
        messages: status.messages,
        recent: status.recent,
        uid_next: status.uid_next,
        uid_validity: status.uid_validity,
        unseen: status.unseen,
        deleted: status.deleted,
        deleted_storage: status.sizes.map_or(0, |s| s.deleted),
        size: status.sizes.map_or(0, |s| s.all),
        append_limit: session.settings.append_limit(),
        mailbox_id: object_id::mailbox(status.mailbox_id, name, status.uid_validity),
        highest_modseq: status.highest_modseq,
    })
}
