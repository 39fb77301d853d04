//! Work on the lists of an account that is asked for by people, by the texts
//! that they have written.

use super::Account;
use crate::error::Error;
use crate::format::acl::{BadEntry, Entry, Mode, Subject};
use roost_types::{MailboxName, Rights};

/// What to do with the lists of some mailboxes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AclTask {
    /// Tell all entries.
    List,
    Set {
        /// Whose, with its `-`.
        entry: String,
        mode: Mode,
        rights: Rights,
    },
    Delete {
        entry: String,
    },
    /// Tell what an account in these groups may do.
    Rights {
        account: String,
        groups: Vec<String>,
    },
    /// Tell who is shown any mailbox of the account; names do not matter.
    Shares,
}

/// An entry, or what somebody may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclRow {
    /// None: of the account.
    pub mailbox: Option<MailboxName>,
    pub identifier: String,
    pub rights: Rights,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AclError {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Entry(#[from] BadEntry),
}

impl Account {
    /// The entries of a mailbox as people write them; the owner stands first,
    /// with what he has by being the owner.
    pub fn acl_entries(&self, name: &MailboxName) -> Result<Vec<(String, Rights)>, Error> {
        self.directory_of(name)?;
        let mut entries = vec![(self.name().to_owned(), Rights::ALL)];
        for (negative, identifier, rights) in self.acl(name)?.iter() {
            let entry = Entry::new(negative, identifier.clone(), self.owner());
            if negative || !entry.is_owners() {
                entries.push((entry.to_string(), rights));
            }
        }
        Ok(entries)
    }

    /// Changes the rights of an entry. True where others see the mailbox now,
    /// or see it no more.
    pub fn set_rights(
        &self,
        name: &MailboxName,
        entry: &Entry,
        mode: Mode,
        rights: Rights,
    ) -> Result<bool, AclError> {
        if !entry.accepts(mode, rights)? {
            self.directory_of(name)?;
            return Ok(false);
        }
        Ok(self.change_acl(name, |acl| {
            match acl.apply(entry, self.owner(), (mode, rights)) {
                true => Ok(()),
                false => Err(Error::Limit("entries of an ACL")),
            }
        })?)
    }

    /// Removes an entry, if there is one; returns as [`Account::set_rights`].
    pub fn delete_rights(&self, name: &MailboxName, entry: &Entry) -> Result<bool, AclError> {
        Ok(self.change_acl(name, |acl| {
            acl.delete(entry, self.owner());
            Ok(())
        })?)
    }

    /// Does `task` with the mailboxes of `names`, or with all that there are
    /// where it changes nothing and none is named. True where others see other
    /// mailboxes than before.
    pub fn acl_task(
        &self,
        names: &[MailboxName],
        task: &AclTask,
        tell: &mut dyn FnMut(AclRow),
    ) -> Result<bool, AclError> {
        if *task == AclTask::Shares {
            for identifier in self.shares()? {
                tell(AclRow {
                    mailbox: None,
                    identifier,
                    rights: Rights::LOOKUP,
                });
            }
            return Ok(false);
        }
        let mut shown = false;
        for name in &self.acl_names(names)? {
            let mut row = |identifier: String, rights| {
                tell(AclRow {
                    mailbox: Some(name.clone()),
                    identifier,
                    rights,
                });
            };
            match task {
                AclTask::List => {
                    let entries = self.acl_entries(name)?;
                    entries
                        .into_iter()
                        .for_each(|(who, rights)| row(who, rights));
                }
                AclTask::Set {
                    entry,
                    mode,
                    rights,
                } => {
                    let entry = Entry::parse(entry, self.owner())?;
                    shown |= self.set_rights(name, &entry, *mode, *rights)?;
                }
                AclTask::Delete { entry } => {
                    let entry = Entry::parse(entry, self.owner())?;
                    shown |= self.delete_rights(name, &entry)?;
                }
                AclTask::Rights { account, groups } => {
                    self.directory_of(name)?;
                    let subject = Subject {
                        owner: self.owner(),
                        asker: Some((account, groups)),
                    };
                    row(account.clone(), self.acl(name)?.rights(&subject));
                }
                AclTask::Shares => {}
            }
        }
        Ok(shown)
    }

    fn acl_names(&self, names: &[MailboxName]) -> Result<Vec<MailboxName>, Error> {
        if !names.is_empty() {
            return Ok(names.to_vec());
        }
        let folders = self.folders()?;
        let all = folders.iter().filter(|f| f.selectable);
        Ok(all.map(|f| f.name.clone()).collect())
    }
}
