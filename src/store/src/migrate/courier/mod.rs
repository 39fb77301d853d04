//! The files that Courier wants to find in a Maildir that Roost has served
//! (MAILDIR-FORMATS §6.4, §8, §11).
//!
//! What must stay true: a mailbox is at every moment one that Roost can serve
//! with the same UIDs and keywords. So Courier's files are complete and on disk
//! before `dovecot-uidlist` is set aside; from then on they count for Roost too,
//! which takes them over again. Nothing is deleted but what was made for Courier.

mod keywords;
mod mailbox;
mod names;
mod rights;

use crate::account::Account;
use crate::error::Error;
use crate::format::acl::Acl;
use crate::format::{Dir, FormatError, courier, sync_control};
use crate::options::{Encoding, Fsync};
use roost_types::MailboxName;
use std::io::Write;
use std::sync::Arc;

/// A mailbox whose files are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    pub mailbox: MailboxName,
    pub uid_validity: u32,
    pub messages: u32,
    pub keywords: usize,
    /// Entries of its access control list.
    pub rights: usize,
}

/// What is set aside gets this behind its name.
pub const ASIDE: &str = ".before-courier";

impl Account {
    /// Makes Courier's files for the whole account. `names` says how Courier
    /// encodes directory names: UTF-8 since version 5. Nobody else may have the
    /// account open. Returns what could not be taken along; a mailbox that
    /// cannot be written holds up no other.
    ///
    /// # Errors
    /// `Limit` where others have the account's index.
    pub fn export_to_courier(
        self: &Arc<Self>,
        names: Encoding,
        tell: &mut dyn FnMut(Exported),
    ) -> Result<Vec<String>, Error> {
        let Some(_alone) = self.index_folder() else {
            return Err(Error::Limit("processes that serve an account"));
        };
        let fsync = self.fsync();
        let mut lost = Vec::new();
        let folders = self.folders()?;
        let all: Vec<&MailboxName> = folders
            .iter()
            .filter(|folder| folder.selectable)
            .map(|folder| &folder.name)
            .collect();
        // All are read before any is without its list: Courier's are inherited.
        let mut lists = Vec::new();
        for name in &all {
            lists.push(self.acl(name).unwrap_or_else(|e| {
                lost.push(format!("{name}: its rights, it is the owner's alone: {e}"));
                Arc::default()
            }));
        }
        let everywhere = lists.iter().any(|acl| !acl.is_empty()) || rights::of_names(self.root())?;
        for (name, acl) in all.iter().zip(&lists) {
            match self.mailbox_to_courier(name, acl, everywhere, &mut lost) {
                Ok(exported) => tell(exported),
                Err(e) => lost.push(format!("{name}: {e}")),
            }
        }
        if let Err(e) = rights::forget_names(self.root()) {
            lost.push(format!("rights of names without a mailbox: {e}"));
        }
        if let Err(e) = self.subscriptions_to_courier(names) {
            lost.push(format!("subscriptions: {e}"));
        }
        lost.extend(names::directories(self.root(), self.encoding()?, names)?);
        if sync_control(fsync) {
            self.root().sync()?;
        }
        Ok(lost)
    }

    fn mailbox_to_courier(
        self: &Arc<Self>,
        name: &MailboxName,
        acl: &Acl,
        everywhere: bool,
        lost: &mut Vec<String>,
    ) -> Result<Exported, Error> {
        let fsync = self.fsync();
        let dir = Dir::open(&self.directory_of(name)?)?;
        // What Courier's own list gives may have been taken away since.
        let with_rights = everywhere || dir.stat(courier::ACL)?.is_some();
        if with_rights {
            lost.extend(rights::write(&dir, fsync, name, acl)?);
        }
        let mut exported = mailbox::write(self, &dir, name, fsync)?;
        if with_rights {
            exported.rights = acl.len();
            set_aside(&dir, crate::format::acl::FILE)?;
        }
        Ok(exported)
    }

    fn subscriptions_to_courier(&self, names: Encoding) -> Result<(), Error> {
        let subscribed = self.subscriptions()?;
        names::subscriptions(self.root(), names, self.fsync(), &subscribed)?;
        set_aside(self.root(), crate::format::subscriptions::FILE)?;
        Ok(())
    }
}

/// Replaces a file of Courier's, which has a mode that other programs of the
/// same user can read.
fn replace(
    dir: &Dir,
    name: &str,
    fsync: Fsync,
    write: impl FnOnce(&mut std::io::BufWriter<std::fs::File>) -> std::io::Result<()>,
) -> Result<(), FormatError> {
    let temporary = format!("{name}.tmp");
    let sync = sync_control(fsync);
    dir.replace_with((name, &temporary), sync, write, |_| Ok(()))?;
    Ok(())
}

/// Lines, each with its line feed.
fn replace_lines<'a>(
    dir: &Dir,
    name: &str,
    fsync: Fsync,
    lines: impl Iterator<Item = &'a str>,
) -> Result<(), FormatError> {
    replace(dir, name, fsync, |out| {
        for line in lines {
            writeln!(out, "{line}")?;
        }
        Ok(())
    })
}

/// [`set_aside`] of what is there, be it a link that leads nowhere.
fn set_aside_itself(dir: &Dir, name: &str) -> Result<(), FormatError> {
    dir.rename(name, &format!("{name}{ASIDE}"))
}

/// Keeps a file under another name; an older one of that name is replaced.
fn set_aside(dir: &Dir, name: &str) -> Result<(), FormatError> {
    match dir.stat(name)? {
        Some(_) => dir.rename(name, &format!("{name}{ASIDE}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
