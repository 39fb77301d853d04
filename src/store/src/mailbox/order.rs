//! Putting a mailbox in order at once, not at the next occasion.

use super::{Mailbox, lock};
use crate::error::Error;

impl Mailbox {
    /// Lists it anew and mends what that shows; waits for the lock of the UID
    /// list, and writes the list anew if that is due.
    pub(crate) fn put_in_order(&self) -> Result<(), Error> {
        let _assigning = lock(&self.assign);
        let mut list_lock = self.lock_list()?;
        let mut core = self.core();
        core.known = None;
        self.refresh_core(&mut core, Some(&mut list_lock))?;
        if core.list.needs_rewrite() {
            self.rewrite_lists(&mut core, &mut list_lock)?;
        }
        Ok(())
    }

    /// Why the files of the index could not be used, as they are now.
    pub(crate) fn index_fault(&self) -> Option<String> {
        let core = self.core();
        let index = core.index.as_ref()?;
        index.fault(core.snapshot.uid_validity())
    }

    /// Makes what is kept of the mailbox in the index folder anew. Sessions
    /// notice nothing: what they see comes from the listing made here.
    pub(crate) fn rebuild_index(&self) -> Result<(), Error> {
        self.put_in_order()?;
        let _saving = lock(&self.saving);
        let mut core = self.core();
        if let Some(index) = &mut core.index {
            index.discard();
        }
        self.save(&mut core);
        drop(core);
        if let Some(Some(pieces)) = self.pieces.get() {
            pieces.reset();
        }
        Ok(())
    }
}
