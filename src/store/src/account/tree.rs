//! Reading the tree from the root directory.

use super::Account;
use super::folders::{Folder, Folders};
use crate::error::Error;
use crate::format::{FolderFile, dirname};
use crate::mailbox::lock;
use crate::options::{AccountOptions, Encoding};
use roost_os::dir::{self, DirStamp, Entry, FileKind};
use roost_os::file;
use roost_types::{MailboxName, SpecialUse};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How coarse clocks stamp changes; the root is listed again if it changed
/// less than this before the listing.
const TICK: Duration = Duration::from_millis(50);

/// The tree and where its mailboxes are stored.
pub(super) struct Tree {
    pub folders: Arc<Folders>,
    pub directories: HashMap<MailboxName, Box<[u8]>>,
    /// As far as it is about this tree.
    pub file: FolderFile,
    /// Never `Detect`.
    pub encoding: Encoding,
}

impl Tree {
    /// A directory that somebody created, not one implied by its children.
    pub fn is_explicit(&self, name: &MailboxName) -> bool {
        self.file.directories.contains(name)
    }
}

#[derive(Default)]
pub(super) struct TreeCache {
    known: Option<(DirStamp, Arc<Tree>)>,
}

impl TreeCache {
    pub fn forget(&mut self) {
        self.known = None;
    }
}

impl Account {
    pub(super) fn tree(&self) -> Result<Arc<Tree>, Error> {
        let mut cache = lock(&self.tree);
        let failed = |e| Error::io(self.root.path(), e);
        let stamp = DirStamp::of(&self.root).map_err(failed)?;
        if let Some((known, tree)) = &cache.known
            && *known == stamp
        {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(self.read_tree()?);
        cache.known = stamp.is_settled(TICK).then(|| (stamp, Arc::clone(&tree)));
        Ok(tree)
    }

    fn read_tree(&self) -> Result<Tree, Error> {
        let listing = dir::list(&self.root).map_err(|e| Error::io(self.root.path(), e))?;
        let names: Vec<&[u8]> = listing
            .iter()
            .filter(|e| e.name.starts_with(b".") && self.is_directory(e))
            .map(|e| e.name)
            .collect();
        if self.quota.options().inbox_only {
            let file = FolderFile::default();
            return Ok(Tree {
                folders: Arc::new(build([].iter(), &file, &self.options)),
                directories: HashMap::new(),
                file,
                encoding: dirname::detect(names, self.options.directory_encoding),
            });
        }
        let encoding = dirname::detect(names.iter().copied(), self.options.directory_encoding);
        let mut directories: HashMap<MailboxName, Box<[u8]>> = HashMap::new();
        for directory in names {
            let Some(name) = dirname::decode(directory, encoding) else {
                continue;
            };
            if name.is_inbox() {
                continue;
            }
            if let Some(other) = directories.get(&name) {
                log::warn!(
                    "{}: {} and {} are both {name}",
                    self.root.path().display(),
                    other.escape_ascii(),
                    directory.escape_ascii()
                );
                if !dirname::is_canonical(directory, encoding) {
                    continue;
                }
            }
            directories.insert(name, directory.into());
        }
        let file = FolderFile::load(&self.root)?;
        let folders = build(directories.keys(), &file, &self.options);
        Ok(Tree {
            folders: Arc::new(folders),
            directories,
            file,
            encoding,
        })
    }

    fn is_directory(&self, entry: &Entry<'_>) -> bool {
        match entry.kind {
            FileKind::Directory => true,
            FileKind::File | FileKind::Other => false,
            FileKind::Symlink | FileKind::Unknown => {
                file::stat_at(&self.root, entry.name).is_ok_and(|s| s.is_dir())
            }
        }
    }
}

/// The list with INBOX, all parents and all special uses in it.
fn build<'a>(
    stored: impl Iterator<Item = &'a MailboxName>,
    file: &FolderFile,
    options: &AccountOptions,
) -> Folders {
    let mut names: BTreeMap<MailboxName, bool> = BTreeMap::new();
    names.insert(MailboxName::inbox(), true);
    for name in stored {
        names.insert(name.clone(), true);
    }
    for name in file.directories.iter().chain(file.aliases.keys()) {
        names.entry(name.clone()).or_insert(false);
    }
    let all: Vec<MailboxName> = names.keys().cloned().collect();
    for name in &all {
        let mut above = name.parent();
        while let Some(parent) = above {
            above = parent.parent();
            names.entry(parent).or_insert(false);
        }
    }
    let uses = special_uses(&names, file, options);
    let sorted: Vec<(MailboxName, bool)> = names.into_iter().collect();
    let list = sorted
        .iter()
        .enumerate()
        .map(|(at, (name, selectable))| Folder {
            name: name.clone(),
            selectable: *selectable,
            // Children stand right behind their parent.
            has_children: sorted
                .get(at + 1)
                .is_some_and(|(next, _)| name.is_ancestor_of(next)),
            special_use: uses.get(name).copied(),
            class: file.classes.get(name).map(|class| Arc::from(&**class)),
            locked: file.locked.contains(name),
            // Storage that another program has made goes before.
            alias: (file.aliases.get(name))
                .filter(|_| !selectable)
                .map(|target| Arc::from(&**target)),
        });
    Folders {
        list: list.collect(),
    }
}

/// Uses given by CREATE, and those that names have by the site's custom where
/// no mailbox was given the use.
fn special_uses(
    names: &BTreeMap<MailboxName, bool>,
    file: &FolderFile,
    options: &AccountOptions,
) -> HashMap<MailboxName, SpecialUse> {
    let exists = |name: &MailboxName| names.get(name).copied().unwrap_or(false);
    let mut uses: HashMap<MailboxName, SpecialUse> = file
        .special
        .iter()
        .filter(|(name, _)| exists(name))
        .map(|(name, &use_)| (name.clone(), use_))
        .collect();
    let given: Vec<SpecialUse> = uses.values().copied().collect();
    for (use_, name) in &options.special_use_names {
        if exists(name) && !given.contains(use_) {
            uses.entry(name.clone()).or_insert(*use_);
        }
    }
    uses
}
