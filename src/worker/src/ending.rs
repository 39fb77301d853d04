//! Why a session is to end, told from outside. There are as many of these as
//! sessions, so each is small.

use roost_ipc::EndReason;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Shared by a session and whoever may end it.
#[derive(Clone, Default)]
pub struct Ending(Arc<Shared>);

#[derive(Default)]
struct Shared {
    reason: OnceLock<EndReason>,
    told: Notify,
}

impl Ending {
    /// The first reason is the one that counts.
    pub fn tell(&self, reason: EndReason) {
        if self.0.reason.set(reason).is_ok() {
            self.0.told.notify_waiters();
        }
    }

    /// `None` while the session may go on.
    pub fn reason(&self) -> Option<EndReason> {
        self.0.reason.get().copied()
    }

    /// Waits until the session is to end.
    pub async fn told(&self) -> EndReason {
        loop {
            // Before the look, so that no word between the two is missed.
            let told = self.0.told.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_hear_the_first_reason() {
        let ending = Ending::default();
        assert!(ending.reason().is_none());
        let waiting =
            [ending.clone(), ending.clone()].map(|e| tokio::spawn(async move { e.told().await }));
        tokio::task::yield_now().await;
        ending.tell(EndReason::Kicked);
        ending.tell(EndReason::Shutdown);
        for one in waiting {
            assert_eq!(one.await.unwrap(), EndReason::Kicked);
        }
        assert_eq!(ending.told().await, EndReason::Kicked);
    }
}
