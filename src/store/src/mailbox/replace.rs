//! REPLACE (RFC 8508): a message comes, another one goes.
//!
//! The new message is on disk with its UID before the old one is touched. So
//! a crash in between leaves both, and an error leaves the old one alone.

use super::Mailbox;
use super::append::{Append, AppendOutcome};
use crate::error::Error;
use roost_types::{Uid, UidSet};
use std::sync::Arc;

impl Append {
    /// Makes the messages visible and removes message `uid` of `from`, which
    /// may be the mailbox that they come into. `Error::Expunged` when that
    /// message is gone before anything was done.
    pub fn replace(self, from: &Arc<Mailbox>, uid: Uid) -> Result<AppendOutcome, Error> {
        if from.read_only {
            let path = from.cur.path().to_path_buf();
            return Err(Error::Permission { path });
        }
        if from.refresh()?.row_of(uid).is_none() {
            return Err(Error::Expunged);
        }
        let to = Arc::clone(self.mailbox());
        let freed = from.weight(uid);
        let outcome = self.commit_for(freed)?;
        let old = UidSet::range(uid, uid);
        let Err(error) = from.remove_files(&old, false) else {
            // Others may have removed it meanwhile: it is gone all the same.
            return Ok(outcome);
        };
        if from.snapshot().row_of(uid).is_none() {
            log::warn!("{}: removing a replaced message: {error}", from.name());
            return Ok(outcome);
        }
        if let Err(again) = to.remove_files(&outcome.uids, false) {
            log::warn!("{}: taking back a message: {again}", to.name());
        }
        Err(error)
    }
}
