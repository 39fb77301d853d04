//! Annotations of an account's mailboxes, and of the server as the account
//! sees it (RFC 5464).

use super::Account;
use crate::error::Error;
use crate::format::Dir;
use crate::format::annotations::{Annotated, Annotation, Annotations, FILE, SERVER_FILE, Scope};
use crate::options::Options;
use roost_types::MailboxName;

impl Account {
    /// Those of a mailbox; with no name, of the server.
    ///
    /// # Errors
    /// As for opening it; a name without storage has none.
    fn annotations(&self, name: Option<&MailboxName>) -> Result<Annotations, Error> {
        let (dir, file) = self.annotated(name)?;
        Ok(Annotations::load(&dir, file)?)
    }

    /// Those of some scopes alone, which takes less time where others have
    /// noted much.
    pub fn annotations_of(
        &self,
        name: Option<&MailboxName>,
        scopes: &[Scope],
    ) -> Result<Annotations, Error> {
        let (dir, file) = self.annotated(name)?;
        Ok(Annotations::load_of(&dir, file, scopes)?)
    }

    /// Makes all of the changes or none.
    pub fn annotate(
        &self,
        name: Option<&MailboxName>,
        changes: &[Annotation],
    ) -> Result<Annotated, Error> {
        let (dir, file) = self.annotated(name)?;
        let Options {
            fsync,
            lock_timeout,
            ..
        } = *self.store.options();
        Ok(Annotations::change(
            &dir,
            (file, fsync),
            lock_timeout,
            changes,
        )?)
    }

    /// RENAME of INBOX leaves them with INBOX, and the new mailbox has the same
    /// (RFC 5464 §4.1).
    pub(super) fn copy_annotations(&self, to: &MailboxName) -> Result<(), Error> {
        let all: Vec<_> = self.annotations(Some(&MailboxName::inbox()))?.all();
        match all.is_empty() {
            true => Ok(()),
            false => self.annotate(Some(to), &all).map(drop),
        }
    }

    fn annotated(&self, name: Option<&MailboxName>) -> Result<(Dir, &'static str), Error> {
        match name {
            Some(name) => Ok((Dir::open(&self.directory_of(name)?)?, FILE)),
            None => Ok((self.root.clone(), SERVER_FILE)),
        }
    }
}
