//! Sessions of programs of this host, which have connected to the control
//! socket: `roostctl tunnel` and what else roostctl does by IMAP.
//!
//! Who the program is, the kernel has told; auth says which account that is.
//! Its worker gets an ordinary session, and the program the other end of its
//! connection when that has begun. The gate has no part in it.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};

use super::workers::Wanted;
use super::*;
use crate::control::{answer, answer_with};
use crate::registry::Entry;
use roost_ipc::log::{Seldom, escape};
use roost_ipc::{
    Attempted, AuthFailure, Bytes, Claim, ClaimResult, Claimed, ControlReply, Endpoints, Grant,
    NoSession, Session, Target, Trial, TrialResult, Tried, Wish, slog,
};
use roost_types::{LogLevel, SessionId};

/// For auth to answer, for a worker to be there, and again for it to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// Under way at once.
const MOST: usize = 256;
/// Of these, those that are for root and administrators alone.
const OF_ADMINS: usize = 32;
/// One user's but root's.
const BY_ONE_USER: usize = 8;
/// For a password that is tried, besides the time that PAM may take.
const TRYING: Duration = Duration::from_secs(60);
/// Octets that either side may be ahead of the other.
const AHEAD: usize = 256 << 10;
/// The longest name that auth is asked about.
const MAX_NAME: usize = 1024;
/// Kicks that one question to auth may outlive.
const MAX_KICKS: usize = 8;

/// What is under way, until the session has begun or there will be none.
#[derive(Default)]
pub(super) struct Locals {
    all: HashMap<SessionId, Opening>,
    /// Questions that auth has still and whose answer nobody waits for: whose
    /// they were. They count, for auth has no other limit.
    left: HashMap<SessionId, UserId>,
    /// Who waits for what becomes of a password.
    trying: HashMap<SessionId, (OwnedFd, Instant)>,
}

struct Opening {
    by: UserId,
    /// Of who waits.
    connection: OwnedFd,
    stage: Stage,
    until: Instant,
}

enum Stage {
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

    fn have_room_for(&self, by: UserId, admin: bool) -> bool {
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
    fn advance(&mut self, session: SessionId, stage: Stage, now: Instant) -> bool {
        let Some(opening) = self.all.get_mut(&session) else {
            return false;
        };
        opening.stage = stage;
        opening.until = now + PATIENCE;
        true
    }

    /// Gives up one that has not begun.
    fn give_up(&mut self, session: SessionId) -> Option<Opening> {
        let opening = self.all.remove(&session)?;
        if matches!(opening.stage, Stage::Asked(_)) {
            self.left.insert(session, opening.by);
        }
        Some(opening)
    }

    /// Auth has answered; the accounts that have been kicked meanwhile, if who
    /// asked waits still.
    fn answered(&mut self, session: SessionId, now: Instant) -> Option<Vec<String>> {
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
    fn kick_asked(&mut self, by: UserId, admin: bool, target: &Target) -> Vec<SessionId> {
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

    fn under_way(&self) -> usize {
        self.all.len() + self.left.len() + self.trying.len()
    }
}

/// There is no network between.
fn endpoints() -> Endpoints {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Endpoints {
        remote: here,
        local: here,
    }
}

fn untried() -> ControlReply {
    ControlReply::Tested(TrialResult::Failed {
        reason: AuthFailure::Unavailable,
    })
}

fn refuse(connection: OwnedFd, reason: NoSession) {
    answer(connection, ControlReply::NotOpened(reason));
}

/// Why there is no session of an account.
fn tell(grant: &Grant, level: LogLevel, why: &dyn Display) {
    static LINES: Seldom = Seldom::new();
    let account = escape(&grant.account);
    let text = format_args!("no session of <{account}>: {why}");
    LINES.log(grant.credentials.uid, level, text);
}

impl Supervisor {
    pub(super) fn on_open(&mut self, by: UserId, admin: bool, wish: Wish, connection: OwnedFd) {
        let Wish { name, client } = wish;
        let locals = self.registry.clients().filter(|(_, entry)| entry.local);
        let most = self.settings.config.limits.max_connections as usize;
        if !self.phase.is_serving() {
            return refuse(connection, NoSession::Unavailable);
        }
        if !self.locals.have_room_for(by, admin) || locals.count() >= most {
            return refuse(connection, NoSession::TooMany);
        }
        if name.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
            return refuse(connection, NoSession::NoSuchAccount);
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let opening = Opening {
            by,
            connection,
            stage: Stage::Asked(Vec::new()),
            until: Instant::now() + PATIENCE,
        };
        self.locals.all.insert(session, opening);
        let claim = Claim {
            session,
            uid: by,
            any: admin && name.is_some(),
            name,
            client,
        };
        self.send_auth(SupervisorToAuth::Claim(claim), vec![]);
    }

    pub(super) fn on_claimed(&mut self, claimed: Claimed) {
        let session = claimed.session;
        let Some(kicked) = self.locals.answered(session, Instant::now()) else {
            return;
        };
        let grant = match claimed.result {
            ClaimResult::Granted { grant } => Grant { session, ..grant },
            ClaimResult::Refused { reason } => return self.refuse_local(session, reason),
        };
        let names = self.names();
        if (kicked.iter()).any(|name| names.same(name, &grant.account)) {
            slog!(session, LogLevel::Major, "is ended on request");
            return self.refuse_local(session, NoSession::Unavailable);
        }
        if !self.phase.is_serving() {
            return self.refuse_local(session, NoSession::Unavailable);
        }
        if let Err(reason) = self.source.privilege.allows(&grant.credentials) {
            tell(&grant, LogLevel::Problems, &reason);
            return self.refuse_local(session, NoSession::NotAllowed);
        }
        self.assign(Wanted::Local(Box::new(grant)));
    }

    /// To a running worker.
    pub(super) fn deliver_local(&mut self, grant: Grant) {
        if !self.has_room(&grant.account) {
            return self.refuse_local(grant.session, NoSession::TooMany);
        }
        let place = match self.settings.place_of(&grant) {
            Ok(place) => place,
            Err(error) => {
                tell(
                    &grant,
                    LogLevel::Failures,
                    &format_args!("no Maildir: {error}"),
                );
                return self.refuse_local(grant.session, NoSession::Unavailable);
            }
        };
        let (ours, theirs) = match roost_os::fdpass::wide_stream_pair(AHEAD) {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("no sockets for a session: {error}");
                return self.refuse_local(grant.session, NoSession::Unavailable);
            }
        };
        let now = Instant::now();
        if !self.locals.advance(grant.session, Stage::Given(ours), now) {
            return;
        }
        let (uid, id) = (grant.credentials.uid, grant.session);
        let entry = Entry {
            account: grant.account.clone(),
            uid,
            endpoints: endpoints(),
            tls: None,
            method: grant.method.clone(),
            since: Instant::now(),
            started: false,
            link: None,
            local: true,
            reader: grant.reader,
        };
        let session = Session {
            session: id,
            account: grant.account.clone(),
            home: grant.home,
            maildir: place.maildir,
            index_dir: place.index_dir,
            tag: String::new(),
            leftover: Bytes(vec![]),
            endpoints: endpoints(),
            tls: None,
            method: grant.method,
            max_message_size: place.max_message_size,
            sees_non_mail: place.sees_non_mail,
            quota: place.quota,
            asker: None,
            traced: self.is_traced(&grant.account),
        };
        self.registry.insert(id, entry);
        self.totals.takes();
        self.give_session(uid, session, theirs);
        self.show_alerts(id);
    }

    /// The worker serves it.
    pub(super) fn on_local_started(&mut self, session: SessionId) {
        if let Some(opening) = self.locals.all.remove(&session)
            && let Stage::Given(end) = opening.stage
        {
            answer_with(opening.connection, ControlReply::Opened, end);
        }
    }

    /// There will be no session, or it is over: who waits still is told so.
    pub(super) fn refuse_local(&mut self, session: SessionId, reason: NoSession) {
        if let Some(opening) = self.locals.give_up(session) {
            refuse(opening.connection, reason);
        }
    }

    /// There is no worker for it.
    pub(super) fn turn_away_local(&mut self, grant: &Grant) {
        slog!(
            grant.session,
            LogLevel::Problems,
            "no worker for <{}>",
            escape(&grant.account)
        );
        self.refuse_local(grant.session, NoSession::Unavailable);
    }

    /// Ends those that auth is asked about, or has its answer end them; says
    /// which are ended already.
    pub(super) fn kick_claims(
        &mut self,
        by: UserId,
        admin: bool,
        target: &Target,
    ) -> Vec<SessionId> {
        let over = self.locals.kick_asked(by, admin, target);
        for session in &over {
            self.refuse_local(*session, NoSession::Unavailable);
        }
        over
    }

    /// Has auth try a password.
    pub(super) fn on_test(&mut self, by: UserId, tested: Attempted, connection: OwnedFd) {
        if self.locals.under_way() >= MOST {
            return answer(connection, ControlReply::Busy);
        }
        if !self.phase.is_serving() {
            return answer(connection, untried());
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        slog!(session, LogLevel::Major, "uid {by} tries a password");
        // As long as auth may wait for PAM, and for a delay.
        let until = Instant::now() + self.settings.auth.pam_timeout + TRYING;
        self.locals.trying.insert(session, (connection, until));
        let trial = Trial {
            session,
            user: tested.user,
            password: tested.password,
        };
        self.send_auth(SupervisorToAuth::Try(trial), vec![]);
    }

    pub(super) fn on_tried(&mut self, tried: Tried) {
        if let Some((connection, _)) = self.locals.trying.remove(&tried.session) {
            answer(connection, ControlReply::Tested(tried.result));
        }
    }

    /// Auth has died: what it was asked gets no answer.
    pub(super) fn forget_claims(&mut self) {
        for (_, (connection, _)) in self.locals.trying.drain() {
            answer(connection, untried());
        }
        let asked = |_: &SessionId, opening: &mut Opening| matches!(opening.stage, Stage::Asked(_));
        for (_, opening) in self.locals.all.extract_if(asked) {
            refuse(opening.connection, NoSession::Unavailable);
        }
        self.locals.left.clear();
    }

    pub(super) fn tick_locals(&mut self, now: Instant) {
        let trying = self.locals.trying.extract_if(|_, (_, until)| *until <= now);
        for (_, (connection, _)) in trying {
            answer(connection, untried());
        }
        let late = |(session, opening): (&SessionId, &Opening)| {
            let pending = matches!(opening.stage, Stage::Pending);
            (opening.until <= now).then_some((*session, pending))
        };
        let late: Vec<(SessionId, bool)> = self.locals.all.iter().filter_map(late).collect();
        if late.iter().any(|(_, pending)| *pending) {
            self.take_waiting(|session, _| late.contains(&(session, true)));
        }
        // A worker that has it finds its end closed.
        for (session, _) in late {
            self.refuse_local(session, NoSession::Unavailable);
        }
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
