//! How many links there may be. A link takes a descriptor in two workers, and
//! every wish for one makes work here and in auth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roost_os::UserId;
use roost_types::SessionId;

/// Of one session, wishes under way included. It has 8 at once, but those that
/// it closes take a moment to end.
const OF_SESSION: u32 = 16;

/// The links of all sessions.
#[derive(Debug, Default, Clone)]
pub struct Permits(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    sessions: HashMap<SessionId, u32>,
    uids: HashMap<UserId, u32>,
}

/// For one link, or the wish for one, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    permits: Permits,
    session: SessionId,
    uid: UserId,
}

impl Permits {
    /// For a session of `uid`, which may have `most` of them in all; `None`
    /// when there are too many.
    pub fn take(&self, session: SessionId, uid: UserId, most: u32) -> Option<Permit> {
        let mut counts = self.lock();
        let of_session = counts.sessions.get(&session).copied().unwrap_or(0);
        let of_uid = counts.uids.get(&uid).copied().unwrap_or(0);
        if of_session >= OF_SESSION || of_uid >= most {
            return None;
        }
        counts.sessions.insert(session, of_session + 1);
        counts.uids.insert(uid, of_uid + 1);
        Some(Permit {
            permits: self.clone(),
            session,
            uid,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.permits.lock();
        give_back(&mut counts.sessions, &self.session);
        give_back(&mut counts.uids, &self.uid);
    }
}

fn give_back<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: UserId = UserId(1002);

    #[test]
    fn a_session_and_a_uid_have_so_many_and_no_more() {
        let permits = Permits::default();
        let take = |session, most| permits.take(SessionId(session), BOB, most);
        let held: Vec<_> = std::iter::from_fn(|| take(1, 18)).collect();
        assert_eq!(held.len(), 16);
        let second = [take(2, 18).unwrap(), take(2, 18).unwrap()];
        assert!(take(3, 18).is_none(), "eighteen of the uid");
        assert!(permits.take(SessionId(3), UserId(1003), 18).is_some());
        drop(held);
        assert_eq!(
            std::iter::from_fn(|| take(1, 100))
                .collect::<Vec<_>>()
                .len(),
            16
        );
        drop(second);
        let counts = permits.lock();
        assert!(counts.sessions.is_empty() && counts.uids.is_empty());
    }
}
