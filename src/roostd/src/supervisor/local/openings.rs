//! Which sessions of local programs are under way, and how many may be.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use roost_ipc::Target;
use roost_os::UserId;
use roost_types::SessionId;

/// For auth to answer, for a worker to be there, and again for it to begin.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Under way at once.
pub(super) const MOST: usize = 256;
/// Of these, those that are for root and administrators alone.
const OF_ADMINS: usize = 32;
/// One user's but root's.
const BY_ONE_USER: usize = 8;
/// Kicks that one question to auth may outlive.
const MAX_KICKS: usize = 8;

/// What is under way, until the session has begun or there will be none.
#[derive(Default)]
pub(in super::super) struct Locals {
    pub(super) all: HashMap<SessionId, Opening>,
    /// Questions that auth has still and whose answer nobody waits for: whose
    /// they were. They count, for auth has no other limit.
    pub(super) left: HashMap<SessionId, UserId>,
    /// Who waits for what becomes of a password.
    pub(super) trying: HashMap<SessionId, (OwnedFd, Instant)>,
}

pub(super) struct Opening {
    pub by: UserId,
    /// Of who waits.
    pub connection: OwnedFd,
    pub stage: Stage,
    pub until: Instant,
}

pub(super) enum Stage {
    /// Auth is to answer. The accounts that have been kicked meanwhile.
    Asked(Vec<String>),
    /// There is no worker yet.
    Pending,
    /// The worker has it; the program's end of the connection.
    Given(OwnedFd),
}

impl Locals {
    pub fn next_wake(&self) -> Option<Instant> {
        let trying = self.trying.values().map(|(_, until)| *until);
        let all = self.all.values().map(|opening| opening.until);
        all.chain(trying).min()
    }

    pub(super) fn have_room_for(&self, by: UserId, admin: bool) -> bool {
        let users = self.all.values().map(|opening| opening.by);
        let users = users.chain(self.left.values().copied());
        let own = users.filter(|user| *user == by);
        let most = if admin { MOST } else { MOST - OF_ADMINS };
        self.under_way() < most && (by.is_root() || own.count() < BY_ONE_USER)
    }

    /// The worker has it and its program waits still.
    pub fn is_given(&self, session: SessionId) -> bool {
        let opening = self.all.get(&session);
        opening.is_some_and(|opening| matches!(opening.stage, Stage::Given(_)))
    }

    /// On to the next stage, with its time; false when nobody waits any more.
    pub(super) fn advance(&mut self, session: SessionId, stage: Stage, now: Instant) -> bool {
        let Some(opening) = self.all.get_mut(&session) else {
            return false;
        };
        opening.stage = stage;
        opening.until = now + PATIENCE;
        true
    }

    /// Gives up one that has not begun.
    pub(super) fn give_up(&mut self, session: SessionId) -> Option<Opening> {
        let opening = self.all.remove(&session)?;
        if matches!(opening.stage, Stage::Asked(_)) {
            self.left.insert(session, opening.by);
        }
        Some(opening)
    }

    /// Auth has answered; the accounts that have been kicked meanwhile, if who
    /// asked waits still.
    pub(super) fn answered(&mut self, session: SessionId, now: Instant) -> Option<Vec<String>> {
        self.left.remove(&session);
        match &mut self.all.get_mut(&session)?.stage {
            Stage::Asked(kicked) => {
                let kicked = std::mem::take(kicked);
                self.advance(session, Stage::Pending, now);
                Some(kicked)
            }
            Stage::Pending | Stage::Given(_) => None,
        }
    }

    /// Whose account it will be is not known yet: auth's answer tells. Those
    /// that are given up at once.
    pub(super) fn kick_asked(
        &mut self,
        by: UserId,
        admin: bool,
        target: &Target,
    ) -> Vec<SessionId> {
        let mut over = Vec::new();
        for (session, opening) in &mut self.all {
            let Stage::Asked(kicked) = &mut opening.stage else {
                continue;
            };
            if !admin && opening.by != by {
                continue;
            }
            match target {
                Target::Session { session: meant } if meant == session => over.push(*session),
                Target::Session { .. } => {}
                Target::Account { account } if kicked.contains(account) => {}
                Target::Account { account } if kicked.len() < MAX_KICKS => {
                    kicked.push(account.clone());
                }
                Target::Account { .. } => over.push(*session),
            }
        }
        over
    }

    pub(super) fn under_way(&self) -> usize {
        self.all.len() + self.left.len() + self.trying.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(7);
    const BOB: UserId = UserId(8);

    fn socket() -> OwnedFd {
        roost_os::fdpass::stream_pair().unwrap().0
    }

    fn ask(locals: &mut Locals, number: usize, by: UserId) -> SessionId {
        let session = SessionId(number as u64);
        let opening = Opening {
            by,
            connection: socket(),
            stage: Stage::Asked(Vec::new()),
            until: Instant::now(),
        };
        locals.all.insert(session, opening);
        session
    }

    #[test]
    fn nobody_but_who_looks_after_the_server_takes_all_the_room() {
        let mut locals = Locals::default();
        let mut own = Vec::new();
        for n in 0..BY_ONE_USER {
            assert!(locals.have_room_for(ANN, false));
            own.push(ask(&mut locals, n, ANN));
        }
        assert!(!locals.have_room_for(ANN, false));
        assert!(locals.have_room_for(BOB, false));
        // At whatever stage it is.
        let now = Instant::now();
        assert!(locals.advance(own[0], Stage::Pending, now));
        assert!(locals.advance(own[1], Stage::Given(socket()), now));
        assert!(locals.is_given(own[1]) && !locals.is_given(own[0]));
        assert!(!locals.have_room_for(ANN, false));
        locals.give_up(own[0]).unwrap();
        assert!(locals.have_room_for(ANN, false));
        // One user may have many numbers.
        let fits = |locals: &mut Locals, n, by, admin| {
            locals.have_room_for(by, admin).then(|| ask(locals, n, by))
        };
        let others = 0..9000;
        let of = |n| UserId(100_000 + n as u32);
        let others = others.map_while(|n| fits(&mut locals, 1000 + n, of(n), false));
        assert!(others.count() > 0);
        assert_eq!(locals.under_way(), MOST - OF_ADMINS);
        let admins = (20_000..29_999).map_while(|n| fits(&mut locals, n, BOB, true));
        assert_eq!(admins.count(), BY_ONE_USER);
        let root = (30_000..39_999).map_while(|n| fits(&mut locals, n, UserId(0), true));
        assert_eq!(root.count(), OF_ADMINS - BY_ONE_USER);
    }

    #[test]
    fn what_auth_has_still_to_answer_counts() {
        let mut locals = Locals::default();
        let own: Vec<_> = (0..BY_ONE_USER).map(|n| ask(&mut locals, n, ANN)).collect();
        locals.give_up(own[0]).unwrap();
        assert!(!locals.have_room_for(ANN, false));
        assert_eq!(locals.answered(own[0], Instant::now()), None);
        assert!(locals.have_room_for(ANN, false));
        // One that is refused then is over.
        assert_eq!(locals.answered(own[1], Instant::now()), Some(vec![]));
        locals.give_up(own[1]).unwrap();
        assert!(locals.left.is_empty());
        // It answers once.
        assert!(locals.advance(own[2], Stage::Given(socket()), Instant::now()));
        assert_eq!(locals.answered(own[2], Instant::now()), None);
    }

    #[test]
    fn each_stage_has_its_time() {
        let mut locals = Locals::default();
        let session = ask(&mut locals, 1, ANN);
        let now = Instant::now() + PATIENCE;
        for stage in [Stage::Pending, Stage::Given(socket())] {
            assert!(locals.advance(session, stage, now));
            assert_eq!(locals.next_wake(), Some(now + PATIENCE));
        }
        locals.give_up(session).unwrap();
        assert!(!locals.advance(session, Stage::Pending, now));
        assert_eq!(locals.next_wake(), None);
    }

    #[test]
    fn an_account_that_is_kicked_while_auth_is_asked_gets_no_session() {
        let mut locals = Locals::default();
        let of = |account: &str| Target::Account {
            account: account.into(),
        };
        let [anns, bobs] = [(1, ANN), (2, BOB)].map(|(n, by)| ask(&mut locals, n, by));
        for _ in 0..2 {
            assert_eq!(locals.kick_asked(ANN, false, &of("ann")), []);
        }
        assert_eq!(locals.kick_asked(UserId(0), true, &of("bob")), []);
        // What others ask for is none of hers.
        let session = Target::Session { session: bobs };
        assert_eq!(locals.kick_asked(ANN, false, &session), []);
        assert_eq!(locals.kick_asked(UserId(0), true, &session), [bobs]);
        // Nobody makes it remember any number of names.
        for n in 2..MAX_KICKS {
            assert_eq!(locals.kick_asked(ANN, false, &of(&n.to_string())), []);
        }
        assert_eq!(locals.kick_asked(ANN, false, &of("more")), [anns]);
        let now = Instant::now();
        let kicked = locals.answered(anns, now).unwrap();
        assert_eq!(
            (&kicked[..2], kicked.len()),
            (&["ann".into(), "bob".into()][..], MAX_KICKS)
        );
        assert_eq!(locals.answered(bobs, now), Some(vec!["bob".into()]));
    }
}
