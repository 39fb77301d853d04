//! STATUS (RFC 9051 §6.3.11).

use super::Started;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::object_id;
use crate::session::Session;
use roost_imap::command::{StatusItem, StatusItems};
use roost_imap::write::{self, StatusValues};
use roost_store::{Asked, Details, Looking, Mailbox, Sight, Status};
use roost_types::MailboxName;

pub(super) fn start(
    session: &Session,
    mailbox: &[u8],
    items: StatusItems,
    out: &mut Vec<u8>,
) -> Result<Started, Error> {
    let name = session.name(mailbox)?.given.name;
    let asking = Asking {
        shown: session.show(&name)?,
        name,
        items,
        looking: None,
    };
    Ok(match ask(session, &asking.name, items)? {
        Asked::Told(status) => Started::Done(asking.tell(session, status, out)?),
        Asked::Looking(looking) => Started::Job(Box::new(Asking {
            looking: Some(looking),
            ..asking
        })),
    })
}

/// STATUS for which files have to be read.
struct Asking {
    name: MailboxName,
    /// The name as the client knows it.
    shown: String,
    items: StatusItems,
    looking: Option<Looking>,
}

impl Asking {
    fn tell(&self, session: &Session, status: Status, out: &mut Vec<u8>) -> Result<Reply, Error> {
        let values = values(session, &self.name, self.items, status)?;
        write::status(out, &self.shown, self.items, &values, session.dialect());
        Ok(Reply::ok("Status completed"))
    }
}

impl Job for Asking {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let asked = match self.looking.take() {
            Some(looking) => looking.step()?,
            None => ask(session, &self.name, self.items)?,
        };
        Ok(match asked {
            Asked::Told(status) => Step::Done(self.tell(session, status, out)?),
            Asked::Looking(looking) => {
                self.looking = Some(looking);
                Step::More
            }
        })
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        let (done, total) = self.looking.as_ref()?.progress();
        Some((done, Some(total)))
    }
}

/// Begins to find out what `items` ask for.
pub(super) fn ask(
    session: &Session,
    name: &MailboxName,
    items: StatusItems,
) -> Result<Asked, Error> {
    let sight = session.sight_of(name);
    Ok(session.account.ask_status(name, sight, details(items))?)
}

/// What was found out, as the client sees it.
pub(super) fn values(
    session: &Session,
    name: &MailboxName,
    items: StatusItems,
    mut status: Status,
) -> Result<StatusValues, Error> {
    if session.reads_for_itself() && depends_on_seen(items) {
        for_reader(session, name, session.sight_of(name), &mut status)?;
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

/// Whether it matters to any of these what the client has seen.
fn depends_on_seen(items: StatusItems) -> bool {
    let mut items = items.iter();
    items.any(|item| {
        matches!(
            item,
            StatusItem::Unseen | StatusItem::HighestModSeq | StatusItem::UnseenMedia
        )
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
    let picture = reader.shown(&reader.picture(&mailbox.snapshot()), sight);
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
