//! The folder that holds the indexes of one account, and who may use it.

use crate::format::uidlist::Guid;
use crate::format::{Dir, dirname};
use crate::mailbox::{Mailbox, lock};
use nix::fcntl::{Flock, FlockArg};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

const LOCK: &[u8] = b"lock";
const DIR_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// An account's index folder, held by this process alone.
pub(crate) struct IndexFolder {
    dir: Dir,
    /// Mailboxes that are open: a copied Maildir has a second of the same
    /// name, and one may be opened again before it is let go.
    claimed: Mutex<HashMap<Guid, Weak<Claim>>>,
    boot: BootId,
    held: Flock<File>,
}

/// Who has a mailbox's place.
#[derive(Default)]
struct Claim {
    /// The mailbox is gone from where it was; held while its files are
    /// written.
    released: Mutex<bool>,
    holder: OnceLock<Weak<Mailbox>>,
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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<IndexFolder>>,
    complained: bool,
}

impl Folder {
    /// Of the account whose Maildir is `root`.
    pub fn new(root: &Dir, index_dir: Option<&Path>) -> Self {
        let inside = || root.path().join(dirname::INDEX_DIR);
        Self {
            path: index_dir.map_or_else(inside, Path::to_path_buf),
            state: Mutex::default(),
        }
    }

    /// The folder, made where there is none. `None`, and once a word in the
    /// log, while it cannot be used: then nothing is kept beyond this process.
    pub fn open(&self) -> Option<Arc<IndexFolder>> {
        let mut state = lock(&self.state);
        if state.open.is_none() {
            let why = match IndexFolder::try_open(&self.path) {
                Ok(Some(folder)) => return state.open.insert(Arc::new(folder)).clone().into(),
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
    /// Where the kernel does not tell, one that nobody will have again.
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
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(path)?;
        let dir = Dir::open(path).map_err(io::Error::other)?;
        let file = roost_os::file::open_append(&dir, LOCK, FILE_MODE)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(Self {
                dir,
                claimed: Mutex::default(),
                boot: BootId::read(),
                held,
            })),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, e)) => Err(e.into()),
        }
    }

    /// Nobody has removed the lock file and locked another one.
    fn is_held(&self) -> bool {
        let ours = roost_os::file::stat(&*self.held);
        let there = roost_os::file::stat_at(&self.dir, LOCK);
        matches!((ours, there), (Ok(a), Ok(b)) if (a.dev, a.ino) == (b.dev, b.ino))
    }

    /// The place of a mailbox; `None` while another has it that is there.
    pub fn claim(self: &Arc<Self>, guid: Guid) -> Option<IndexPlace> {
        self.try_claim(guid)
            .or_else(|holder| {
                // Somebody may have renamed it, and nobody noticed yet.
                let gone = holder.is_some_and(|h| h.upgrade().is_none_or(|h| !h.is_in_place()));
                if gone {
                    self.try_claim(guid).map_err(|_| ())
                } else {
                    Err(())
                }
            })
            .ok()
    }

    /// The place, or who has it.
    fn try_claim(self: &Arc<Self>, guid: Guid) -> Result<IndexPlace, Option<Weak<Mailbox>>> {
        let mut claimed = lock(&self.claimed);
        let old = claimed.get(&guid).and_then(Weak::upgrade);
        if let Some(old) = &old
            && !*lock(&old.released)
        {
            return Err(old.holder.get().cloned());
        }
        claimed.retain(|_, claim| claim.strong_count() > 0);
        let claim = Arc::new(Claim::default());
        claimed.insert(guid, Arc::downgrade(&claim));
        Ok(IndexPlace {
            folder: Arc::clone(self),
            guid,
            claim,
            sole: old.is_none(),
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
        *lock(&self.claim.released) = true;
    }

    /// Keeps the place while something is written; `None` once it is lost.
    pub fn hold(&self) -> Option<MutexGuard<'_, bool>> {
        Some(lock(&self.claim.released)).filter(|released| !**released)
    }

    pub fn boot(&self) -> BootId {
        self.folder.boot
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(temp: &tempfile::TempDir, index_dir: Option<&Path>) -> Folder {
        Folder::new(&Dir::open(temp.path()).unwrap(), index_dir)
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
