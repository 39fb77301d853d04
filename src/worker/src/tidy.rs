//! Gives memory back to the kernel when a worker has become quiet.
//!
//! What large commands used is free then, but the allocator keeps it: in a
//! worker that idles most of the day it would stay resident for ever.

use crate::turns::Turns;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Without a turn for so long, a worker is quiet.
const QUIET: Duration = Duration::from_secs(3);
/// One that never is gets tidied all the same, after so many waits.
const WAITS: u32 = 20;

/// Runs for ever; sleeps while there are no turns.
pub async fn run(turns: Arc<Turns>) {
    loop {
        turns.used().await;
        for _ in 0..WAITS {
            let before = turns.count();
            sleep(QUIET).await;
            if turns.count() == before {
                break;
            }
        }
        // A panic is impossible there, and nothing waits for it.
        let _ = tokio::task::spawn_blocking(roost_os::memory::give_back).await;
    }
}
