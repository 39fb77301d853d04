//! How long a workload may take, and whether somebody wants the run to end.
//!
//! A server that hangs costs its workload, never the run: whoever waits for
//! octets looks here now and then. So does the end of a run by a signal, after
//! which everything that was changed on the machine is put back.

use crate::error::{Result, fail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// For one workload on all servers, with making and removing its mail.
pub const WORKLOAD: Duration = Duration::from_secs(360);

static UNTIL: Mutex<Option<Instant>> = Mutex::new(None);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What is measured from now on has so much time.
pub fn begin(limit: Duration) {
    *UNTIL.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + limit);
}

/// Fails once the time is over, or the run is to end.
pub fn check() -> Result<()> {
    if interrupted() {
        return fail("interrupted");
    }
    let until = *UNTIL.lock().unwrap_or_else(PoisonError::into_inner);
    match until {
        Some(until) if Instant::now() >= until => fail("its time is over"),
        _ => Ok(()),
    }
}

pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From now on SIGINT, SIGTERM and SIGHUP end the run in order: what was
/// measured until then is written, and the machine's settings are restored.
pub fn watch_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let context = runtime.enter();
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut hup = signal(SignalKind::hangup())?;
    drop(context);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
                _ = hup.recv() => {}
            }
        });
        eprintln!("interrupted; the run ends");
        INTERRUPTED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_over_is_told() {
        begin(Duration::from_secs(3600));
        assert!(check().is_ok());
        begin(Duration::ZERO);
        assert!(check().is_err());
        *UNTIL.lock().unwrap() = None;
    }
}
