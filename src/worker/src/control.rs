//! What the supervisor says, and the sessions that come of it.

use crate::Error;
use crate::ending::Ending;
use crate::hints::Hints;
use crate::maintain;
use crate::serve;
use crate::setup::{Setup, store_options};
use crate::turns::Turns;
use crate::{TURNS, tidy};
use roost_ipc::{
    self as ipc, BlockingChannel, EndReason, ForeignResult, OpenForeign, SessionEnd,
    SessionRefusal, SharesWanted, SupervisorToWorker, WorkerSetup, WorkerToSupervisor,
};
use roost_session::{Activity, Ask, Counted, LinkError};
use roost_store::Store;
use roost_types::SessionId;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

type Control = BlockingChannel<WorkerToSupervisor, SupervisorToWorker>;
type Sender = ipc::Sender<WorkerToSupervisor>;

/// After the sessions were told to end, they get this long beyond the
/// supervisor's patience; then the process ends under them.
const GRACE: Duration = Duration::from_millis(200);

/// For a local program's request when there is no session any more: the
/// supervisor waits longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// A worker that has only had sessions of other accounts ends so soon: they
/// look at many in turn.
const LINKS_IDLE: Duration = Duration::from_secs(3);

/// Requests of local programs that are worked on at once; each has a thread.
const MAX_MAINTAINING: usize = 4;

/// Octets of a session's state, which may have a mailbox's name in it.
const MAX_STATUS: usize = 400;

/// Sessions told of in one message, which has its limit.
const TOLD_AT_ONCE: usize = 128;

/// What a session wants of the supervisor.
pub enum Wish {
    /// A link, to `~` and the owner, and what name a mailbox goes by there.
    Link(String, Option<(String, String)>),
    /// The names of those who share something with the session's account.
    Shares,
}

impl Wish {
    pub fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Link { shown, alias } => {
                let alias = alias.as_ref();
                let alias = alias.map(|alias| (alias.name.clone(), alias.of.join('/')));
                Self::Link(shown.clone(), alias)
            }
            Ask::Shares => Self::Shares,
        }
    }
}

/// What the supervisor says to it.
pub enum Answer {
    /// The end of the link.
    Link(Result<OwnedFd, LinkError>),
    /// `~` and the owners.
    Shares(Vec<String>),
}

/// Where sessions send their reports.
pub type Reports = mpsc::Sender<Report>;

/// What sessions report to the control task.
pub enum Report {
    /// A client's session, not a link, can be watched.
    Started(SessionId, Option<Arc<Activity>>),
    Refused(SessionRefusal),
    Ended(SessionEnd),
    Maintained,
    /// Has shown these alerts.
    Alerted(SessionId, Vec<u64>),
    /// A session waits for the answer.
    Asks(SessionId, Wish, oneshot::Sender<Answer>),
}

struct Worker {
    store: Arc<Store>,
    hints: Arc<Hints>,
    setup: Setup,
    turns: Arc<Turns>,
    sender: Sender,
    reports: Reports,
    /// How to end each session, from its message to its last report.
    sessions: HashMap<SessionId, Ending>,
    /// What those of clients are doing.
    activities: HashMap<SessionId, Arc<Activity>>,
    /// Requests of local programs under way.
    maintaining: usize,
    /// Who waits for the supervisor's answer to what.
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    last_request: u64,
    /// One of its own accounts has logged in.
    logged_in: bool,
    /// Since when there is no session.
    idle_since: Instant,
    /// `Idle` has been said since then.
    idle_said: bool,
    stopping: Option<Instant>,
}

pub async fn run(control: Control) -> Result<(), Error> {
    let (mut sender, mut receiver) = control.into_async()?.split();
    let Some(first) = first_setup(&mut receiver).await? else {
        return Ok(());
    };
    roost_ipc::log::set_level(first.log_level);
    let store = Store::new(store_options(&first))?;
    sender.send(&WorkerToSupervisor::Ready, &[]).await?;
    let (reports, mut incoming) = mpsc::channel(64);
    let turns = Turns::new(TURNS);
    tokio::spawn(tidy::run(Arc::clone(&turns)));
    let hints = Arc::new(Hints::default());
    let mut worker = Worker {
        store,
        hints: Arc::clone(&hints),
        turns,
        setup: Setup::new(&first, hints.hook(), Arc::default()),
        sender,
        reports,
        sessions: HashMap::new(),
        activities: HashMap::new(),
        maintaining: 0,
        asked: HashMap::new(),
        last_request: 0,
        logged_in: false,
        idle_since: Instant::now(),
        idle_said: false,
        stopping: None,
    };
    loop {
        let deadline = worker.deadline();
        tokio::select! {
            message = receiver.recv() => match message? {
                Some((message, fds)) => {
                    if worker.told(message, fds).await? {
                        return Ok(());
                    }
                }
                // The supervisor is gone; nobody can log in any more.
                None => worker.stop(Duration::from_secs(1)),
            },
            Some(report) = incoming.recv() => worker.reported(report).await?,
            shares = hints.next() => worker.say(WorkerToSupervisor::Shares(shares)).await?,
            () = sleep_until(deadline) => worker.time_is_up().await?,
        }
        if worker.is_over() {
            return Ok(());
        }
    }
}

async fn first_setup(
    receiver: &mut ipc::Receiver<SupervisorToWorker>,
) -> Result<Option<WorkerSetup>, Error> {
    loop {
        match receiver.recv().await? {
            Some((SupervisorToWorker::Setup(setup), _)) => return Ok(Some(setup)),
            Some((SupervisorToWorker::Stop | SupervisorToWorker::Shutdown(_), _)) | None => {
                return Ok(None);
            }
            Some((other, _)) => log::error!("before the setup: {other:?}"),
        }
    }
}

fn link(result: ForeignResult, end: Option<OwnedFd>) -> Result<OwnedFd, LinkError> {
    match result {
        ForeignResult::Opened => end.ok_or(LinkError::Unavailable),
        ForeignResult::NoSuchAccount => Err(LinkError::NoSuchAccount),
        ForeignResult::Unavailable => Err(LinkError::Unavailable),
        ForeignResult::Limit => Err(LinkError::Limit),
    }
}

/// For one line of a monitor.
fn doing((session, activity): (&SessionId, &Arc<Activity>)) -> ipc::Doing {
    let mut doing = activity.look();
    let room = doing.status.floor_char_boundary(MAX_STATUS);
    doing.status.truncate(room);
    ipc::Doing {
        session: *session,
        status: doing.status,
        running: doing.running,
        show_all: doing.show_all,
    }
}

impl Worker {
    /// True when the worker is to end now.
    async fn told(
        &mut self,
        message: SupervisorToWorker,
        mut fds: Vec<OwnedFd>,
    ) -> Result<bool, Error> {
        match message {
            SupervisorToWorker::Setup(setup) => {
                roost_ipc::log::set_level(setup.log_level);
                let tally = Arc::clone(&self.setup.session.tally);
                self.setup = Setup::new(&setup, self.hints.hook(), tally);
                self.sender.send(&WorkerToSupervisor::Ready, &[]).await?;
            }
            SupervisorToWorker::Session(session) => {
                if let Some(fd) = fds.pop() {
                    self.begin(session, fd);
                }
            }
            SupervisorToWorker::Kick(id) => self.end(id, EndReason::Kicked),
            SupervisorToWorker::Who(request) => self.tell_doings(request).await?,
            SupervisorToWorker::Stats(request) => self.tell_stats(request).await?,
            SupervisorToWorker::Alerts(told) => self.alert(&told),
            SupervisorToWorker::Traced(told) => self.trace(&told),
            SupervisorToWorker::Shutdown(within) => self.stop(within),
            SupervisorToWorker::Stop if self.maintaining > 0 => self.stop(PATIENCE),
            SupervisorToWorker::Stop => return Ok(self.sessions.is_empty()),
            SupervisorToWorker::ForeignOpened(opened) => {
                self.answer(opened.request, Answer::Link(link(opened.result, fds.pop())));
            }
            SupervisorToWorker::SharesFound(found) => {
                let shown = found.owners.iter().map(|owner| format!("~{owner}"));
                self.answer(found.request, Answer::Shares(shown.collect()));
            }
            SupervisorToWorker::Maintain(maintenance) => {
                if let Some(fd) = fds.pop() {
                    self.maintain(maintenance, fd);
                }
            }
        }
        Ok(false)
    }

    fn begin(&mut self, message: ipc::Session, fd: OwnedFd) {
        let ending = Ending::default();
        if self.stopping.is_some() {
            ending.tell(EndReason::Shutdown);
        }
        ending.trace(message.traced);
        let id = message.session;
        self.logged_in |= message.asker.is_none();
        let link = message.asker.is_some();
        self.sessions.insert(id, ending.clone());
        self.idle_said = false;
        let (store, setup) = (self.store.clone(), self.setup.clone());
        let (reports, turns) = (self.reports.clone(), Arc::clone(&self.turns));
        tokio::spawn(async move {
            // What it takes to begin is not kept to the session's end.
            let ready = serve::prepare(store, &setup, message, fd, ending, turns, reports.clone());
            let report = match Box::pin(ready).await {
                Ok(ready) => {
                    let activity = ready.activity().filter(|_| !link);
                    let _ = reports.send(Report::Started(id, activity)).await;
                    Report::Ended(ready.run().await)
                }
                Err(reason) => Report::Refused(SessionRefusal {
                    session: id,
                    reason,
                }),
            };
            let _ = reports.send(report).await;
        });
    }

    fn maintain(&mut self, maintenance: ipc::Maintenance, fd: OwnedFd) {
        if self.maintaining >= MAX_MAINTAINING {
            return maintain::refuse(fd);
        }
        self.maintaining += 1;
        let (store, reports) = (self.store.clone(), self.reports.clone());
        let shares = self.hints.hook();
        tokio::spawn(async move {
            let work = move || maintain::run(&store, &maintenance, &shares, fd);
            // A panic there is logged, and ends only this request.
            let _ = tokio::task::spawn_blocking(work).await;
            let _ = reports.send(Report::Maintained).await;
        });
    }

    fn end(&self, id: SessionId, reason: EndReason) {
        if let Some(end) = self.sessions.get(&id) {
            end.tell(reason);
        }
    }

    fn alert(&self, told: &ipc::Alerts) {
        let sessions = told.sessions.iter().filter_map(|id| self.sessions.get(id));
        for session in sessions {
            for alert in &told.alerts {
                session.alert(alert.clone());
            }
        }
    }

    fn trace(&self, told: &ipc::Traced) {
        let sessions = told.sessions.iter().filter_map(|id| self.sessions.get(id));
        sessions.for_each(|session| session.trace(told.on));
    }

    fn stop(&mut self, within: Duration) {
        for end in self.sessions.values() {
            end.tell(EndReason::Shutdown);
        }
        self.stopping = Some(Instant::now() + within + GRACE);
    }

    async fn reported(&mut self, report: Report) -> Result<(), Error> {
        let (ended, message) = match report {
            Report::Maintained => {
                self.maintaining -= 1;
                self.idle_since = Instant::now();
                return Ok(());
            }
            Report::Alerted(session, alerts) => {
                let alerted = ipc::Alerted { session, alerts };
                (None, WorkerToSupervisor::Alerted(alerted))
            }
            Report::Asks(session, wish, answer) => return self.ask(session, wish, answer).await,
            Report::Started(id, activity) => {
                self.activities
                    .extend(activity.map(|activity| (id, activity)));
                (None, WorkerToSupervisor::SessionStarted(id))
            }
            Report::Refused(refusal) => (
                Some(refusal.session),
                WorkerToSupervisor::SessionRefused(refusal),
            ),
            Report::Ended(end) => (Some(end.session), WorkerToSupervisor::SessionEnded(end)),
        };
        if let Some(id) = ended {
            self.sessions.remove(&id);
            self.activities.remove(&id);
            self.idle_since = Instant::now();
        }
        self.say(message).await
    }

    async fn tell_doings(&mut self, request: u64) -> Result<(), Error> {
        let mut doings = self.activities.iter().map(doing).collect::<Vec<_>>();
        loop {
            let rest = doings.split_off(doings.len().min(TOLD_AT_ONCE));
            let last = rest.is_empty();
            let message = ipc::Doings {
                request,
                doings,
                last,
            };
            self.say(WorkerToSupervisor::Doings(message)).await?;
            if last {
                return Ok(());
            }
            doings = rest;
        }
    }

    async fn tell_stats(&mut self, request: u64) -> Result<(), Error> {
        let counted = self.setup.session.tally.take();
        if request == 0 && counted == Counted::default() {
            return Ok(());
        }
        let jobs = self.activities.values().filter(|a| a.works()).count();
        let commands = counted.commands.iter().map(|command| ipc::CommandStats {
            command: command.kind as u8,
            micros: command.micros,
            classes: command.classes.to_vec(),
        });
        let stats = ipc::WorkerStats {
            request,
            jobs: jobs as u64,
            bytes_in: counted.bytes_in,
            bytes_out: counted.bytes_out,
            commands: commands.collect(),
        };
        self.say(WorkerToSupervisor::Stats(stats)).await
    }

    async fn ask(
        &mut self,
        session: SessionId,
        wish: Wish,
        answer: oneshot::Sender<Answer>,
    ) -> Result<(), Error> {
        if matches!(wish, Wish::Shares) {
            // Whoever was told that something is shared finds it.
            while let Some(shares) = self.hints.pop() {
                self.say(WorkerToSupervisor::Shares(shares)).await?;
            }
        }
        self.last_request += 1;
        let request = self.last_request;
        self.asked.insert(request, answer);
        self.say(match wish {
            Wish::Link(shown, alias) => WorkerToSupervisor::OpenForeign(OpenForeign {
                request,
                session,
                shown,
                alias,
            }),
            Wish::Shares => WorkerToSupervisor::SharesWanted(SharesWanted { request, session }),
        })
        .await
    }

    /// For a session that may have gone.
    fn answer(&mut self, request: u64, answer: Answer) {
        if let Some(waiting) = self.asked.remove(&request) {
            let _ = waiting.send(answer);
        }
    }

    async fn say(&mut self, message: WorkerToSupervisor) -> Result<(), Error> {
        // A supervisor that is gone has no use for it.
        match self.sender.send(&message, &[]).await {
            Err(e) if self.stopping.is_none() => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Instant {
        match self.stopping {
            Some(at) => at,
            None if self.is_idle() && !self.idle_said => self.idle_since + self.patience(),
            None => Instant::now() + Duration::from_secs(3600),
        }
    }

    /// For the next session.
    fn patience(&self) -> Duration {
        match self.logged_in {
            true => self.setup.worker_idle,
            false => self.setup.worker_idle.min(LINKS_IDLE),
        }
    }

    async fn time_is_up(&mut self) -> Result<(), Error> {
        if self.stopping.is_none() && self.is_idle() && !self.idle_said {
            self.idle_said = true;
            // It may be the end.
            self.tell_stats(0).await?;
            self.sender.send(&WorkerToSupervisor::Idle, &[]).await?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.stopping
            .is_some_and(|at| self.is_idle() || Instant::now() >= at)
    }

    fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.maintaining == 0
    }
}
