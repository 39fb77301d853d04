//! The message loop: attempts in from the gate, grants out to the supervisor,
//! outcomes out to the gate.
//!
//! Reading and writing are apart, so that neither process waits for the other
//! with both sockets full. The supervisor has a grant before the gate hears of
//! it.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use roost_ipc::{
    AuthFailure, AuthMethod, AuthOutcome, AuthResult, AuthSetup, AuthStart, AuthToGate,
    AuthToSupervisor, Channel, Claim, Endpoints, Found, GateToAuth, Lookup, Owner, Receiver,
    Secret, Sender, SupervisorToAuth, Trial, TrialResult, Tried,
};
use roost_types::SessionId;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::Error;
use crate::attempt::{Attempt, Out, Shared};
use crate::claim::{self, Turns};
use crate::lookup;
use crate::settings::Settings;

/// Attempts at once; the gate has one for each connection before login.
const MAX_ATTEMPTS: usize = 65_536;
/// Accounts looked up at once, so that logins have threads left.
const LOOKUPS: usize = 16;
/// Messages that may wait for a writer.
const QUEUE: usize = 256;

type Gate = Channel<AuthToGate, GateToAuth>;
type Supervisor = Channel<AuthToSupervisor, SupervisorToAuth>;

/// What the writer is given.
enum Write {
    Attempt(Out),
    Supervisor(AuthToSupervisor),
    NewGate(Sender<AuthToGate>),
    LostGate,
}

/// An attempt as the loop knows it.
struct Running {
    responses: mpsc::Sender<Secret>,
    task: JoinHandle<()>,
}

/// The role's state.
pub struct Server {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    attempts: HashMap<SessionId, Running>,
    /// Those of them that the supervisor has asked for, and that lead to no
    /// session.
    trials: HashSet<SessionId>,
    lookups: Arc<Semaphore>,
    claims: Turns,
    /// From attempts, for bookkeeping before it goes to the writer.
    out: mpsc::Sender<Out>,
    writer: mpsc::Sender<Write>,
}

impl Server {
    /// Serves until the supervisor says so or is gone.
    pub async fn run(
        settings: Settings,
        supervisor: Supervisor,
        gate: OwnedFd,
    ) -> Result<(), Error> {
        let (to_supervisor, mut from_supervisor) = supervisor.split();
        let (to_gate, from_gate) = Gate::new(gate)?.split();
        let (out, mut finished) = mpsc::channel(QUEUE);
        let (writer, queue) = mpsc::channel(QUEUE);
        let mut from_gate = Some(from_gate);
        let mut writing = tokio::spawn(write_all(queue, to_supervisor, to_gate));
        let mut server = Self {
            settings: Arc::new(settings),
            shared: Arc::new(Shared::default()),
            attempts: HashMap::new(),
            trials: HashSet::new(),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            claims: Turns::default(),
            out,
            writer,
        };
        server
            .write(Write::Supervisor(AuthToSupervisor::Ready))
            .await;
        loop {
            tokio::select! {
                message = from_supervisor.recv() => match message? {
                    Some((SupervisorToAuth::Setup(setup), _)) => server.reload(setup).await,
                    Some((SupervisorToAuth::Lookup(lookup), _)) => server.look_up(lookup),
                    Some((SupervisorToAuth::Claim(claim), _)) => server.on_claim(claim),
                    Some((SupervisorToAuth::Try(trial), _)) => server.on_trial(trial),
                    Some((SupervisorToAuth::GatePeer, fds)) => {
                        if let Some(fd) = fds.into_iter().next() {
                            from_gate = Some(server.new_gate(fd).await?);
                        }
                    }
                    Some((SupervisorToAuth::Shutdown, _)) | None => return Ok(()),
                },
                message = recv(&mut from_gate) => match message {
                    Ok(Some(message)) => server.gate_says(message),
                    Ok(None) => {
                        from_gate = None;
                        server.lost_gate().await;
                    }
                    Err(error) => {
                        log::error!("gate: {error}");
                        from_gate = None;
                        server.lost_gate().await;
                    }
                },
                Some(message) = finished.recv() => server.attempt_says(message).await,
                _ = &mut writing => return Ok(()),
            }
        }
    }

    /// The writer ends only together with the supervisor's channel.
    async fn write(&self, message: Write) {
        let _ = self.writer.send(message).await;
    }

    async fn reload(&mut self, setup: AuthSetup) {
        roost_ipc::log::set_level(setup.log_level);
        let before = Arc::clone(&self.settings);
        let made = tokio::task::spawn_blocking(move || Settings::new(setup, Some(&before))).await;
        let answer = match made {
            Ok(Ok(settings)) => {
                self.settings = Arc::new(settings);
                AuthToSupervisor::Ready
            }
            Ok(Err(error)) => AuthToSupervisor::SetupRejected(error.to_string()),
            Err(error) => AuthToSupervisor::SetupRejected(error.to_string()),
        };
        self.write(Write::Supervisor(answer)).await;
    }

    /// The supervisor says how many may wait.
    fn look_up(&self, lookup: Lookup) {
        let (settings, writer) = (Arc::clone(&self.settings), self.writer.clone());
        let lookups = Arc::clone(&self.lookups);
        tokio::spawn(async move {
            let _turn = lookups.acquire_owned().await;
            let request = lookup.request;
            let found = tokio::task::spawn_blocking(move || lookup::answer(&settings, &lookup));
            let found = found.await.unwrap_or_else(|_| Found {
                request,
                owner: Owner::Unknown {},
                groups: Vec::new(),
            });
            let _ = writer
                .send(Write::Supervisor(AuthToSupervisor::Found(found)))
                .await;
        });
    }

    /// The same holds, and for each user.
    fn on_claim(&mut self, claim: Claim) {
        let (settings, writer) = (Arc::clone(&self.settings), self.writer.clone());
        let turn = self.claims.turn(claim.uid);
        tokio::spawn(async move {
            let _turn = turn.await;
            let claimed = claim::answer(settings, claim).await;
            let _ = writer
                .send(Write::Supervisor(AuthToSupervisor::Claimed(claimed)))
                .await;
        });
    }

    /// An attempt as any other, with its delays and limits.
    fn on_trial(&mut self, trial: Trial) {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let session = trial.session;
        let begun = self.start(AuthStart {
            session,
            method: AuthMethod::Login {
                user: trial.user,
                password: trial.password,
            },
            endpoints: Endpoints {
                remote: here,
                local: here,
            },
            tls: None,
            plus_offered: false,
        });
        if begun {
            self.trials.insert(session);
        } else {
            let reason = AuthFailure::Unavailable;
            self.say(tried(session, TrialResult::Failed { reason }));
        }
    }

    async fn new_gate(&mut self, fd: OwnedFd) -> Result<Receiver<GateToAuth>, Error> {
        let (sender, receiver) = Gate::new(fd)?.split();
        self.drop_attempts();
        self.write(Write::NewGate(sender)).await;
        Ok(receiver)
    }

    async fn lost_gate(&mut self) {
        self.drop_attempts();
        self.write(Write::LostGate).await;
    }

    /// The gate that asked is gone, and its clients with it.
    fn drop_attempts(&mut self) {
        let trials = &self.trials;
        let of_gate = self
            .attempts
            .extract_if(|session, _| !trials.contains(session));
        for (_, running) in of_gate {
            running.task.abort();
        }
    }

    fn gate_says(&mut self, message: GateToAuth) {
        match message {
            GateToAuth::Start(start) => {
                let session = start.session;
                if !self.start(start) {
                    let refused = Out::Failed(session, AuthFailure::Unavailable);
                    self.say(Write::Attempt(refused));
                }
            }
            GateToAuth::Response(response) => {
                if let Some(running) = self.of_gate(response.session) {
                    // A response nobody asked for finds no room and is lost.
                    let _ = running.responses.try_send(response.data);
                }
            }
            GateToAuth::Cancel(session) => {
                if self.of_gate(session).is_some()
                    && let Some(running) = self.attempts.remove(&session)
                {
                    running.task.abort();
                }
            }
        }
    }

    /// An attempt that is the gate's to go on with, or to end.
    fn of_gate(&self, session: SessionId) -> Option<&Running> {
        let trial = self.trials.contains(&session);
        self.attempts.get(&session).filter(|_| !trial)
    }

    /// What comes of no attempt, and says nothing about any.
    fn say(&self, message: Write) {
        let writer = self.writer.clone();
        tokio::spawn(async move {
            // Gone only together with the supervisor.
            let _ = writer.send(message).await;
        });
    }

    /// False: it is not begun, and whoever wants it is to hear so. One under
    /// way with the same number is left as it is.
    fn start(&mut self, start: AuthStart) -> bool {
        let session = start.session;
        if self.attempts.contains_key(&session) || self.attempts.len() >= MAX_ATTEMPTS {
            log::error!("attempt refused, too many or a second one for {session}");
            return false;
        }
        let (responses, receiver) = mpsc::channel(1);
        let attempt = Attempt {
            session,
            start,
            settings: Arc::clone(&self.settings),
            shared: Arc::clone(&self.shared),
            responses: receiver,
            out: self.out.clone(),
        };
        let task = tokio::spawn(attempt.run());
        self.attempts.insert(session, Running { responses, task });
        true
    }

    /// What was cancelled meanwhile says nothing any more.
    async fn attempt_says(&mut self, message: Out) {
        let known = match &message {
            Out::Challenge(challenge) => self.attempts.contains_key(&challenge.session),
            Out::Failed(session, _) | Out::Elsewhere(session, ..) => {
                self.attempts.remove(session).is_some()
            }
            Out::Granted(grant) => self.attempts.remove(&grant.session).is_some(),
        };
        if !known {
            return;
        }
        let message = match message {
            Out::Failed(session, reason) if self.trials.remove(&session) => {
                tried(session, TrialResult::Failed { reason })
            }
            Out::Elsewhere(session, user, host) if self.trials.remove(&session) => {
                tried(session, TrialResult::Elsewhere { user, host })
            }
            Out::Granted(grant) if self.trials.remove(&grant.session) => {
                let account = grant.account;
                tried(grant.session, TrialResult::Proved { account })
            }
            other => Write::Attempt(other),
        };
        self.write(message).await;
    }
}

fn tried(session: SessionId, result: TrialResult) -> Write {
    Write::Supervisor(AuthToSupervisor::Tried(Tried { session, result }))
}

/// Waits for ever while there is no gate.
async fn recv(gate: &mut Option<Receiver<GateToAuth>>) -> Result<Option<GateToAuth>, Error> {
    match gate {
        Some(receiver) => Ok(receiver.recv().await?.map(|(message, _)| message)),
        None => std::future::pending().await,
    }
}

async fn write_all(
    mut queue: mpsc::Receiver<Write>,
    mut supervisor: Sender<AuthToSupervisor>,
    gate: Sender<AuthToGate>,
) {
    let mut gate = Some(gate);
    while let Some(message) = queue.recv().await {
        let for_gate = match message {
            Write::NewGate(sender) => {
                gate = Some(sender);
                continue;
            }
            Write::LostGate => {
                gate = None;
                continue;
            }
            Write::Supervisor(message) => {
                if supervisor.send(&message, &[]).await.is_err() {
                    return;
                }
                continue;
            }
            Write::Attempt(Out::Challenge(challenge)) => AuthToGate::Continue(challenge),
            Write::Attempt(Out::Failed(session, reason)) => {
                let result = AuthResult::Failed { reason };
                AuthToGate::Outcome(AuthOutcome { session, result })
            }
            Write::Attempt(Out::Elsewhere(session, user, host)) => {
                let result = AuthResult::Elsewhere { user, host };
                AuthToGate::Outcome(AuthOutcome { session, result })
            }
            Write::Attempt(Out::Granted(grant)) => {
                let session = grant.session;
                let grant = AuthToSupervisor::Grant(grant);
                if supervisor.send(&grant, &[]).await.is_err() {
                    return;
                }
                let result = AuthResult::Granted {};
                AuthToGate::Outcome(AuthOutcome { session, result })
            }
        };
        if let Some(sender) = &mut gate
            && let Err(error) = sender.send(&for_gate, &[]).await
        {
            // The reading side hears of it too and asks for a new gate.
            log::error!("gate: {error}");
            gate = None;
        }
    }
}
