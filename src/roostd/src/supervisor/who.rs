//! Who is connected and what they do, and ending connections.
//!
//! Nothing is kept of what sessions do: when somebody asks, the gate and the
//! workers are asked in turn. One that does not answer in time hides nobody:
//! the registry knows its sessions. What a worker says of sessions that are
//! not its own is not heard.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::stats::Moment;
use super::workers::Wanted;
use super::*;
use crate::control::{answer, answer_all};
use roost_ipc::{
    ControlReply, Doing, Doings, NoSession, Refusal, SessionRow, Stranger, Strangers,
    SupervisorToWorker, Target, slog,
};
use roost_types::{LogLevel, SessionId};

/// For the gate and the workers to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Inquiries at once; more are told to come again.
const MOST: usize = 32;
/// Of these, those that are for root and administrators alone.
const OF_ADMINS: usize = 8;
/// One user's but root's.
const BY_ONE_USER: usize = 4;
/// Octets of rows in one message, which has its limit.
const FILL: usize = 32 << 10;
/// Of a row, beside its texts.
const ROW: usize = 96;
/// Octets of a state that are shown.
const MAX_STATUS: usize = 400;

/// Those under way.
#[derive(Default)]
pub(super) struct Inquiries {
    last: u64,
    open: HashMap<u64, Inquiry>,
}

struct Inquiry {
    by: UserId,
    connection: OwnedFd,
    purpose: Purpose,
    /// Whose sessions are shown; all if none, for administrators.
    only: Option<UserId>,
    /// Who has not answered to the end yet.
    awaited: HashSet<Peer>,
    doings: HashMap<SessionId, Doing>,
    strangers: Vec<Stranger>,
    moment: Moment,
    until: Instant,
}

#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Show,
    /// Tell the sums.
    Stats,
    /// End this connection, which is not logged in, if the gate has it.
    Kick(SessionId),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Gate,
    Worker(UserId),
}

impl Inquiries {
    pub fn next_wake(&self) -> Option<Instant> {
        self.open.values().map(|inquiry| inquiry.until).min()
    }

    fn have_room_for(&self, by: UserId, admin: bool) -> bool {
        let own = self.open.values().filter(|inquiry| inquiry.by == by);
        let most = if admin { MOST } else { MOST - OF_ADMINS };
        self.open.len() < most && (by.is_root() || own.count() < BY_ONE_USER)
    }
}

impl Supervisor {
    pub(super) fn on_who(&mut self, by: UserId, admin: bool, connection: OwnedFd) {
        let only = (!admin).then_some(by);
        let mut awaited = HashSet::new();
        for (_, entry) in self.registry.clients() {
            if only.is_none_or(|uid| uid == entry.uid) {
                awaited.insert(Peer::Worker(entry.uid));
            }
        }
        if admin {
            awaited.insert(Peer::Gate);
        }
        self.inquire(by, connection, Purpose::Show, only, awaited);
    }

    /// Who asks is never told of connections that he may not end, not even
    /// that they are there.
    pub(super) fn on_kick(&mut self, by: UserId, admin: bool, target: &Target, asker: OwnedFd) {
        let names = self.names();
        let is_meant = |session: SessionId, account: &str| match target {
            Target::Session { session: id } => session == *id,
            Target::Account { account: name } => names.same(account, name),
        };
        let may_end = |uid: UserId| admin || uid == by;
        let clients = self.registry.clients();
        let meant: Vec<_> = clients
            .filter(|(session, entry)| is_meant(*session, &entry.account) && may_end(entry.uid))
            .map(|(session, entry)| (session, entry.uid))
            .collect();
        for (session, uid) in &meant {
            slog!(*session, LogLevel::Major, "is ended on request of uid {by}");
            self.end_session(*uid, *session);
        }
        let waiting = self.take_waiting(|session, grant| {
            is_meant(session, &grant.account) && may_end(grant.credentials.uid)
        });
        let claims = self.kick_claims(by, admin, target);
        let count = meant.len() + waiting.len() + claims.len();
        let numbers = waiting.iter().map(|wanted| wanted.owner().session);
        for session in numbers.chain(claims) {
            slog!(session, LogLevel::Major, "is ended on request of uid {by}");
        }
        for wanted in waiting {
            match wanted {
                Wanted::Local(grant) => self.refuse_local(grant.session, NoSession::Unavailable),
                other => self.turn_away(other, Refusal::Unavailable),
            }
        }
        if let (0, true, Target::Session { session }) = (count, admin, target) {
            let awaited = HashSet::from([Peer::Gate]);
            return self.inquire(by, asker, Purpose::Kick(*session), None, awaited);
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        answer(asker, ControlReply::Kicked(count));
    }

    fn end_session(&mut self, uid: UserId, session: SessionId) {
        let told = self.workers.get(&uid);
        let told = told.is_none_or(|worker| worker.send(SupervisorToWorker::Kick(session)));
        if !told {
            self.lose_worker(uid, Some("it does not read its messages"));
        }
    }

    pub(super) fn inquire(
        &mut self,
        by: UserId,
        connection: OwnedFd,
        purpose: Purpose,
        only: Option<UserId>,
        mut awaited: HashSet<Peer>,
    ) {
        if !self.inquiries.have_room_for(by, only.is_none()) {
            return answer(connection, ControlReply::Busy);
        }
        self.inquiries.last += 1;
        let request = self.inquiries.last;
        awaited.retain(|peer| match peer {
            Peer::Gate => self.gate.is_ready(),
            Peer::Worker(uid) => self.workers.get(uid).is_some_and(|w| w.takes_messages()),
        });
        let peers: Vec<Peer> = awaited.iter().copied().collect();
        let inquiry = Inquiry {
            by,
            connection,
            purpose,
            only,
            awaited,
            doings: HashMap::new(),
            strangers: Vec::new(),
            moment: Moment::default(),
            until: Instant::now() + PATIENCE,
        };
        self.inquiries.open.insert(request, inquiry);
        for peer in peers {
            match peer {
                Peer::Gate => {
                    let question = match purpose {
                        Purpose::Stats => SupervisorToGate::Stats(request),
                        Purpose::Show | Purpose::Kick(_) => SupervisorToGate::Who(request),
                    };
                    self.send_gate(question, vec![]);
                }
                Peer::Worker(uid) => {
                    let question = match purpose {
                        Purpose::Stats => SupervisorToWorker::Stats(request),
                        Purpose::Show | Purpose::Kick(_) => SupervisorToWorker::Who(request),
                    };
                    let worker = self.workers.get(&uid);
                    if worker.is_some_and(|w| !w.send(question)) {
                        self.lose_worker(uid, Some("it does not read its messages"));
                    }
                }
            }
        }
        self.conclude(request);
    }

    pub(super) fn on_doings(&mut self, uid: UserId, told: Doings) {
        let registry = &self.registry;
        let Some(inquiry) = self.inquiries.open.get_mut(&told.request) else {
            return;
        };
        let own = |doing: &Doing| registry.get(doing.session).is_some_and(|e| e.uid == uid);
        let doings = told.doings.into_iter().filter(own).map(shortened);
        inquiry
            .doings
            .extend(doings.map(|doing| (doing.session, doing)));
        if told.last {
            inquiry.awaited.remove(&Peer::Worker(uid));
            self.conclude(told.request);
        }
    }

    pub(super) fn on_strangers(&mut self, told: Strangers) {
        let most = self.settings.config.limits.max_connections as usize;
        let Some(inquiry) = self.inquiries.open.get_mut(&told.request) else {
            return;
        };
        let room = most.saturating_sub(inquiry.strangers.len());
        inquiry
            .strangers
            .extend(told.strangers.into_iter().take(room));
        if told.last {
            inquiry.awaited.remove(&Peer::Gate);
            self.conclude(told.request);
        }
    }

    /// Somebody has told all that an inquiry wants of it.
    pub(super) fn hear(&mut self, request: u64, from: Peer, what: impl FnOnce(&mut Moment)) {
        if let Some(inquiry) = self.inquiries.open.get_mut(&request)
            && inquiry.awaited.remove(&from)
        {
            what(&mut inquiry.moment);
            self.conclude(request);
        }
    }

    pub(super) fn tick_inquiries(&mut self, now: Instant) {
        for inquiry in self.inquiries.open.values_mut() {
            if inquiry.until <= now {
                inquiry.awaited.clear();
            }
        }
        let due =
            |(request, inquiry): (&u64, &Inquiry)| inquiry.awaited.is_empty().then_some(*request);
        let due: Vec<u64> = self.inquiries.open.iter().filter_map(due).collect();
        for request in due {
            self.conclude(request);
        }
    }

    /// Answers when nobody is waited for any more.
    fn conclude(&mut self, request: u64) {
        let over = |inquiry: &Inquiry| inquiry.awaited.is_empty();
        if !self.inquiries.open.get(&request).is_some_and(over) {
            return;
        }
        let Some(inquiry) = self.inquiries.open.remove(&request) else {
            return;
        };
        match inquiry.purpose {
            Purpose::Stats => answer(inquiry.connection, self.stats_reply(&inquiry.moment)),
            Purpose::Show => {
                let rows = self.rows(inquiry.only, inquiry.doings, inquiry.strangers);
                let mut replies = in_messages(rows);
                replies.push(ControlReply::Done);
                answer_all(inquiry.connection, replies);
            }
            Purpose::Kick(session) => {
                let there = inquiry.strangers.iter().any(|s| s.session == session);
                if there {
                    self.send_gate(SupervisorToGate::Kick(session), vec![]);
                }
                answer(inquiry.connection, ControlReply::Kicked(u32::from(there)));
            }
        }
    }

    fn rows(
        &self,
        only: Option<UserId>,
        mut doings: HashMap<SessionId, Doing>,
        strangers: Vec<Stranger>,
    ) -> Vec<SessionRow> {
        let mut rows = Vec::new();
        for (session, entry) in self.registry.clients() {
            if only.is_some_and(|uid| uid != entry.uid) {
                continue;
            }
            let doing = doings.remove(&session).unwrap_or_else(|| Doing {
                session,
                status: match entry.started {
                    true => "not answering".to_owned(),
                    false => "Authenticating".to_owned(),
                },
                running: None,
                show_all: false,
            });
            rows.push(SessionRow {
                session,
                address: match entry.local {
                    true => Ipv4Addr::UNSPECIFIED.into(),
                    false => canonical(entry.endpoints.remote.ip()),
                },
                tls: Some(entry.tls.is_some()),
                account: Some(entry.account.clone()),
                connected: entry.since.elapsed(),
                status: doing.status,
                running: doing.running,
                show_all: doing.show_all,
            });
        }
        // One that is just being handed over, both know.
        let before = strangers.into_iter();
        let before = before.filter(|stranger| self.registry.get(stranger.session).is_none());
        rows.extend(before.map(|stranger| SessionRow {
            session: stranger.session,
            address: canonical(stranger.address),
            tls: None,
            account: None,
            connected: stranger.connected,
            status: "Authenticating".to_owned(),
            running: None,
            show_all: false,
        }));
        rows.sort_unstable_by_key(|row| row.session);
        rows
    }
}

/// A worker may say anything.
fn shortened(mut doing: Doing) -> Doing {
    let room = doing.status.floor_char_boundary(MAX_STATUS);
    doing.status.truncate(room);
    doing
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn in_messages(rows: Vec<SessionRow>) -> Vec<ControlReply> {
    let mut replies = Vec::new();
    let (mut part, mut size) = (Vec::new(), 0);
    for row in rows {
        let octets = ROW + row.status.len() + row.account.as_ref().map_or(0, String::len);
        if size + octets > FILL && !part.is_empty() {
            replies.push(ControlReply::Sessions(std::mem::take(&mut part)));
            size = 0;
        }
        size += octets;
        part.push(row);
    }
    if !part.is_empty() {
        replies.push(ControlReply::Sessions(part));
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_says_of_a_session_is_short() {
        let doing = Doing {
            session: SessionId(1),
            status: format!("{}é{}", "s".repeat(399), "s".repeat(16_000)),
            running: None,
            show_all: false,
        };
        assert_eq!(shortened(doing).status, "s".repeat(399));
    }

    #[test]
    fn users_ask_for_a_few_things_at_once() {
        let inquiry = |by| Inquiry {
            by: UserId(by),
            connection: roost_os::fdpass::stream_pair().unwrap().0,
            purpose: Purpose::Show,
            only: None,
            awaited: HashSet::new(),
            doings: HashMap::new(),
            strangers: Vec::new(),
            moment: Moment::default(),
            until: Instant::now(),
        };
        let mut inquiries = Inquiries::default();
        for n in 0..BY_ONE_USER {
            assert!(inquiries.have_room_for(UserId(7), false));
            inquiries.open.insert(n as u64, inquiry(7));
        }
        assert!(!inquiries.have_room_for(UserId(7), false));
        assert!(inquiries.have_room_for(UserId(8), false));
        // One user may have many numbers.
        let mut fits = |by, admin| {
            let room = inquiries.have_room_for(UserId(by), admin);
            let number = inquiries.open.len() as u64;
            room.then(|| inquiries.open.insert(number, inquiry(by)))
        };
        let others = (1000..9000).map_while(|by| fits(by, false));
        assert_eq!(others.count() + BY_ONE_USER, MOST - OF_ADMINS);
        let admins = (0..1000).map_while(|_| fits(9, true));
        assert_eq!(admins.count(), BY_ONE_USER);
        let root = (0..1000).map_while(|_| fits(0, true));
        assert_eq!(root.count(), OF_ADMINS - BY_ONE_USER);
    }

    #[test]
    fn any_number_of_rows_fits_messages() {
        let row = |n: u64| SessionRow {
            session: SessionId(n),
            address: [192, 0, 2, 1].into(),
            tls: Some(true),
            account: Some("a".repeat(if n.is_multiple_of(10) { 16_000 } else { 255 })),
            connected: Duration::from_secs(n),
            status: "s".repeat(400),
            running: None,
            show_all: false,
        };
        let replies = in_messages((0..10_000).map(row).collect());
        let mut rows = 0;
        for reply in replies {
            let mut bytes = Default::default();
            roost_ipc::Message::encode(&reply, &mut bytes).unwrap();
            assert!(bytes.len() <= 40 << 10, "{}", bytes.len());
            let ControlReply::Sessions(part) = reply else {
                panic!("{reply:?}");
            };
            rows += part.len();
        }
        assert_eq!(rows, 10_000);
        assert!(in_messages(Vec::new()).is_empty());
    }
}
