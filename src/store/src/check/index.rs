//! The index's files: whether they can be used, and made anew.

use crate::account::Account;
use crate::error::Error;
use crate::format::uidlist::{self, Guid, Head};
use crate::format::{Dir, UidList};
use crate::index::Index;
use crate::mailbox::{Mailbox, lock};
use roost_os::dir::DirStamp;
use roost_types::{MailboxName, UidValidity};
use std::collections::HashSet;
use std::sync::Arc;

impl Account {
    /// Why the files of the index could not be used, as they are now.
    pub(super) fn index_fault(
        &self,
        name: &MailboxName,
        dir: &Dir,
    ) -> Result<Option<String>, Error> {
        // Nobody opens the mailbox meanwhile.
        let slot = self.slot(name);
        let slot = lock(&slot);
        if let Some(mailbox) = slot.upgrade() {
            return Ok(mailbox.index_fault());
        }
        Ok(match self.unused_index(dir)? {
            Some((index, _, validity)) => index.fault(validity),
            None => None,
        })
    }

    /// The index of a mailbox that nobody has open, nothing of it read.
    fn unused_index(&self, dir: &Dir) -> Result<Option<(Index, Guid, UidValidity)>, Error> {
        let (Some(folder), Some(list)) = (self.index_folder(), UidList::load(dir)?) else {
            return Ok(None);
        };
        let Some(guid) = list.guid() else {
            return Ok(None);
        };
        let Some(place) = folder.claim(guid) else {
            return Ok(None);
        };
        let inode = |dir: &Dir| {
            let stamp = DirStamp::of(dir).map_err(|e| Error::io(dir.path(), e))?;
            Ok::<_, Error>(stamp.ino)
        };
        let inodes = [
            inode(dir)?,
            inode(&dir.open_sub(b"new")?)?,
            inode(&dir.open_sub(b"cur")?)?,
        ];
        let index = Index::new(Arc::new(place), dir, inodes, false);
        Ok(Some((index, guid, list.uid_validity())))
    }

    /// Mailboxes of which something is kept and that are gone; none where that
    /// cannot be known of all.
    pub(super) fn strays(&self) -> Result<Vec<Guid>, Error> {
        let Some(folder) = self.index_folder() else {
            return Ok(Vec::new());
        };
        let mut known = HashSet::new();
        for name in self.chosen(&[])? {
            let dir = Dir::open(&self.directory_of(&name)?)?;
            match Head::read(&dir)? {
                Some(head) => known.insert(head.guid),
                // Without a list there was never an index.
                None if dir.stat(uidlist::FILE)?.is_none() => continue,
                None => return Ok(Vec::new()),
            };
        }
        let strays = folder.strays(&known);
        strays.map_err(|e| Error::io(folder.dir().path(), e))
    }

    /// Removes what is kept of mailboxes that are gone.
    pub(super) fn sweep_index(&self) -> Result<(), Error> {
        // Nobody makes or renames a mailbox meanwhile.
        let _changing = self.lock_tree();
        let strays = self.strays()?;
        if let Some(folder) = self.index_folder() {
            strays.iter().for_each(|&guid| folder.forget_stray(guid));
        }
        if !strays.is_empty() {
            let path = self.root().path().display();
            log::info!("{path}: index of {} mailboxes removed", strays.len());
        }
        Ok(())
    }

    /// Builds the index of a mailbox anew: of one that nobody has open as if
    /// there had never been one, else beside its sessions.
    pub(super) fn renew_index(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Mailbox>, Error> {
        let dir = Dir::open(&self.directory_of(name)?)?;
        {
            let slot = self.slot(name);
            let slot = lock(&slot);
            if let Some(mailbox) = slot.upgrade() {
                self.do_not_keep(&mailbox);
                // Whoever else has it is a session.
                if Arc::strong_count(&mailbox) > 1 {
                    mailbox.rebuild_index()?;
                    return Ok(mailbox);
                }
            }
            if let Some((mut index, guid, _)) = self.unused_index(&dir)? {
                index.discard_all();
                log::info!("{}: index {guid} removed", dir.path().display());
            }
        }
        self.open_for_a_moment(name)
    }
}
