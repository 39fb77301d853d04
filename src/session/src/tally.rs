//! What all sessions of a process have done, for statistics.
//!
//! What must stay true: counting is two additions for a command and one for
//! each read and write, whoever looks; nothing is counted for a message. What
//! has been looked at is not told again: the sum of all looks is what happened.

use roost_imap::CommandKind;
use roost_types::{LATENCY_CLASSES, latency_class};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shared by all sessions of clients.
#[derive(Debug)]
pub struct Tally {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Most processes see few kinds of commands.
    commands: [OnceLock<Box<Latencies>>; CommandKind::ALL.len()],
}

#[derive(Default, Debug)]
struct Latencies {
    micros: AtomicU64,
    classes: [AtomicU64; LATENCY_CLASSES],
}

/// What was counted since the look before.
#[derive(PartialEq, Eq, Default, Debug)]
pub struct Counted {
    /// Octets from clients.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub commands: Vec<CommandCounted>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandCounted {
    pub kind: CommandKind,
    /// How long all of them took together.
    pub micros: u64,
    /// How many are in each class of [`latency_class`].
    pub classes: [u64; LATENCY_CLASSES],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            commands: [const { OnceLock::new() }; CommandKind::ALL.len()],
        }
    }
}

impl Tally {
    pub fn received(&self, octets: usize) {
        self.bytes_in.fetch_add(octets as u64, Ordering::Relaxed);
    }

    pub fn sent(&self, octets: usize) {
        self.bytes_out.fetch_add(octets as u64, Ordering::Relaxed);
    }

    /// A command has been carried out.
    pub(crate) fn ended(&self, kind: CommandKind, took: Duration) {
        let Some(latencies) = self.commands.get(kind as usize) else {
            return;
        };
        let latencies = latencies.get_or_init(Box::default);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        latencies.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(class) = latencies.classes.get(latency_class(micros)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted since this was last asked.
    pub fn take(&self) -> Counted {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let commands = CommandKind::ALL.iter().zip(&self.commands);
        let commands = commands.filter_map(|(&kind, latencies)| {
            let latencies = latencies.get()?;
            let classes = latencies.classes.each_ref().map(take);
            let any = classes.iter().any(|&n| n > 0);
            any.then(|| CommandCounted {
                kind,
                micros: take(&latencies.micros),
                classes,
            })
        });
        Counted {
            commands: commands.collect(),
            bytes_in: take(&self.bytes_in),
            bytes_out: take(&self.bytes_out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_twice_and_nothing_is_lost() {
        let tally = Tally::default();
        for &kind in CommandKind::ALL {
            tally.ended(kind, Duration::from_millis(3));
        }
        tally.ended(CommandKind::Noop, Duration::from_secs(20));
        tally.received(7);
        tally.sent(11);
        let counted = tally.take();
        assert_eq!((counted.bytes_in, counted.bytes_out), (7, 11));
        assert_eq!(counted.commands.len(), CommandKind::ALL.len());
        let noop = counted
            .commands
            .iter()
            .find(|c| c.kind == CommandKind::Noop);
        let noop = noop.unwrap();
        assert_eq!(noop.micros, 20_003_000);
        assert_eq!((noop.classes[3], noop.classes[14]), (1, 1));
        assert_eq!(noop.classes.iter().sum::<u64>(), 2);
        let again = tally.take();
        assert_eq!((again.bytes_in, again.bytes_out), (0, 0));
        assert!(again.commands.is_empty());
    }
}
