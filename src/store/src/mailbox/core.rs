//! What a mailbox knows of its directories and sidecars.

use super::{LOCK_RETRY, Mailbox, lock};
use crate::error::Error;
use crate::format::{ExtraKeywords, KeywordFile, UidList};
use crate::index::{Index, Writer};
use crate::snapshot::{Draft, Snapshot};
use roost_os::dir::DirStamp;
use roost_types::Uid;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long after a change of ours it is made sure that nothing hides behind
/// it.
const SETTLE: Duration = Duration::from_millis(80);

pub(super) struct Core {
    pub list: UidList,
    pub letters: KeywordFile,
    pub extra: ExtraKeywords,
    /// The newest picture; the same as `Mailbox::current`.
    pub snapshot: Arc<Snapshot>,
    /// The directories as they were before the last listing.
    pub known: Option<Stamps>,
    /// The last listing was too close to the last change to be trusted
    /// beyond the clock's tick.
    pub racy: bool,
    /// New messages wait for the lock of the UID list.
    pub pending: bool,
    /// Messages from this UID on are being brought here and may not be on
    /// disk yet: nobody may be told of them.
    pub unsynced: Option<Uid>,
    /// A look has passed them over: what it found of them is not known.
    pub passed_over: bool,
    /// For each directory, that every message of it was in its last listing,
    /// and nothing changed meanwhile.
    pub complete: [bool; 2],
    /// The first look is over: what appears now is new.
    pub opened: bool,
    /// No change of `new`, `cur` can hide behind the stamps that are known.
    pub settled: [bool; 2],
    /// The list's records were wanted since somebody last looked here.
    pub list_used: bool,
    pub index: Option<Index>,
    /// While the first picture is made, its facts go here.
    pub writer: Option<Writer>,
    /// Chunks that had learnt something when they were last counted.
    pub learnt: usize,
}

/// Both directories of a mailbox at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamps {
    pub new: DirStamp,
    pub cur: DirStamp,
}

impl Stamps {
    /// For each directory, that no change from `at` on can hide behind an
    /// equal mtime.
    pub fn settled_at(&self, at: SystemTime, tick: Duration) -> [bool; 2] {
        [self.new, self.cur].map(|stamp| stamp.age(at) > tick)
    }
}

/// Which directories have to be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Due {
    pub new: bool,
    pub cur: bool,
}

impl Due {
    pub const BOTH: Self = Self {
        new: true,
        cur: true,
    };
}

impl Core {
    /// What must be listed when the directories look like `now` and others
    /// are known to have changed those that are `dirty`.
    pub fn due(&self, now: &Stamps, dirty: Due, tick: Duration) -> Option<Due> {
        let Some(known) = self.known.as_ref().filter(|_| !self.pending) else {
            return Some(Due::BOTH);
        };
        let due =
            |now: &DirStamp, known: &DirStamp| now != known || self.racy && now.is_settled(tick);
        let due = Due {
            new: dirty.new || due(&now.new, &known.new),
            cur: dirty.cur || due(&now.cur, &known.cur),
        };
        (due.new || due.cur).then_some(due)
    }

    /// Takes over what a listing of those that were `due` came to. What was
    /// not listed stays as it was: a torn listing of one directory is made
    /// good by the next one of the same.
    pub fn note_listing(&mut self, due: Due, stable: bool, settled: [bool; 2]) {
        let complete = [stable; 2];
        replace_listed(&mut self.complete, complete, due);
        replace_listed(&mut self.settled, settled, due);
    }

    pub fn wants_retry(&self, tick: Duration) -> Option<Duration> {
        if self.pending {
            Some(LOCK_RETRY)
        } else if self.racy {
            Some(tick + Duration::from_millis(2))
        } else if self.settled != [true; 2] {
            Some(tick + SETTLE)
        } else {
            None
        }
    }

    /// What the picture does not have is not there.
    pub fn is_complete(&self) -> bool {
        self.complete == [true; 2]
            && self.settled == [true; 2]
            && self.known.is_some()
            && !self.pending
            && self.unsynced.is_none()
    }

    /// The highest UID that the list has given out.
    pub fn last_uid(&self) -> u32 {
        self.list.uid_next().get() - 1
    }

    /// The highest UID that any picture can have shown.
    pub fn shown(&self) -> u32 {
        self.snapshot.uid_next().get() - 1
    }
}

fn replace_listed(old: &mut [bool; 2], new: [bool; 2], due: Due) {
    for ((to, now), listed) in old.iter_mut().zip(new).zip([due.new, due.cur]) {
        if listed {
            *to = now;
        }
    }
}

impl Mailbox {
    /// The directories as they are now. A mailbox whose directories are gone,
    /// or are others than those we opened, is gone.
    pub(super) fn stamps(&self) -> Result<Stamps, Error> {
        self.check_exists()?;
        let place = lock(&self.place);
        let stamp = |path| DirStamp::of_path(path).map_err(|e| (path, e));
        let found = stamp(&place.new).and_then(|new| Ok((new, stamp(&place.cur)?)));
        match found {
            Ok((new, cur)) if self.is_ours(&new, &cur) => Ok(Stamps { new, cur }),
            Ok(_) => {
                drop(place);
                self.mark_gone();
                Err(Error::NoSuchMailbox)
            }
            Err((_, e))
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                drop(place);
                self.mark_gone();
                Err(Error::NoSuchMailbox)
            }
            Err((path, e)) => Err(Error::io(path, e)),
        }
    }

    fn is_ours(&self, new: &DirStamp, cur: &DirStamp) -> bool {
        [new, cur].map(|s| (s.dev, s.ino)) == self.ids
    }

    /// Makes the draft the newest picture, and wakes who waits for changes.
    pub(super) fn publish(&self, core: &mut Core, mut draft: Draft) {
        if !draft.touched() {
            return;
        }
        let tell = draft.changed();
        let removed = draft.removed().clone();
        if let Some(writer) = draft.take_writer() {
            core.writer = Some(writer);
        }
        let snapshot = Arc::new(draft.finish());
        self.note_change(core, &snapshot);
        if !removed.is_empty() {
            // Before the picture, so that who sees it finds its history.
            lock(&self.history).add(snapshot.highest_modseq().0, &removed);
        }
        core.snapshot = Arc::clone(&snapshot);
        let generation = snapshot.generation();
        self.current.store(snapshot);
        if tell && self.exists() {
            self.changes.send_replace(generation);
            self.news.changed(|| self.name());
        }
    }

    /// Does `work` on the directories so that its own changes cause no new
    /// listing: where they were as we knew them before, they are so after.
    pub(super) fn with_own_changes<T>(
        &self,
        core: &mut Core,
        work: impl FnOnce(&mut Core) -> T,
    ) -> Result<T, Error> {
        let before = self.stamps()?;
        let clean = core.known == Some(before);
        let result = work(core);
        if clean && let Ok(after) = self.stamps() {
            // Somebody else's change in between shows through inotify, or else
            // in the listing past the clock's tick.
            core.racy |= after != before && !self.is_watched();
            core.known = Some(after);
            self.unsettle(core, [after.new != before.new, after.cur != before.cur]);
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_listing_is_made_good_by_the_next_of_the_same_directory() {
        let cur = Due {
            new: false,
            cur: true,
        };
        let mut complete = [true; 2];
        replace_listed(&mut complete, [false; 2], cur);
        assert_eq!(complete, [true, false]);
        let new = Due {
            new: true,
            cur: false,
        };
        replace_listed(&mut complete, [true; 2], new);
        assert_eq!(complete, [true, false]);
        replace_listed(&mut complete, [true; 2], cur);
        assert_eq!(complete, [true; 2]);
    }

    #[test]
    fn what_hides_behind_an_equal_stamp_is_seen_by_who_looks_next() {
        use crate::options::{AccountOptions, Options};
        let temp = tempfile::tempdir().unwrap();
        let store = crate::Store::new(Options::default()).unwrap();
        let account = store.account("alice", temp.path(), AccountOptions::default());
        let account = account.unwrap();
        let mailbox = account.open(&roost_types::MailboxName::inbox()).unwrap();
        for n in 1..=200u32 {
            let path = temp.path().join("new").join(format!("{n:09}.a.h"));
            std::fs::write(path, "Subject: a\n\n").unwrap();
            {
                // As a clock that stands still would have it.
                let mut core = mailbox.core();
                core.known = mailbox.stamps().ok();
                core.settled = [false; 2];
            }
            assert_eq!(mailbox.refresh().unwrap().len(), n);
        }
    }
}
