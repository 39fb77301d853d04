//! One worker for each uid, on demand.
//!
//! A worker that has been idle asks to end. It is let go only when no session
//! is on its way to it, and what comes meanwhile waits for its successor: two
//! workers of one uid never run at once, and no login is lost between them.

use std::collections::{HashSet, VecDeque};

use super::child::{Event, Plan, Running};
use super::foreign::Link;
use super::stats::Credit;
use super::*;
use crate::backoff::Backoff;
use crate::link::Inbound;
use crate::registry::Offered;
use crate::roles::Role;
use roost_ipc::{Grant, Refusal, Session, SupervisorToWorker, WorkerToSupervisor};
use roost_os::identity::Credentials;
use roost_types::SessionId;

/// How long a worker that was let go may take to end.
const STOP_TIME: Duration = Duration::from_secs(5);
/// Logins that may wait for a worker of one uid.
const MAX_PENDING: usize = 256;
/// A uid whose worker died is remembered this long for the back-off.
const MEMORY: Duration = Duration::from_secs(60);

pub(super) struct Worker {
    state: State,
    /// Sessions that wait until a worker can be started.
    pending: VecDeque<Wanted>,
    backoff: Backoff,
    /// Those it has had sessions of since it was started; the canonical names.
    accounts: HashSet<String>,
    /// The account for whose link it was started, until its own users come.
    started_for: Option<String>,
    /// What its process may say that it has done.
    pub credit: Credit,
}

/// A session for a worker.
pub(super) enum Wanted {
    Login(Box<Grant>, Offered),
    Link(Box<Link>),
    Local(Box<Grant>),
}

impl Wanted {
    /// Whose mail it is.
    pub fn owner(&self) -> &Grant {
        match self {
            Self::Login(grant, _) => grant,
            Self::Link(link) => &link.owner,
            Self::Local(grant) => grant,
        }
    }
}

enum State {
    Running(Running<SupervisorToWorker>),
    /// It was let go and gets nothing any more; killed at that time.
    Stopping(Running<SupervisorToWorker>, Instant),
    /// It died and is not started again before that time.
    Waiting(Instant),
}

impl Worker {
    fn new(now: Instant) -> Self {
        Self {
            state: State::Waiting(now),
            pending: VecDeque::new(),
            backoff: Backoff::default(),
            accounts: HashSet::new(),
            started_for: None,
            credit: Credit::new(now),
        }
    }

    /// It has been given sessions of that account.
    pub fn serves(&self, account: &str) -> bool {
        self.accounts.contains(account)
    }

    /// The account for whose links alone it runs, or is about to.
    pub fn runs_for(&self) -> Option<&str> {
        let runs = self.takes_messages() || !self.pending.is_empty();
        self.started_for.as_deref().filter(|_| runs)
    }

    /// Who it runs for.
    fn note(&mut self, wanted: &Wanted) {
        match wanted {
            Wanted::Login(..) | Wanted::Local(_) => self.started_for = None,
            Wanted::Link(link) if !self.takes_messages() && self.pending.is_empty() => {
                self.started_for = link.asker().map(str::to_owned);
            }
            Wanted::Link(_) => {}
        }
    }

    fn running(&self) -> Option<&Running<SupervisorToWorker>> {
        match &self.state {
            State::Running(running) | State::Stopping(running, _) => Some(running),
            State::Waiting(_) => None,
        }
    }

    pub fn reap(&mut self, now: Instant, expected: bool) {
        match &mut self.state {
            State::Running(running) => running.reap(now, expected),
            State::Stopping(running, _) => running.reap(now, true),
            State::Waiting(_) => {}
        }
    }

    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::Running(running) => running.overdue(),
            State::Stopping(running, kill_at) => Some(running.overdue().unwrap_or(*kill_at)),
            State::Waiting(until) if self.pending.is_empty() => Some(*until + MEMORY),
            State::Waiting(until) => Some(*until),
        }
    }

    /// Sends to a worker that takes messages; false when it does not read.
    pub fn send(&self, message: SupervisorToWorker) -> bool {
        match &self.state {
            State::Running(running) => running.link.send(message, vec![]).is_ok(),
            State::Stopping(..) | State::Waiting(_) => true,
        }
    }

    /// It runs and has not been let go.
    pub fn takes_messages(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// As [`Worker::send`], with descriptors.
    pub fn send_with(&self, message: SupervisorToWorker, descriptors: Vec<OwnedFd>) -> bool {
        match &self.state {
            State::Running(running) => running.link.send(message, descriptors).is_ok(),
            State::Stopping(..) | State::Waiting(_) => true,
        }
    }

    pub fn is_alive(&self) -> bool {
        self.running().is_some()
    }

    pub fn into_running(self) -> Option<Running<SupervisorToWorker>> {
        match self.state {
            State::Running(running) | State::Stopping(running, _) => Some(running),
            State::Waiting(_) => None,
        }
    }

    /// What waits, when there will be no worker.
    pub fn take_pending(&mut self) -> VecDeque<Wanted> {
        std::mem::take(&mut self.pending)
    }
}

impl Supervisor {
    /// Gives a session to the worker of its uid, now or when there is one.
    pub(super) fn assign(&mut self, wanted: Wanted) {
        let now = Instant::now();
        let credentials = &wanted.owner().credentials;
        let worker = self.workers.entry(credentials.uid);
        let worker = worker.or_insert_with(|| Worker::new(now));
        worker.note(&wanted);
        match &worker.state {
            State::Running(_) => return self.deliver(wanted),
            State::Waiting(until) if *until <= now => {
                let credentials = credentials.clone();
                worker.pending.push_back(wanted);
                return self.start_worker(credentials);
            }
            State::Stopping(..) | State::Waiting(_) => {}
        }
        if worker.pending.len() < MAX_PENDING {
            worker.pending.push_back(wanted);
        } else {
            self.turn_away(wanted, Refusal::Unavailable);
        }
    }

    /// For the next worker of `uid`, which the clock starts.
    pub(super) fn keep_for_later(&mut self, uid: UserId, wanted: Wanted) {
        match self.workers.get_mut(&uid) {
            Some(worker) if worker.pending.len() < MAX_PENDING => worker.pending.push_back(wanted),
            _ => self.turn_away(wanted, Refusal::Unavailable),
        }
    }

    /// Takes away what waits for a worker, but for links.
    pub(super) fn take_waiting(
        &mut self,
        is_meant: impl Fn(SessionId, &Grant) -> bool,
    ) -> Vec<Wanted> {
        let mut taken = Vec::new();
        for worker in self.workers.values_mut() {
            let meant = |wanted: &Wanted| match wanted {
                Wanted::Login(grant, _) | Wanted::Local(grant) => is_meant(grant.session, grant),
                Wanted::Link(_) => false,
            };
            let (meant, others) = worker.take_pending().into_iter().partition(meant);
            worker.pending = others;
            taken.extend::<VecDeque<_>>(meant);
        }
        taken
    }

    /// There is no worker for it.
    pub(super) fn turn_away(&mut self, wanted: Wanted, reason: Refusal) {
        match wanted {
            Wanted::Login(grant, _) => self.refuse(grant.session, reason),
            Wanted::Link(link) => self.drop_link(&link),
            Wanted::Local(grant) => self.turn_away_local(&grant),
        }
    }

    fn deliver(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Login(grant, offered) => self.deliver_login(&grant, offered),
            Wanted::Link(link) => self.deliver_link(*link),
            Wanted::Local(grant) => self.deliver_local(*grant),
        }
    }

    /// To a running worker.
    fn deliver_login(&mut self, grant: &Grant, offered: Offered) {
        let Offered {
            handover,
            connection,
        } = offered;
        if !self.has_room(&grant.account) {
            return self.refuse_too_many(grant);
        }
        let place = match self.settings.place_of(grant) {
            Ok(place) => place,
            Err(error) => return self.refuse_placeless(grant, &error),
        };
        let session = Session {
            session: grant.session,
            account: grant.account.clone(),
            home: grant.home.clone(),
            maildir: place.maildir,
            index_dir: place.index_dir,
            tag: handover.tag.clone(),
            leftover: handover.leftover.clone(),
            endpoints: handover.endpoints.clone(),
            tls: handover.tls.clone(),
            method: grant.method.clone(),
            max_message_size: place.max_message_size,
            sees_non_mail: place.sees_non_mail,
            quota: place.quota,
            asker: None,
            traced: self.is_traced(&grant.account),
        };
        self.enter(grant, &handover);
        self.give_session(grant.credentials.uid, session, connection);
        self.show_alerts(grant.session);
    }

    /// To a worker that runs: the session is in the registry.
    pub(super) fn give_session(&mut self, uid: UserId, session: Session, connection: OwnedFd) {
        let Some(worker) = self.workers.get_mut(&uid) else {
            return;
        };
        worker.accounts.insert(session.account.clone());
        let message = SupervisorToWorker::Session(session);
        if !worker.send_with(message, vec![connection]) {
            self.lose_worker(uid, Some("it does not read its messages"));
        }
    }

    /// To the worker of that generation, if it is there.
    pub(super) fn tell_worker(
        &mut self,
        uid: UserId,
        generation: u64,
        message: SupervisorToWorker,
        descriptors: Vec<OwnedFd>,
    ) {
        let Some(worker) = self.workers.get(&uid) else {
            return;
        };
        let same = worker.running().is_some_and(|r| r.generation == generation);
        if same && !worker.send_with(message, descriptors) {
            self.lose_worker(uid, Some("it does not read its messages"));
        }
    }

    /// Starts the worker of `credentials` and gives it what waited.
    fn start_worker(&mut self, credentials: Credentials) {
        let uid = credentials.uid;
        let generation = self.next_generation();
        let plan = Plan {
            role: Role::Worker,
            program: self.executables.path(Role::Worker),
            credentials: self.source.privilege.for_worker(credentials),
            no_new_privs: true,
            peer: None,
            generation,
            log: &self.log,
        };
        let events = self.events.clone();
        let event = move |inbound| Event::Worker(uid, generation, inbound);
        let started = Running::start(plan, events, event);
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&uid) else {
            return;
        };
        let pending = worker.take_pending();
        match started {
            Ok(running) => {
                let setup = SupervisorToWorker::Setup(self.settings.worker.clone());
                // An empty queue has room.
                let _ = running.link.send(setup, vec![]);
                worker.state = State::Running(running);
                worker.accounts.clear();
                worker.credit = Credit::new(now);
                for wanted in pending {
                    self.deliver(wanted);
                }
            }
            Err(error) => {
                log::error!("no worker for uid {uid} can be started: {error}");
                worker.state = State::Waiting(now + worker.backoff.after_death(now, now));
                for wanted in pending {
                    self.turn_away(wanted, Refusal::Unavailable);
                }
            }
        }
    }

    pub(super) fn on_worker(
        &mut self,
        uid: UserId,
        generation: u64,
        inbound: Inbound<WorkerToSupervisor>,
    ) {
        let Some(running) = self.workers.get(&uid).and_then(Worker::running) else {
            return;
        };
        if running.generation != generation {
            return;
        }
        let pid = running.pid();
        match inbound {
            Inbound::Message(message, _) => {
                self.on_worker_message(uid, pid, generation, message);
            }
            Inbound::Closed(reason) => self.lose_worker(uid, reason.as_deref()),
        }
    }

    fn on_worker_message(
        &mut self,
        uid: UserId,
        pid: u32,
        generation: u64,
        message: WorkerToSupervisor,
    ) {
        match message {
            WorkerToSupervisor::Ready => {}
            WorkerToSupervisor::SetupRejected(reason) => {
                log::error!("worker of uid {uid} cannot use its settings: {reason}");
            }
            WorkerToSupervisor::SessionStarted(session) => {
                self.on_session_started(uid, pid, session)
            }
            WorkerToSupervisor::SessionRefused(refusal) => {
                self.on_session_refused(uid, refusal.session, refusal.reason);
            }
            WorkerToSupervisor::SessionEnded(end) => self.on_session_ended(uid, pid, &end),
            WorkerToSupervisor::Idle => self.on_worker_idle(uid),
            WorkerToSupervisor::OpenForeign(asked) => {
                self.on_open_foreign(uid, generation, asked);
            }
            WorkerToSupervisor::Shares(said) => self.on_shares(uid, &said),
            WorkerToSupervisor::SharesWanted(wanted) => {
                self.on_shares_wanted(uid, generation, wanted);
            }
            WorkerToSupervisor::Doings(doings) => self.on_doings(uid, doings),
            WorkerToSupervisor::Alerted(told) => self.on_alerted(uid, &told),
            WorkerToSupervisor::Stats(told) => self.on_worker_stats(uid, &told),
        }
    }

    pub(super) fn on_worker_idle(&mut self, uid: UserId) {
        if self.registry.has_worker(uid) {
            return;
        }
        let Some(worker) = self.workers.get_mut(&uid) else {
            return;
        };
        let now = Instant::now();
        match std::mem::replace(&mut worker.state, State::Waiting(now)) {
            State::Running(running) => {
                // One that does not read is killed when its time is over.
                let _ = running.link.send(SupervisorToWorker::Stop, vec![]);
                worker.state = State::Stopping(running, now + STOP_TIME);
            }
            other => worker.state = other,
        }
    }

    /// The worker's socket is closed, or it is ended for `reason`.
    pub(super) fn lose_worker(&mut self, uid: UserId, reason: Option<&str>) {
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&uid) else {
            return;
        };
        match std::mem::replace(&mut worker.state, State::Waiting(now)) {
            State::Running(running) => {
                let wait = worker.backoff.after_death(running.started, now);
                worker.state = State::Waiting(now + wait);
                let pid = running.pid();
                self.end_sessions_of(uid, pid);
                self.retire(running, reason);
            }
            State::Stopping(running, kill_at) => {
                worker.backoff = Backoff::default();
                let kill_at = reason.is_none().then_some(kill_at);
                let mut retired = running.retire(kill_at, true);
                if !retired.reap(now) {
                    self.retired.push(retired);
                }
            }
            waiting @ State::Waiting(_) => worker.state = waiting,
        }
    }

    pub(super) fn tick_workers(&mut self, now: Instant) {
        let due: Vec<UserId> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.next_wake().is_some_and(|at| at <= now))
            .map(|(uid, _)| *uid)
            .collect();
        for uid in due {
            let Some(worker) = self.workers.get_mut(&uid) else {
                continue;
            };
            match &worker.state {
                State::Running(_) => self.lose_worker(uid, None),
                State::Stopping(..) => self.lose_worker(uid, Some("it does not end")),
                State::Waiting(_) => match worker.pending.front() {
                    Some(wanted) => {
                        let credentials = wanted.owner().credentials.clone();
                        self.start_worker(credentials);
                    }
                    None => {
                        self.workers.remove(&uid);
                    }
                },
            }
        }
    }
}
