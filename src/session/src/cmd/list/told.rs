//! What LIST tells beyond the RFCs: the class of a mailbox, its unseen messages
//! and what it takes; and mailboxes that are for something else than mail.

use super::tree::Node;
use super::{Kind, status_of};
use crate::error::Error;
use crate::session::Session;
use roost_imap::command::{ListTell, StatusItem, StatusItems};
use roost_imap::write::ListTold;

/// What is told of `node`: `select` wants it among the attributes, `returns`
/// behind the name.
pub(super) fn of<'a>(
    session: &Session,
    node: &'a Node,
    select: ListTell,
    returns: ListTell,
) -> Result<ListTold<'a>, Error> {
    let tell = select.or(returns);
    let mut told = ListTold {
        as_attributes: select.any(),
        ..ListTold::default()
    };
    let Some(folder) = node.folder.as_ref().filter(|_| tell.any()) else {
        return Ok(told);
    };
    if tell.class {
        told.class = folder.class.as_deref();
    }
    let wanted = [
        (tell.unseen, StatusItem::Unseen),
        (tell.internal_size, StatusItem::InternalSize),
    ];
    let items: StatusItems = (wanted.into_iter())
        .filter_map(|(wanted, item)| wanted.then_some(item))
        .collect();
    if folder.selectable
        && !items.is_empty()
        && let Some(values) = status_of(session, node, items)?
    {
        told.unseen = tell.unseen.then_some(values.unseen);
        told.internal_size = tell.internal_size.then_some(values.internal_size);
    }
    Ok(told)
}

/// Whether wildcards find a name. Clients that know of nothing but mail take
/// contacts for broken messages.
pub(super) fn is_shown(session: &Session, node: &Node, kind: &Kind) -> bool {
    let mail = node.folder.as_ref().is_none_or(|f| f.class.is_none());
    mail || session.settings.sees_non_mail
        || session.enabled.show_all
        || match kind {
            Kind::Lsub => node.subscribed,
            Kind::List {
                select, returns, ..
            } => select.tell.class || returns.tell.class || select.subscribed && node.subscribed,
        }
}
