//! Gate and auth: always one of each, and a socket between them that is made
//! anew when either is.

use super::child::{Event, Plan, Running};
use super::*;
use crate::backoff::Backoff;
use crate::link::Inbound;
use crate::roles::Role;
use roost_ipc::{AuthToSupervisor, GateToSupervisor, Message, SessionBlock};
use roost_types::SessionId;

/// Session numbers that the gate gets at once.
const BLOCK: u32 = 1024;
/// An auth process this young has its socket to the gate from its start: what
/// the gate misses is the one before.
const YOUNG: Duration = Duration::from_secs(1);

/// A process that must always be there.
pub(super) struct Service<Tx> {
    pub running: Option<Running<Tx>>,
    /// When it is started again.
    until: Option<Instant>,
    backoff: Backoff,
}

impl<Tx> Default for Service<Tx> {
    fn default() -> Self {
        Self {
            running: None,
            until: None,
            backoff: Backoff::default(),
        }
    }
}

impl<Tx> Service<Tx> {
    pub fn reap(&mut self, now: Instant, expected: bool) {
        if let Some(running) = &mut self.running {
            running.reap(now, expected);
        }
    }

    pub fn is_ready(&self) -> bool {
        self.running.as_ref().is_some_and(|r| r.ready)
    }

    pub fn next_wake(&self) -> Option<Instant> {
        match &self.running {
            Some(running) => running.overdue(),
            None => self.until,
        }
    }

    fn is(&self, generation: u64) -> bool {
        self.running
            .as_ref()
            .is_some_and(|r| r.generation == generation)
    }

    fn set_ready(&mut self) {
        if let Some(running) = &mut self.running {
            running.ready = true;
        }
    }

    /// Takes the process from its place; it starts again after the back-off.
    pub fn lose(&mut self, now: Instant) -> Option<Running<Tx>> {
        let running = self.running.take()?;
        self.until = Some(now + self.backoff.after_death(running.started, now));
        Some(running)
    }
}

impl<Tx: Message + Send + Sync + 'static> Service<Tx> {
    /// Sends if the process runs; false when it does not read any more.
    fn send(&self, message: Tx, descriptors: Vec<OwnedFd>) -> bool {
        match &self.running {
            Some(running) => running.link.send(message, descriptors).is_ok(),
            None => true,
        }
    }
}

impl Supervisor {
    /// The first start of gate and auth.
    pub(super) fn start(&mut self) -> io::Result<()> {
        let (gate_end, auth_end) = roost_os::fdpass::seqpacket_pair()?;
        self.start_auth(auth_end)?;
        self.start_gate(gate_end)
    }

    fn start_gate(&mut self, peer: OwnedFd) -> io::Result<()> {
        let generation = self.next_generation();
        let plan = Plan {
            role: Role::Gate,
            program: self.executables.path(Role::Gate),
            credentials: None,
            no_new_privs: true,
            peer: Some(peer),
            generation,
            log: &self.log,
        };
        let events = self.events.clone();
        let event = move |inbound| Event::Gate(generation, inbound);
        self.gate.running = Some(Running::start(plan, events, event)?);
        let sessions = self.next_sessions();
        self.send_gate_setup(Some(sessions))
    }

    fn start_auth(&mut self, peer: OwnedFd) -> io::Result<()> {
        let generation = self.next_generation();
        let plan = Plan {
            role: Role::Auth,
            program: self.executables.path(Role::Auth),
            credentials: None,
            // PAM modules start helpers that are set-user-id.
            no_new_privs: false,
            peer: Some(peer),
            generation,
            log: &self.log,
        };
        let events = self.events.clone();
        let event = move |inbound| Event::Auth(generation, inbound);
        self.auth.running = Some(Running::start(plan, events, event)?);
        self.send_auth(SupervisorToAuth::Setup(self.settings.auth.clone()), vec![]);
        Ok(())
    }

    fn next_sessions(&mut self) -> SessionBlock {
        let first = SessionId(self.next_session);
        self.next_session += u64::from(BLOCK);
        SessionBlock {
            first,
            count: BLOCK,
        }
    }

    pub(super) fn send_gate_setup(&mut self, sessions: Option<SessionBlock>) -> io::Result<()> {
        let mut setup = self.settings.gate.clone();
        let (listeners, descriptors) = self.listeners.for_gate()?;
        setup.listeners = listeners;
        setup.sessions = sessions;
        self.send_gate(SupervisorToGate::Setup(setup), descriptors);
        Ok(())
    }

    pub(super) fn send_gate(&mut self, message: SupervisorToGate, descriptors: Vec<OwnedFd>) {
        if !self.gate.send(message, descriptors) {
            self.lose_gate(Some("it does not read its messages"));
        }
    }

    pub(super) fn send_auth(&mut self, message: SupervisorToAuth, descriptors: Vec<OwnedFd>) {
        if !self.auth.send(message, descriptors) {
            self.lose_auth(Some("it does not read its messages"));
        }
    }

    pub(super) fn on_gate(&mut self, generation: u64, inbound: Inbound<GateToSupervisor>) {
        if !self.gate.is(generation) {
            return;
        }
        match inbound {
            Inbound::Message(message, descriptors) => self.on_gate_message(message, descriptors),
            Inbound::Closed(reason) => self.lose_gate(reason.as_deref()),
        }
    }

    fn on_gate_message(&mut self, message: GateToSupervisor, descriptors: Vec<OwnedFd>) {
        match message {
            GateToSupervisor::Ready => {
                self.gate.set_ready();
                self.announce();
            }
            GateToSupervisor::SetupRejected(reason) => self.on_rejected(Role::Gate, &reason),
            GateToSupervisor::Handover(handover) => {
                if let Some(connection) = descriptors.into_iter().next() {
                    self.on_handover(handover, connection);
                }
            }
            GateToSupervisor::MoreSessions => {
                let sessions = self.next_sessions();
                self.send_gate(SupervisorToGate::Sessions(sessions), vec![]);
            }
            GateToSupervisor::AuthLost => self.on_auth_lost(),
            GateToSupervisor::Strangers(strangers) => self.on_strangers(strangers),
            GateToSupervisor::Stats(told) => self.on_gate_stats(&told),
        }
    }

    pub(super) fn on_auth(&mut self, generation: u64, inbound: Inbound<AuthToSupervisor>) {
        if !self.auth.is(generation) {
            return;
        }
        match inbound {
            Inbound::Message(AuthToSupervisor::Ready, _) => {
                self.auth.set_ready();
                self.announce();
                self.ask_for_public();
            }
            Inbound::Message(AuthToSupervisor::SetupRejected(reason), _) => {
                self.on_rejected(Role::Auth, &reason);
            }
            Inbound::Message(AuthToSupervisor::Grant(grant), _) => self.on_grant(grant),
            Inbound::Message(AuthToSupervisor::Found(found), _) => self.on_found(found),
            Inbound::Message(AuthToSupervisor::Claimed(claimed), _) => self.on_claimed(claimed),
            Inbound::Message(AuthToSupervisor::Tried(tried), _) => self.on_tried(tried),
            Inbound::Closed(reason) => self.lose_auth(reason.as_deref()),
        }
    }

    /// Before the service is up this is the end; after a reload the role goes
    /// on with what it had.
    fn on_rejected(&mut self, role: Role, reason: &str) {
        log::error!("{} cannot use its settings: {reason}", role.executable());
        if !self.announced {
            self.fail(exit::CONFIG);
        }
    }

    fn lose_gate(&mut self, reason: Option<&str>) {
        let now = Instant::now();
        let Some(running) = self.gate.lose(now) else {
            return;
        };
        self.registry.forget_gate();
        self.retire(running, reason);
        if !self.phase.is_serving() {
            self.end_auth();
        }
    }

    fn lose_auth(&mut self, reason: Option<&str>) {
        let now = Instant::now();
        if let Some(running) = self.auth.lose(now) {
            self.retire(running, reason);
            self.forget_questions();
            self.forget_claims();
        }
    }

    /// A process whose socket is closed or that broke the rules: killed, for
    /// its place is needed.
    pub(super) fn retire<Tx>(&mut self, mut running: Running<Tx>, reason: Option<&str>)
    where
        Tx: Message + Send + Sync + 'static,
    {
        if let Some(reason) = reason {
            log::error!("process {} is ended: {reason}", running.pid());
        }
        let expected = !self.phase.is_serving();
        let now = Instant::now();
        running.reap(now, expected);
        let kill_at = expected.then(|| self.phase.next_wake()).flatten();
        let mut retired = running.retire(kill_at, expected);
        if !retired.reap(now) {
            self.retired.push(retired);
        }
    }

    pub(super) fn tick_services(&mut self, now: Instant) {
        let overdue = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if self
            .gate
            .running
            .as_ref()
            .is_some_and(|r| overdue(r.overdue()))
        {
            self.lose_gate(None);
        }
        if self
            .auth
            .running
            .as_ref()
            .is_some_and(|r| overdue(r.overdue()))
        {
            self.lose_auth(None);
        }
        if !self.phase.is_serving() {
            return;
        }
        if self.auth.running.is_none() && overdue(self.auth.until) {
            self.restart_auth(now);
        }
        if self.gate.running.is_none() && overdue(self.gate.until) {
            self.restart_gate(now);
        }
    }

    fn restart_gate(&mut self, now: Instant) {
        let result = roost_os::fdpass::seqpacket_pair().and_then(|(gate_end, auth_end)| {
            self.start_gate(gate_end)?;
            self.send_auth(SupervisorToAuth::GatePeer, vec![auth_end]);
            Ok(())
        });
        if let Err(error) = result {
            log::error!("roost-gate cannot be started: {error}");
            self.gate.until = Some(now + self.gate.backoff.after_death(now, now));
        }
    }

    fn restart_auth(&mut self, now: Instant) {
        let result = roost_os::fdpass::seqpacket_pair().and_then(|(gate_end, auth_end)| {
            self.start_auth(auth_end)?;
            self.send_gate(SupervisorToGate::AuthPeer, vec![gate_end]);
            Ok(())
        });
        if let Err(error) = result {
            log::error!("roost-auth cannot be started: {error}");
            self.auth.until = Some(now + self.auth.backoff.after_death(now, now));
        }
    }

    /// The gate's socket to auth is closed. When auth has died its successor
    /// brings a new one; otherwise both get new ends.
    fn on_auth_lost(&mut self) {
        let settled = |r: &Running<SupervisorToAuth>| r.started.elapsed() >= YOUNG;
        if !self.auth.running.as_ref().is_some_and(settled) {
            return;
        }
        match roost_os::fdpass::seqpacket_pair() {
            Ok((gate_end, auth_end)) => {
                self.send_auth(SupervisorToAuth::GatePeer, vec![auth_end]);
                self.send_gate(SupervisorToGate::AuthPeer, vec![gate_end]);
            }
            Err(error) => log::error!("no new socket between gate and auth: {error}"),
        }
    }
}
