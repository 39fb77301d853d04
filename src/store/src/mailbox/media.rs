//! `$Media` for messages that arrive with sound or moving pictures. What that
//! is, who makes the store says ([`Options::has_media`]).
//!
//! Delivered messages are read when the picture has them, some at a time and
//! without a lock: who looks at the mailbox next reads some, and the watcher's
//! upkeep the rest. Of a large one the beginning decides. The keyword takes a file
//! from `new` to `cur`; where that fails nobody tries again for a while.
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
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Of more messages that come at once, the newest are read.
const MOST: usize = 1000;
/// Messages read in one go.
const STEP: usize = 16;
/// Octets, beyond which no other message is read in one go.
const STEP_OCTETS: u64 = 1 << 20;
/// Octets of one message: parts that begin behind them do not count.
const MOST_OCTETS: u64 = 4 << 20;
/// How often it is tried to mark what has been read.
const TRIES: u32 = 3;
/// After the first failure, and longer after the next.
const PAUSE: Duration = Duration::from_secs(5);
const MEDIA: &str = "$Media";

/// Messages that have come and are not done with.
#[derive(Default)]
pub(super) struct Unread {
    /// Not read yet, by rising UID.
    uids: VecDeque<Uid>,
    /// Read, and not marked yet.
    media: UidSet,
    /// How often that has failed.
    failures: u32,
    /// Nothing is done before, because of that.
    pause: Option<Instant>,
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

    /// When there is something to be done.
    fn wait(&self) -> Option<Duration> {
        let left = |pause: Instant| pause.saturating_duration_since(Instant::now());
        (!self.is_empty()).then(|| self.pause.map_or(Duration::ZERO, left))
    }

    /// Keeps what could not be marked for another time; false if there were
    /// enough of them.
    fn put_back(&mut self, media: &UidSet) -> bool {
        self.failures += 1;
        self.pause = Some(Instant::now() + PAUSE * self.failures);
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

    /// Something is still to be read or marked.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread_in().is_some()
    }

    /// When [`mark_arrived`](Self::mark_arrived) has something to do: after so
    /// long.
    pub(crate) fn unread_in(&self) -> Option<Duration> {
        self.options.has_media?;
        lock(&self.unread).wait()
    }

    /// Reads some of what has come and marks what has media; true if anything
    /// has.
    pub(crate) fn mark_arrived(&self) -> bool {
        let Some(judge) = self.judge() else {
            return false;
        };
        if self.unread_in() != Some(Duration::ZERO) {
            return false;
        }
        let mut media = self.read_some(judge);
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
                let mut unread = lock(&self.unread);
                (unread.failures, unread.pause) = (0, None);
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
        if let Some(wait) = self.unread_in() {
            self.look_in(wait.max(LOCK_RETRY));
        }
        marked
    }

    fn look_in(&self, wait: Duration) {
        let id = self.watch_id.load(Ordering::Acquire);
        self.watcher.look_after(id, wait);
    }

    /// [`mark_arrived`](Self::mark_arrived) for all that has come, between
    /// other work that nobody waits for.
    pub(crate) fn mark_aside(self: &Arc<Self>, upkeep: &Upkeep) {
        let (mailbox, again) = (Arc::clone(self), upkeep.clone());
        upkeep.later(move || {
            mailbox.mark_arrived();
            match mailbox.unread_in().filter(|_| mailbox.exists()) {
                Some(Duration::ZERO) => mailbox.mark_aside(&again),
                Some(wait) => mailbox.look_in(wait),
                None => {}
            }
        });
    }

    /// Those of the next that have media.
    fn read_some(&self, judge: Judge) -> UidSet {
        let (mut media, mut octets) = (UidSet::new(), 0);
        for _ in 0..STEP {
            if octets >= STEP_OCTETS {
                break;
            }
            let Some(uid) = lock(&self.unread).uids.pop_front() else {
                break;
            };
            if self.has_media(uid, judge, &mut octets) {
                media.insert(uid);
            }
        }
        media
    }

    fn has_media(&self, uid: Uid, judge: Judge, octets: &mut u64) -> bool {
        let judged = self.open_message(uid).and_then(|message| {
            let mut beginning = message.take(MOST_OCTETS);
            let judged = judge(&mut beginning);
            *octets += MOST_OCTETS - beginning.limit();
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
        let judged: io::Result<bool> = file::open(&mailbox.tmp, temporary.as_bytes())
            .and_then(|file| judge(&mut file.take(MOST_OCTETS)));
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

    thread_local! {
        /// Messages that this thread has read.
        static READ: Cell<usize> = const { Cell::new(0) };
        /// Of them.
        static OCTETS: Cell<u64> = const { Cell::new(0) };
    }

    fn all_are_media(message: &mut dyn Read) -> io::Result<bool> {
        READ.set(READ.get() + 1);
        OCTETS.set(OCTETS.get() + io::copy(message, &mut io::sink())?);
        Ok(true)
    }

    /// It is time to try again what has failed.
    fn pass_time(mailbox: &Mailbox) {
        let pause = lock(&mailbox.unread).pause.take();
        assert!(pause.is_none_or(|until| until > Instant::now()));
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
    fn large_messages_are_not_read_to_the_end_nor_many_in_one_go() {
        with_mailbox(5, |mailbox, uids| {
            for n in 0..5 {
                let name = mailbox.place().cur.join(format!("10000{n:05}.a.h:2,"));
                let file = std::fs::File::options().write(true).open(name).unwrap();
                let size = if n == 0 { 3 * MOST_OCTETS } else { STEP_OCTETS };
                file.set_len(size).unwrap();
            }
            mailbox.note_arrived(uids);
            for wanted in [MOST_OCTETS, STEP_OCTETS] {
                assert!(mailbox.mark_arrived());
                assert_eq!((READ.replace(0), OCTETS.replace(0)), (1, wanted));
            }
        });
    }

    #[test]
    fn what_cannot_be_marked_now_is_marked_later_and_not_read_again() {
        with_mailbox(3, |mailbox, uids| {
            let held = UidListLock::acquire(&mailbox.dir, Duration::ZERO).unwrap();
            mailbox.note_arrived(uids);
            assert!(!mailbox.mark_arrived());
            assert!(mailbox.has_unread());
            // Not at once: the same would happen.
            let upkeep = Upkeep::default();
            mailbox.mark_aside(&upkeep);
            upkeep.finish();
            assert!(!mailbox.mark_some());
            assert_eq!(lock(&mailbox.unread).failures, 1);
            drop(held);
            pass_time(mailbox);
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
                pass_time(mailbox);
                mailbox.mark_arrived();
                mailbox.has_unread()
            });
            assert_eq!(tries.count(), 2);
        });
    }
}
