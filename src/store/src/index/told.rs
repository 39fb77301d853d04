//! What the last word of a log tells of a mailbox that nobody has open, so
//! that STATUS need not open it (LIST-STATUS over a thousand mailboxes).
//!
//! There is no second file with these numbers, which could say something else
//! than the index: a log that ends in `Closed` has them, with the stamps of
//! everything that they follow from.
//!
//! What must stay true: the numbers are used only where opening the mailbox
//! would come to the same ones.

use super::closing::{self, Closed, TAIL};
use super::folder::IndexFolder;
use super::log::{self, HEAD};
use crate::account::status::{More, Sizes};
use crate::format::uidlist::{Guid, Stamp};
use crate::snapshot::sight::Sight;
use roost_os::dir::DirStamp;
use roost_os::file;
use std::os::unix::fs::FileExt;

/// A log up to this size is read at once, in octets.
const SMALL: usize = 4096;

/// How everything looked when the picture had it all, and what was in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settled {
    pub new: DirStamp,
    pub cur: DirStamp,
    pub list: Stamp,
    /// See `KeywordFile::stamp`.
    pub letters: [u64; 4],
    /// See `ExtraKeywords::stamp`.
    pub extra: [u64; 2],
    pub told: Told,
}

/// Counts of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    pub messages: u32,
    pub recent: u32,
    pub unseen: u32,
    pub deleted: u32,
    pub uid_next: u32,
    pub modseq: u64,
    /// If somebody has ever asked.
    pub sizes: Option<Sizes>,
    /// The same.
    pub more: Option<More>,
    /// `None` where nobody has looked: then the counts may be of all messages.
    pub left_out: Option<LeftOut>,
}

/// How many messages the counts leave out for their keywords (see
/// [`Sight::USUAL`]), or would leave out for others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LeftOut {
    pub service: u32,
    /// Those with `$Hidden` among the rest, which the counts are of.
    pub hidden: u32,
}

impl LeftOut {
    /// Whether the counts are what is shown to somebody.
    pub fn is_of(self, sight: Sight) -> bool {
        (self.service == 0 || !sight.service) && (self.hidden == 0 || sight.hidden)
    }
}

impl IndexFolder {
    /// The last word of a mailbox's log, if that is `Closed` and the snapshot
    /// that the log belongs to is there.
    pub fn told(&self, guid: Guid) -> Option<Settled> {
        let name = log::file_of(guid);
        let log = file::open(self.dir(), name.as_bytes()).ok()?;
        let mut bytes = [0; SMALL];
        let n = log.read_at(&mut bytes, 0).ok()?;
        let found = bytes.get(..n)?;
        log::check_head(found.get(..HEAD)?, guid).ok()?;
        let closed = if n < SMALL {
            closing::last_closed(found.get(HEAD..)?)
        } else {
            let size = file::stat(&log).ok()?.size;
            let mut tail = [0; TAIL];
            log.read_exact_at(&mut tail, size.checked_sub(TAIL as u64)?)
                .ok()?;
            closing::last_closed(&tail)
        };
        let Closed { settled, snapshot } = closed?;
        let name = super::file::file_of(guid);
        let there = file::stat_at(self.dir(), name.as_bytes()).ok()?;
        (snapshot == [there.ino, there.size]).then_some(settled)
    }
}
