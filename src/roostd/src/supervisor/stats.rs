//! What the server has done since it started.
//!
//! Gate and workers count, and tell what they have counted since they last
//! told; here it is summed up. So no number ever falls while the server runs,
//! whatever becomes of those who counted: one that crashes takes with it what
//! it had not told.

use std::collections::{BTreeMap, HashSet};

use super::who::{Peer, Purpose};
use super::*;
use crate::control::answer;
use roost_ipc::{CommandStats, ControlReply, GateStats, ServerStats, WorkerStats};
use roost_types::LATENCY_CLASSES;

/// 100 Gbit/s, more than one process gets through. A process carries out less than
/// one command in a microsecond.
const OCTETS_A_MICROSECOND: u64 = 12_500;

/// The sums.
pub(super) struct Totals {
    since: Instant,
    connections: u64,
    bytes_in: u64,
    bytes_out: u64,
    login_failures: u64,
    rejected: u64,
    /// By the command's place in the table of commands.
    commands: BTreeMap<u8, Command>,
}

#[derive(Default)]
struct Command {
    micros: u64,
    classes: [u64; LATENCY_CLASSES],
}

/// What is there at this moment.
#[derive(Default)]
pub(super) struct Moment {
    pub strangers: u64,
    pub jobs: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            connections: 0,
            bytes_in: 0,
            bytes_out: 0,
            login_failures: 0,
            rejected: 0,
            commands: BTreeMap::new(),
        }
    }
}

/// What one process can have done at most since it was started: it may say
/// anything.
pub(super) struct Credit {
    since: Instant,
    octets: u64,
    commands: u64,
    micros: u64,
}

impl Credit {
    pub fn new(since: Instant) -> Self {
        Self {
            since,
            octets: 0,
            commands: 0,
            micros: 0,
        }
    }

    /// As much of it as can be true.
    fn cut(&mut self, told: &WorkerStats, sessions: u64, now: Instant) -> WorkerStats {
        let micros = now.duration_since(self.since).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        let octets = micros.saturating_mul(OCTETS_A_MICROSECOND);
        let mut cut = told.clone();
        for sum in [&mut cut.bytes_in, &mut cut.bytes_out] {
            *sum = take(&mut self.octets, *sum, octets);
        }
        for command in &mut cut.commands {
            let most = micros.saturating_mul(sessions);
            command.micros = take(&mut self.micros, command.micros, most);
            for class in &mut command.classes {
                *class = take(&mut self.commands, *class, micros);
            }
        }
        cut
    }
}

/// Adds to what is spent.
fn take(spent: &mut u64, wanted: u64, most: u64) -> u64 {
    let taken = wanted.min(most.saturating_sub(*spent));
    add(spent, taken);
    taken
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

impl Totals {
    /// A connection that no gate has seen.
    pub fn takes(&mut self) {
        add(&mut self.connections, 1);
    }

    /// A login that was one too many for its account.
    pub fn rejects(&mut self) {
        add(&mut self.rejected, 1);
    }

    fn add_gate(&mut self, told: &GateStats) {
        add(&mut self.connections, told.accepted);
        add(&mut self.rejected, told.rejected);
        add(&mut self.login_failures, told.login_failures);
        add(&mut self.bytes_in, told.bytes_in);
        add(&mut self.bytes_out, told.bytes_out);
    }

    fn add_worker(&mut self, told: &WorkerStats) {
        add(&mut self.bytes_in, told.bytes_in);
        add(&mut self.bytes_out, told.bytes_out);
        for more in &told.commands {
            let command = self.commands.entry(more.command).or_default();
            add(&mut command.micros, more.micros);
            for (sum, more) in command.classes.iter_mut().zip(&more.classes) {
                add(sum, *more);
            }
        }
    }

    fn told(&self, active: u64, jobs: u64) -> ServerStats {
        let commands = self.commands.iter().map(|(&command, sums)| CommandStats {
            command,
            micros: sums.micros,
            classes: sums.classes.to_vec(),
        });
        ServerStats {
            uptime: self.since.elapsed(),
            active,
            jobs,
            total: self.connections,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            login_failures: self.login_failures,
            rejected: self.rejected,
            commands: commands.collect(),
        }
    }
}

impl Supervisor {
    pub(super) fn on_stats(&mut self, by: UserId, admin: bool, connection: OwnedFd) {
        if !admin {
            return answer(connection, ControlReply::Refused);
        }
        let workers = self.workers.keys().map(|uid| Peer::Worker(*uid));
        let awaited: HashSet<_> = workers.chain([Peer::Gate]).collect();
        self.inquire(by, connection, Purpose::Stats, None, awaited);
    }

    pub(super) fn on_gate_stats(&mut self, told: &GateStats) {
        self.totals.add_gate(told);
        let strangers = |moment: &mut Moment| moment.strangers = told.strangers;
        self.hear(told.request, Peer::Gate, strangers);
    }

    pub(super) fn on_worker_stats(&mut self, uid: UserId, told: &WorkerStats) {
        let sessions = u64::from(self.settings.config.limits.max_connections);
        let Some(worker) = self.workers.get_mut(&uid) else {
            return;
        };
        let told = worker.credit.cut(told, sessions, Instant::now());
        self.totals.add_worker(&told);
        let jobs = told.jobs.min(sessions);
        let jobs = |moment: &mut Moment| add(&mut moment.jobs, jobs);
        self.hear(told.request, Peer::Worker(uid), jobs);
    }

    pub(super) fn stats_reply(&self, moment: &Moment) -> ControlReply {
        let clients = self.registry.clients().count() as u64;
        let active = clients.saturating_add(moment.strangers);
        ControlReply::Stats(self.totals.told(active, moment.jobs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_worker_tells_of_more_than_can_be() {
        let begin = Instant::now();
        let mut credit = Credit::new(begin);
        let told = |n| WorkerStats {
            request: 0,
            jobs: 0,
            bytes_in: n,
            bytes_out: n,
            commands: vec![CommandStats {
                command: 7,
                micros: n,
                classes: vec![n; 2],
            }],
        };
        let second = begin + Duration::from_secs(1);
        // What has been is believed.
        assert_eq!(credit.cut(&told(1000), 10, second), told(1000));
        let mut totals = Totals::default();
        for _ in 0..3 {
            totals.add_worker(&credit.cut(&told(u64::MAX), 10, second));
        }
        let sums = totals.told(0, 0);
        assert_eq!(sums.bytes_in + sums.bytes_out + 2000, 12_500_000_000);
        let [command] = &sums.commands[..] else {
            panic!("{sums:?}");
        };
        assert_eq!(command.micros + 1000, 10_000_000);
        assert_eq!(command.classes.iter().sum::<u64>() + 2000, 1_000_000);
    }

    #[test]
    fn sums_only_rise() {
        let mut totals = Totals::default();
        let more = WorkerStats {
            request: 0,
            jobs: 1,
            bytes_in: 3,
            bytes_out: u64::MAX,
            commands: vec![CommandStats {
                command: 7,
                micros: 10,
                // More classes than there are.
                classes: vec![1; 100],
            }],
        };
        totals.add_worker(&more);
        totals.add_worker(&more);
        totals.add_gate(&GateStats {
            request: 0,
            strangers: 9,
            accepted: 5,
            rejected: 1,
            login_failures: 2,
            bytes_in: 1,
            bytes_out: 1,
        });
        totals.rejects();
        let told = totals.told(4, 2);
        assert_eq!((told.active, told.jobs, told.total), (4, 2, 5));
        assert_eq!((told.bytes_in, told.bytes_out), (7, u64::MAX));
        assert_eq!((told.login_failures, told.rejected), (2, 2));
        let command = CommandStats {
            command: 7,
            micros: 20,
            classes: vec![2; LATENCY_CLASSES],
        };
        assert_eq!(told.commands, [command]);
    }
}
