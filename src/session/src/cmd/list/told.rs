//! What LIST tells beyond the RFCs: the class of a mailbox, its unseen messages
//! and what it takes; and mailboxes that are for something else than mail.

use super::Kind;
use super::tree::Node;
use crate::session::Session;
use roost_imap::command::{ListTell, StatusItem, StatusItems};
use roost_imap::write::{ListTold, StatusValues};

/// What is told of `node`: `select` wants it among the attributes, `returns`
/// behind the name.
pub(super) fn of<'a>(
    node: &'a Node,
    select: ListTell,
    returns: ListTell,
    counts: Option<&StatusValues>,
) -> ListTold<'a> {
    let tell = select.or(returns);
    let mut told = ListTold {
        as_attributes: select.any(),
        ..ListTold::default()
    };
    let Some(folder) = node.folder.as_ref().filter(|_| tell.any()) else {
        return told;
    };
    if tell.class {
        told.class = folder.class.as_deref();
    }
    if let Some(counts) = counts {
        told.unseen = tell.unseen.then_some(counts.unseen);
        told.internal_size = tell.internal_size.then_some(counts.internal_size);
    }
    told
}

/// What is to be found out for it.
pub(super) fn items(tell: ListTell) -> StatusItems {
    let wanted = [
        (tell.unseen, StatusItem::Unseen),
        (tell.internal_size, StatusItem::InternalSize),
    ];
    let wanted = wanted.into_iter().filter(|(wanted, _)| *wanted);
    wanted.map(|(_, item)| item).collect()
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
