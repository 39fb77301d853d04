//! Who may see mailboxes of this worker's accounts, on its way to the
//! supervisor. Sessions do not wait for that, and of what changes often only
//! the last is told.

use roost_ipc::Shares;
use roost_session::SharesHook;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Of one account; the supervisor keeps no more.
const MAX_IDENTIFIERS: usize = 1000;
/// Octets of them, for a message has its limit.
const MAX_OCTETS: usize = 32 << 10;

/// What is still to be told.
#[derive(Default)]
pub struct Hints {
    last: Mutex<BTreeMap<String, Vec<String>>>,
    told: Notify,
}

impl Hints {
    /// What sessions call.
    pub fn hook(self: &Arc<Self>) -> SharesHook {
        let hints = Arc::clone(self);
        SharesHook::new(move |account, identifiers| hints.tell(account, identifiers))
    }

    fn tell(&self, account: &str, identifiers: Vec<String>) {
        self.lock().insert(account.to_owned(), identifiers);
        self.told.notify_one();
    }

    /// Waits for something to be told. May be given up at any time.
    pub async fn next(&self) -> Shares {
        loop {
            if let Some(shares) = self.pop() {
                return shares;
            }
            self.told.notified().await;
        }
    }

    /// What is to be told now.
    pub fn pop(&self) -> Option<Shares> {
        let (account, mut identifiers) = self.lock().pop_first()?;
        let mut room = MAX_OCTETS;
        identifiers.truncate(MAX_IDENTIFIERS);
        identifiers.retain(|text| {
            let left = room.checked_sub(text.len() + size_of::<u32>());
            room = left.unwrap_or(room);
            left.is_some()
        });
        Some(Shares {
            account,
            identifiers,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<String>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_of_each_account_is_told_in_what_a_message_holds() {
        let hints = Arc::new(Hints::default());
        let hook = hints.hook();
        let waiting = tokio::spawn({
            let hints = Arc::clone(&hints);
            async move { hints.next().await }
        });
        tokio::task::yield_now().await;
        hook.changed("bob", vec!["x".into()]);
        assert_eq!(waiting.await.unwrap().account, "bob");
        hook.changed("alice", vec!["bob".into()]);
        let many = (0..5000).map(|n| format!("{n:0100}")).collect();
        hook.changed("bob", many);
        hook.changed("alice", vec![]);
        let alice = hints.next().await;
        assert_eq!(
            (alice.account.as_str(), alice.identifiers.len()),
            ("alice", 0)
        );
        let bob = hints.pop().unwrap().identifiers;
        let octets: usize = bob.iter().map(String::len).sum();
        assert!(bob.len() > 100 && octets <= MAX_OCTETS, "{octets}");
        assert!(hints.pop().is_none());
    }
}
