//! One account: the tree of mailboxes below a Maildir root.
//!
//! The directories are the tree; `roost-folders` adds what they cannot tell.
//! Lock order: `changing`, then slots by name, then `open` or a mailbox's own
//! locks.

mod acl;
pub mod acl_task;
mod annotations;
pub mod asking;
mod cache;
mod create;
mod delete;
pub mod folders;
pub(crate) mod news;
pub mod properties;
pub mod property_task;
mod quota;
mod rename;
pub mod status;
mod tree;

use crate::error::Error;
use crate::events::News;
use crate::format::{Dir, FolderFile, perm, subscriptions, uidvalidity};
use crate::index::{self, IndexFolder};
use crate::mailbox::{Mailbox, Opening, lock};
use crate::options::{AccountOptions, Options};
use crate::quota::Quota;
use crate::store::Store;
use acl::{AclCache, AclChanges};
use cache::{Kept, StatusCache};
use folders::Folders;
use roost_types::MailboxName;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tree::TreeCache;

/// The open mailbox of a name; locked while it is being opened, so that it is
/// never there twice.
pub(crate) type Slot = Arc<Mutex<Weak<Mailbox>>>;

/// A Maildir++ tree. Thread-safe; calls block on the disk.
pub struct Account {
    name: String,
    store: Arc<Store>,
    root: Dir,
    options: AccountOptions,
    tree: Mutex<TreeCache>,
    /// Held while the tree is changed.
    changing: Mutex<()>,
    open: Mutex<HashMap<MailboxName, Slot>>,
    /// Mailboxes closed a moment ago: the next command may want them again.
    kept: Mutex<Kept>,
    statuses: Mutex<StatusCache>,
    acls: Mutex<AclCache>,
    acl_changes: AclChanges,
    validities: Mutex<uidvalidity::Reserve>,
    quota: Arc<Quota>,
    index: index::Folder,
    /// Those who listen to changes.
    news: Arc<News>,
    /// Held while the first of them comes.
    starting: Mutex<()>,
}

impl Account {
    /// Opens the account at `maildir`, making it where there is none.
    pub(crate) fn new(
        store: &Arc<Store>,
        name: &str,
        maildir: &Path,
        options: AccountOptions,
    ) -> Result<Arc<Self>, Error> {
        let fsync = store.options().fsync;
        let (root, made) = perm::make_root(maildir, fsync)?;
        let account = Arc::new(Self {
            name: name.into(),
            store: Arc::clone(store),
            quota: Quota::new(&root, options.quota, store.watcher().upkeep()),
            index: index::Folder::new(&root, options.index_dir.as_deref(), store.index_folders()),
            root,
            options,
            tree: Mutex::default(),
            changing: Mutex::default(),
            open: Mutex::default(),
            kept: Mutex::default(),
            statuses: Mutex::default(),
            acls: Mutex::default(),
            acl_changes: AclChanges::default(),
            validities: Mutex::default(),
            news: Arc::default(),
            starting: Mutex::default(),
        });
        store.watcher().tidy_later(&account);
        if made && !account.options.initial_subscriptions.is_empty() {
            let initial = account.options.initial_subscriptions.clone();
            account.change_subscriptions(&initial, &[])?;
        }
        Ok(account)
    }

    /// The name it was opened under, for logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole tree, sorted; cached while the root directory is unchanged.
    pub fn folders(&self) -> Result<Arc<Folders>, Error> {
        Ok(Arc::clone(&self.tree()?.folders))
    }

    /// The mailbox need not exist.
    pub fn subscribe(&self, name: &MailboxName) -> Result<(), Error> {
        self.changing_tree(|| self.change_subscriptions(std::slice::from_ref(name), &[]))
    }

    /// No error if it was not subscribed.
    pub fn unsubscribe(&self, name: &MailboxName) -> Result<(), Error> {
        self.changing_tree(|| self.change_subscriptions(&[], std::slice::from_ref(name)))
    }

    /// Sorted, without doubles.
    pub fn subscriptions(&self) -> Result<Vec<MailboxName>, Error> {
        let encoding = self.tree()?.encoding;
        Ok(subscriptions::read(&self.root, encoding)?)
    }

    fn change_subscriptions(
        &self,
        add: &[MailboxName],
        remove: &[MailboxName],
    ) -> Result<(), Error> {
        let encoding = self.tree()?.encoding;
        let Options {
            fsync,
            lock_timeout,
            ..
        } = self.store.options();
        subscriptions::change(&self.root, encoding, *fsync, *lock_timeout, add, remove)?;
        Ok(())
    }

    /// The mailbox, shared by all who hold it open, brought up to date.
    pub fn open(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Mailbox>, Error> {
        let mailbox = self.open_unlisted(name)?;
        self.keep(&mailbox);
        Ok(mailbox)
    }

    fn open_unlisted(&self, name: &MailboxName) -> Result<Arc<Mailbox>, Error> {
        // It may be open from before.
        if self.quota.options().inbox_only && !name.is_inbox() {
            return Err(Error::NoSuchMailbox);
        }
        let slot = self.slot(name);
        let mut slot = lock(&slot);
        if let Some(mailbox) = slot.upgrade().filter(|m| m.exists()) {
            match mailbox.refresh() {
                Ok(_) => return Ok(mailbox),
                // Deleted behind our back: there may be another by now.
                Err(Error::NoSuchMailbox) => lock(&self.tree).forget(),
                Err(e) => return Err(e),
            }
        }
        let mailbox = self.load(name)?;
        *slot = Arc::downgrade(&mailbox);
        drop(slot);
        mailbox.mark_some();
        Ok(mailbox)
    }

    pub(crate) fn slot(&self, name: &MailboxName) -> Slot {
        let mut open = lock(&self.open);
        // Slots that nobody holds and that hold nothing are of no use.
        open.retain(|_, slot| Arc::strong_count(slot) > 1 || lock(slot).strong_count() > 0);
        Arc::clone(open.entry(name.clone()).or_default())
    }

    fn is_open(&self, name: &MailboxName) -> bool {
        let slot = lock(&self.open).get(name).map(Arc::clone);
        slot.is_some_and(|slot| lock(&slot).strong_count() > 0)
    }

    fn load(&self, name: &MailboxName) -> Result<Arc<Mailbox>, Error> {
        let dir = if name.is_inbox() {
            // Whatever is missing of it is made: INBOX is always there.
            perm::make_root(self.root.path(), self.store.options().fsync)?.0
        } else {
            let tree = self.tree()?;
            match tree.folders.get(name) {
                None => return Err(Error::NoSuchMailbox),
                Some(folder) if !folder.selectable => return Err(Error::NotSelectable),
                Some(_) => {}
            }
            let directory = tree.directories.get(name).ok_or(Error::NoSuchMailbox)?;
            perm::make_folder(&self.root, directory, false, self.store.options().fsync)?
        };
        Mailbox::load(
            dir,
            Opening {
                options: self.store.shared_options(),
                watcher: self.store.watcher(),
                news: &self.news,
                quota: &self.quota,
                name: name.clone(),
                folder: self.index.open().as_ref(),
                new_validity: &|| {
                    lock(&self.validities).next(&self.root, self.store.options().fsync)
                },
            },
        )
    }

    pub(crate) fn fsync(&self) -> crate::options::Fsync {
        self.store.options().fsync
    }

    /// This process may write the account's index.
    pub fn owns_index(&self) -> bool {
        self.index.open().is_some()
    }

    /// The index folder, while this process has it.
    pub(crate) fn index_folder(&self) -> Option<Arc<IndexFolder>> {
        self.index.open()
    }

    /// Who has it open may go on, but it is not kept for those to come.
    pub(crate) fn do_not_keep(&self, mailbox: &Arc<Mailbox>) {
        lock(&self.kept).forget(mailbox);
    }

    /// Opens a mailbox without keeping it open afterwards.
    pub(crate) fn open_for_a_moment(&self, name: &MailboxName) -> Result<Arc<Mailbox>, Error> {
        self.open_unlisted(name)
    }

    /// Keeps the tree as it is, as far as it is ours to change.
    pub(crate) fn lock_tree(&self) -> MutexGuard<'_, ()> {
        lock(&self.changing)
    }

    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    /// How directory names are encoded here; never `Detect`.
    pub(crate) fn encoding(&self) -> Result<crate::options::Encoding, Error> {
        Ok(self.tree()?.encoding)
    }

    /// Where a mailbox that exists is stored.
    pub(crate) fn directory_of(&self, name: &MailboxName) -> Result<std::path::PathBuf, Error> {
        if name.is_inbox() {
            return Ok(self.root.path().to_path_buf());
        }
        let tree = self.tree()?;
        match tree.folders.get(name) {
            None => Err(Error::NoSuchMailbox),
            Some(folder) if !folder.selectable => Err(Error::NotSelectable),
            Some(_) => {
                let directory = tree.directories.get(name).ok_or(Error::NoSuchMailbox)?;
                Ok(self.root.entry(directory))
            }
        }
    }

    fn change_folders(&self, edit: impl FnOnce(&mut FolderFile)) -> Result<(), Error> {
        let Options {
            fsync,
            lock_timeout,
            ..
        } = *self.store.options();
        FolderFile::change(&self.root, fsync, lock_timeout, edit)?;
        lock(&self.tree).forget();
        Ok(())
    }

    fn sync_root(&self) -> Result<(), Error> {
        if self.store.options().fsync == crate::options::Fsync::Never {
            return Ok(());
        }
        roost_os::dir::sync(&self.root).map_err(|e| Error::io(self.root.path(), e))
    }

    fn keep(&self, mailbox: &Arc<Mailbox>) {
        let gone = lock(&self.kept).put(mailbox);
        self.let_go(gone);
    }

    /// Lets go of mailboxes that nobody has used for a while.
    pub(crate) fn tidy(&self) {
        let gone = lock(&self.kept).tidy();
        self.let_go(gone);
    }

    /// Nobody waits for them to be closed.
    fn let_go(&self, gone: Vec<Arc<Mailbox>>) {
        if !gone.is_empty() {
            self.store.watcher().upkeep().later(move || drop(gone));
        }
    }
}
