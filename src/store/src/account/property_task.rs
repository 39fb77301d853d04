//! What is said of mailboxes, told and changed for people.

use super::Account;
use super::properties::Purpose;
use crate::error::Error;
use roost_types::MailboxName;

/// What can be said of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Property {
    Class,
    /// Has no value.
    Lock,
    /// Of a name that is no mailbox.
    Alias,
}

/// What to do with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PropertyTask {
    /// Tell it of those named, or of all.
    List,
    /// Without a value it is taken away.
    Change(Option<String>),
}

impl Account {
    /// Does `task` with the mailboxes of `names`.
    pub fn property_task(
        &self,
        names: &[MailboxName],
        (property, task): (Property, &PropertyTask),
        tell: &mut dyn FnMut(&MailboxName, &str),
    ) -> Result<(), Error> {
        let PropertyTask::Change(value) = task else {
            return self.tell_property(names, property, tell);
        };
        for name in names {
            match property {
                Property::Class => {
                    let class = Some(value.as_deref());
                    let special_use = None;
                    self.set_purpose(name, Purpose { class, special_use })?;
                }
                Property::Lock => self.set_locked(name, value.is_some())?,
                Property::Alias => self.set_alias(name, value.as_deref())?,
            }
        }
        Ok(())
    }

    fn tell_property(
        &self,
        names: &[MailboxName],
        property: Property,
        tell: &mut dyn FnMut(&MailboxName, &str),
    ) -> Result<(), Error> {
        let folders = self.folders()?;
        if names.iter().any(|name| folders.get(name).is_none()) {
            return Err(Error::NoSuchMailbox);
        }
        let wanted = |name: &MailboxName| names.is_empty() || names.contains(name);
        for folder in folders.iter().filter(|folder| wanted(&folder.name)) {
            let value = match property {
                Property::Class => folder.class.as_deref(),
                Property::Lock => folder.locked.then_some(""),
                Property::Alias => folder.alias.as_deref(),
            };
            if let Some(value) = value {
                tell(&folder.name, value);
            }
        }
        Ok(())
    }
}
