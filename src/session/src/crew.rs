//! Work on many messages by several cores at once, within one step of a job.
//!
//! Helpers live no longer than the step, and all sessions of the process
//! share a fixed number of them: who gets none works alone. So nothing goes on
//! behind a client that is gone, and idle sessions cost no thread.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Helpers at work in this process.
static HELPERS: AtomicUsize = AtomicUsize::new(0);

/// Fewer pieces than this are not worth a helper.
const WORTH_A_HELPER: usize = 8;

/// The place of one helper, given back when dropped.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let most = cores().saturating_sub(1);
        let more = |n| (n < most).then_some(n + 1);
        let taken = HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asked for once: it takes a look into several files of the kernel.
fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *CORES
}

/// Calls `work` for the numbers from 0 up to `count` and returns what it gave,
/// in order. At `deadline` no further number is begun, so that the outcome may
/// be shorter than `count`, though never empty unless `count` is 0.
pub(crate) fn in_parallel<T: Send>(
    count: usize,
    deadline: Instant,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    in_parallel_with(count, deadline, || (), |(), at| work(at))
}

/// The same, each core with tools of its own that `begin` makes.
pub(crate) fn in_parallel_with<S, T: Send>(
    count: usize,
    deadline: Instant,
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let shift = || {
        let mut done = Vec::new();
        let mut tools = begin();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count || at > 0 && Instant::now() >= deadline {
                return done;
            }
            done.push((at, work(&mut tools, at)));
        }
    };
    let places = (0..count / WORTH_A_HELPER).map_while(|_| Place::take());
    let places: Vec<Place> = places.collect();
    let mut done = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, shift).ok();
        let helpers: Vec<_> = (0..places.len()).filter_map(spawn).collect();
        let mut done = shift();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    drop(places);
    done.sort_unstable_by_key(|(at, _)| *at);
    // One that was taken just at the deadline may be missing in between.
    let unbroken = done.into_iter().enumerate();
    unbroken
        .take_while(|(place, (at, _))| place == at)
        .map(|(_, (_, value))| value)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn results_are_in_order_and_without_gaps() {
        let later = Instant::now() + Duration::from_secs(600);
        let squares = in_parallel(1000, later, |n| n * n);
        assert_eq!(squares, (0..1000).map(|n| n * n).collect::<Vec<_>>());
        assert!(in_parallel(0, later, |n| n).is_empty());
        let past = Instant::now();
        assert!(!in_parallel(100, past, |n| n).is_empty());
        let some = in_parallel(100, past, |n| n);
        assert_eq!(some, (0..some.len()).collect::<Vec<_>>());
    }

    #[test]
    fn all_helpers_are_given_back() {
        let later = Instant::now() + Duration::from_secs(600);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| in_parallel(200, later, |n| n));
            }
        });
        assert!(HELPERS.load(Ordering::Relaxed) < cores());
    }
}
