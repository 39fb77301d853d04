//! `$Media` for messages that arrive with sound or moving pictures. What that
//! is, who makes the store says ([`Options::has_media`]).
//!
//! Delivered messages are read when they have been taken into the picture, and
//! without a lock: who looks at the mailbox next does it, a session or the
//! watcher's upkeep. The keyword takes a file from `new` to `cur`.
//!
//! [`Options::has_media`]: crate::Options::has_media

use super::append::Append;
use super::flags::{FlagChange, FlagMode};
use super::{Mailbox, lock};
use crate::error::Error;
use crate::options::Judge;
use roost_os::file;
use roost_types::{Keyword, SystemFlags, Uid, UidSet};
use std::io;

/// Of more messages that come at once, the newest are read.
const MOST: usize = 1000;
const MEDIA: &str = "$Media";

/// Messages that have come and have not been read yet, by rising UID.
#[derive(Default)]
pub(super) struct Unread(Vec<Uid>);

pub(crate) fn is_media(keyword: &Keyword) -> bool {
    keyword.as_str().eq_ignore_ascii_case(MEDIA)
}

impl Mailbox {
    fn judge(&self) -> Option<Judge> {
        self.options.has_media.filter(|_| !self.read_only)
    }

    /// New messages have been taken into the picture.
    pub(super) fn note_arrived(&self, uids: impl Iterator<Item = Uid>) {
        if self.judge().is_none() {
            return;
        }
        let mut unread = lock(&self.unread);
        unread.0.extend(uids);
        let excess = unread.0.len().saturating_sub(MOST);
        unread.0.drain(..excess);
    }

    /// Whether [`mark_arrived`](Self::mark_arrived) has something to do.
    pub(crate) fn has_unread(&self) -> bool {
        self.options.has_media.is_some() && !lock(&self.unread).0.is_empty()
    }

    /// Reads what has come and marks what has media; true if anything has.
    pub(crate) fn mark_arrived(&self) -> bool {
        let Some(judge) = self.judge() else {
            return false;
        };
        let arrived = std::mem::take(&mut lock(&self.unread).0);
        if arrived.is_empty() {
            return false;
        }
        let media: UidSet = arrived
            .into_iter()
            .filter(|&uid| self.has_media(uid, judge))
            .collect();
        let Some(keyword) = Keyword::new(MEDIA).ok().filter(|_| !media.is_empty()) else {
            return false;
        };
        let change = FlagChange {
            mode: FlagMode::Add,
            system: SystemFlags::NONE,
            keywords: &[keyword],
            unchanged_since: None,
        };
        let marked = self.store_flags(&media, &change);
        if let Err(e) = &marked {
            log::info!("{}: marking media: {e}", self.name());
        }
        marked.is_ok()
    }

    fn has_media(&self, uid: Uid, judge: Judge) -> bool {
        let judged = self.open_message(uid).and_then(|mut message| {
            let judged = judge(&mut message);
            judged.map_err(|e| self.damaged(uid, e))
        });
        match judged {
            Ok(has_media) => has_media,
            Err(Error::Expunged) => false,
            Err(e) => {
                log::info!("{}: looking for media: {e}", self.name());
                false
            }
        }
    }
}

impl Append {
    /// The keyword for a message in `tmp`, if it is to have it and was not
    /// given it.
    pub(super) fn media_of(&self, temporary: &str, given: &[Keyword]) -> Option<Keyword> {
        let mailbox = self.mailbox();
        let judge = mailbox.judge().filter(|_| !given.iter().any(is_media))?;
        let judged: io::Result<bool> =
            file::open(&mailbox.tmp, temporary.as_bytes()).and_then(|mut file| judge(&mut file));
        match judged {
            Ok(true) => Keyword::new(MEDIA).ok(),
            Ok(false) => None,
            Err(e) => {
                log::info!("{}: looking for media: {e}", mailbox.name());
                None
            }
        }
    }
}
