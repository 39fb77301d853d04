//! DELETE: the storage goes, a name with children stays.

use super::Account;
use crate::error::Error;
use crate::format::acl;
use crate::format::name::unique;
use crate::format::uidlist::{Guid, Head};
use crate::mailbox::lock;
use roost_os::dir::{self, FileKind};
use roost_os::file;
use roost_types::MailboxName;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Where Dovecot too puts what is being deleted; no mailbox.
const TRASH: &[u8] = b"..DOVECOT-TRASHED";
/// Mailboxes hold two levels; more is somebody's own.
const MAX_DEPTH: usize = 20;

impl Account {
    /// Deletes the storage of a mailbox; with children the name stays as a
    /// directory. A directory without storage can go once it has no children.
    pub fn delete(&self, name: &MailboxName) -> Result<(), Error> {
        self.changing_tree(|| self.delete_storage(name))
    }

    fn delete_storage(&self, name: &MailboxName) -> Result<(), Error> {
        let _changing = lock(&self.changing);
        if name.is_inbox() {
            return Err(Error::InboxImmutable);
        }
        let tree = self.tree()?;
        let folder = tree.folders.get(name).ok_or(Error::NoSuchMailbox)?;
        if folder.alias.is_some() {
            return self.change_folders(|file| drop(file.aliases.remove(name)));
        }
        if !folder.selectable {
            if folder.has_children {
                return Err(Error::HasChildren);
            }
            return self.change_folders(|file| file.remove(name));
        }
        let directory = tree.directories.get(name).ok_or(Error::NoSuchMailbox)?;
        let (mut accounting, weighs) = self.accounting(name);
        let slot = self.slot(name);
        let mut slot = lock(&slot);
        let indexed = self.indexed(directory);
        let (trash, place) = self.put_in_trash(directory)?;
        if let Some(mailbox) = std::mem::take(&mut *slot).upgrade() {
            mailbox.mark_gone();
            lock(&self.kept).forget(&mailbox);
        }
        if weighs {
            accounting.remove(self.weigh_folder(&place));
        }
        drop(accounting);
        if let (Some(folder), Some((guid, inodes))) = (self.index.open(), indexed) {
            folder.forget(guid, inodes);
        }
        lock(&self.statuses).clear();
        lock(&self.tree).forget();
        let gone = self.sync_root();
        let gone = gone.and_then(|()| Ok(acl::forget_list(&self.root)?));
        let known = tree.file.names().any(|known| known == name);
        // Whatever else fails: another mailbox of the name is another.
        if folder.has_children || known {
            self.change_folders(|file| {
                file.remove(name);
                if folder.has_children {
                    file.directories.insert(name.clone());
                }
            })?;
        }
        gone?;
        // What cannot be removed now is not shown, and goes with the next one.
        if let Err(e) = remove_tree(self.root.as_fd(), &trash, 0) {
            log::warn!(
                "{}: removing {}: {e}",
                self.root.path().display(),
                trash.escape_ascii()
            );
        }
        Ok(())
    }

    /// Under what its index is kept, and the inodes by which that is known to
    /// be its own. Whatever is wrong with it leaves its files where they are.
    fn indexed(&self, directory: &[u8]) -> Option<(Guid, [u64; 3])> {
        let dir = self.root.open_sub(directory).ok()?;
        let guid = Head::read(&dir).ok()??.guid;
        let inode = |name: &[u8]| Some(file::stat_at(&dir, name).ok()?.ino);
        Some((guid, [inode(b".")?, inode(b"new")?, inode(b"cur")?]))
    }

    /// Renames a mailbox's directory to where no mailbox is looked for. Says
    /// what is to be removed, and where the mailbox is now.
    fn put_in_trash(&self, directory: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => Error::NoSuchMailbox,
            _ => Error::io(&self.root.entry(directory), e),
        };
        match file::rename_noreplace(&self.root, directory, &self.root, TRASH) {
            Ok(()) => return Ok((TRASH.to_vec(), TRASH.to_vec())),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
        let inside = [TRASH, b"/", unique().as_bytes()].concat();
        file::rename_noreplace(&self.root, directory, &self.root, &inside).map_err(failed)?;
        // With what an earlier deletion left.
        Ok((TRASH.to_vec(), inside))
    }
}

/// Removes a directory with all that is in it, or a symbolic link alone.
fn remove_tree(parent: BorrowedFd<'_>, name: &[u8], depth: usize) -> io::Result<()> {
    match file::unlink(parent, name) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) if depth >= MAX_DEPTH => return Err(e),
        Err(_) => {}
    }
    let directory = dir::open_at(parent, name)?;
    for entry in &dir::list(&directory)? {
        match entry.kind {
            FileKind::Directory | FileKind::Unknown => {
                remove_tree(directory.as_fd(), entry.name, depth + 1)?;
            }
            _ => match file::unlink(&directory, entry.name) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            },
        }
    }
    file::remove_dir(parent, name)
}
