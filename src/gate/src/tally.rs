//! What has happened at the gate, for statistics.

use std::sync::atomic::{AtomicU64, Ordering};

use roost_ipc::GateStats;

use crate::report::History;

/// Counts since the supervisor last asked.
#[derive(Default)]
pub struct Tally {
    accepted: AtomicU64,
    rejected: AtomicU64,
    login_failures: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Tally {
    pub fn accepts(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub fn rejects(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection has ended or is handed over.
    pub fn ends(&self, history: &History) {
        let failures = u64::from(history.failures);
        self.login_failures.fetch_add(failures, Ordering::Relaxed);
        self.bytes_in.fetch_add(history.bytes_in, Ordering::Relaxed);
        let sent = history.bytes_out;
        self.bytes_out.fetch_add(sent, Ordering::Relaxed);
    }

    /// What was counted; from now on it counts anew.
    pub fn take(&self, request: u64, strangers: usize) -> GateStats {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        GateStats {
            request,
            strangers: strangers as u64,
            accepted: take(&self.accepted),
            rejected: take(&self.rejected),
            login_failures: take(&self.login_failures),
            bytes_in: take(&self.bytes_in),
            bytes_out: take(&self.bytes_out),
        }
    }
}
