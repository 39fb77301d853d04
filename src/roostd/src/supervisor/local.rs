//! Sessions of programs of this host, which have connected to the control
//! socket: `roostctl tunnel` and what else roostctl does by IMAP.
//!
//! Who the program is, the kernel has told; auth says which account that is.
//! Its worker gets an ordinary session, and the program the other end of its
//! connection when that has begun. The gate has no part in it.

mod openings;

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};

pub(super) use self::openings::Locals;
use self::openings::{MOST, Opening, PATIENCE, Stage};
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

/// For a password that is tried, besides the time that PAM may take.
const TRYING: Duration = Duration::from_secs(60);
/// Octets that either side may be ahead of the other.
const AHEAD: usize = 256 << 10;
/// The longest name that auth is asked about.
const MAX_NAME: usize = 1024;
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
        // As long as auth may wait for PAM, for its session, and for a delay.
        let until = Instant::now() + 2 * self.settings.auth.pam_timeout + TRYING;
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
