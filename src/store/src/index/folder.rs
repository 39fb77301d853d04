//! The folder that holds the indexes of one account, and who may use it.

use crate::format::uidlist::Guid;
use crate::format::{Dir, FormatError, dirname};
use crate::mailbox::{Mailbox, lock};
use nix::fcntl::{Flock, FlockArg};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

const LOCK: &[u8] = b"lock";
/// How long the closing of a mailbox may take, its index written, until the
/// next who opens it goes without one.
const CLOSING: Duration = Duration::from_secs(10);
const DIR_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// An account's index folder, held by this process alone.
pub(crate) struct IndexFolder {
    dir: Dir,
    /// Mailboxes that are open: a copied Maildir has a second of the same
    /// name, and one may be opened again before it is let go.
    claimed: Mutex<Claimed>,
    /// A place is free again.
    ended: Condvar,
    held: Flock<File>,
}

type Claimed = HashMap<Guid, Weak<Claim>>;

/// Who has a mailbox's place.
#[derive(Default)]
struct Claim {
    /// Held while the mailbox's files are written.
    state: Mutex<ClaimState>,
    holder: OnceLock<Weak<Mailbox>>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClaimState {
    #[default]
    Held,
    /// The mailbox is gone from where it was.
    Released,
    /// Who had it will never write again.
    Ended,
}

/// Why a place is not to be had.
enum Taken {
    /// Somebody has it, or is about to.
    Held(Option<Arc<Mailbox>>),
    /// By a mailbox that is just being closed.
    Closing,
}

/// One mailbox's place in the index folder, its own until it is dropped, or
/// until the mailbox is found gone and opened anew elsewhere.
pub(crate) struct IndexPlace {
    folder: Arc<IndexFolder>,
    guid: Guid,
    claim: Arc<Claim>,
    sole: bool,
}

/// An account's folder, had or still to be had: a process that is about to
/// end may hold it.
pub(crate) struct Folder {
    path: PathBuf,
    process: Arc<Folders>,
    state: Mutex<State>,
}

/// The folders that this process has. Who logs in while the last session of
/// the same account is being closed gets the one that it still holds.
#[derive(Default)]
pub(crate) struct Folders(Mutex<HashMap<PathBuf, Weak<IndexFolder>>>);

impl Folders {
    fn open(&self, path: &Path) -> io::Result<Option<Arc<IndexFolder>>> {
        let mut open = lock(&self.0);
        let ours = open.get(path).and_then(Weak::upgrade);
        if let Some(folder) = ours.filter(|folder| folder.is_held()) {
            return Ok(Some(folder));
        }
        // One of ours may be about to unlock it.
        let tries = if open.contains_key(path) { 100 } else { 1 };
        open.retain(|_, folder| folder.strong_count() > 0);
        for n in 1..=tries {
            if let Some(folder) = IndexFolder::try_open(path)? {
                let folder = Arc::new(folder);
                open.insert(path.to_owned(), Arc::downgrade(&folder));
                return Ok(Some(folder));
            }
            if n < tries {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(None)
    }
}

#[derive(Default)]
struct State {
    open: Option<Arc<IndexFolder>>,
    complained: bool,
}

impl Folder {
    /// Of the account whose Maildir is `root`.
    pub fn new(root: &Dir, index_dir: Option<&Path>, process: &Arc<Folders>) -> Self {
        let inside = || root.path().join(dirname::INDEX_DIR);
        Self {
            path: index_dir.map_or_else(inside, Path::to_path_buf),
            process: Arc::clone(process),
            state: Mutex::default(),
        }
    }

    /// The folder, made where there is none. `None`, and once a word in the
    /// log, while it cannot be used: then nothing is kept beyond this process.
    pub fn open(&self) -> Option<Arc<IndexFolder>> {
        let mut state = lock(&self.state);
        if state.open.is_none() {
            let why = match self.process.open(&self.path) {
                Ok(Some(folder)) => return state.open.insert(folder).clone().into(),
                Ok(None) => "in use by another process".to_owned(),
                Err(e) => e.to_string(),
            };
            if !std::mem::replace(&mut state.complained, true) {
                log::warn!("{}: {why}: working without an index", self.path.display());
            }
        }
        state.open.clone()
    }
}

/// What the kernel calls the time since the computer was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BootId(pub [u8; 36]);

impl BootId {
    /// Of now. Where the kernel does not tell, one that nobody will have again.
    fn now() -> Self {
        static NOW: OnceLock<BootId> = OnceLock::new();
        *NOW.get_or_init(Self::read)
    }

    fn read() -> Self {
        let mut id = [0; 36];
        let told = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        match told.first_chunk() {
            Some(told) => id = *told,
            None => drop(getrandom::fill(&mut id)),
        }
        Self(id)
    }
}

impl IndexFolder {
    fn try_open(path: &Path) -> io::Result<Option<Self>> {
        let dir = match Dir::open(path) {
            Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(DIR_MODE)
                    .create(path)?;
                Dir::open(path)
            }
            other => other,
        };
        let dir = dir.map_err(io::Error::other)?;
        let file = roost_os::file::open_append(&dir, LOCK, FILE_MODE)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(Self {
                dir,
                claimed: Mutex::default(),
                ended: Condvar::new(),
                held,
            })),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, e)) => Err(e.into()),
        }
    }

    /// Nobody has removed the lock file and locked another one.
    pub fn is_held(&self) -> bool {
        let ours = roost_os::file::stat(&*self.held);
        let there = roost_os::file::stat_at(&self.dir, LOCK);
        matches!((ours, there), (Ok(a), Ok(b)) if (a.dev, a.ino) == (b.dev, b.ino))
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The place of a mailbox; `None` while another has it that is there. One
    /// that is being closed, in this moment, is waited for.
    pub fn claim(self: &Arc<Self>, guid: Guid) -> Option<IndexPlace> {
        self.claim_for(guid, None)
    }

    /// The place of the mailbox in the directory with these inodes (its own,
    /// those of `new` and `cur`). Its last user's account may be gone already:
    /// that one is waited for too.
    pub fn claim_for(self: &Arc<Self>, guid: Guid, inodes: Option<[u64; 3]>) -> Option<IndexPlace> {
        let mut claimed = lock(&self.claimed);
        let start = Instant::now();
        loop {
            let holder = match self.try_claim(&mut claimed, guid) {
                Ok(place) => return Some(place),
                Err(Taken::Held(holder)) => holder?,
                Err(Taken::Closing) => {
                    claimed = self.wait_for_end(claimed, start, CLOSING)?;
                    continue;
                }
            };
            // Letting go of the mailbox may need them.
            drop(claimed);
            // Somebody may have renamed it, and nobody noticed yet.
            let (there, same) = (holder.is_in_place(), holder.is_at(inodes));
            drop(holder);
            claimed = lock(&self.claimed);
            if !there {
                let again = self.try_claim(&mut claimed, guid);
                drop(claimed);
                return again.ok();
            }
            if !same {
                return None;
            }
            // Under the lock, so that its end is not missed.
            if Self::is_taken(&claimed, guid) {
                claimed = self.wait_for_end(claimed, start, CLOSING)?;
            }
        }
    }

    /// Until some place is free, and not too long.
    fn wait_for_end<'a>(
        &self,
        claimed: MutexGuard<'a, Claimed>,
        start: Instant,
        limit: Duration,
    ) -> Option<MutexGuard<'a, Claimed>> {
        let left = limit.checked_sub(start.elapsed())?;
        let woken = self.ended.wait_timeout(claimed, left);
        Some(woken.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn is_taken(claimed: &Claimed, guid: Guid) -> bool {
        let claim = claimed.get(&guid).and_then(Weak::upgrade);
        claim.is_some_and(|claim| *lock(&claim.state) == ClaimState::Held)
    }

    /// Somebody has the mailbox open, or did when it was deleted.
    pub fn is_claimed(&self, guid: Guid) -> bool {
        let claimed = lock(&self.claimed);
        claimed.get(&guid).is_some_and(|c| c.strong_count() > 0)
    }

    fn try_claim(self: &Arc<Self>, claimed: &mut Claimed, guid: Guid) -> Result<IndexPlace, Taken> {
        let old = claimed.get(&guid).and_then(Weak::upgrade);
        let state = old.as_ref().map(|old| *lock(&old.state));
        if let (Some(old), Some(ClaimState::Held)) = (&old, state) {
            return Err(match old.holder.get() {
                None => Taken::Held(None),
                Some(holder) => match holder.upgrade() {
                    Some(holder) => Taken::Held(Some(holder)),
                    None => Taken::Closing,
                },
            });
        }
        claimed.retain(|_, claim| claim.strong_count() > 0);
        let claim = Arc::new(Claim::default());
        claimed.insert(guid, Arc::downgrade(&claim));
        Ok(IndexPlace {
            folder: Arc::clone(self),
            guid,
            claim,
            sole: state != Some(ClaimState::Released),
        })
    }
}

impl IndexPlace {
    /// False once somebody has taken the folder away: nothing may be put
    /// there any more.
    pub fn is_held(&self) -> bool {
        self.folder.is_held()
    }

    /// Nobody had the place when it was claimed: whatever is kept in it, no
    /// other writes it.
    pub fn is_sole(&self) -> bool {
        self.sole
    }

    /// Whose place it is.
    pub fn set_holder(&self, mailbox: &Arc<Mailbox>) {
        let _ = self.claim.holder.set(Arc::downgrade(mailbox));
    }

    /// The mailbox is gone from here: another may have the place.
    pub fn release(&self) {
        *lock(&self.claim.state) = ClaimState::Released;
    }

    /// Keeps the place while something is written; `None` once it is lost.
    pub fn hold(&self) -> Option<MutexGuard<'_, ClaimState>> {
        Some(lock(&self.claim.state)).filter(|state| **state == ClaimState::Held)
    }

    /// Asked for only where the log is open, or about to be.
    pub fn boot(&self) -> BootId {
        BootId::now()
    }

    pub fn dir(&self) -> &Dir {
        &self.folder.dir
    }

    pub fn guid(&self) -> Guid {
        self.guid
    }

    /// The name of one of the mailbox's files in the folder.
    pub fn file(&self, kind: &str) -> String {
        format!("{}.{kind}", self.guid)
    }
}

impl Drop for IndexPlace {
    fn drop(&mut self) {
        *lock(&self.claim.state) = ClaimState::Ended;
        // Whoever waits has looked before this or looks again after it.
        drop(lock(&self.folder.claimed));
        self.folder.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(temp: &tempfile::TempDir, index_dir: Option<&Path>) -> Folder {
        // As another process has them.
        let process = Arc::default();
        Folder::new(&Dir::open(temp.path()).unwrap(), index_dir, &process)
    }

    #[test]
    fn the_next_session_shares_what_the_last_one_still_has() {
        let temp = tempfile::tempdir().unwrap();
        let (root, process) = (Dir::open(temp.path()).unwrap(), Arc::default());
        let last = Folder::new(&root, None, &process).open().unwrap();
        let next = Folder::new(&root, None, &process).open().unwrap();
        assert!(Arc::ptr_eq(&last, &next));
        drop((last, next));
        assert!(Folder::new(&root, None, &process).open().is_some());
    }

    #[test]
    fn a_place_is_waited_for_while_its_mailbox_is_being_closed() {
        let temp = tempfile::tempdir().unwrap();
        let open = folder(&temp, None).open().unwrap();
        let place = open.claim(Guid([7; 16])).unwrap();
        // A holder that is no more, whose place is still being written.
        place.claim.holder.set(Weak::new()).unwrap();
        std::thread::scope(|scope| {
            let next = scope.spawn(|| open.claim(Guid([7; 16])));
            std::thread::sleep(Duration::from_millis(20));
            drop(place);
            assert!(next.join().unwrap().unwrap().is_sole());
        });
    }

    #[test]
    fn one_process_has_the_folder_and_one_mailbox_its_place() {
        let temp = tempfile::tempdir().unwrap();
        let first = folder(&temp, None);
        let open = first.open().unwrap();
        // A lock of its own for every open file, as for another process.
        let second = folder(&temp, None);
        assert!(second.open().is_none());
        let guid = Guid([7; 16]);
        let place = open.claim(guid).unwrap();
        assert!(open.claim(guid).is_none());
        assert_eq!(place.file("log"), format!("{guid}.log"));
        assert!(place.hold().is_some() && place.is_sole());
        place.release();
        let next = open.claim(guid).unwrap();
        assert!(place.hold().is_none() && !next.is_sole());
        drop(place);
        assert!(open.claim(guid).is_none());
        drop(next);
        assert!(open.claim(guid).unwrap().is_sole());
        drop((open, first));
        assert!(second.open().is_some(), "as soon as it is free");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_error() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(folder(&temp, Some(&path)).open().is_none());
        let below = temp.path().join("a/b");
        assert!(folder(&temp, Some(&below)).open().is_some());
        assert!(below.join("lock").exists());
    }
}
