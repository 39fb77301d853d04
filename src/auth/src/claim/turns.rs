//! How many claims of local programs are looked at, at once. PAM may take its
//! time for each, and neither one user's claims nor all of them together are to
//! keep others waiting.

use std::collections::HashMap;
use std::sync::Arc;

use roost_os::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At once, in all and of one user.
const ALL: usize = 16;
const EACH: usize = 2;

/// The supervisor says how many may wait.
pub struct Turns {
    all: Arc<Semaphore>,
    /// Of those who have or wait for a turn.
    each: HashMap<UserId, Arc<Semaphore>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            each: HashMap::new(),
        }
    }
}

/// One claim's.
pub struct Turn {
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

impl Turns {
    /// Waits for a turn of that user; who waits for another of one's own takes
    /// up nobody else's.
    pub fn turn(&mut self, uid: UserId) -> impl Future<Output = Turn> + Send + use<> {
        self.each.retain(|_, own| Arc::strong_count(own) > 1);
        let own = self.each.entry(uid);
        let own = Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(EACH))));
        let all = Arc::clone(&self.all);
        async move {
            // Neither is ever closed.
            let own = own.acquire_owned().await.ok();
            let all = all.acquire_owned().await.ok();
            Turn {
                _permits: [own, all],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    /// What is there without waiting.
    fn now(turn: &mut (impl Future<Output = Turn> + Unpin)) -> Option<Turn> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(turn).poll(&mut cx) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_user_has_two_and_leaves_the_others_theirs() {
        let mut turns = Turns::default();
        let (ann, bob) = (UserId(1), UserId(2));
        let mut of_ann: Vec<_> = (0..40).map(|_| Box::pin(turns.turn(ann))).collect();
        let had = of_ann.iter_mut().filter_map(now);
        let had: Vec<Turn> = had.collect();
        assert_eq!(had.len(), EACH);
        assert!(now(&mut Box::pin(turns.turn(bob))).is_some());
        drop((had, of_ann));
        assert!(now(&mut Box::pin(turns.turn(bob))).is_some());
        assert_eq!(turns.each.len(), 1, "who waits no more is forgotten");
    }

    #[test]
    fn all_have_so_many() {
        let mut turns = Turns::default();
        let mut given = Vec::new();
        for uid in 0..100 {
            given.extend(now(&mut Box::pin(turns.turn(UserId(uid)))));
        }
        assert_eq!(given.len(), ALL);
    }
}
