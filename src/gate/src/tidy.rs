//! Gives memory back to the kernel when no connection has come or gone for a
//! while: a handshake uses much more than the connection keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::Shared;

/// Without a connection that comes or goes for so long, it is quiet.
const QUIET: Duration = Duration::from_secs(3);
/// Where it never is, memory is given back all the same after so many waits.
const WAITS: u32 = 20;

/// How busy the gate is.
#[derive(Default)]
pub struct Quiet {
    changes: AtomicU64,
    changed: Notify,
}

impl Quiet {
    /// A connection has come or gone.
    pub fn disturb(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Waits until something has happened and it is quiet again.
    async fn again(&self) {
        self.changed.notified().await;
        for _ in 0..WAITS {
            let before = self.changes.load(Ordering::Relaxed);
            sleep(QUIET).await;
            if self.changes.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

/// Runs for ever; sleeps while nothing happens.
pub async fn run(shared: Arc<Shared>) {
    loop {
        shared.quiet.again().await;
        // A panic is impossible there, and nothing waits for it.
        let _ = tokio::task::spawn_blocking(roost_os::memory::give_back).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_quiet_but_not_for_ever() {
        let quiet = Arc::new(Quiet::default());
        let begin = Instant::now();
        quiet.disturb();
        quiet.again().await;
        assert_eq!(begin.elapsed(), QUIET);
        let noise = tokio::spawn({
            let quiet = Arc::clone(&quiet);
            async move {
                loop {
                    quiet.disturb();
                    sleep(QUIET / 3).await;
                }
            }
        });
        let begin = Instant::now();
        quiet.again().await;
        assert!(begin.elapsed() >= QUIET * WAITS);
        noise.abort();
    }
}
