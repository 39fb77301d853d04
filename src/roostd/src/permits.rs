//! How many links there may be. A link takes a descriptor in two workers, and
//! every wish for one makes work here and in auth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use roost_os::UserId;
use roost_types::SessionId;

/// Of one session, wishes under way included. It has 8 at once for commands and
/// 16 that tell it of changes, but those that it closes take a moment to end.
const OF_SESSION: u32 = 48;
/// Of one account to one owner, so that nobody fills another's worker alone.
const OF_PAIR: u32 = 64;

/// The links of all sessions.
#[derive(Debug, Default, Clone)]
pub struct Permits(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    sessions: HashMap<SessionId, u32>,
    uids: HashMap<UserId, u32>,
    owners: HashMap<String, u32>,
    /// The account that asks, and the owner.
    pairs: HashMap<(String, String), u32>,
}

/// For one link, or the wish for one, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    permits: Permits,
    session: SessionId,
    uid: UserId,
    /// The account that asks, and the owner, once that is known.
    pair: OnceLock<(String, String)>,
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
            pair: OnceLock::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Counts it as one of `asker`'s to `owner`, who may have `most` of
    /// everybody's; false when there are too many.
    pub fn claim(&self, asker: &str, owner: &str, most: u32) -> bool {
        let mut counts = self.permits.lock();
        let pair = (asker.to_owned(), owner.to_owned());
        let of_owner = counts.owners.get(owner).copied().unwrap_or(0);
        let of_pair = counts.pairs.get(&pair).copied().unwrap_or(0);
        if of_owner >= most || of_pair >= OF_PAIR || self.pair.set(pair.clone()).is_err() {
            return false;
        }
        counts.owners.insert(pair.1.clone(), of_owner + 1);
        counts.pairs.insert(pair, of_pair + 1);
        true
    }
}

impl Permit {
    /// The account that asks, once the link has been claimed.
    pub fn asker(&self) -> Option<&str> {
        self.pair.get().map(|(asker, _)| asker.as_str())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.permits.lock();
        give_back(&mut counts.sessions, &self.session);
        give_back(&mut counts.uids, &self.uid);
        if let Some(pair) = self.pair.get() {
            give_back(&mut counts.owners, &pair.1);
            give_back(&mut counts.pairs, pair);
        }
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
        let held: Vec<_> = std::iter::from_fn(|| take(1, 50)).collect();
        assert_eq!(held.len(), 48);
        let second = [take(2, 50).unwrap(), take(2, 50).unwrap()];
        assert!(take(3, 50).is_none(), "fifty of the uid");
        assert!(permits.take(SessionId(3), UserId(1003), 50).is_some());
        drop(held);
        assert_eq!(
            std::iter::from_fn(|| take(1, 100))
                .collect::<Vec<_>>()
                .len(),
            48
        );
        drop(second);
        let counts = permits.lock();
        assert!(counts.sessions.is_empty() && counts.uids.is_empty());
    }

    #[test]
    fn an_owner_has_so_many_of_one_account_and_of_all() {
        let permits = Permits::default();
        let claim = |session, asker: &str, most| {
            let permit = permits.take(SessionId(session), BOB, 1000).unwrap();
            permit.claim(asker, "alice", most).then_some(permit)
        };
        let held: Vec<_> = (0..64).map(|n| claim(n, "bob", 70)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(claim(99, "bob", 70).is_none(), "64 of bob's");
        let others: Vec<_> = (100..106).map(|n| claim(n, "carol", 70)).collect();
        assert!(others.iter().all(Option::is_some));
        assert!(claim(200, "dave", 70).is_none(), "70 of everybody's");
        let permit = permits.take(SessionId(300), BOB, 1000).unwrap();
        assert!(permit.claim("bob", "eve", 70));
        drop((held, others, permit));
        let counts = permits.lock();
        assert!(counts.owners.is_empty() && counts.pairs.is_empty());
    }
}
