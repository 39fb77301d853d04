//! The folder that holds the indexes of one account, and who may use it.

use crate::format::uidlist::Guid;
use crate::format::{Dir, dirname};
use crate::mailbox::lock;
use nix::fcntl::{Flock, FlockArg};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const LOCK: &[u8] = b"lock";
const DIR_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// An account's index folder, held by this process alone.
pub(crate) struct IndexFolder {
    dir: Dir,
    /// Mailboxes that are open: a copied Maildir has a second of the same
    /// name, and one may be opened again before it is let go.
    claimed: Mutex<HashSet<Guid>>,
    _lock: Flock<File>,
}

/// One mailbox's place in the index folder, its own until it is dropped.
pub(crate) struct IndexPlace {
    folder: Arc<IndexFolder>,
    guid: Guid,
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

impl IndexFolder {
    fn try_open(path: &Path) -> io::Result<Option<Self>> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(path)?;
        let dir = Dir::open(path).map_err(io::Error::other)?;
        let file = roost_os::file::open_append(&dir, LOCK, FILE_MODE)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_lock) => Ok(Some(Self {
                dir,
                claimed: Mutex::default(),
                _lock,
            })),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, e)) => Err(e.into()),
        }
    }

    /// The place of a mailbox; `None` while another has it.
    pub fn claim(self: &Arc<Self>, guid: Guid) -> Option<IndexPlace> {
        lock(&self.claimed).insert(guid).then(|| IndexPlace {
            folder: Arc::clone(self),
            guid,
        })
    }
}

#[allow(dead_code)]
impl IndexPlace {
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
        lock(&self.folder.claimed).remove(&self.guid);
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
        drop(place);
        drop(open.claim(guid).unwrap());
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
