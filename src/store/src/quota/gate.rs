//! Where changes pass that a count must have once: any number of them at a
//! time, or none while the count ends.
//!
//! A change may hold it for as long as another program holds a lock. Who
//! closes it waits a moment for those inside and then gives up, so that nobody
//! stands still before it for their sake.

use crate::mailbox::lock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// Nobody is inside while this is held.
pub(super) struct Closed<'a>(&'a Gate);

impl Gate {
    /// Goes in; waits while it is closed. Who is inside does not go in again.
    pub fn enter(&self) {
        let state = self.moved.wait_while(lock(&self.state), |s| s.closed);
        state.unwrap_or_else(PoisonError::into_inner).inside += 1;
    }

    /// True when nobody is inside any more.
    pub fn leave(&self) -> bool {
        let mut state = lock(&self.state);
        state.inside = state.inside.saturating_sub(1);
        let empty = state.inside == 0;
        drop(state);
        if empty {
            self.moved.notify_all();
        }
        empty
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.state).inside == 0
    }

    /// `None` if those inside do not leave within `patience`.
    pub fn close(&self, patience: Duration) -> Option<Closed<'_>> {
        let state = self.moved.wait_while(lock(&self.state), |s| s.closed);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let waited = (self.moved).wait_timeout_while(state, patience, |s| s.inside > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let closed = Closed(self);
        let empty = state.inside == 0;
        drop(state);
        empty.then_some(closed)
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).closed = false;
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stays_inside_keeps_nobody_out() {
        let gate = Gate::default();
        gate.enter();
        assert!(gate.close(Duration::ZERO).is_none());
        gate.enter();
        assert!(!gate.leave());
        assert!(gate.close(Duration::ZERO).is_none());
        assert!(gate.leave());
        assert!(gate.close(Duration::ZERO).is_some());
        assert!(gate.close(Duration::ZERO).is_some());
    }

    #[test]
    fn nobody_goes_in_while_it_is_closed() {
        let gate = Gate::default();
        let changed = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        gate.enter();
                        *lock(&changed) += 1;
                        gate.leave();
                    }
                });
            }
            for _ in 0..50 {
                if let Some(_closed) = gate.close(Duration::from_secs(10)) {
                    let before = *lock(&changed);
                    std::thread::yield_now();
                    assert_eq!(*lock(&changed), before);
                }
            }
        });
        assert_eq!(*lock(&changed), 800);
    }
}
