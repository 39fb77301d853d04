//! What STATUS tells of a mailbox.

use crate::error::Error;
use crate::format::uidlist::{Guid, Head};
use crate::format::{Dir, ExtraKeywords, KeywordFile};
use crate::index::{IndexFolder, LeftOut, Told};
use crate::mailbox::media::is_media;
use crate::mailbox::{Mailbox, lock};
use crate::snapshot::sight::Sight;
use crate::snapshot::{Row, Snapshot};
use roost_os::dir::DirStamp;
use roost_types::{ModSeq, SystemFlags, Uid, UidValidity, UnixTime};
use std::path::Path;
use std::sync::Arc;

/// Counts of one mailbox at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    pub messages: u32,
    /// Messages that are there and not shown, nor counted by the others.
    pub left_out: u32,
    pub recent: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub uid_next: Uid,
    pub uid_validity: UidValidity,
    /// 0 where change numbers are not kept (RFC 7162 §3.1.7).
    pub highest_modseq: ModSeq,
    /// `None` where the UID list has no GUID and cannot be written.
    pub mailbox_id: Option<Guid>,
    /// Filled where asked for.
    pub sizes: Option<Sizes>,
    /// Filled where asked for.
    pub more: Option<More>,
}

impl Status {
    pub(super) fn has(&self, details: Details) -> bool {
        match details {
            Details::Counts => true,
            Details::Sizes => self.sizes.is_some(),
            Details::All => self.sizes.is_some() && self.more.is_some(),
        }
    }
}

/// How much is to be found out; more takes longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Details {
    Counts,
    /// [`Status::sizes`] too: messages whose names tell no size are read, each
    /// once.
    Sizes,
    /// [`Status::more`] too: files whose dates are not known are looked at,
    /// each once.
    All,
}

/// Sums of sizes, in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Of RFC822.SIZE (CRLF sizes).
    pub all: u64,
    /// The same of the messages with `\Deleted`.
    pub deleted: u64,
    /// Of the files.
    pub stored: u64,
}

/// What is seldom asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct More {
    /// The earliest INTERNALDATE.
    pub oldest: Option<UnixTime>,
    /// Messages with `$Media` and without `\Seen`.
    pub unseen_media: u32,
}

/// What was found out of one picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Its generation.
    pub of: u64,
    /// What is shown of it.
    pub sight: Sight,
    pub sizes: Sizes,
    pub more: Option<More>,
}

impl Mailbox {
    /// Counts of the newest picture as most see it.
    pub fn status(&self, details: Details) -> Result<Status, Error> {
        self.status_for(Sight::USUAL, details)
    }

    /// Counts of what is shown of the newest picture.
    pub fn status_for(&self, sight: Sight, details: Details) -> Result<Status, Error> {
        let whole = self.snapshot();
        let shown = self.shown(&whole, sight);
        let found = match details {
            Details::Counts => None,
            Details::Sizes | Details::All => Some(self.found(&whole, &shown, sight, details)?),
        };
        Ok(Status {
            messages: shown.len(),
            left_out: count(&shown),
            recent: shown.recent(),
            unseen: shown.unseen(),
            deleted: shown.deleted(),
            uid_next: shown.uid_next(),
            uid_validity: shown.uid_validity(),
            highest_modseq: match self.keeps_modseqs() {
                true => shown.highest_modseq(),
                false => ModSeq(0),
            },
            mailbox_id: self.guid(),
            sizes: found.map(|found| found.sizes),
            more: found.and_then(|found| found.more),
        })
    }

    /// What the last word of a log tells of the mailbox.
    pub(crate) fn told(&self, whole: &Arc<Snapshot>) -> Told {
        let shown = self.shown(whole, Sight::USUAL);
        let least = Sight {
            service: false,
            hidden: false,
        };
        let left_out = count(&shown);
        let details = self.known_details(whole, Sight::USUAL);
        Told {
            messages: shown.len(),
            recent: shown.recent(),
            unseen: shown.unseen(),
            deleted: shown.deleted(),
            uid_next: shown.uid_next().get(),
            modseq: shown.highest_modseq().0,
            sizes: details.map(|details| details.sizes),
            more: details.and_then(|details| details.more),
            left_out: Some(LeftOut {
                service: left_out,
                hidden: count(&self.shown(whole, least)).saturating_sub(left_out),
            }),
        }
    }

    /// What was found out before of the same picture.
    fn known_details(&self, whole: &Snapshot, sight: Sight) -> Option<Found> {
        let of = (whole.generation(), whole.effective(sight));
        lock(&self.details).filter(|found| (found.of, found.sight) == of)
    }

    /// Whether [`status_for`](Self::status_for) has nothing to find out.
    pub(super) fn has_found(&self, whole: &Snapshot, sight: Sight, details: Details) -> bool {
        let known = self.known_details(whole, sight);
        known.is_some_and(|found| details < Details::All || found.more.is_some())
    }

    fn found(
        &self,
        whole: &Arc<Snapshot>,
        shown: &Arc<Snapshot>,
        sight: Sight,
        details: Details,
    ) -> Result<Found, Error> {
        let known = self.known_details(whole, sight);
        let sizes = match known {
            Some(found) => found.sizes,
            None => self.sizes(whole, shown)?,
        };
        let more = match known.and_then(|found| found.more) {
            None if details == Details::All => Some(self.more(shown)?),
            known => known,
        };
        let found = Found {
            of: whole.generation(),
            sight: whole.effective(sight),
            sizes,
            more,
        };
        *lock(&self.details) = Some(found);
        Ok(found)
    }

    /// What the mailbox takes is the same for all.
    fn sizes(&self, whole: &Arc<Snapshot>, shown: &Arc<Snapshot>) -> Result<Sizes, Error> {
        let all = Arc::ptr_eq(whole, shown);
        let mut sizes = Sizes::default();
        for (_, row) in whole.iter() {
            let size = match whole.known_size(row.uid) {
                Some(size) => size,
                None => match self.size(row.uid) {
                    Ok(size) => size,
                    // Gone meanwhile, or damaged: it has no size.
                    Err(Error::Expunged | Error::Corrupt { .. }) => continue,
                    Err(e) => return Err(e),
                },
            };
            let stored = whole.cold(row.uid.get()).and_then(|cold| cold.stored());
            sizes.stored += stored.unwrap_or(size);
            if !all && shown.left_out().contains(row.uid) {
                continue;
            }
            sizes.all += size;
            if row.flags.contains(SystemFlags::DELETED) {
                sizes.deleted += size;
            }
        }
        Ok(sizes)
    }

    fn more(&self, picture: &Snapshot) -> Result<More, Error> {
        let mut more = More {
            oldest: None,
            unseen_media: Self::unseen_media(picture),
        };
        for (_, row) in picture.iter() {
            let date = match picture.known_internal_date(row.uid) {
                Some(date) => Some(date),
                None => match self.internal_date(row.uid) {
                    Ok(date) => Some(date),
                    Err(Error::Expunged | Error::Corrupt { .. }) => None,
                    Err(e) => return Err(e),
                },
            };
            more.oldest = match (more.oldest, date) {
                (Some(oldest), Some(date)) if oldest < date => Some(oldest),
                (oldest, date) => date.or(oldest),
            };
        }
        Ok(more)
    }

    /// Messages of a picture with `$Media` and without `\Seen`.
    pub fn unseen_media(picture: &Snapshot) -> u32 {
        if !picture.keywords().iter().any(is_media) {
            return 0;
        }
        let unseen = |row: &Row| {
            !row.flags.contains(SystemFlags::SEEN)
                && picture.keyword_names(row.keywords).iter().any(is_media)
        };
        let unseen = picture.iter().filter(|(_, row)| unseen(row)).count();
        u32::try_from(unseen).unwrap_or(u32::MAX)
    }
}

/// How many messages are left out.
fn count(shown: &Snapshot) -> u32 {
    u32::try_from(shown.left_out().len()).unwrap_or(u32::MAX)
}

/// What the index says of the mailbox in `directory`, where opening it would
/// come to the same; `None` where that, or a detail of it, is not known.
pub(super) fn told(
    index: &IndexFolder,
    directory: &Path,
    sight: Sight,
    details: Details,
) -> Option<Status> {
    let dir = Dir::open(directory).ok()?;
    let head = Head::read(&dir).ok()??;
    let settled = index.told(head.guid)?;
    let stamp = |name| DirStamp::at(&dir, name).ok();
    let same = stamp(b"new")? == settled.new
        && stamp(b"cur")? == settled.cur
        && settled.list.is_of(&head).ok()?
        && KeywordFile::stamp_in(&dir).ok()? == settled.letters
        && ExtraKeywords::stamp_in(&dir).ok()? == settled.extra;
    let told = settled.told;
    let left_out = told.left_out.filter(|left_out| left_out.is_of(sight))?;
    let status = Status {
        messages: told.messages,
        left_out: match sight.service {
            true => 0,
            false => left_out.service,
        },
        recent: told.recent,
        unseen: told.unseen,
        deleted: told.deleted,
        uid_next: Uid::new(told.uid_next)?,
        uid_validity: head.uid_validity,
        highest_modseq: ModSeq(told.modseq),
        mailbox_id: Some(head.guid),
        sizes: told.sizes,
        more: told.more,
    };
    (same && status.has(details)).then_some(status)
}
