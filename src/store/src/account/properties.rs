//! What is said of a mailbox beside its messages: its class, an
//! administrator's lock, and names that are aliases.

use super::Account;
use crate::error::Error;
use crate::format::FolderFile;
use crate::format::annotations::{Annotated, Annotation};
use crate::format::folders::{is_class, is_target};
use crate::mailbox::lock;
use roost_types::{MailboxName, SpecialUse};

/// What a mailbox is for, as far as that is to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Purpose<'a> {
    /// Of `Some`, `None` is for mail.
    pub class: Option<Option<&'a str>>,
    /// RFC 6154 §4.
    pub special_use: Option<Option<SpecialUse>>,
}

impl Purpose<'_> {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self.class.flatten().is_some_and(|class| !is_class(class)) {
            true => Err(Error::InvalidName("not a possible class")),
            false => Ok(()),
        }
    }

    pub(super) fn put(&self, file: &mut FolderFile, name: &MailboxName) {
        match self.class {
            Some(Some(class)) => drop(file.classes.insert(name.clone(), class.into())),
            Some(None) => drop(file.classes.remove(name)),
            None => {}
        }
        match self.special_use {
            Some(Some(special_use)) => drop(file.special.insert(name.clone(), special_use)),
            Some(None) => drop(file.special.remove(name)),
            None => {}
        }
    }
}

impl Account {
    /// Says what a mailbox is for.
    pub fn set_purpose(&self, name: &MailboxName, purpose: Purpose<'_>) -> Result<(), Error> {
        self.set_purpose_with(name, purpose, || Ok(Annotated::Done))
            .map(drop)
    }

    /// Says what a mailbox is for and makes changes to its annotations: all of
    /// it or nothing (RFC 5464 §4.3).
    pub fn describe(
        &self,
        name: &MailboxName,
        purpose: Purpose<'_>,
        annotations: &[Annotation],
    ) -> Result<Annotated, Error> {
        match (purpose.is_empty(), annotations.is_empty()) {
            (true, _) => self.annotate(Some(name), annotations),
            (false, true) => self.set_purpose(name, purpose).map(|()| Annotated::Done),
            (false, false) => {
                self.set_purpose_with(name, purpose, || self.annotate(Some(name), annotations))
            }
        }
    }

    /// What stood there before is put back where `rest` changes nothing.
    fn set_purpose_with(
        &self,
        name: &MailboxName,
        purpose: Purpose<'_>,
        rest: impl FnOnce() -> Result<Annotated, Error>,
    ) -> Result<Annotated, Error> {
        purpose.check()?;
        let mut before = None;
        self.change_known(name, |file| {
            let class = file.classes.get(name).cloned();
            before = Some((class, file.special.get(name).copied()));
            purpose.put(file, name);
        })?;
        let done = rest();
        if matches!(done, Ok(Annotated::Done)) {
            return done;
        }
        if let Some((class, special_use)) = before {
            let before = Purpose {
                class: purpose.class.map(|_| class.as_deref()),
                special_use: purpose.special_use.map(|_| special_use),
            };
            if let Err(e) = self.change_known(name, |file| before.put(file, name)) {
                log::warn!("{}: {name}: undoing: {e}", self.name);
            }
        }
        done
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
            if !is_target(target) || MailboxName::parse(target, '/').is_err() {
                return Err(Error::InvalidName("not a possible mailbox name"));
            }
            let is_alias = |target: MailboxName| {
                target == *name || (tree.folders.get(&target)).is_some_and(|f| f.alias.is_some())
            };
            let mut others = tree.folders.iter().filter_map(|f| f.alias.as_deref());
            if self.own_target(target).is_some_and(is_alias)
                || others.any(|other| self.own_target(other).as_ref() == Some(name))
            {
                return Err(Error::InvalidName("an alias cannot stand for an alias"));
            }
            if known.is_none_or(|f| f.alias.is_none()) {
                self.check_mailboxes(&tree)?;
            }
            self.change_folders(|file| drop(file.aliases.insert(name.clone(), target.into())))
        })
    }

    /// The mailbox of this account that an alias stands for.
    fn own_target(&self, target: &str) -> Option<MailboxName> {
        let own = match target.strip_prefix('~') {
            None => target,
            Some(foreign) => foreign.strip_prefix(&*self.name)?.strip_prefix('/')?,
        };
        MailboxName::parse(own, '/').ok()
    }

    fn change_known(
        &self,
        name: &MailboxName,
        edit: impl FnOnce(&mut FolderFile),
    ) -> Result<(), Error> {
        let _changing = lock(&self.changing);
        match self.tree()?.folders.get(name) {
            Some(folder) if folder.alias.is_none() => self.change_folders(edit),
            Some(_) | None => Err(Error::NoSuchMailbox),
        }
    }
}
