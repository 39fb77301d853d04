//! The supervisor: starts the other roles, brings granted logins to workers,
//! and replaces what dies. It waits for nothing but events; nothing a child
//! does or fails to do can stop it from serving the others.

mod alerts;
mod child;
mod control;
mod foreign;
mod local;
mod reload;
mod room;
mod services;
mod sessions;
mod stats;
mod stop;
mod trace;
mod who;
mod workers;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use roost_ipc::{SupervisorToAuth, SupervisorToGate};
use roost_os::UserId;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::alerts::Alerts;
use crate::control::ControlSocket;
use crate::listen::Listeners;
use crate::logger::Log;
use crate::registry::Registry;
use crate::roles::Executables;
use crate::settings::{Privilege, Settings};
use crate::shares::Shares;
use crate::watch::CertificateWatch;
use crate::{exit, systemd};

pub use child::Event;
use child::Retired;
use foreign::Foreign;
use local::Locals;
use services::Service;
use stats::Totals;
use stop::Phase;
use who::Inquiries;
use workers::Worker;

/// Events that may wait; readers of children's sockets wait beyond that.
const EVENTS: usize = 256;

/// Where the configuration comes from, for reloads.
pub struct Source {
    pub config: PathBuf,
    pub privilege: Privilege,
}

/// What `roostd` needs to begin.
pub struct Parts {
    pub source: Source,
    pub settings: Settings,
    pub executables: Executables,
    pub listeners: Listeners,
    pub log: Log,
}

pub struct Supervisor {
    source: Source,
    settings: Settings,
    executables: Executables,
    listeners: Listeners,
    log: Log,
    events: mpsc::Sender<Event>,
    registry: Registry,
    gate: Service<SupervisorToGate>,
    auth: Service<SupervisorToAuth>,
    workers: HashMap<UserId, Worker>,
    retired: Vec<Retired>,
    foreign: Foreign,
    shares: Shares,
    inquiries: Inquiries,
    locals: Locals,
    totals: Totals,
    alerts: Alerts,
    /// The protocol of these accounts' sessions is logged.
    traced: BTreeSet<String>,
    control: Option<ControlSocket>,
    /// Counts processes started.
    generation: u64,
    /// The first session number that no gate was given.
    next_session: u64,
    /// systemd has been told that the service is up.
    announced: bool,
    phase: Phase,
}

/// What the kernel tells.
struct Signals {
    child: Signal,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Serves until told to stop; returns the exit code.
///
/// # Errors
/// When signals cannot be received, or gate or auth cannot be started at all.
pub async fn run(parts: Parts) -> io::Result<u8> {
    let mut signals = Signals::new()?;
    let (events, mut inbox) = mpsc::channel(EVENTS);
    let mut supervisor = Supervisor::new(parts, events);
    let mut certificates = CertificateChanges::watch(&supervisor.settings);
    supervisor.start()?;
    supervisor.open_control();
    tokio::spawn(supervisor.shares.clone().keep());
    loop {
        let wake = supervisor.next_wake();
        tokio::select! {
            Some(event) = inbox.recv() => supervisor.on_event(event),
            _ = signals.child.recv() => supervisor.reap(),
            _ = signals.hangup.recv() => {
                supervisor.reload();
                certificates = CertificateChanges::watch(&supervisor.settings);
            }
            _ = signals.terminate.recv() => supervisor.stop(),
            _ = signals.interrupt.recv() => supervisor.stop(),
            () = certificates.changed() => supervisor.reload_certificates(),
            () = sleep_until(wake) => {}
        }
        supervisor.tick(Instant::now());
        if let Some(code) = supervisor.finished() {
            supervisor.shares.flush();
            // Logged where it fails.
            let _ = supervisor.alerts.flush();
            return Ok(code);
        }
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl Supervisor {
    fn new(parts: Parts, events: mpsc::Sender<Event>) -> Self {
        let config = &parts.settings.config;
        let default_domain = config.server.default_domain.as_deref();
        let alerts = Alerts::load(parts.settings.config.tls.state_dir.clone());
        let shares = Shares::load(config.tls.state_dir.clone(), default_domain);
        Self {
            source: parts.source,
            settings: parts.settings,
            executables: parts.executables,
            listeners: parts.listeners,
            log: parts.log,
            events,
            registry: Registry::default(),
            gate: Service::default(),
            auth: Service::default(),
            workers: HashMap::new(),
            retired: Vec::new(),
            foreign: Foreign::default(),
            shares,
            inquiries: Inquiries::default(),
            locals: Locals::default(),
            totals: Totals::default(),
            alerts,
            traced: BTreeSet::new(),
            control: None,
            generation: 0,
            next_session: 1,
            announced: false,
            phase: Phase::Serving,
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Gate(generation, inbound) => self.on_gate(generation, inbound),
            Event::Auth(generation, inbound) => self.on_auth(generation, inbound),
            Event::Worker(uid, generation, inbound) => self.on_worker(uid, generation, inbound),
            Event::Control(asked) => self.on_control(asked),
        }
    }

    /// After `SIGCHLD`: one signal may stand for several children.
    fn reap(&mut self) {
        let now = Instant::now();
        let expected = !self.phase.is_serving();
        self.gate.reap(now, expected);
        self.auth.reap(now, expected);
        for worker in self.workers.values_mut() {
            worker.reap(now, expected);
        }
        self.retired.retain_mut(|child| !child.reap(now));
    }

    /// What is due by the clock.
    fn tick(&mut self, now: Instant) {
        self.tick_services(now);
        self.tick_workers(now);
        self.tick_foreign(now);
        self.tick_inquiries(now);
        self.tick_locals(now);
        for offered in self.registry.expire(now) {
            self.refuse_ungranted(&offered.handover);
        }
        if self
            .retired
            .iter()
            .any(|c| c.kill_at().is_some_and(|at| at <= now))
        {
            self.retired.retain_mut(|child| !child.reap(now));
        }
        self.tick_stop(now);
    }

    /// When [`Supervisor::tick`] is due next.
    fn next_wake(&self) -> Option<Instant> {
        let workers = self.workers.values().filter_map(Worker::next_wake);
        let retired = self.retired.iter().filter_map(Retired::kill_at);
        let others = [
            self.gate.next_wake(),
            self.auth.next_wake(),
            self.registry.next_expiry(),
            self.foreign.next_wake(),
            self.inquiries.next_wake(),
            self.locals.next_wake(),
            self.phase.next_wake(),
        ];
        others
            .into_iter()
            .flatten()
            .chain(workers)
            .chain(retired)
            .min()
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Tells systemd, once, when gate and auth are both up.
    fn announce(&mut self) {
        if self.announced || !self.gate.is_ready() || !self.auth.is_ready() {
            return;
        }
        self.announced = true;
        let listening = self.listeners.describe();
        log::warn!("Roost {} serves {listening}", env!("CARGO_PKG_VERSION"));
        systemd::ready(&format!("serving {listening}"));
    }
}

/// Changes of certificate files, from a task that survives being asked in a
/// `select!`.
struct CertificateChanges {
    changed: mpsc::Receiver<()>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl CertificateChanges {
    fn watch(settings: &Settings) -> Self {
        let (sender, changed) = mpsc::channel(1);
        let task = match CertificateWatch::new(settings.certificate_files()) {
            Ok(mut watch) => Some(tokio::spawn(async move {
                while watch.changed().await.is_some() {
                    if sender.send(()).await.is_err() {
                        return;
                    }
                }
            })),
            Err(error) => {
                log::info!("changes of certificates are not watched: {error}");
                None
            }
        };
        Self { changed, task }
    }

    async fn changed(&mut self) {
        if self.changed.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for CertificateChanges {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
