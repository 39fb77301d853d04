//! Links: a session of one account that asks for mailboxes of another.
//!
//! The asker's worker names one of its sessions and an owner; who the asker
//! is, the registry knows, and auth says who the owner is and in what groups
//! the asker. The owner's worker then gets an ordinary session with the asker's
//! name on it, and the asker's worker the other end, when that has begun. So no
//! worker says whose session it wants, and none learns more than whether it can
//! be had.

mod claim;
mod link;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use self::claim::Claim;
use super::workers::Wanted;
use super::*;
use crate::control::answer;
use crate::permits::{Permit, Permits};
use crate::registry::Entry;
use crate::shares;
use roost_ipc::log::{Seldom, escape};
use roost_ipc::{
    ControlReply, ForeignOpened, ForeignResult, Found, Grant, Lookup, OpenForeign, Owner, Reader,
    SharesFound, SharesWanted, SupervisorToWorker,
};
use roost_types::mailbox::MAX_NAME_LEN;
use roost_types::{LogLevel, SessionId};

/// For auth to answer, and again for the owner's worker to take the link.
const PATIENCE: Duration = Duration::from_secs(10);
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
