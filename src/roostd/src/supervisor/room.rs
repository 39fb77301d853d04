//! Room for workers that run for links alone, with no login of their own users.
//!
//! What must stay true: a few accounts cannot have all of them, and who has used
//! up his share does not learn from the refusal whether an owner exists.

use std::collections::HashSet;

use super::*;
use crate::shares;
use roost_ipc::{Found, Owner};

/// Those that one account has had started.
const OF_ONE: usize = 32;
/// Of all of them there are so many times less than `max_connections`, for each
/// is a process.
const CONNECTIONS_A_WORKER: u32 = 16;

/// Whether a worker may be started for a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    Free,
    /// When this one, which nobody uses now, is let go.
    Instead(UserId),
    None,
}

impl Room {
    /// For one who has had `own` of the `all` workers started that run for links
    /// or are about to, where `most` may; another one only while he has fewer
    /// than are left over. `idle` finds one that nobody uses: one of his, or
    /// anybody's.
    fn among(
        own: usize,
        all: usize,
        most: usize,
        idle: impl FnOnce(bool) -> Option<UserId>,
    ) -> Self {
        if own < OF_ONE.min(most.saturating_sub(all)) {
            return Self::Free;
        }
        idle(own >= OF_ONE).map_or(Self::None, Self::Instead)
    }
}

fn most(max_connections: u32) -> usize {
    OF_ONE.max((max_connections / CONNECTIONS_A_WORKER) as usize)
}

impl Supervisor {
    /// Room for one more worker that `asker` has started.
    pub(super) fn room_for(&self, asker: &str) -> Room {
        let workers = || {
            let workers = self.workers.iter();
            workers.filter_map(|(uid, worker)| Some((*uid, worker, worker.runs_for()? == asker)))
        };
        let (own, all) = workers().fold((0, 0), |(own, all), (.., is_own)| {
            (own + usize::from(is_own), all + 1)
        });
        let most = most(self.settings.config.limits.max_connections);
        Room::among(own, all, most, |of_his| {
            let used: HashSet<UserId> = self.registry.uids().collect();
            let idle =
                |uid: &UserId, worker: &Worker| worker.takes_messages() && !used.contains(uid);
            workers()
                .find(|(uid, worker, is_own)| (*is_own || !of_his) && idle(uid, worker))
                .map(|(uid, ..)| uid)
        })
    }

    /// Whether a link of `asker`'s may be opened where that is all the room; makes
    /// it if so.
    pub(super) fn admits(&mut self, room: Room, asker: &str, found: &Found) -> bool {
        let runs = |uid| self.workers.get(&uid).is_some_and(Worker::takes_messages);
        match (room, &found.owner) {
            (Room::None, _) => is_open(found, asker, &self.shares, runs),
            (Room::Instead(idle), Owner::Account { credentials, .. }) => {
                if !runs(credentials.uid) {
                    self.on_worker_idle(idle);
                }
                true
            }
            (Room::Instead(_) | Room::Free, _) => true,
        }
    }
}

/// Where no worker may be started: a worker that `runs` has the mail of an owner
/// who shares with the asker. All others are alike, whether they exist or not.
fn is_open(found: &Found, asker: &str, shares: &Shares, runs: impl Fn(UserId) -> bool) -> bool {
    let Owner::Account {
        account,
        credentials,
        ..
    } = &found.owner
    else {
        return false;
    };
    let groups = &found.groups;
    let asking = shares::Asker {
        account: asker,
        groups,
    };
    runs(credentials.uid) && (account == asker || shares.is_shared(account, &asking))
}

#[cfg(test)]
mod tests {
    use super::*;

    use roost_os::identity::{Credentials, current_group};

    fn room(own: usize, all: usize) -> Room {
        Room::among(own, all, 256, |_| None)
    }

    #[test]
    fn an_account_starts_so_many_workers_of_others_and_no_more() {
        assert_eq!(room(31, 31), Room::Free);
        assert_eq!(room(32, 32), Room::None);
        // One of its own must go, and nobody else's.
        let idle = |his: bool| Some(UserId(if his { 8 } else { 7 }));
        let (own, others) = (Room::Instead(UserId(8)), Room::Instead(UserId(7)));
        assert_eq!(Room::among(32, 32, 256, idle), own);
        assert_eq!(Room::among(3, 256, 256, idle), others);
        assert_eq!(room(0, 256), Room::None);
    }

    #[test]
    fn a_few_accounts_do_not_take_all() {
        let mut all = 0;
        for greedy in 1..=8 {
            let own = (0..).find(|&own| room(own, all + own) == Room::None);
            all += own.unwrap();
            assert_eq!(room(0, all), Room::Free, "after {greedy}");
        }
        // Where there are few at all, neither.
        let small = (0..).find(|&own| Room::among(own, own, most(0), |_| None) == Room::None);
        assert!(small.unwrap() < most(0));
    }

    #[test]
    fn there_are_as_many_as_the_server_is_made_for() {
        assert_eq!(most(10_000), 625);
        assert_eq!(most(0), OF_ONE);
    }

    #[test]
    fn who_has_no_room_left_does_not_learn_who_exists() {
        let dir = tempfile::tempdir().unwrap();
        let shares = Shares::load(dir.path().into(), None);
        shares.set("alice", &["bob".to_owned()]);
        shares.set("carol", &["#staff".to_owned(), "-bob".to_owned()]);
        let open = |owner| {
            let found = Found {
                request: 1,
                owner,
                groups: vec!["staff".to_owned()],
            };
            is_open(&found, "bob", &shares, |uid| uid == UserId(1))
        };
        let account = |name: &str, uid| Owner::Account {
            account: name.into(),
            credentials: Credentials {
                uid: UserId(uid),
                gid: current_group(),
                groups: vec![],
            },
            home: "/".into(),
            maildir: None,
            quota: None,
        };
        assert!(open(account("alice", 1)), "she shares, and nothing starts");
        assert!(!open(account("alice", 2)), "hers would have to be started");
        assert!(!open(account("carol", 1)));
        assert!(!open(account("dave", 1)));
        assert!(!open(account("dave", 2)));
        assert!(!open(Owner::Nobody {}));
        assert!(open(account("bob", 1)), "an alias for his own");
    }
}
