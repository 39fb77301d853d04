//! Clients side by side.

use crate::error::{Error, Result};

/// Runs `f` once for each of `count` clients at the same time; their results,
/// or the first failure.
pub fn parallel<T: Send>(count: usize, f: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|n| {
                let f = &f;
                scope.spawn(move || f(n))
            })
            .collect();
        threads
            .into_iter()
            .map(|t| {
                t.join()
                    .unwrap_or_else(|_| Err(Error("a client's thread ended".into())))
            })
            .collect()
    })
}

/// The same, each with a thing of its own.
pub fn parallel_over<S: Send, T: Send>(
    things: &mut [S],
    f: impl Fn(usize, &mut S) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = things
            .iter_mut()
            .enumerate()
            .map(|(n, thing)| {
                let f = &f;
                scope.spawn(move || f(n, thing))
            })
            .collect();
        threads
            .into_iter()
            .map(|t| {
                t.join()
                    .unwrap_or_else(|_| Err(Error("a client's thread ended".into())))
            })
            .collect()
    })
}
