//! Who may use a blocking thread now.
//!
//! A turn may wait: for a disk, or for a lock that another program holds. The
//! threads are few and do not grow with the sessions, so whoever waits long
//! must not be able to hold them all: an account gets another turn only while
//! it holds fewer than are left over. One that is stuck keeps half of them at
//! most, the next half of the rest, and so on.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Whose turn it is; all sessions of an account have the same.
pub type Key = usize;

/// The turns of one worker.
pub struct Turns {
    inner: Mutex<Inner>,
    /// How many have been taken.
    taken: AtomicU64,
    used: Notify,
}

struct Inner {
    free: usize,
    held: HashMap<Key, usize>,
    waiting: VecDeque<(Key, oneshot::Sender<Turn>)>,
}

/// The right to use a thread, until it is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    key: Key,
}

impl Turns {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                free: most,
                held: HashMap::new(),
                waiting: VecDeque::new(),
            }),
            taken: AtomicU64::new(0),
            used: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; those of one account come in the order in which they
    /// were asked for.
    pub async fn take(self: &Arc<Self>, key: Key) -> Turn {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.used.notify_one();
        let waiting = {
            let mut inner = self.lock();
            if inner.may_have(key) {
                inner.give(key);
                return self.turn(key);
            }
            let (sender, receiver) = oneshot::channel();
            inner.waiting.push_back((key, sender));
            receiver
        };
        match waiting.await {
            Ok(turn) => turn,
            // Not reached: whoever waits is in the queue until it has a turn.
            Err(_) => std::future::pending().await,
        }
    }

    fn turn(self: &Arc<Self>, key: Key) -> Turn {
        Turn {
            turns: Arc::clone(self),
            key,
        }
    }

    /// How many turns there have been.
    pub fn count(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until there is one after the last call.
    pub async fn used(&self) {
        self.used.notified().await;
    }
}

impl Inner {
    fn may_have(&self, key: Key) -> bool {
        self.held.get(&key).copied().unwrap_or(0) < self.free
    }

    fn give(&mut self, key: Key) {
        self.free -= 1;
        *self.held.entry(key).or_default() += 1;
    }

    fn take_back(&mut self, key: Key) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(&key) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&key);
            }
        }
    }

    /// The first who waits and may have a turn now.
    fn next(&mut self) -> Option<(Key, oneshot::Sender<Turn>)> {
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        let at = self
            .waiting
            .iter()
            .position(|&(key, _)| self.may_have(key))?;
        let next = self.waiting.remove(at)?;
        self.give(next.0);
        Some(next)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut granted = Vec::new();
        {
            let mut inner = self.turns.lock();
            inner.take_back(self.key);
            while !inner.waiting.is_empty()
                && let Some(next) = inner.next()
            {
                granted.push(next);
            }
        }
        for (key, sender) in granted {
            // Should it have gone just now, the turn comes back when dropped
            // here.
            let _ = sender.send(self.turns.turn(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// The turn, if it can be had at once.
    fn now(turns: &Arc<Turns>, key: Key) -> Option<Turn> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(turns.take(key)).poll(&mut context) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    fn all(turns: &Arc<Turns>, key: Key) -> Vec<Turn> {
        std::iter::from_fn(|| now(turns, key)).collect()
    }

    #[test]
    fn an_account_that_is_stuck_leaves_half_of_them() {
        let turns = Turns::new(64);
        let stuck: Vec<_> = (1..=6).map(|key| all(&turns, key)).collect();
        let counts: Vec<_> = stuck.iter().map(Vec::len).collect();
        assert_eq!(counts, [32, 16, 8, 4, 2, 1]);
        for key in 100..110 {
            assert!(now(&turns, key).is_some());
        }
        drop(stuck);
        assert_eq!(all(&turns, 1).len(), 32);
    }

    #[tokio::test]
    async fn who_waits_gets_a_turn_and_the_others_pass_by() {
        let turns = Turns::new(2);
        let first = turns.take(1).await;
        let second = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(turns.take(2).await);
        drop(first);
        drop(second.await.unwrap());
        assert_eq!(turns.lock().free, 2);
        assert!(turns.lock().held.is_empty());
    }

    #[tokio::test]
    async fn a_turn_for_one_who_has_gone_is_not_lost() {
        let turns = Turns::new(1);
        let held = turns.take(1).await;
        assert!(now(&turns, 2).is_none());
        drop(held);
        assert_eq!(turns.lock().free, 1);
    }

    #[tokio::test]
    async fn many_at_once_all_get_theirs() {
        let turns = Turns::new(4);
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move {
                    let turn = turns.take(n % 3).await;
                    tokio::task::yield_now().await;
                    drop(turn);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(turns.lock().free, 4);
        assert_eq!(turns.count(), 200);
    }
}
