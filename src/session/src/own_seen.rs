//! `\Seen` that is a reader's own, in mailboxes of others (the setting
//! `shared_seen`).
//!
//! What must stay true: nobody else has to let the client change it, and where
//! it cannot be noted the command goes on without.

use crate::session::Session;
use roost_store::{Error as StoreError, Mailbox, Reader};
use roost_types::{MailboxName, SystemFlags, Uid, UidSet};
use std::sync::Arc;

impl Session {
    /// The client is not the owner's, and `\Seen` is its own.
    pub(crate) fn reads_for_itself(&self) -> bool {
        self.settings.own_seen && !self.is_owner()
    }

    /// What the client has seen in a mailbox, where that is its own matter.
    pub(crate) fn reader(&self, mailbox: &Mailbox) -> Result<Option<Arc<Reader>>, StoreError> {
        match &self.identity.asker {
            Some(asker) if self.reads_for_itself() => mailbox.reader(&asker.account).map(Some),
            _ => Ok(None),
        }
    }

    /// Marks the copies, by old and new UIDs, of messages of the selected mailbox
    /// that the client has seen.
    pub(crate) fn seen_in_copies(&self, to: &Mailbox, pairs: &[(Uid, Uid)]) {
        if !self.reads_for_itself() {
            return;
        }
        let Ok(selected) = self.selected() else {
            return;
        };
        let picture = selected.view().snapshot();
        let seen = |uid| {
            let row = picture.row_of(uid).map(|(_, row)| row);
            row.is_some_and(|row| row.flags.contains(SystemFlags::SEEN))
        };
        let copies = pairs.iter().filter(|(old, _)| seen(*old));
        self.seen_in(to, &copies.map(|&(_, new)| new).collect());
    }

    /// Marks messages as seen that the client has put there; they are there
    /// whether that can be noted or not.
    pub(crate) fn seen_in(&self, to: &Mailbox, uids: &UidSet) {
        let marked = match self.reader(to) {
            Ok(Some(reader)) if !uids.is_empty() => to.mark_seen(&reader, uids, true),
            other => other.map(drop),
        };
        if let Err(error) = marked {
            self.log_problem(&error.into());
        }
    }

    /// The client may not read the mailbox any more: what it has seen there is
    /// forgotten.
    pub(crate) fn forget_reader(&self, name: &MailboxName) {
        if let Some(asker) = self.identity.asker.as_ref()
            && self.reads_for_itself()
        {
            self.account.forget_reader(name, &asker.account);
        }
    }
}
