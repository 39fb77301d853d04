//! What is said of a mailbox beside its messages: its class, an
//! administrator's lock, and names that are aliases.

use super::Account;
use crate::error::Error;
use crate::format::folders::{is_class, is_target};
use crate::mailbox::lock;
use roost_types::{MailboxName, SpecialUse};

impl Account {
    /// Says what a mailbox is for; `None` for mail.
    pub fn set_class(&self, name: &MailboxName, class: Option<&str>) -> Result<(), Error> {
        if class.is_some_and(|class| !is_class(class)) {
            return Err(Error::InvalidName("not a possible class"));
        }
        self.change_known(name, |file| match class {
            Some(class) => drop(file.classes.insert(name.clone(), class.into())),
            None => drop(file.classes.remove(name)),
        })
    }

    /// Gives a mailbox its special use, or takes it away (RFC 6154 §4).
    pub fn set_special_use(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<(), Error> {
        self.change_known(name, |file| match special_use {
            Some(special_use) => drop(file.special.insert(name.clone(), special_use)),
            None => drop(file.special.remove(name)),
        })
    }

    /// Locks a mailbox other than INBOX against changes, or opens it again.
    pub fn set_locked(&self, name: &MailboxName, locked: bool) -> Result<(), Error> {
        if name.is_inbox() {
            return Err(Error::InboxImmutable);
        }
        self.change_known(name, |file| match locked {
            true => drop(file.locked.insert(name.clone())),
            false => drop(file.locked.remove(name)),
        })?;
        self.rights_changed(name);
        Ok(())
    }

    /// Makes `name` stand for another mailbox, which need not exist; `None`
    /// takes the alias away.
    ///
    /// # Errors
    /// `AlreadyExists` where there is a mailbox of that name;
    /// `InvalidName` for an alias of an alias.
    pub fn set_alias(&self, name: &MailboxName, target: Option<&str>) -> Result<(), Error> {
        self.changing_tree(|| {
            let _changing = lock(&self.changing);
            let tree = self.tree()?;
            let known = tree.folders.get(name);
            let Some(target) = target else {
                return match known.is_some_and(|folder| folder.alias.is_some()) {
                    true => self.change_folders(|file| drop(file.aliases.remove(name))),
                    false => Err(Error::NoSuchMailbox),
                };
            };
            if known.is_some_and(|f| f.selectable || f.alias.is_none() && tree.is_explicit(name)) {
                return Err(Error::AlreadyExists);
            }
            let alias = |target: &MailboxName| {
                target == name || (tree.folders.get(target)).is_some_and(|f| f.alias.is_some())
            };
            let own = MailboxName::parse(target, '/');
            if !is_target(target) || own.is_err() {
                return Err(Error::InvalidName("not a possible mailbox name"));
            }
            if !target.starts_with('~') && own.is_ok_and(|target| alias(&target)) {
                return Err(Error::InvalidName("an alias cannot stand for an alias"));
            }
            self.change_folders(|file| drop(file.aliases.insert(name.clone(), target.into())))
        })
    }

    fn change_known(
        &self,
        name: &MailboxName,
        edit: impl FnOnce(&mut crate::format::FolderFile),
    ) -> Result<(), Error> {
        let _changing = lock(&self.changing);
        match self.tree()?.folders.get(name) {
            Some(folder) if folder.alias.is_none() => self.change_folders(edit),
            Some(_) | None => Err(Error::NoSuchMailbox),
        }
    }
}
