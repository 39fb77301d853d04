//! The end: every client gets its BYE, every process its chance to finish,
//! and after a few seconds no more.

use super::*;
use roost_ipc::{Refusal, SupervisorToWorker};

/// Longer than the sessions' own grace, after which the rest is killed.
const MARGIN: Duration = Duration::from_secs(1);
/// A killed process that is not gone after this time is left behind.
const LAST_WAIT: Duration = Duration::from_secs(2);

pub(super) enum Phase {
    Serving,
    /// Children have been told to end.
    Ending {
        kill_at: Instant,
        code: u8,
    },
    /// Children have been killed.
    Killing {
        leave_at: Instant,
        code: u8,
    },
}

impl Phase {
    pub fn is_serving(&self) -> bool {
        matches!(self, Self::Serving)
    }

    pub fn next_wake(&self) -> Option<Instant> {
        match self {
            Self::Serving => None,
            Self::Ending { kill_at, .. } => Some(*kill_at),
            Self::Killing { leave_at, .. } => Some(*leave_at),
        }
    }
}

impl Supervisor {
    /// Told to stop; told twice, at once.
    pub(super) fn stop(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Serving => {
                log::warn!("stopping, {} sessions", self.registry.len());
                self.end(now, exit::OK);
            }
            Phase::Ending { code, .. } => self.kill_all(now, code),
            Phase::Killing { .. } => {}
        }
    }

    /// Ends because there is no way to go on.
    pub(super) fn fail(&mut self, code: u8) {
        if self.phase.is_serving() {
            self.end(Instant::now(), code);
        }
    }

    fn end(&mut self, now: Instant, code: u8) {
        systemd::stopping();
        let grace = self.settings.config.limits.shutdown_grace;
        self.phase = Phase::Ending {
            kill_at: now + grace + MARGIN,
            code,
        };
        // Nobody comes in any more while others are sent out.
        self.send_gate(SupervisorToGate::Shutdown(grace), vec![]);
        let mut waiting = Vec::new();
        for worker in self.workers.values_mut() {
            waiting.extend(worker.take_pending());
            // One that does not read is killed soon.
            worker.send(SupervisorToWorker::Shutdown(grace));
        }
        for wanted in waiting {
            self.turn_away(wanted, Refusal::ShuttingDown);
        }
        if self.gate.running.is_none() {
            self.end_auth();
        }
    }

    /// Auth goes last, so that the gate does not miss it.
    pub(super) fn end_auth(&mut self) {
        self.send_auth(SupervisorToAuth::Shutdown, vec![]);
    }

    pub(super) fn tick_stop(&mut self, now: Instant) {
        if let Phase::Ending { kill_at, code } = self.phase
            && kill_at <= now
        {
            log::error!("some processes do not end and are killed");
            self.kill_all(now, code);
        }
    }

    fn kill_all(&mut self, now: Instant, code: u8) {
        self.phase = Phase::Killing {
            leave_at: now + LAST_WAIT,
            code,
        };
        for child in &mut self.retired {
            child.kill();
        }
        let gate = self.gate.lose(now).map(|r| r.retire(None, true));
        let auth = self.auth.lose(now).map(|r| r.retire(None, true));
        self.retired.extend(gate.into_iter().chain(auth));
        let workers = self
            .workers
            .drain()
            .filter_map(|(_, worker)| worker.into_running());
        self.retired.extend(workers.map(|r| r.retire(None, true)));
    }

    /// The exit code, once everything has ended.
    pub(super) fn finished(&self) -> Option<u8> {
        let (code, give_up) = match self.phase {
            Phase::Serving => return None,
            Phase::Ending { code, .. } => (code, false),
            Phase::Killing { leave_at, code } => (code, leave_at <= Instant::now()),
        };
        let alive = self.gate.running.is_some()
            || self.auth.running.is_some()
            || self.workers.values().any(Worker::is_alive)
            || !self.retired.is_empty();
        (give_up || !alive).then_some(code)
    }
}
