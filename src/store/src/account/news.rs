//! What listeners to an account's changes need of it.

use super::Account;
use crate::error::Error;
use crate::events::{Counts, Hub, Interest, Listener, Place};
use crate::mailbox::lock;
use roost_types::MailboxName;
use std::sync::Arc;
use std::time::Duration;

/// The tree and where its mailboxes are.
pub(crate) struct Land {
    pub folders: Arc<super::folders::Folders>,
    pub places: Vec<Place>,
    /// Sorted.
    pub subscriptions: Arc<Vec<MailboxName>>,
}

impl Account {
    /// Begins to listen to changes; `Error::Limit` when that would take in
    /// more than `most` mailboxes.
    pub fn listen(self: &Arc<Self>, interest: Interest, most: usize) -> Result<Listener, Error> {
        Listener::new(self, interest, most)
    }

    /// The hub of those who listen, made where there is none.
    pub(crate) fn hub(&self) -> Arc<Hub> {
        let _starting = lock(&self.starting);
        self.news.hub().unwrap_or_else(|| {
            let hub = Hub::start(self.store.watcher(), self.root.path(), &self.news);
            self.news.set(&hub);
            hub
        })
    }

    pub(crate) fn land(&self) -> Result<Land, Error> {
        let tree = self.tree()?;
        let places = tree.folders.iter().filter(|f| f.selectable).map(|folder| {
            let directory = tree.directories.get(&folder.name);
            Place {
                name: folder.name.clone(),
                directory: directory.cloned().unwrap_or_default(),
            }
        });
        Ok(Land {
            places: places.collect(),
            subscriptions: Arc::new(self.subscriptions()?),
            folders: Arc::clone(&tree.folders),
        })
    }

    /// Brings a mailbox up to date; it stays in memory for a while, since
    /// where something happens, more will. Says when to look again.
    pub(crate) fn look(&self, name: &MailboxName) -> Result<(Counts, Option<Duration>), Error> {
        let mailbox = self.open_unlisted(name)?;
        self.keep(&mailbox);
        let counts = Counts::now(&mailbox);
        Ok((counts, mailbox.wants_retry()))
    }

    /// Does `change` to the tree or the subscriptions; listeners know of it
    /// when it is done.
    pub(super) fn changing_tree<T>(
        &self,
        change: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let done = change();
        if let Some(hub) = self.news.hub() {
            hub.look_now(self);
        }
        done
    }
}
