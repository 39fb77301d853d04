//! Who may have which connection, and who has one.
//!
//! What must stay true: a connection reaches a worker only when auth has
//! granted that very session number to an account, once. What the gate says
//! is never taken as an identity.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use roost_ipc::{Endpoints, Grant, Handover, Reader, TlsInfo};
use roost_os::UserId;
use roost_types::SessionId;

use crate::permits::Permit;

/// A grant that nobody uses is void after this time.
pub const GRANT_LIFE: Duration = Duration::from_secs(30);
/// Auth sends the grant before the gate hears of it, but on another socket,
/// so that the handover can be read first; it waits this long for its grant.
pub const HANDOVER_PATIENCE: Duration = Duration::from_secs(1);
/// Handovers that may wait at once.
const MAX_EARLY: usize = 256;

/// A handover and the descriptor that came with it.
#[derive(Debug)]
pub struct Offered {
    pub handover: Handover,
    pub connection: OwnedFd,
}

/// A session, from the time it is sent to its worker.
#[derive(Debug, Clone)]
pub struct Entry {
    pub account: String,
    /// Whose worker has it.
    pub uid: UserId,
    pub endpoints: Endpoints,
    pub tls: Option<TlsInfo>,
    pub method: String,
    pub since: Instant,
    /// The worker has said that it has the connection.
    pub started: bool,
    /// It is a link: no client's connection, but another session's.
    pub link: Option<LinkOf>,
    /// Its client is a program of this host, of which the gate knows nothing.
    pub local: bool,
    /// Whom it shows alerts.
    pub reader: Reader,
}

/// Whose link it is.
#[derive(Debug, Clone)]
pub struct LinkOf {
    /// The account that asks.
    pub account: String,
    pub session: SessionId,
    _permit: Arc<Permit>,
}

impl LinkOf {
    /// `permit` counts the link until the entry goes.
    pub fn new(account: String, session: SessionId, permit: Arc<Permit>) -> Self {
        Self {
            account,
            session,
            _permit: permit,
        }
    }
}

/// What becomes of a handover.
#[derive(Debug)]
pub enum Match {
    /// Its grant was there.
    Granted(Box<Grant>, Offered),
    /// It waits for its grant.
    Waiting,
    /// It has no grant and may not wait.
    Refused(Offered),
}

#[derive(Debug, Default)]
pub struct Registry {
    grants: HashMap<SessionId, (Grant, Instant)>,
    early: HashMap<SessionId, (Offered, Instant)>,
    sessions: HashMap<SessionId, Entry>,
    per_account: HashMap<String, u32>,
}

impl Registry {
    /// Takes a grant; returns the handover that was waiting for it.
    pub fn grant(&mut self, grant: Grant, now: Instant) -> Option<(Grant, Offered)> {
        let session = grant.session;
        if let Some((offered, _)) = self.early.remove(&session) {
            return Some((grant, offered));
        }
        self.grants.insert(session, (grant, now + GRANT_LIFE));
        None
    }

    /// Looks for a handover's grant and uses it up.
    pub fn handover(&mut self, offered: Offered, now: Instant) -> Match {
        let session = offered.handover.session;
        match self.grants.remove(&session) {
            Some((grant, until)) if until > now && !self.sessions.contains_key(&session) => {
                Match::Granted(Box::new(grant), offered)
            }
            Some(_) => Match::Refused(offered),
            None if self.sessions.contains_key(&session)
                || self.early.contains_key(&session)
                || self.early.len() >= MAX_EARLY =>
            {
                Match::Refused(offered)
            }
            None => {
                let until = now + HANDOVER_PATIENCE;
                self.early.insert(session, (offered, until));
                Match::Waiting
            }
        }
    }

    /// Drops what has waited too long; returns the handovers among it.
    pub fn expire(&mut self, now: Instant) -> Vec<Offered> {
        self.grants.retain(|_, (_, until)| *until > now);
        self.early
            .extract_if(|_, (_, until)| *until <= now)
            .map(|(_, (offered, _))| offered)
            .collect()
    }

    /// When [`Registry::expire`] has something to do next.
    pub fn next_expiry(&self) -> Option<Instant> {
        let grants = self.grants.values().map(|(_, until)| *until);
        let early = self.early.values().map(|(_, until)| *until);
        grants.chain(early).min()
    }

    /// A new gate has nothing to do with the promises made to the old one.
    pub fn forget_gate(&mut self) {
        self.grants.clear();
        self.early.clear();
    }

    /// Links are no connections of the account.
    pub fn insert(&mut self, session: SessionId, entry: Entry) {
        if entry.link.is_none() {
            *self.per_account.entry(entry.account.clone()).or_default() += 1;
        }
        self.sessions.insert(session, entry);
    }

    /// The worker has the connection; false for a session it was never given
    /// or has confirmed before.
    pub fn started(&mut self, session: SessionId, uid: UserId) -> bool {
        match self.sessions.get_mut(&session) {
            Some(entry) if entry.uid == uid && !entry.started => {
                entry.started = true;
                true
            }
            _ => false,
        }
    }

    /// Ends a session of that worker; `None` if it has no such session.
    pub fn remove(&mut self, session: SessionId, uid: UserId) -> Option<Entry> {
        if self.sessions.get(&session)?.uid != uid {
            return None;
        }
        let entry = self.sessions.remove(&session)?;
        if entry.link.is_none()
            && let Some(count) = self.per_account.get_mut(&entry.account)
        {
            *count -= 1;
            if *count == 0 {
                self.per_account.remove(&entry.account);
            }
        }
        Some(entry)
    }

    pub fn get(&self, session: SessionId) -> Option<&Entry> {
        self.sessions.get(&session)
    }

    /// Connections of an account.
    pub fn count(&self, account: &str) -> u32 {
        self.per_account.get(account).copied().unwrap_or(0)
    }

    /// The sessions of a worker.
    pub fn of_worker(&self, uid: UserId) -> Vec<SessionId> {
        self.sessions
            .iter()
            .filter(|(_, entry)| entry.uid == uid)
            .map(|(session, _)| *session)
            .collect()
    }

    pub fn has_worker(&self, uid: UserId) -> bool {
        self.sessions.values().any(|entry| entry.uid == uid)
    }

    /// Those whose workers have sessions, each once for every session.
    pub fn uids(&self) -> impl Iterator<Item = UserId> {
        self.sessions.values().map(|entry| entry.uid)
    }

    /// The sessions of clients, links left out.
    pub fn clients(&self) -> impl Iterator<Item = (SessionId, &Entry)> {
        let sessions = self.sessions.iter();
        let clients = sessions.filter(|(_, entry)| entry.link.is_none());
        clients.map(|(session, entry)| (*session, entry))
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permits::Permits;
    use roost_os::GroupId;
    use roost_os::identity::Credentials;

    const UID: UserId = UserId(1000);

    fn grant(n: u64) -> Grant {
        Grant {
            session: SessionId(n),
            account: "alice".into(),
            credentials: Credentials {
                uid: UID,
                gid: GroupId(1000),
                groups: vec![],
            },
            home: "/home/alice".into(),
            maildir: None,
            quota: None,
            method: "PLAIN".into(),
            reader: Reader::Owner,
        }
    }

    fn endpoints() -> Endpoints {
        Endpoints {
            remote: "192.0.2.7:4711".parse().unwrap(),
            local: "192.0.2.1:143".parse().unwrap(),
        }
    }

    fn offered(n: u64) -> Offered {
        Offered {
            handover: Handover {
                session: SessionId(n),
                tag: "a".into(),
                leftover: roost_ipc::Bytes(vec![]),
                endpoints: endpoints(),
                tls: None,
            },
            connection: roost_os::fdpass::stream_pair().unwrap().0,
        }
    }

    fn entry(uid: UserId) -> Entry {
        Entry {
            account: "alice".into(),
            uid,
            endpoints: endpoints(),
            tls: None,
            method: "PLAIN".into(),
            since: Instant::now(),
            started: false,
            link: None,
            local: false,
            reader: Reader::Owner,
        }
    }

    #[test]
    fn a_grant_serves_once_and_for_its_session_only() {
        let mut registry = Registry::default();
        let now = Instant::now();
        assert!(registry.grant(grant(1), now).is_none());
        assert!(matches!(registry.handover(offered(2), now), Match::Waiting));
        let Match::Granted(used, _) = registry.handover(offered(1), now) else {
            panic!("grant not found");
        };
        assert_eq!(used.account, "alice");
        assert!(matches!(registry.handover(offered(1), now), Match::Waiting));
        let late = now + HANDOVER_PATIENCE;
        assert_eq!(registry.expire(late).len(), 2, "neither got a grant");
    }

    #[test]
    fn a_session_that_runs_is_not_replaced() {
        let mut registry = Registry::default();
        let now = Instant::now();
        registry.insert(SessionId(1), entry(UID));
        registry.grant(grant(1), now);
        assert!(matches!(
            registry.handover(offered(1), now),
            Match::Refused(_)
        ));
        assert_eq!(registry.count("alice"), 1);
    }

    #[test]
    fn grants_end_after_their_time() {
        let mut registry = Registry::default();
        let now = Instant::now();
        registry.grant(grant(1), now);
        assert_eq!(registry.next_expiry(), Some(now + GRANT_LIFE));
        let late = now + GRANT_LIFE;
        assert!(matches!(
            registry.handover(offered(1), late),
            Match::Refused(_)
        ));
        registry.grant(grant(2), now);
        registry.expire(late);
        assert_eq!(registry.next_expiry(), None);
    }

    #[test]
    fn a_handover_that_came_first_meets_its_grant() {
        let mut registry = Registry::default();
        let now = Instant::now();
        assert!(matches!(registry.handover(offered(5), now), Match::Waiting));
        assert!(matches!(
            registry.handover(offered(5), now),
            Match::Refused(_)
        ));
        let (_, offered) = registry.grant(grant(5), now).unwrap();
        assert_eq!(offered.handover.session, SessionId(5));
        assert!(registry.expire(now + GRANT_LIFE).is_empty());
    }

    #[test]
    fn the_gate_cannot_make_it_hold_descriptors_without_end() {
        let mut registry = Registry::default();
        let now = Instant::now();
        for n in 0..MAX_EARLY as u64 {
            assert!(matches!(registry.handover(offered(n), now), Match::Waiting));
        }
        let more = registry.handover(offered(9999), now);
        assert!(matches!(more, Match::Refused(_)));
    }

    #[test]
    fn a_new_gate_inherits_no_grants() {
        let mut registry = Registry::default();
        let now = Instant::now();
        registry.grant(grant(1), now);
        registry.forget_gate();
        assert!(matches!(registry.handover(offered(1), now), Match::Waiting));
    }

    #[test]
    fn links_are_no_connections_of_the_account() {
        let mut registry = Registry::default();
        let permit = Permits::default().take(SessionId(7), UID, 1).unwrap();
        let link = LinkOf::new("bob".into(), SessionId(7), Arc::new(permit));
        let entry = Entry {
            link: Some(link),
            ..entry(UID)
        };
        registry.insert(SessionId(1), entry);
        assert_eq!((registry.count("alice"), registry.len()), (0, 1));
        assert!(registry.has_worker(UID), "it is not let go meanwhile");
        assert!(registry.remove(SessionId(1), UID).is_some());
        assert_eq!((registry.count("alice"), registry.len()), (0, 0));
    }

    #[test]
    fn sessions_are_counted_by_account_and_ended_by_their_worker_only() {
        let mut registry = Registry::default();
        registry.insert(SessionId(1), entry(UID));
        registry.insert(SessionId(2), entry(UID));
        assert_eq!(registry.count("alice"), 2);
        assert!(registry.remove(SessionId(1), UserId(1001)).is_none());
        assert!(!registry.started(SessionId(1), UserId(1001)));
        assert!(registry.started(SessionId(1), UID));
        assert!(!registry.started(SessionId(1), UID));
        let mut sessions = registry.of_worker(UID);
        sessions.sort();
        assert_eq!(sessions, [SessionId(1), SessionId(2)]);
        assert!(registry.remove(SessionId(1), UID).is_some());
        assert!(registry.remove(SessionId(2), UID).is_some());
        assert_eq!((registry.count("alice"), registry.len()), (0, 0));
        assert!(!registry.has_worker(UID));
    }
}
