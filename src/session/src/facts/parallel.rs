//! Work on many messages at once, over the cores.
//!
//! All sessions of the worker share the helping threads: there are never more
//! than cores. Who finds none free works alone, so nobody waits for another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Threads that help somebody just now, in the whole process.
static HELPING: AtomicUsize = AtomicUsize::new(0);

/// Fewer items than this are not worth a thread.
const WORTH_A_THREAD: usize = 4;

/// Does `work` for each item, on as many threads as are free; the results are
/// in no order. Each thread begins with what `begin` makes for it.
pub fn map<T, S, R>(
    items: &[T],
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R>
where
    T: Sync,
    R: Send,
{
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = begin();
        let mut done = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(work(&mut state, item));
        }
        done
    };
    let helpers = Helpers::take((items.len() / WORTH_A_THREAD).saturating_sub(1));
    if helpers.0 == 0 {
        return run();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..helpers.0).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for thread in threads {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

/// Threads that were found free, given back at the end.
struct Helpers(usize);

impl Helpers {
    fn take(wanted: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut taken = 0;
        let _ = HELPING.fetch_update(Ordering::AcqRel, Ordering::Acquire, |busy| {
            taken = wanted.min((cores - 1).saturating_sub(busy));
            Some(busy + taken)
        });
        Self(taken)
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        HELPING.fetch_sub(self.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        let items: Vec<u32> = (0..1000).collect();
        let mut done = map(
            &items,
            || 0_u32,
            |count, &n| {
                *count += 1;
                n
            },
        );
        done.sort_unstable();
        assert_eq!(done, items);
        assert!(map(&[], || (), |(), n: &u32| *n).is_empty());
    }
}
