//! What STATUS tells of a mailbox.

use crate::error::Error;
use crate::format::uidlist::{Guid, Head};
use crate::format::{Dir, ExtraKeywords, KeywordFile};
use crate::index::IndexFolder;
use crate::mailbox::{Mailbox, lock};
use crate::snapshot::Snapshot;
use roost_os::dir::DirStamp;
use roost_types::{ModSeq, SystemFlags, Uid, UidValidity};
use std::path::Path;

/// Counts of one mailbox at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    pub messages: u32,
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
}

/// Sums of RFC822.SIZE (CRLF sizes), in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    pub all: u64,
    /// Of the messages with `\Deleted`.
    pub deleted: u64,
}

impl Mailbox {
    /// Counts of the newest picture. With `sizes`, messages whose names tell
    /// no size are read, each once while the mailbox is open.
    pub fn status(&self, sizes: bool) -> Result<Status, Error> {
        let picture = self.snapshot();
        let sizes = if sizes {
            Some(self.sizes(&picture)?)
        } else {
            None
        };
        Ok(Status {
            messages: picture.len(),
            recent: picture.recent(),
            unseen: picture.unseen(),
            deleted: picture.deleted(),
            uid_next: picture.uid_next(),
            uid_validity: picture.uid_validity(),
            highest_modseq: match self.keeps_modseqs() {
                true => picture.highest_modseq(),
                false => ModSeq(0),
            },
            mailbox_id: self.guid(),
            sizes,
        })
    }

    /// Sums that were made before of the same picture.
    pub(crate) fn known_sizes(&self, picture: &Snapshot) -> Option<Sizes> {
        let known = lock(&self.sizes).filter(|(of, _)| *of == picture.generation());
        known.map(|(_, sizes)| sizes)
    }

    fn sizes(&self, picture: &Snapshot) -> Result<Sizes, Error> {
        if let Some(sizes) = self.known_sizes(picture) {
            return Ok(sizes);
        }
        let mut sizes = Sizes::default();
        for (_, row) in picture.iter() {
            let size = match picture.known_size(row.uid) {
                Some(size) => size,
                None => match self.size(row.uid) {
                    Ok(size) => size,
                    // Gone meanwhile, or damaged: it has no size.
                    Err(Error::Expunged | Error::Corrupt { .. }) => continue,
                    Err(e) => return Err(e),
                },
            };
            sizes.all += size;
            if row.flags.contains(SystemFlags::DELETED) {
                sizes.deleted += size;
            }
        }
        *lock(&self.sizes) = Some((picture.generation(), sizes));
        Ok(sizes)
    }
}

/// What the index says of the mailbox in `directory`, where opening it would
/// come to the same; `None` where that is not known. With `sizes`, they have
/// to be known as well.
pub(super) fn told(index: &IndexFolder, directory: &Path, sizes: bool) -> Option<Status> {
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
    (same && (!sizes || told.sizes.is_some())).then_some(Status {
        messages: told.messages,
        recent: told.recent,
        unseen: told.unseen,
        deleted: told.deleted,
        uid_next: Uid::new(told.uid_next)?,
        uid_validity: head.uid_validity,
        highest_modseq: ModSeq(told.modseq),
        mailbox_id: Some(head.guid),
        sizes: told.sizes.map(|(all, deleted)| Sizes { all, deleted }),
    })
}
