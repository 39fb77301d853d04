//! Files in the index folder whose mailbox is gone.
//!
//! What must stay true: files of a mailbox that somebody has open, or that
//! belong to a copy of the one that went, are left alone.

use super::file;
use super::folder::IndexFolder;
use crate::format::uidlist::Guid;
use roost_os::{dir, file as os_file};
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

/// Everything that is kept of a mailbox, temporary files included.
const KINDS: [&str; 6] = ["index", "index.tmp", "log", "log.tmp", "cache", "cache.tmp"];

impl IndexFolder {
    /// Removes what is kept of the mailbox that was in a directory with these
    /// inodes (its own, those of `new` and `cur`).
    pub fn forget(self: &Arc<Self>, guid: Guid, inodes: [u64; 3]) {
        let Some(_place) = self.claim(guid) else {
            return;
        };
        if file::inodes_of(self.dir(), guid).is_none_or(|of| of == inodes) {
            self.remove_files(guid);
        }
    }

    /// The mailboxes that have files here, `known` and open ones left out.
    pub fn strays(&self, known: &HashSet<Guid>) -> io::Result<Vec<Guid>> {
        let listing = dir::list(self.dir())?;
        let guids: HashSet<Guid> = listing.iter().filter_map(|e| guid_in(e.name)).collect();
        let stray = |guid: &Guid| !known.contains(guid) && !self.is_claimed(*guid);
        Ok(guids.into_iter().filter(stray).collect())
    }

    /// Removes what is kept of a mailbox that no directory has any more.
    pub fn forget_stray(self: &Arc<Self>, guid: Guid) {
        if let Some(_place) = self.claim(guid) {
            self.remove_files(guid);
        }
    }

    fn remove_files(&self, guid: Guid) {
        if !self.is_held() {
            return;
        }
        for kind in KINDS {
            let name = format!("{guid}.{kind}");
            match os_file::unlink(self.dir(), name.as_bytes()) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    log::info!("{}: {e}", self.dir().entry(name.as_bytes()).display());
                }
                _ => {}
            }
        }
    }
}

/// Whose file it is; `None` for what is not of a mailbox.
fn guid_in(name: &[u8]) -> Option<Guid> {
    let (guid, kind) = name.split_at_checked(32)?;
    let kind = std::str::from_utf8(kind).ok()?.strip_prefix('.')?;
    KINDS.contains(&kind).then(|| Guid::parse(guid)).flatten()
}
