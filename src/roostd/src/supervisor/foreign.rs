//! Links: a session of one account that asks for mailboxes of another.
//!
//! The asker's worker names one of its sessions and an owner; who the asker
//! is, the registry knows, and auth says who the owner is and in what groups
//! the asker. The owner's worker then gets an ordinary session with the asker's
//! name on it, and the asker's worker the other end, when that has begun. So no
//! worker says whose session it wants, and none learns more than whether it can
//! be had.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::workers::Wanted;
use super::*;
use crate::control::answer;
use crate::permits::{Permit, Permits};
use crate::registry::{Entry, LinkOf};
use crate::shares;
use roost_ipc::log::{Seldom, escape};
use roost_ipc::{
    Asker, Bytes, ControlReply, ForeignOpened, ForeignResult, Found, Grant, Lookup, OpenForeign,
    Owner, Reader, Refusal, Session, SharesFound, SharesWanted, SupervisorToWorker, slog,
};
use roost_types::mailbox::MAX_NAME_LEN;
use roost_types::{LogLevel, SessionId};

/// For auth to answer, and again for the owner's worker to take the link.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets that either side may be ahead of the other.
const AHEAD: usize = 512 << 10;
/// The longest name of an owner, with its `~`.
const MAX_SHOWN: usize = 256;
/// Whose mailboxes are a namespace of their own.
const PUBLIC: &str = "public";
/// What users say of their accounts and auth has not confirmed yet, in all and
/// of one user.
const MAX_CLAIMS: [usize; 2] = [32, 4];

/// What is under way.
#[derive(Default)]
pub(super) struct Foreign {
    permits: Permits,
    /// Questions to auth.
    asked: HashMap<u64, (Question, Instant)>,
    last: u64,
    /// Links that the owner's worker has and has not confirmed; the asker's end
    /// is kept meanwhile.
    opening: HashMap<SessionId, (Link, OwnedFd, Instant)>,
}

/// Why auth was asked.
enum Question {
    Link(Wish),
    Shares(SharesWanted, UserId, u64, Permit),
    Public,
    Claim(Claim),
}

/// What a user of the host says that an account shares, which may be his.
struct Claim {
    by: UserId,
    said: roost_ipc::Shares,
    connection: OwnedFd,
}

impl Claim {
    /// Nobody but the account's own user speaks for it.
    fn holds(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Account {
                account,
                credentials,
                ..
            } => *account == self.said.account && credentials.uid == self.by,
            Owner::Nobody {} | Owner::Unknown {} => false,
        }
    }
}

/// A worker's wish for a link.
pub(super) struct Wish {
    asked: OpenForeign,
    uid: UserId,
    /// Of the worker; its successor has no such wish.
    generation: u64,
    permit: Arc<Permit>,
}

/// A link on its way to the owner's worker.
pub(super) struct Link {
    /// Whose mail it is; the number is the link's own.
    pub owner: Grant,
    groups: Vec<String>,
    wish: Wish,
    /// A worker has died before it took it.
    again: bool,
}

impl Link {
    /// The account that it is for.
    pub fn asker(&self) -> Option<&str> {
        self.wish.permit.asker()
    }
}

impl Foreign {
    pub fn next_wake(&self) -> Option<Instant> {
        let asked = self.asked.values().map(|(_, until)| *until);
        asked.chain(self.opening.values().map(|(.., at)| *at)).min()
    }
}

fn too_long(asked: &OpenForeign) -> bool {
    let alias = asked.alias.iter().flat_map(|(name, of)| [name, of]);
    asked.shown.len() > MAX_SHOWN || alias.into_iter().any(|text| text.len() > MAX_NAME_LEN)
}

impl Supervisor {
    pub(super) fn on_open_foreign(&mut self, uid: UserId, generation: u64, asked: OpenForeign) {
        let Some(entry) = self.own_session(uid, asked.session) else {
            return self.lose_worker(uid, Some("it speaks for a session that is not its own"));
        };
        let (asker, local) = (entry.account.clone(), entry.endpoints.local.ip());
        let Some(permit) = self.permit(uid, asked.session) else {
            return self.answer(uid, generation, asked.request, ForeignResult::Limit, None);
        };
        let owner = asked.shown.strip_prefix('~').map(str::to_owned);
        let wish = Wish {
            asked,
            uid,
            generation,
            permit: Arc::new(permit),
        };
        if !self.phase.is_serving() {
            return self.refuse_link(&wish, ForeignResult::Unavailable);
        }
        if owner.is_none() || too_long(&wish.asked) {
            return self.refuse_link(&wish, ForeignResult::NoSuchAccount);
        }
        self.ask_auth(Question::Link(wish), owner, Some(asker), local);
    }

    pub(super) fn on_shares_wanted(&mut self, uid: UserId, generation: u64, wanted: SharesWanted) {
        let Some(entry) = self.own_session(uid, wanted.session) else {
            return self.lose_worker(uid, Some("it speaks for a session that is not its own"));
        };
        let (asker, local) = (entry.account.clone(), entry.endpoints.local.ip());
        match self.permit(uid, wanted.session) {
            Some(permit) => {
                let question = Question::Shares(wanted, uid, generation, permit);
                self.ask_auth(question, None, Some(asker), local);
            }
            None => self.tell_shares(uid, generation, wanted.request, Vec::new()),
        }
    }

    /// What a worker says is shared of one of its accounts.
    pub(super) fn on_shares(&mut self, uid: UserId, said: &roost_ipc::Shares) {
        match self.workers.get(&uid) {
            Some(worker) if worker.serves(&said.account) => {
                self.shares.set(&said.account, &said.identifiers);
            }
            _ => self.lose_worker(uid, Some("it speaks for an account that is not its own")),
        }
    }

    /// What a user says is shared of his account. Auth knows whose it is.
    pub(super) fn on_claim(&mut self, by: UserId, said: roost_ipc::Shares, connection: OwnedFd) {
        let claims = self.foreign.asked.values().filter_map(|(q, _)| match q {
            Question::Claim(claim) => Some(claim.by == by),
            _ => None,
        });
        let (all, own) = claims.fold((0, 0), |(all, own), is| (all + 1, own + usize::from(is)));
        let [of_all, of_one] = MAX_CLAIMS;
        if all >= of_all || own >= of_one || !self.phase.is_serving() {
            return answer(connection, ControlReply::Busy);
        }
        let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let account = said.account.clone();
        let claim = Claim {
            by,
            said,
            connection,
        };
        self.ask_auth(Question::Claim(claim), Some(account), None, anywhere);
    }

    /// Auth is up: does the account `public` exist?
    pub(super) fn ask_for_public(&mut self) {
        let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self.ask_auth(Question::Public, Some(PUBLIC.into()), None, anywhere);
    }

    fn permit(&self, uid: UserId, session: SessionId) -> Option<Permit> {
        let most = self.settings.config.limits.max_connections;
        self.foreign.permits.take(session, uid, most)
    }

    fn tell_shares(&mut self, uid: UserId, generation: u64, request: u64, owners: Vec<String>) {
        let message = SupervisorToWorker::SharesFound(SharesFound { request, owners });
        self.tell_worker(uid, generation, message, vec![]);
    }

    /// A session of that worker, and no link.
    fn own_session(&self, uid: UserId, session: SessionId) -> Option<&Entry> {
        let entry = self.registry.get(session)?;
        (entry.uid == uid && entry.link.is_none()).then_some(entry)
    }

    fn ask_auth(
        &mut self,
        question: Question,
        owner: Option<String>,
        asker: Option<String>,
        local: IpAddr,
    ) {
        self.foreign.last += 1;
        let request = self.foreign.last;
        let until = Instant::now() + PATIENCE;
        self.foreign.asked.insert(request, (question, until));
        let lookup = Lookup {
            request,
            owner,
            asker,
            local,
        };
        self.send_auth(SupervisorToAuth::Lookup(lookup), vec![]);
    }

    pub(super) fn on_found(&mut self, found: Found) {
        let Some((question, _)) = self.foreign.asked.remove(&found.request) else {
            return;
        };
        match question {
            Question::Link(wish) => self.open_link(wish, found),
            Question::Shares(wanted, uid, generation, _permit) => {
                let owners = self
                    .own_session(uid, wanted.session)
                    .map(|entry| shares::Asker {
                        account: &entry.account,
                        groups: &found.groups,
                    })
                    .map(|asker| self.shares.with(&asker));
                let owners = owners.unwrap_or_default();
                self.tell_shares(uid, generation, wanted.request, owners);
            }
            Question::Public => self.set_public(matches!(found.owner, Owner::Account { .. })),
            Question::Claim(claim) if claim.holds(&found.owner) => {
                self.shares
                    .set(&claim.said.account, &claim.said.identifiers);
                answer(claim.connection, ControlReply::Done);
            }
            Question::Claim(claim) => {
                let account = escape(&claim.said.account);
                static LINES: Seldom = Seldom::new();
                let text = format_args!("uid {} speaks for <{account}>: refused", claim.by);
                LINES.log(claim.by, LogLevel::Problems, text);
                answer(claim.connection, ControlReply::Refused);
            }
        }
    }

    /// Auth has died: what it was asked gets no answer.
    pub(super) fn forget_questions(&mut self) {
        for (_, (question, _)) in std::mem::take(&mut self.foreign.asked) {
            self.unanswered(question);
        }
    }

    fn unanswered(&mut self, question: Question) {
        match question {
            Question::Link(wish) => self.refuse_link(&wish, ForeignResult::Unavailable),
            Question::Shares(wanted, uid, generation, _permit) => {
                self.tell_shares(uid, generation, wanted.request, Vec::new());
            }
            Question::Public if self.auth.is_ready() => self.ask_for_public(),
            // Asked again when auth is up.
            Question::Public => {}
            Question::Claim(claim) => answer(claim.connection, ControlReply::Busy),
        }
    }

    fn open_link(&mut self, wish: Wish, found: Found) {
        let asker = self.own_session(wish.uid, wish.asked.session);
        let Some(asker) = asker.map(|entry| entry.account.clone()) else {
            return self.refuse_link(&wish, ForeignResult::Unavailable);
        };
        let room = self.room_for(&asker);
        if !self.admits(room, &asker, &found) {
            log::info!("too many workers run for links of <{}>", escape(&asker));
            return self.refuse_link(&wish, ForeignResult::Limit);
        }
        let session = SessionId(self.next_session);
        let owner = match found.owner {
            Owner::Account {
                account,
                credentials,
                home,
                maildir,
                quota,
            } => Grant {
                session,
                account,
                credentials,
                home,
                maildir,
                quota,
                method: "LINK".into(),
                reader: Reader::Nobody,
            },
            Owner::Nobody {} => return self.refuse_link(&wish, ForeignResult::NoSuchAccount),
            Owner::Unknown {} => return self.refuse_link(&wish, ForeignResult::Unavailable),
        };
        if !self.phase.is_serving() {
            return self.refuse_link(&wish, ForeignResult::Unavailable);
        }
        if let Err(reason) = self.source.privilege.allows(&owner.credentials) {
            log::info!(
                "no mail of <{}> for others: {reason}",
                escape(&owner.account)
            );
            return self.refuse_link(&wish, ForeignResult::NoSuchAccount);
        }
        let most = self.settings.config.limits.max_connections;
        if !wish.permit.claim(&asker, &owner.account, most) {
            return self.refuse_link(&wish, ForeignResult::Limit);
        }
        self.next_session += 1;
        self.assign(Wanted::Link(Box::new(Link {
            owner,
            groups: found.groups,
            wish,
            again: false,
        })));
    }

    /// To the owner's running worker.
    pub(super) fn deliver_link(&mut self, link: Link) {
        let (owner, wish) = (&link.owner, &link.wish);
        // Meanwhile it may have ended; its worker waits for an answer still.
        let Some(entry) = self.own_session(wish.uid, wish.asked.session) else {
            return self.refuse_link(wish, ForeignResult::Unavailable);
        };
        let (asker, tls) = (entry.account.clone(), entry.tls.clone());
        let endpoints = entry.endpoints.clone();
        let place = match self.settings.place_of(owner) {
            Ok(place) => place,
            Err(error) => {
                log::error!("no Maildir for <{}>: {error}", escape(&owner.account));
                return self.refuse_link(&link.wish, ForeignResult::Unavailable);
            }
        };
        let (ours, theirs) = match roost_os::fdpass::wide_stream_pair(AHEAD) {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("no sockets for a link: {error}");
                return self.refuse_link(&link.wish, ForeignResult::Unavailable);
            }
        };
        let session = Session {
            session: owner.session,
            account: owner.account.clone(),
            home: owner.home.clone(),
            maildir: place.maildir,
            index_dir: place.index_dir,
            tag: String::new(),
            leftover: Bytes(vec![]),
            endpoints: endpoints.clone(),
            tls: tls.clone(),
            method: owner.method.clone(),
            max_message_size: place.max_message_size,
            sees_non_mail: place.sees_non_mail,
            quota: place.quota,
            asker: Some(Asker {
                account: asker.clone(),
                groups: link.groups.clone(),
                shown: wish.asked.shown.clone(),
                alias: wish.asked.alias.clone(),
            }),
            // Its asker is, if anyone.
            traced: false,
        };
        let entry = Entry {
            account: owner.account.clone(),
            uid: owner.credentials.uid,
            endpoints,
            tls,
            method: owner.method.clone(),
            since: Instant::now(),
            started: false,
            link: Some(LinkOf::new(
                asker,
                wish.asked.session,
                Arc::clone(&wish.permit),
            )),
            local: false,
            reader: owner.reader,
        };
        let (uid, id) = (owner.credentials.uid, owner.session);
        self.registry.insert(id, entry);
        let until = Instant::now() + PATIENCE;
        self.foreign.opening.insert(id, (link, ours, until));
        self.give_session(uid, session, theirs);
    }

    /// The owner's worker serves the link.
    pub(super) fn on_link_started(&mut self, link: SessionId) {
        let Some((Link { wish, .. }, end, _)) = self.foreign.opening.remove(&link) else {
            return;
        };
        if let Some(entry) = self.registry.get(link)
            && let Some(of) = &entry.link
        {
            slog!(
                link,
                LogLevel::LowLevel,
                "link of <{}> to <{}> opened, for session=<{}>",
                escape(&of.account),
                escape(&entry.account),
                of.session
            );
        }
        let (opened, request) = (ForeignResult::Opened, wish.asked.request);
        self.answer(wish.uid, wish.generation, request, opened, Some(end));
    }

    /// A link has ended, or has never begun, for this reason.
    pub(super) fn on_link_ended(&mut self, link: SessionId, entry: &Entry, reason: Refusal) {
        if let Some((Link { wish, .. }, ..)) = self.foreign.opening.remove(&link) {
            let result = match reason {
                Refusal::NoMail => ForeignResult::NoSuchAccount,
                _ => ForeignResult::Unavailable,
            };
            return self.refuse_link(&wish, result);
        }
        if let Some(of) = &entry.link {
            slog!(
                link,
                LogLevel::LowLevel,
                "link of <{}> to <{}> closed after {:.1}s, for session=<{}>",
                escape(&of.account),
                escape(&entry.account),
                entry.since.elapsed().as_secs_f64(),
                of.session
            );
        }
    }

    /// The owner's worker has died. A link that it had not taken yet was sent
    /// to a dead one, and gets its successor, once.
    pub(super) fn on_link_orphaned(&mut self, uid: UserId, link: SessionId, entry: &Entry) {
        match self.foreign.opening.remove(&link) {
            Some((mut link, ..)) if !link.again && self.phase.is_serving() => {
                link.again = true;
                self.keep_for_later(uid, Wanted::Link(Box::new(link)));
            }
            Some((link, ..)) => self.drop_link(&link),
            None => self.on_link_ended(link, entry, Refusal::Unavailable),
        }
    }

    pub(super) fn drop_link(&mut self, link: &Link) {
        self.refuse_link(&link.wish, ForeignResult::Unavailable);
    }

    fn refuse_link(&mut self, wish: &Wish, result: ForeignResult) {
        self.answer(wish.uid, wish.generation, wish.asked.request, result, None);
    }

    fn answer(
        &mut self,
        uid: UserId,
        generation: u64,
        request: u64,
        result: ForeignResult,
        end: Option<OwnedFd>,
    ) {
        let message = SupervisorToWorker::ForeignOpened(ForeignOpened { request, result });
        self.tell_worker(uid, generation, message, end.into_iter().collect());
    }

    pub(super) fn tick_foreign(&mut self, now: Instant) {
        let late = |until: &Instant| *until <= now;
        let asked: Vec<_> = self
            .foreign
            .asked
            .extract_if(|_, (_, until)| late(until))
            .map(|(_, (question, _))| question)
            .collect();
        for question in asked {
            self.unanswered(question);
        }
        // The owner's worker finds its end closed.
        let opening: Vec<_> = self
            .foreign
            .opening
            .extract_if(|_, (.., until)| late(until))
            .map(|(_, (link, ..))| link)
            .collect();
        for link in opening {
            self.drop_link(&link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_os::GroupId;
    use roost_os::identity::Credentials;

    #[test]
    fn a_user_speaks_for_his_own_account_and_no_other() {
        let claim = |by, account: &str| Claim {
            by: UserId(by),
            said: roost_ipc::Shares {
                account: account.into(),
                identifiers: vec!["bob".into()],
            },
            connection: std::fs::File::open("/dev/null").unwrap().into(),
        };
        let owner = |name: &str, uid| Owner::Account {
            account: name.into(),
            credentials: Credentials {
                uid: UserId(uid),
                gid: GroupId(uid),
                groups: Vec::new(),
            },
            home: "/home".into(),
            maildir: None,
            quota: None,
        };
        assert!(claim(1001, "alice").holds(&owner("alice", 1001)));
        assert!(!claim(1002, "alice").holds(&owner("alice", 1001)));
        // What auth takes for another account of his is not what he has named.
        assert!(!claim(1001, "alice").holds(&owner("alice@home.org", 1001)));
        assert!(!claim(1001, "alice").holds(&Owner::Nobody {}));
        assert!(!claim(1001, "alice").holds(&Owner::Unknown {}));
    }
}
