//! STATUS (RFC 9051 §6.3.11).

use crate::error::Error;
use crate::job::Reply;
use crate::object_id;
use crate::session::Session;
use roost_imap::command::{StatusItem, StatusItems};
use roost_imap::write::{self, StatusValues};
use roost_store::{Details, Mailbox, Sight, Status};
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
    let sight = session.sight_of(name);
    let mut status = session.account.status_for(name, sight, details(items))?;
    if session.reads_for_itself() {
        for_reader(session, name, sight, &mut status)?;
    }
    let sizes = status.sizes.unwrap_or_default();
    let more = status.more.unwrap_or_default();
    Ok(StatusValues {
        messages: status.messages,
        recent: status.recent,
        uid_next: status.uid_next,
        uid_validity: status.uid_validity,
        unseen: status.unseen,
        deleted: status.deleted,
        deleted_storage: sizes.deleted,
        size: sizes.all,
        append_limit: session.settings.append_limit(),
        mailbox_id: object_id::mailbox(status.mailbox_id, name, status.uid_validity),
        highest_modseq: status.highest_modseq,
        internal_size: sizes.stored,
        oldest: more.oldest,
        unseen_media: more.unseen_media,
    })
}

/// The counts as the client sees them, which has a `\Seen` of its own.
fn for_reader(
    session: &Session,
    name: &MailboxName,
    sight: Sight,
    status: &mut Status,
) -> Result<(), Error> {
    let mailbox = session.account.open(name)?;
    let Some(reader) = session.reader(&mailbox)? else {
        return Ok(());
    };
    let picture = mailbox.shown(&reader.picture(&mailbox.snapshot()), sight);
    status.messages = picture.len();
    status.uid_next = picture.uid_next();
    status.unseen = picture.unseen();
    if mailbox.keeps_modseqs() {
        status.highest_modseq = picture.highest_modseq();
    }
    if let Some(more) = &mut status.more {
        more.unseen_media = Mailbox::unseen_media(&picture);
    }
    Ok(())
}

/// How much the store has to find out.
fn details(items: StatusItems) -> Details {
    let any = |some: &[StatusItem]| some.iter().any(|&item| items.contains(item));
    if any(&[StatusItem::Oldest, StatusItem::UnseenMedia]) {
        Details::All
    } else if any(&[
        StatusItem::Size,
        StatusItem::DeletedStorage,
        StatusItem::InternalSize,
    ]) {
        Details::Sizes
    } else {
        Details::Counts
    }
}
