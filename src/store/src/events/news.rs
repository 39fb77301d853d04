//! Where word of changes is left: whoever changes a mailbox says so, and need
//! not know whether anybody listens.

use super::hub::Hub;
use crate::mailbox::lock;
use arc_swap::ArcSwapOption;
use roost_types::MailboxName;
use std::sync::Arc;

/// Where an account and its mailboxes leave word of their changes: one for an
/// account, empty while nobody listens.
#[derive(Default)]
pub(crate) struct News(ArcSwapOption<Hub>);

impl News {
    /// A session of ours has changed a mailbox. Does not block.
    pub fn changed(&self, name: impl FnOnce() -> MailboxName) {
        if let Some(hub) = &*self.0.load() {
            hub.touched(&name());
        }
    }

    /// Somebody has changed the tree or the subscriptions. Does not block.
    pub fn tree_changed(&self) {
        if let Some(hub) = &*self.0.load() {
            lock(&hub.state).tree_dirty = true;
            hub.wake();
        }
    }

    pub fn hub(&self) -> Option<Arc<Hub>> {
        self.0.load_full()
    }

    pub fn set(&self, hub: &Arc<Hub>) {
        self.0.store(Some(Arc::clone(hub)));
    }

    /// The hub has been closed.
    pub(super) fn clear(&self, hub: &Hub) {
        if self
            .0
            .load()
            .as_ref()
            .is_some_and(|h| std::ptr::eq(&**h, hub))
        {
            self.0.store(None);
        }
    }
}
