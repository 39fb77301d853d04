//! Sessions of programs of this host, which have connected to the control
//! socket: `roostctl tunnel` and what else roostctl does by IMAP.
//!
//! Who the program is, the kernel has told; auth says which account that is.
//! Its worker gets an ordinary session, and the program the other end of its
//! connection when that has begun. The gate has no part in it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use super::workers::Wanted;
use super::*;
use crate::control::{answer, answer_with};
use crate::registry::Entry;
use roost_ipc::log::escape;
use roost_ipc::{
    Attempted, AuthFailure, Bytes, Claim, ClaimResult, Claimed, ControlReply, Endpoints, Grant,
    NoSession, Session, Trial, TrialResult, Tried, slog,
};
use roost_types::{LogLevel, SessionId};

/// For auth to answer, and again for the worker to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// Under way at once.
const MOST: usize = 256;
/// For a password that is tried, besides the time that PAM may take.
const TRYING: Duration = Duration::from_secs(60);
/// Octets that either side may be ahead of the other.
const AHEAD: usize = 256 << 10;
/// The longest name that auth is asked about.
const MAX_NAME: usize = 1024;

/// What is under way.
#[derive(Default)]
pub(super) struct Locals {
    /// Who waits for auth's answer.
    asked: HashMap<SessionId, (OwnedFd, Instant)>,
    /// Who waits for the worker, and the program's end of the connection.
    opening: HashMap<SessionId, (OwnedFd, OwnedFd, Instant)>,
    /// Who waits for what becomes of a password.
    trying: HashMap<SessionId, (OwnedFd, Instant)>,
}

/// A session on its way to the worker.
pub(super) struct Local {
    pub grant: Grant,
    /// Of who wants it.
    connection: OwnedFd,
}

impl Locals {
    pub fn next_wake(&self) -> Option<Instant> {
        let asked = self.asked.values().chain(self.trying.values());
        let asked = asked.map(|(_, until)| *until);
        asked.chain(self.opening.values().map(|(.., at)| *at)).min()
    }
}

impl Locals {
    fn under_way(&self) -> usize {
        self.asked.len() + self.opening.len() + self.trying.len()
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

impl Supervisor {
    pub(super) fn on_open(
        &mut self,
        by: UserId,
        admin: bool,
        name: Option<String>,
        connection: OwnedFd,
    ) {
        let locals = self.registry.clients().filter(|(_, entry)| entry.local);
        let under_way = self.locals.under_way();
        let most = self.settings.config.limits.max_connections as usize;
        if !self.phase.is_serving() {
            return refuse(connection, NoSession::Unavailable);
        }
        if under_way >= MOST || locals.count() >= most {
            return refuse(connection, NoSession::TooMany);
        }
        if name.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
            return refuse(connection, NoSession::NoSuchAccount);
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let until = Instant::now() + PATIENCE;
        self.locals.asked.insert(session, (connection, until));
        let claim = Claim {
            session,
            uid: by,
            any: admin && name.is_some(),
            name,
        };
        self.send_auth(SupervisorToAuth::Claim(claim), vec![]);
    }

    pub(super) fn on_claimed(&mut self, claimed: Claimed) {
        let session = claimed.session;
        let Some((connection, _)) = self.locals.asked.remove(&session) else {
            return;
        };
        let grant = match claimed.result {
            ClaimResult::Granted { grant } => Grant { session, ..grant },
            ClaimResult::Refused { reason } => return refuse(connection, reason),
        };
        if !self.phase.is_serving() {
            return refuse(connection, NoSession::Unavailable);
        }
        if let Err(reason) = self.source.privilege.allows(&grant.credentials) {
            log::info!("no session of <{}>: {reason}", escape(&grant.account));
            return refuse(connection, NoSession::NotAllowed);
        }
        self.assign(Wanted::Local(Box::new(Local { grant, connection })));
    }

    /// To a running worker.
    pub(super) fn deliver_local(&mut self, local: Local) {
        let Local { grant, connection } = local;
        if !self.has_room(&grant.account) {
            return refuse(connection, NoSession::TooMany);
        }
        let place = match self.settings.place_of(&grant) {
            Ok(place) => place,
            Err(error) => {
                log::error!("no Maildir for <{}>: {error}", escape(&grant.account));
                return refuse(connection, NoSession::Unavailable);
            }
        };
        let (ours, theirs) = match roost_os::fdpass::wide_stream_pair(AHEAD) {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("no sockets for a session: {error}");
                return refuse(connection, NoSession::Unavailable);
            }
        };
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
        };
        self.registry.insert(id, entry);
        self.totals.takes();
        let until = Instant::now() + PATIENCE;
        self.locals.opening.insert(id, (connection, ours, until));
        self.give_session(uid, session, theirs);
        self.show_alerts(uid, id, &grant.account);
    }

    /// The worker serves it.
    pub(super) fn on_local_started(&mut self, session: SessionId) {
        if let Some((connection, end, _)) = self.locals.opening.remove(&session) {
            answer_with(connection, ControlReply::Opened, end);
        }
    }

    /// The session is over; who waits still is told that there will be none.
    pub(super) fn on_local_ended(&mut self, session: SessionId) {
        if let Some((connection, ..)) = self.locals.opening.remove(&session) {
            refuse(connection, NoSession::Unavailable);
        }
    }

    /// There is no worker for it.
    pub(super) fn refuse_local(&self, local: Local) {
        slog!(
            local.grant.session,
            LogLevel::Problems,
            "no worker for <{}>",
            escape(&local.grant.account)
        );
        refuse(local.connection, NoSession::Unavailable);
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
        for (_, (connection, _)) in self.locals.asked.drain() {
            refuse(connection, NoSession::Unavailable);
        }
    }

    pub(super) fn tick_locals(&mut self, now: Instant) {
        let late = |until: &Instant| *until <= now;
        let trying = self.locals.trying.extract_if(|_, (_, until)| late(until));
        for (_, (connection, _)) in trying {
            answer(connection, untried());
        }
        let asked = self.locals.asked.extract_if(|_, (_, until)| late(until));
        let asked = asked.map(|(_, (connection, _))| connection);
        // The worker finds its end closed.
        let opening = self.locals.opening.extract_if(|_, (.., until)| late(until));
        let opening = opening.map(|(_, (connection, ..))| connection);
        for connection in asked.chain(opening).collect::<Vec<_>>() {
            refuse(connection, NoSession::Unavailable);
        }
    }
}
