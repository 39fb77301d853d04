//! CREATE: what the mailbox is for, then its storage and rights.

use super::Account;
use super::folders::Folder;
use super::properties::Purpose;
use super::tree::Tree;
use crate::error::Error;
use crate::format::{UidListLock, dirname, open, perm, uidvalidity};
use crate::mailbox::lock;
use crate::options::Options;
use roost_types::{MailboxName, SpecialUse};

impl Account {
    /// Creates a mailbox, or a directory without storage that stays listed as
    /// `\Noselect` without children. Missing parents are implied, not made.
    /// A directory gets storage by a second `create`.
    pub fn create(
        &self,
        name: &MailboxName,
        directory_only: bool,
        special_use: Option<SpecialUse>,
    ) -> Result<(), Error> {
        let purpose = Purpose {
            special_use: special_use.map(Some),
            class: None,
        };
        self.create_for(name, directory_only, purpose)
    }

    /// The same, with what the mailbox is for.
    pub fn create_for(
        &self,
        name: &MailboxName,
        directory_only: bool,
        purpose: Purpose<'_>,
    ) -> Result<(), Error> {
        purpose.check()?;
        self.changing_tree(|| self.create_storage(name, directory_only, purpose))
    }

    pub(super) fn create_storage(
        &self,
        name: &MailboxName,
        directory_only: bool,
        purpose: Purpose<'_>,
    ) -> Result<(), Error> {
        let _changing = lock(&self.changing);
        let tree = self.tree()?;
        if name.is_inbox() {
            return Err(Error::AlreadyExists);
        }
        let known = tree.folders.get(name);
        let taken = |f: &Folder| {
            f.selectable || f.alias.is_some() || directory_only && tree.is_explicit(name)
        };
        if known.is_some_and(taken) {
            return Err(Error::AlreadyExists);
        }
        if !tree.is_explicit(name) {
            self.check_mailboxes(&tree)?;
        }
        let directory = self.directory_for(&tree, name)?;
        if directory_only {
            return self.change_folders(|file| {
                file.directories.insert(name.clone());
                purpose.put(file, name);
            });
        }
        // First, as it may fail. A mailbox that was here before may have left
        // its uses.
        let said = !purpose.is_empty() || tree.file.names().any(|known| known == name);
        if said {
            self.change_folders(|file| {
                file.forget_mailbox(name);
                purpose.put(file, name);
            })?;
        }
        let made = self.make_mailbox(directory.as_bytes());
        if said && (made.is_err() || tree.is_explicit(name)) {
            let settled = self.change_folders(|file| match made {
                Ok(()) => drop(file.directories.remove(name)),
                Err(_) => file.forget_mailbox(name),
            });
            if let Err(e) = settled {
                log::warn!("{}: {name}: after CREATE: {e}", self.name);
            }
        }
        made?;
        self.inherit_acl(&tree, name, directory.as_bytes());
        lock(&self.tree).forget();
        Ok(())
    }

    /// The directory that a new mailbox gets.
    pub(super) fn directory_for(&self, tree: &Tree, name: &MailboxName) -> Result<String, Error> {
        match dirname::encode(name, tree.encoding) {
            Ok(Some(directory)) => Ok(directory),
            Ok(None) => Err(Error::InboxImmutable),
            Err(dirname::TooLong) => Err(Error::InvalidName("too long for a directory")),
        }
    }

    /// A new mailbox with its UIDVALIDITY, so that nobody sees it without.
    fn make_mailbox(&self, directory: &[u8]) -> Result<(), Error> {
        let Options {
            fsync,
            lock_timeout,
            ..
        } = *self.store.options();
        let dir =
            perm::make_folder(&self.root, directory, true, fsync).map_err(
                |e| match Error::from(e) {
                    Error::Io { source, .. }
                        if source.kind() == std::io::ErrorKind::AlreadyExists =>
                    {
                        Error::AlreadyExists
                    }
                    e => e,
                },
            )?;
        let mut list_lock = UidListLock::acquire(&dir, lock_timeout)?;
        open::open(&mut list_lock, fsync, || {
            uidvalidity::next(&self.root, fsync, None)
        })?;
        Ok(())
    }
}
