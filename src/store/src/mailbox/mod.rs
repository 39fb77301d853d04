//! One open mailbox, shared by all sessions of the worker.
//!
//! What is known of the disk stands in [`Core`] behind one mutex; whoever
//! changes files or looks for changes holds it. Readers need it never: the
//! newest picture is taken from `current`, and a message's file name follows
//! from the picture alone.
//!
//! Lock order: `assign`, then the lock file of `dovecot-uidlist`, then `core`.
//! Whoever holds `core` may try for the first two, never wait for them. MOVE
//! alone holds locks of two mailboxes: it waits for the destination's and only
//! tries for the `core` of the source. What readers have seen ([`seen`]) has locks
//! of its own: `noting`, the lock file of `roost-seen`, then `readers`, then `core`.

mod adopt;
pub mod append;
pub mod beginning;
mod commit;
pub mod copy;
mod core;
mod expunge;
pub mod flags;
mod keywords;
mod load;
mod marks;
pub(crate) mod media;
mod order;
mod own;
mod read;
mod recent;
mod refresh;
mod repair;
mod replace;
mod resolve;
mod save;
mod scan;
mod seen;
mod tick;
mod weigh;

use crate::account::status::Found;
use crate::cache::Pieces;
use crate::error::Error;
use crate::events::News;
use crate::format::perm::Perm;
use crate::format::uidlist::Guid;
use crate::format::{Dir, UidListLock};
use crate::index::history::History;
use crate::index::{IndexPlace, OddNames};
use crate::options::Options;
use crate::quota::Quota;
use crate::snapshot::Snapshot;
use crate::snapshot::sight::{Sight, Sights};
use crate::watch::Shared as Watcher;
use arc_swap::ArcSwap;
use commit::Queue;
pub(crate) use copy::CopyMode;
use core::Core;
pub(crate) use load::Opening;
pub(crate) use marks::Marks;
pub(crate) use own::Sub;
use roost_types::{MailboxName, ModSeq, Uid, UidSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How soon to try again for a lock that another program holds.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A mailbox while someone holds it. Thread-safe; calls block on the disk,
/// except those that say otherwise.
pub struct Mailbox {
    options: Arc<Options>,
    watcher: Arc<Watcher>,
    /// Those who listen to the account's changes.
    news: Arc<News>,
    quota: Arc<Quota>,
    place: Mutex<Place>,
    dir: Dir,
    cur: Dir,
    new: Dir,
    tmp: Dir,
    /// Device and inode of `new` and `cur`.
    ids: [(u64, u64); 2],
    perm: Perm,
    read_only: bool,
    /// A change less old than this may hide behind an equal mtime.
    tick: Duration,
    gone: AtomicBool,
    marks: Arc<Marks>,
    /// The watcher's number for this mailbox, 0 before there is one.
    watch_id: AtomicU64,
    /// One thread at a time goes for the lock file.
    assign: Mutex<()>,
    queue: Queue,
    core: Mutex<Core>,
    current: ArcSwap<Snapshot>,
    /// File names that do not follow from base name, flags and letters.
    odd: Mutex<OddNames>,
    changes: watch::Sender<u64>,
    history: Mutex<History>,
    guid: OnceLock<Guid>,
    pub(crate) pieces: OnceLock<Option<Arc<Pieces>>>,
    /// Odd names that are new since the last picture.
    renamed: Mutex<Vec<u32>>,
    pub(crate) index: Option<Arc<IndexPlace>>,
    /// One thread at a time writes a snapshot of the index.
    saving: Mutex<()>,
    /// Of the picture of that generation.
    pub(crate) details: Mutex<Option<Found>>,
    readers: Mutex<seen::Readers>,
    /// One thread at a time goes for the lock of what readers have seen.
    noting: Mutex<()>,
    /// What of the newest picture is shown to whom.
    sights: Mutex<Sights>,
    unread: Mutex<media::Unread>,
}

/// Where the mailbox is; RENAME changes it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub name: MailboxName,
    pub cur: PathBuf,
    pub new: PathBuf,
}

impl Place {
    pub fn new(name: MailboxName, directory: &Path) -> Self {
        Self {
            name,
            cur: directory.join("cur"),
            new: directory.join("new"),
        }
    }
}

/// A poisoned mutex guards nothing but data that is whole at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// Its name now; RENAME changes it. Does not block.
    pub fn name(&self) -> MailboxName {
        lock(&self.place).name.clone()
    }

    /// False once the mailbox has been deleted, or replaced by another of the
    /// same name, by whomever. Does not block.
    pub fn exists(&self) -> bool {
        !self.gone.load(Ordering::Acquire)
    }

    /// True where the Maildir lets us change nothing (SELECT is READ-ONLY).
    /// Does not block.
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// The newest picture. Does not block.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// What of a picture of this mailbox is shown: itself where nothing is left
    /// out, else one that all share who see alike. May read the index.
    pub fn shown(&self, picture: &Arc<Snapshot>, sight: Sight) -> Arc<Snapshot> {
        match picture.effective(sight) {
            Sight::ALL => Arc::clone(picture),
            less => lock(&self.sights).shown(picture, less),
        }
    }

    /// What is shown, without these messages. Those who lack the same share
    /// it. May read the index.
    pub fn shown_without(&self, shown: &Arc<Snapshot>, uids: &UidSet) -> Arc<Snapshot> {
        lock(&self.sights).without(shown, uids)
    }

    /// Brings the picture up to date with the disk: two stats when nothing
    /// has changed. `Error::NoSuchMailbox` once it has been deleted.
    pub fn refresh(&self) -> Result<Arc<Snapshot>, Error> {
        let looked = self.refresh_heard()?;
        if self.unread_in() != Some(Duration::ZERO) {
            return Ok(looked);
        }
        match self.mark_some() {
            true => Ok(self.snapshot()),
            false => Ok(looked),
        }
    }

    /// What others have done within the clock's tick of the last listing shows
    /// in no stamp; inotify knows of it, whether the watcher has come to it yet
    /// or not.
    fn refresh_heard(&self) -> Result<Arc<Snapshot>, Error> {
        let mut core = lock(&self.core);
        if core.settled != [true; 2] && self.is_watched() {
            self.watcher.hear();
        }
        self.refresh_now(&mut core)
    }

    /// The same unless somebody is at work here. Says whether to do it again
    /// soon: because of new messages whose UIDs another program's lock holds
    /// back, or of what may hide behind an equal stamp.
    pub(crate) fn try_refresh(&self) -> Option<(Result<(), Error>, Option<Duration>)> {
        let mut core = self.core.try_lock().ok()?;
        let looked = self.refresh_now(&mut core);
        Some((looked.map(drop), core.wants_retry(self.tick)))
    }

    fn refresh_now(&self, core: &mut Core) -> Result<Arc<Snapshot>, Error> {
        self.refresh_core(core, None)?;
        if core.pending {
            self.watcher
                .look_after(self.watch_id.load(Ordering::Acquire), LOCK_RETRY);
        }
        Ok(Arc::clone(&core.snapshot))
    }

    /// UIDs expunged after the change `since`; `None` where history does not
    /// reach back so far: then every UID that the client knows and the picture
    /// does not have is gone (RFC 7162 §3.2.5.2). May name messages that went
    /// after the picture at hand. Does not block.
    pub fn vanished_since(&self, since: ModSeq) -> Option<UidSet> {
        lock(&self.history).since(since)
    }

    /// The mailbox's own identity, kept over RENAME; `None` only where the
    /// UID list has none and cannot be written. Does not block.
    pub fn guid(&self) -> Option<Guid> {
        self.guid.get().copied()
    }

    /// The message's own identity, kept by COPY and MOVE: the `G` field of
    /// its record, or else its base name.
    pub fn message_guid(&self, uid: Uid) -> Result<Vec<u8>, Error> {
        let picture = self.snapshot();
        let cold = picture.cold(uid.get()).ok_or(Error::Expunged)?;
        Ok(cold.guid().unwrap_or(cold.base()).to_vec())
    }

    /// Change numbers are this process's alone to give out, so that they hold
    /// when it has ended. Without an index another process may number changes
    /// as well, and in another order. Does not block.
    pub fn keeps_modseqs(&self) -> bool {
        self.index.is_some()
    }

    /// Receives the generation ([`Snapshot::generation`]) of each new picture,
    /// and `u64::MAX` when the mailbox is deleted. Does not block.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Wakes who waits for changes though the picture is the same.
    pub(crate) fn wake(&self) {
        self.changes.send_modify(|_| {});
    }

    pub(crate) fn place(&self) -> Place {
        lock(&self.place).clone()
    }

    /// Keeps everybody from looking where the mailbox is.
    pub(crate) fn lock_place(&self) -> MutexGuard<'_, Place> {
        lock(&self.place)
    }

    /// Looks whether its directories are still where they were.
    pub fn is_in_place(&self) -> bool {
        self.stamps().is_ok()
    }

    /// Its directories are those with these inodes (its own, `new`, `cur`).
    pub(crate) fn is_at(&self, inodes: Option<[u64; 3]>) -> bool {
        let [(_, new), (_, cur)] = self.ids;
        inodes.is_some_and(|[_, n, c]| (n, c) == (new, cur))
    }

    /// The mailbox is there no more: sessions see it by [`Mailbox::exists`].
    pub(crate) fn mark_gone(&self) {
        if !self.gone.swap(true, Ordering::AcqRel) {
            if let Some(place) = &self.index {
                place.release();
            }
            self.changes.send_replace(u64::MAX);
            self.news.tree_changed();
        }
    }

    pub(crate) fn marks(&self) -> &Arc<Marks> {
        &self.marks
    }

    /// What is waiting to be done later: another look for new messages whose
    /// UIDs could not be given out yet, or past the clock's tick.
    pub(crate) fn wants_retry(&self) -> Option<Duration> {
        lock(&self.core).wants_retry(self.tick)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.marks.is_watched()
    }

    fn check_exists(&self) -> Result<(), Error> {
        if self.exists() {
            Ok(())
        } else {
            Err(Error::NoSuchMailbox)
        }
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    /// Takes the lock of the UID list, waiting as long as the options say.
    /// The caller holds `assign` and not `core`.
    fn lock_list(&self) -> Result<UidListLock, Error> {
        Ok(UidListLock::acquire(&self.dir, self.options.lock_timeout)?)
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.close();
        self.watcher.forget(self.watch_id.load(Ordering::Acquire));
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
