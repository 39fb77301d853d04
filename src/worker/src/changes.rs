//! Waiting for changes that a client is to be told of.

use std::future::pending;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

/// Changes of mailboxes that are not selected are told no more often.
const INTERVAL: Duration = Duration::from_millis(50);

/// What to wait for.
pub struct Changes {
    mailbox: Option<Receiver<u64>>,
    others: Option<Receiver<u64>>,
    /// Others have changed; waits for its time.
    pending: bool,
    /// When others may be told of next.
    next: Instant,
}

impl Changes {
    /// Of the selected mailbox, and of other mailboxes. The first change of
    /// others is told at once.
    pub fn new(mailbox: Option<Receiver<u64>>, others: Option<Receiver<u64>>) -> Self {
        Self {
            mailbox,
            others,
            pending: false,
            next: Instant::now(),
        }
    }

    /// Everything has just been told.
    pub fn told(&mut self) {
        self.pending = false;
        self.next = Instant::now() + INTERVAL;
    }

    /// Waits for a change. May be given up at any time without losing one.
    pub async fn changed(&mut self) {
        loop {
            tokio::select! {
                () = changed(&mut self.mailbox) => return,
                () = sleep_until(self.next), if self.pending => return,
                () = changed(&mut self.others), if !self.pending => self.pending = true,
            }
        }
    }
}

/// Never returns without a mailbox, or when it is gone for good.
async fn changed(receiver: &mut Option<Receiver<u64>>) {
    let gone = match receiver {
        Some(receiver) => receiver.changed().await.is_err(),
        None => true,
    };
    if gone {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::watch;

    #[tokio::test]
    async fn bursts_are_told_once() {
        let (mailbox, watch_mailbox) = watch::channel(0);
        let (others, watch_others) = watch::channel(0);
        let mut changes = Changes::new(Some(watch_mailbox), Some(watch_others));
        others.send_replace(1);
        let start = Instant::now();
        changes.changed().await;
        changes.told();
        for n in 2..5 {
            others.send_replace(n);
        }
        changes.changed().await;
        assert!(start.elapsed() >= INTERVAL);
        changes.told();
        // The selected mailbox does not wait, and the others are not lost.
        others.send_replace(6);
        mailbox.send_replace(1);
        changes.changed().await;
        changes.changed().await;
    }
}
