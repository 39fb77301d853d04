//! `roostctl stats`.

mod prometheus;
mod text;

use roost_config::Config;
use roost_imap::CommandKind;
use roost_ipc::{CommandStats, ControlReply, ControlRequest, ServerStats};
use roost_types::{LATENCY_BOUNDS, LATENCY_CLASSES};

use crate::args::Common;
use crate::{Failure, exit, out, server};

/// One of the numbers of the server as a whole.
struct Element {
    /// Its name of old.
    name: &'static str,
    /// Its name for Prometheus.
    metric: &'static str,
    help: &'static str,
    /// It only rises.
    counter: bool,
    value: fn(&ServerStats) -> u64,
}

const ELEMENTS: [Element; 7] = [
    Element {
        name: "imapActive",
        metric: "roost_connections_active",
        help: "Connections open now, also those before login.",
        counter: false,
        value: |stats| stats.active,
    },
    Element {
        name: "imapTotal",
        metric: "roost_connections_total",
        help: "Connections taken.",
        counter: true,
        value: |stats| stats.total,
    },
    Element {
        name: "imapJobs",
        metric: "roost_jobs",
        help: "Commands being carried out now, IDLE left out.",
        counter: false,
        value: |stats| stats.jobs,
    },
    Element {
        name: "imapTrafficIn",
        metric: "roost_traffic_in_bytes_total",
        help: "Octets received from clients.",
        counter: true,
        value: |stats| stats.bytes_in,
    },
    Element {
        name: "imapTrafficOut",
        metric: "roost_traffic_out_bytes_total",
        help: "Octets sent to clients.",
        counter: true,
        value: |stats| stats.bytes_out,
    },
    Element {
        name: "imapLoginFailures",
        metric: "roost_login_failures_total",
        help: "Failed logins, of connections that have ended or logged in.",
        counter: true,
        value: |stats| stats.login_failures,
    },
    Element {
        name: "imapRejected",
        metric: "roost_connections_rejected_total",
        help: "Connections refused because of a limit.",
        counter: true,
        value: |stats| stats.rejected,
    },
];

/// A command that has been carried out.
struct Command {
    name: &'static str,
    micros: u64,
    classes: [u64; LATENCY_CLASSES],
}

impl Command {
    /// None for one that this program does not know.
    fn of(told: &CommandStats) -> Option<Self> {
        let kind = CommandKind::ALL.get(usize::from(told.command))?;
        let mut classes = [0; LATENCY_CLASSES];
        for (class, told) in classes.iter_mut().zip(&told.classes) {
            *class = *told;
        }
        Some(Self {
            name: kind.name(),
            micros: told.micros,
            classes,
        })
    }

    fn count(&self) -> u64 {
        self.classes.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// How many took no longer than each bound, in seconds; all for `+Inf`.
    fn cumulative(&self) -> impl Iterator<Item = (String, u64)> {
        let bounds = LATENCY_BOUNDS
            .iter()
            .map(|&micros| seconds(u64::from(micros)));
        let bounds = bounds.chain(["+Inf".to_owned()]);
        let mut sum = 0_u64;
        bounds.zip(self.classes).map(move |(bound, n)| {
            sum = sum.saturating_add(n);
            (bound, sum)
        })
    }
}

/// By name.
fn commands(stats: &ServerStats) -> Vec<Command> {
    let mut commands: Vec<_> = stats.commands.iter().filter_map(Command::of).collect();
    commands.sort_unstable_by_key(|command| command.name);
    commands
}

/// Without needless zeros.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let text = text.trim_end_matches('0');
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

pub fn run(common: &Common, prometheus: bool) -> Result<u8, Failure> {
    if prometheus && common.json {
        let text = "--json and --prometheus are two forms of the same";
        return Err(Failure::new(exit::USAGE, text));
    }
    let stats = ask(&server::config(common)?)?;
    out::print(&match (prometheus, common.json) {
        (true, _) => prometheus::page(&stats),
        (false, true) => text::json(&stats),
        (false, false) => text::people(&stats),
    });
    Ok(exit::OK)
}

pub fn ask(config: &Config) -> Result<ServerStats, Failure> {
    let socket = config.server.control_socket.as_deref();
    match server::must_ask(socket, &ControlRequest::Stats)?.reply()? {
        ControlReply::Stats(stats) => Ok(stats),
        other => Err(server::unexpected(&other)),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::time::Duration;

    pub fn sample() -> ServerStats {
        let mut classes = vec![0; LATENCY_CLASSES];
        classes[1] = 8;
        classes[4] = 1;
        classes[14] = 1;
        ServerStats {
            uptime: Duration::from_secs(3750),
            active: 3,
            jobs: 1,
            total: 12,
            bytes_in: 4711,
            bytes_out: 123_456,
            login_failures: 2,
            rejected: 1,
            commands: vec![
                CommandStats {
                    command: CommandKind::Noop as u8,
                    micros: 20_008_000,
                    classes,
                },
                // Of a later server.
                CommandStats {
                    command: 255,
                    micros: 1,
                    classes: vec![],
                },
            ],
        }
    }

    #[test]
    fn seconds_are_short() {
        let texts = [0, 500, 1_000_000, 2_500_000, 20_008_000].map(seconds);
        assert_eq!(texts, ["0", "0.0005", "1", "2.5", "20.008"]);
    }
}
