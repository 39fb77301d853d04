//! The way of a login: grant from auth, handover from the gate, session at a
//! worker, and the lines about it in the log.

use super::workers::Wanted;
use super::*;
use crate::registry::{Entry, Match, Offered};
use roost_config::TemplateError;
use roost_ipc::log::lines::{Connection, Ended, Login};
use roost_ipc::log::{escape, session_line};
use roost_ipc::{Grant, Handover, HandoverFailure, NoSession, Refusal, SessionEnd, slog};
use roost_types::{LogLevel, LogStyle, SessionId};

impl Supervisor {
    pub(super) fn on_grant(&mut self, grant: Grant) {
        if let Some((grant, offered)) = self.registry.grant(grant, Instant::now()) {
            self.admit(grant, offered);
        }
    }

    pub(super) fn on_handover(&mut self, handover: Handover, connection: OwnedFd) {
        let offered = Offered {
            handover,
            connection,
        };
        match self.registry.handover(offered, Instant::now()) {
            Match::Granted(grant, offered) => self.admit(*grant, offered),
            Match::Waiting => {}
            Match::Refused(offered) => self.refuse_ungranted(&offered.handover),
        }
    }

    /// Auth never said that this session may be anybody's.
    pub(super) fn refuse_ungranted(&mut self, handover: &Handover) {
        slog!(
            handover.session,
            LogLevel::Failures,
            "handover without a grant refused, rip={}",
            handover.endpoints.remote.ip().to_canonical()
        );
        self.refuse(handover.session, Refusal::NoGrant);
    }

    pub(super) fn refuse(&mut self, session: SessionId, reason: Refusal) {
        let failure = HandoverFailure { session, reason };
        self.send_gate(SupervisorToGate::HandoverFailed(failure), vec![]);
    }

    /// Checks what is the supervisor's to check, and passes on to the worker.
    fn admit(&mut self, grant: Grant, offered: Offered) {
        let session = grant.session;
        if !self.phase.is_serving() {
            return self.refuse(session, Refusal::ShuttingDown);
        }
        if let Err(reason) = self.source.privilege.allows(&grant.credentials) {
            slog!(
                session,
                LogLevel::Failures,
                "login of <{}> refused: {reason}",
                escape(&grant.account)
            );
            return self.refuse(session, Refusal::Unavailable);
        }
        self.assign(Wanted::Login(Box::new(grant), offered));
    }

    /// True when the account may have one more connection.
    pub(super) fn has_room(&self, account: &str) -> bool {
        let limit = self.settings.max_connections_per_user;
        limit == 0 || self.registry.count(account) < limit
    }

    /// The gate's line about the connection says whose it was.
    pub(super) fn refuse_too_many(&mut self, grant: &Grant) {
        let limit = self.settings.max_connections_per_user;
        self.totals.rejects();
        slog!(
            grant.session,
            LogLevel::Problems,
            "login of <{}> refused: max_connections_per_user = {limit}",
            escape(&grant.account),
        );
        self.refuse(grant.session, Refusal::TooManyConnections);
    }

    /// Nobody can say where the account's mail is.
    pub(super) fn refuse_placeless(&mut self, grant: &Grant, error: &TemplateError) {
        slog!(
            grant.session,
            LogLevel::Failures,
            "no Maildir for <{}>: {error}",
            escape(&grant.account)
        );
        self.refuse(grant.session, Refusal::Unavailable);
    }

    pub(super) fn enter(&mut self, grant: &Grant, handover: &Handover) {
        let entry = Entry {
            account: grant.account.clone(),
            uid: grant.credentials.uid,
            endpoints: handover.endpoints.clone(),
            tls: handover.tls.clone(),
            method: grant.method.clone(),
            since: Instant::now(),
            started: false,
            link: None,
            local: false,
            reader: grant.reader,
        };
        self.registry.insert(grant.session, entry);
    }

    /// The worker has the connection.
    pub(super) fn on_session_started(&mut self, uid: UserId, pid: u32, session: SessionId) {
        // Its program has been told that there is none: so it stays.
        let given_up = |entry: &Entry| entry.local && !self.locals.is_given(session);
        if self.registry.get(session).is_some_and(given_up) || !self.registry.started(session, uid)
        {
            return;
        }
        match self.registry.get(session) {
            Some(entry) if entry.link.is_some() => return self.on_link_started(session),
            Some(entry) => {
                let (connection, login) = told(self.log_style(), session, entry);
                let line = connection.login(login, Some(pid));
                session_line(session, LogLevel::Major, &line);
                if entry.local {
                    return self.on_local_started(session);
                }
            }
            None => {}
        }
        self.send_gate(SupervisorToGate::HandoverDone(session), vec![]);
    }

    pub(super) fn on_session_refused(&mut self, uid: UserId, session: SessionId, reason: Refusal) {
        match self.registry.remove(session, uid) {
            Some(entry) if entry.link.is_some() => self.on_link_ended(session, &entry, reason),
            Some(entry) if entry.local => {
                self.refuse_local(session, NoSession::Unavailable);
            }
            Some(entry) if !entry.started => self.refuse(session, reason),
            // It has begun already, so that this is its end.
            Some(_) => self.send_gate(SupervisorToGate::SessionEnded(session), vec![]),
            None => {}
        }
    }

    pub(super) fn on_session_ended(&mut self, uid: UserId, pid: u32, end: &SessionEnd) {
        let Some(entry) = self.registry.remove(end.session, uid) else {
            return;
        };
        if entry.link.is_some() {
            return self.on_link_ended(end.session, &entry, Refusal::Unavailable);
        }
        if entry.local && !entry.started {
            return self.refuse_local(end.session, NoSession::Unavailable);
        }
        let told = Ended::Told(end.reason, &end.counts);
        self.log_end(end.session, &entry, pid, told);
        if entry.local {
            return;
        }
        if !entry.started {
            self.send_gate(SupervisorToGate::HandoverDone(end.session), vec![]);
        }
        self.send_gate(SupervisorToGate::SessionEnded(end.session), vec![]);
    }

    fn log_style(&self) -> LogStyle {
        self.settings.config.server.log_style
    }

    fn log_end(&self, session: SessionId, entry: &Entry, pid: u32, end: Ended<'_>) {
        let (connection, login) = told(self.log_style(), session, entry);
        let line = connection.ended(login, pid, end, entry.since.elapsed());
        session_line(session, LogLevel::Major, &line);
    }

    /// A worker has died: sessions that had begun have ended, the others get
    /// an answer through the gate.
    pub(super) fn end_sessions_of(&mut self, uid: UserId, pid: u32) {
        for session in self.registry.of_worker(uid) {
            let Some(entry) = self.registry.remove(session, uid) else {
                continue;
            };
            if entry.link.is_some() {
                self.on_link_orphaned(uid, session, &entry);
            } else if entry.started {
                self.log_end(session, &entry, pid, Ended::WorkerDied);
                if !entry.local {
                    self.send_gate(SupervisorToGate::SessionEnded(session), vec![]);
                }
            } else if entry.local {
                self.refuse_local(session, NoSession::Unavailable);
            } else {
                self.refuse(session, Refusal::Unavailable);
            }
        }
    }
}

/// The connection and the account of a session, for its lines.
fn told(style: LogStyle, session: SessionId, entry: &Entry) -> (Connection<'_>, Login<'_>) {
    let connection = Connection {
        style,
        session,
        endpoints: &entry.endpoints,
        tls: entry.tls.is_some(),
        // It does not leave the machine.
        secured: entry.endpoints.remote.ip().to_canonical().is_loopback(),
    };
    let login = Login {
        user: entry.account.as_bytes(),
        method: &entry.method,
    };
    (connection, login)
}
