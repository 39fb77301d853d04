//! The way of a login: grant from auth, handover from the gate, session at a
//! worker, and the lines about it in the log.

use std::fmt;
use std::net::IpAddr;

use super::workers::Wanted;
use super::*;
use crate::registry::{Entry, Match, Offered};
use roost_config::MaildirError;
use roost_ipc::log::escape;
use roost_ipc::{
    Endpoints, Grant, Handover, HandoverFailure, Refusal, SessionCounts, SessionEnd, TlsInfo, slog,
};
use roost_types::{LogLevel, SessionId};

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

    pub(super) fn refuse_too_many(&mut self, grant: &Grant, endpoints: &Endpoints) {
        let limit = self.settings.max_connections_per_user;
        slog!(
            grant.session,
            LogLevel::Problems,
            "imap-login: Disconnected: Maximum number of connections exceeded \
             (max_connections_per_user={limit}): user=<{}>, method={}, {}, session=<{}>",
            escape(&grant.account),
            escape(&grant.method),
            Addresses(endpoints),
            grant.session
        );
        self.refuse(grant.session, Refusal::TooManyConnections);
    }

    /// Nobody can say where the account's mail is.
    pub(super) fn refuse_placeless(&mut self, grant: &Grant, error: &MaildirError) {
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
        };
        self.registry.insert(grant.session, entry);
    }

    /// The worker has the connection.
    pub(super) fn on_session_started(&mut self, uid: UserId, session: SessionId) {
        if !self.registry.started(session, uid) {
            return;
        }
        match self.registry.get(session) {
            Some(entry) if entry.link.is_some() => return self.on_link_started(session),
            Some(entry) => log_login(session, entry),
            None => {}
        }
        self.send_gate(SupervisorToGate::HandoverDone(session), vec![]);
    }

    pub(super) fn on_session_refused(&mut self, uid: UserId, session: SessionId, reason: Refusal) {
        match self.registry.remove(session, uid) {
            Some(entry) if entry.link.is_some() => self.on_link_ended(session, &entry, reason),
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
        let counts = Some(&end.counts);
        log_end(end.session, &entry, pid, end.reason.text(), counts);
        if !entry.started {
            self.send_gate(SupervisorToGate::HandoverDone(end.session), vec![]);
        }
        self.send_gate(SupervisorToGate::SessionEnded(end.session), vec![]);
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
                log_end(session, &entry, pid, "Worker died", None);
                self.send_gate(SupervisorToGate::SessionEnded(session), vec![]);
            } else {
                self.refuse(session, Refusal::Unavailable);
            }
        }
    }
}

fn log_login(session: SessionId, entry: &Entry) {
    slog!(
        session,
        LogLevel::Major,
        "imap-login: Login: user=<{}>, method={}, {}{}, session=<{session}>",
        escape(&entry.account),
        escape(&entry.method),
        Addresses(&entry.endpoints),
        Transport(entry.tls.as_ref(), &entry.endpoints),
    );
}

/// Dovecot's line, which admins' scripts read, and behind it whose connection
/// it was. `counts`: none of a worker that died.
fn log_end(
    session: SessionId,
    entry: &Entry,
    pid: u32,
    reason: &str,
    counts: Option<&SessionCounts>,
) {
    slog!(
        session,
        LogLevel::Major,
        "imap({})<{pid}><{session}>: Disconnected: {reason} {}time={:.1}s, method={}, {}{}",
        escape(&entry.account),
        Counts(counts),
        entry.since.elapsed().as_secs_f64(),
        escape(&entry.method),
        Addresses(&entry.endpoints),
        Transport(entry.tls.as_ref(), &entry.endpoints),
    );
}

struct Counts<'a>(Option<&'a SessionCounts>);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(c) = self.0 else {
            return Ok(());
        };
        write!(
            f,
            "in={} out={} deleted={} expunged={} trashed=0 hdr_count={} hdr_bytes={} \
             body_count={} body_bytes={} ",
            c.bytes_in,
            c.bytes_out,
            c.deleted,
            c.expunged,
            c.header_count,
            c.header_bytes,
            c.body_count,
            c.body_bytes
        )
    }
}

/// `rip=192.0.2.7, lip=192.0.2.1`, IPv4 always as such.
struct Addresses<'a>(&'a Endpoints);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = |address: std::net::SocketAddr| address.ip().to_canonical();
        let Endpoints { remote, local } = self.0;
        write!(f, "rip={}, lip={}", ip(*remote), ip(*local))
    }
}

/// `, TLS`, `, secured` for a connection that does not leave the machine, or
/// nothing.
struct Transport<'a>(Option<&'a TlsInfo>, &'a Endpoints);

impl fmt::Display for Transport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote: IpAddr = self.1.remote.ip().to_canonical();
        match self.0 {
            Some(_) => f.write_str(", TLS"),
            None if remote.is_loopback() => f.write_str(", secured"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_transport_read_as_log_filters_expect() {
        let endpoints = |remote: &str| Endpoints {
            remote: remote.parse().unwrap(),
            local: "[::ffff:192.0.2.1]:143".parse().unwrap(),
        };
        let far = endpoints("[::ffff:192.0.2.7]:4711");
        assert_eq!(Addresses(&far).to_string(), "rip=192.0.2.7, lip=192.0.2.1");
        assert_eq!(Transport(None, &far).to_string(), "");
        let near = endpoints("127.0.0.1:1");
        assert_eq!(Transport(None, &near).to_string(), ", secured");
        let tls = TlsInfo {
            version: "TLSv1.3".into(),
            cipher: "x".into(),
        };
        assert_eq!(Transport(Some(&tls), &near).to_string(), ", TLS");
    }
}
