//! What is kept in the index folder, made anew.

use crate::account::Account;
use crate::error::Error;
use crate::mailbox::Mailbox;
use roost_types::MailboxName;
use std::sync::Arc;

impl Account {
    /// Builds the index of a mailbox anew: of one that nobody has open as if
    /// it had never been there, else beside its sessions.
    pub(super) fn renew_index(self: &Arc<Self>, name: &MailboxName) -> Result<Arc<Mailbox>, Error> {
        let mailbox = self.open_for_a_moment(name)?;
        mailbox.pieces();
        mailbox.rebuild_index()?;
        Ok(mailbox)
    }
}
