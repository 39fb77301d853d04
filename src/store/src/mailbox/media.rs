//! `$Media` for messages that arrive with sound or moving pictures. What that
//! is, who makes the store says ([`Options::has_media`]).
//!
//! Delivered messages are read when the picture has them, some at a time and
//! without a lock: who looks at the mailbox next reads some, and the watcher's
//! upkeep the rest. The keyword takes a file from `new` to `cur`.
//!
//! [`Options::has_media`]: crate::Options::has_media

use super::append::Append;
use super::flags::{FlagChange, FlagMode};
use super::{LOCK_RETRY, Mailbox, lock};
use crate::error::Error;
use crate::options::Judge;
use crate::upkeep::Upkeep;
use roost_os::file;
use roost_types::{Keyword, SystemFlags, Uid, UidSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Of more messages that come at once, the newest are read.
const MOST: usize = 1000;
/// Messages read in one go.
const STEP: usize = 16;
/// How often it is tried to mark what has been read.
const TRIES: u32 = 3;
const MEDIA: &str = "$Media";

/// Messages that have come and are not done with.
#[derive(Default)]
pub(super) struct Unread {
    /// Not read yet, by rising UID.
    uids: Vec<Uid>,
    /// Read, and not marked yet.
    media: UidSet,
    /// How often that has failed.
    failures: u32,
}

pub(crate) fn is_media(keyword: &Keyword) -> bool {
    keyword.as_str().eq_ignore_ascii_case(MEDIA)
}

impl Unread {
    fn is_empty(&self) -> bool {
        self.uids.is_empty() && self.media.is_empty()
    }

    fn add(&mut self, uids: &[Uid]) {
        self.uids.extend(uids);
        let excess = self.uids.len().saturating_sub(MOST);
        self.uids.drain(..excess);
    }

    fn next(&mut self) -> Vec<Uid> {
        let some = self.uids.len().min(STEP);
        self.uids.drain(..some).collect()
    }

    /// Keeps what could not be marked for another time; false if there were
    /// enough of them.
    fn put_back(&mut self, media: &UidSet) -> bool {
        self.failures += 1;
        if self.failures == TRIES {
            self.failures = 0;
            return false;
        }
        self.media.extend_set(media);
        true
    }
}

impl Mailbox {
    fn judge(&self) -> Option<Judge> {
        self.options.has_media.filter(|_| !self.read_only)
    }

    /// The picture has new messages.
    pub(super) fn note_arrived(&self, uids: &[Uid]) {
        if !uids.is_empty() && self.judge().is_some() {
            lock(&self.unread).add(uids);
        }
    }

    /// Whether [`mark_arrived`](Self::mark_arrived) has something to do.
    pub(crate) fn has_unread(&self) -> bool {
        self.options.has_media.is_some() && !lock(&self.unread).is_empty()
    }

    /// Reads some of what has come and marks what has media; true if anything
    /// has.
    pub(crate) fn mark_arrived(&self) -> bool {
        let Some(judge) = self.judge() else {
            return false;
        };
        let some = lock(&self.unread).next();
        let found = some.into_iter().filter(|&uid| self.has_media(uid, judge));
        let mut media: UidSet = found.collect();
        media.extend_set(&std::mem::take(&mut lock(&self.unread).media));
        let Some(keyword) = Keyword::new(MEDIA).ok().filter(|_| !media.is_empty()) else {
            return false;
        };
        let change = FlagChange {
            mode: FlagMode::Add,
            system: SystemFlags::NONE,
            keywords: &[keyword],
            unchanged_since: None,
        };
        match self.store_flags(&media, &change) {
            Ok(_) => {
                lock(&self.unread).failures = 0;
                true
            }
            Err(e) => {
                match self.exists() && lock(&self.unread).put_back(&media) {
                    true => log::info!("{}: marking media: {e}", self.name()),
                    false => log::warn!("{}: media are not marked: {e}", self.name()),
                }
                false
            }
        }
    }

    /// [`mark_arrived`](Self::mark_arrived), and has the watcher see to the
    /// rest.
    pub(crate) fn mark_some(&self) -> bool {
        let marked = self.mark_arrived();
        if self.has_unread() {
            let id = self.watch_id.load(Ordering::Acquire);
            self.watcher.look_after(id, LOCK_RETRY);
        }
        marked
    }

    /// [`mark_arrived`](Self::mark_arrived) for all that has come, between
    /// other work that nobody waits for.
    pub(crate) fn mark_aside(self: &Arc<Self>, upkeep: &Upkeep) {
        let (mailbox, again) = (Arc::clone(self), upkeep.clone());
        upkeep.later(move || {
            mailbox.mark_arrived();
            if mailbox.exists() && mailbox.has_unread() {
                mailbox.mark_aside(&again);
            }
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::UidListLock;
    use crate::options::{AccountOptions, Options};
    use crate::store::Store;
    use roost_types::MailboxName;
    use std::cell::Cell;
    use std::io::Read;
    use std::time::Duration;

    thread_local! {
        /// Messages that this thread has read.
        static READ: Cell<usize> = const { Cell::new(0) };
    }

    fn all_are_media(_: &mut dyn Read) -> io::Result<bool> {
        READ.set(READ.get() + 1);
        Ok(true)
    }

    /// A mailbox in which `count` messages have been for long.
    fn with_mailbox(count: u32, test: impl FnOnce(&Arc<Mailbox>, &[Uid])) {
        let temp = tempfile::tempdir().unwrap();
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir(temp.path().join(sub)).unwrap();
        }
        for n in 0..count {
            let name = format!("10000{n:05}.a.h:2,");
            std::fs::write(temp.path().join("cur").join(name), "Subject: a\n\n").unwrap();
        }
        let options = Options {
            has_media: Some(all_are_media),
            lock_timeout: Duration::ZERO,
            ..Options::default()
        };
        let store = Store::new(options).unwrap();
        let account = store.account("alice", temp.path(), AccountOptions::default());
        let account = account.unwrap();
        let mailbox = account.open(&MailboxName::inbox()).unwrap();
        let uids: Vec<Uid> = (1..=count).filter_map(Uid::new).collect();
        test(&mailbox, &uids);
    }

    fn marked(mailbox: &Mailbox) -> usize {
        let picture = mailbox.snapshot();
        let has = |keywords: &[Keyword]| keywords.iter().any(is_media);
        let rows = picture.hot_rows();
        rows.filter(|row| has(picture.keyword_names(row.keywords)))
            .count()
    }

    #[test]
    fn many_are_read_some_at_a_time() {
        with_mailbox(40, |mailbox, uids| {
            mailbox.note_arrived(uids);
            assert!(mailbox.mark_arrived());
            assert!(READ.replace(0) <= STEP);
            let upkeep = Upkeep::default();
            mailbox.mark_aside(&upkeep);
            upkeep.finish();
            assert_eq!(marked(mailbox), 40);
            assert!(!mailbox.has_unread());
        });
    }

    #[test]
    fn what_cannot_be_marked_now_is_marked_later_and_not_read_again() {
        with_mailbox(3, |mailbox, uids| {
            let held = UidListLock::acquire(&mailbox.dir, Duration::ZERO).unwrap();
            mailbox.note_arrived(uids);
            assert!(!mailbox.mark_arrived());
            assert!(mailbox.has_unread());
            drop(held);
            let upkeep = Upkeep::default();
            mailbox.mark_aside(&upkeep);
            upkeep.finish();
            assert_eq!(marked(mailbox), 3);
            assert!(READ.get() <= 3);
        });
    }

    #[test]
    fn what_can_never_be_marked_is_given_up() {
        with_mailbox(3, |mailbox, uids| {
            let _held = UidListLock::acquire(&mailbox.dir, Duration::ZERO).unwrap();
            mailbox.note_arrived(uids);
            let tries = (0..10).take_while(|_| {
                mailbox.mark_arrived();
                mailbox.has_unread()
            });
            assert_eq!(tries.count(), 2);
        });
    }
}
