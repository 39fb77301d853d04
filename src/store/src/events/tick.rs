//! What the watcher's thread does for an account that somebody listens to:
//! polling where the kernel tells nothing, and letting go of what nobody wants
//! any more. It looks at no mailbox.

use super::hub::Hub;
use super::places;
use crate::mailbox::lock;
use roost_os::inotify::Watch;
use std::sync::TryLockError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the stamps of watched directories are compared all the same:
/// nobody is told when a directory above is renamed, or a file written in
/// place.
const SLOW: Duration = Duration::from_secs(60);
/// How soon to try again what somebody else is just doing.
const BUSY: Duration = Duration::from_millis(50);

/// What the watcher's thread does next with a hub.
pub(crate) enum Tick {
    After(Duration),
    /// Nobody listens any more.
    End,
}

impl Hub {
    /// Called by the watcher's thread when something was marked, when a
    /// listener has gone, and now and then.
    pub fn tick(&self, poll_interval: Duration) -> Tick {
        let (listeners, stale) = {
            let state = lock(&self.state);
            (state.listeners.len(), state.stale)
        };
        if stale {
            let settling = match self.settling.try_lock() {
                Ok(guard) => guard,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return Tick::After(BUSY),
            };
            if listeners == 0 && self.close() {
                return Tick::End;
            }
            self.drop_unwanted();
            drop(settling);
        }
        let unwatched = self.poll(poll_interval);
        let mut state = lock(&self.state);
        let later = std::mem::take(&mut state.later);
        state.dirty.extend(later);
        state.tree_dirty |= std::mem::take(&mut state.tree_later);
        let marked = state.tree_dirty || !state.dirty.is_empty();
        drop(state);
        if marked {
            self.wake();
        }
        Tick::After(match unwatched {
            true => poll_interval,
            false => SLOW,
        })
    }

    /// False if somebody has come meanwhile.
    fn close(&self) -> bool {
        let mut state = lock(&self.state);
        if !state.listeners.is_empty() {
            return false;
        }
        state.closed = true;
        let all: Vec<(u64, [Watch; 2])> = state
            .folders
            .drain()
            .filter_map(|(id, k)| Some((id, k.watches?)))
            .collect();
        drop(state);
        if let Some(news) = self.news.upgrade() {
            news.clear(self);
        }
        self.end_watches(all);
        true
    }

    fn drop_unwanted(&self) {
        let mut unwanted = Vec::new();
        let mut state = lock(&self.state);
        state.stale = false;
        let all: Vec<u64> = state.folders.keys().copied().collect();
        for id in all {
            let Some(known) = state.folders.get(&id) else {
                continue;
            };
            let wants = state.wants(&known.name, state.is_subscribed(&known.name));
            if wants.of_messages() {
                continue;
            }
            let watches = match wants.names {
                true => state.folders.get_mut(&id).and_then(|k| {
                    k.of_messages = false;
                    k.watches.take()
                }),
                false => state.forget(id).and_then(|k| k.watches),
            };
            unwanted.extend(watches.map(|w| (id, w)));
        }
        drop(state);
        self.end_watches(unwanted);
    }

    /// Compares stamps where nobody tells us; true if there are such places.
    fn poll(&self, interval: Duration) -> bool {
        let root_watched = self.root_watched.load(Ordering::Relaxed);
        let unwatched: Vec<(u64, places::Paths)> = {
            let mut state = lock(&self.state);
            let all: Vec<_> = state
                .folders
                .iter()
                .filter(|(_, k)| k.of_messages && k.watches.is_none())
                .map(|(&id, k)| (id, places::paths(&self.root, &k.directory)))
                .collect();
            let interval = match all.is_empty() && root_watched {
                true => SLOW,
                false => interval,
            };
            if state.polled.is_some_and(|p| p.elapsed() < interval) {
                return !all.is_empty() || !root_watched;
            }
            state.polled = Some(Instant::now());
            all
        };
        let some = !unwatched.is_empty() || !root_watched;
        let mut found = Vec::with_capacity(unwatched.len());
        for (id, paths) in unwatched {
            found.push((id, places::stamps(&paths)));
        }
        let root = places::root_stamps(&self.root);
        let mut state = lock(&self.state);
        for (id, stamps) in found {
            let known = state.folders.get(&id).and_then(|k| k.stamps.as_deref());
            if known.is_none_or(|k| stamps != Some(*k)) {
                state.dirty.insert(id);
            }
        }
        if root.is_none() || state.root_stamps != root {
            state.tree_dirty = true;
            state.root_stamps = root;
        }
        some
    }
}
