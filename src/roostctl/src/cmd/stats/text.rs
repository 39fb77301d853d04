//! Statistics for people, and as JSON.

use roost_ipc::ServerStats;
use roost_types::{LATENCY_BOUNDS, LATENCY_CLASSES};
use std::fmt::Write as _;

use super::{Command, ELEMENTS, commands, seconds};
use crate::cmd::sessions::time;

const HEADING: [&str; 6] = ["COMMAND", "COUNT", "MEAN", "50%", "90%", "99%"];

pub fn people(stats: &ServerStats) -> String {
    let mut out = String::new();
    for element in &ELEMENTS {
        let value = (element.value)(stats);
        let help = element.help.trim_end_matches('.');
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:17}  {value:>12}  {help}", element.name);
    }
    let _ = writeln!(
        out,
        "since the server was started, {} ago",
        time(stats.uptime)
    );
    let commands = commands(stats);
    if !commands.is_empty() {
        let heading = HEADING.map(str::to_owned);
        let rows = commands.iter().map(row);
        out.push('\n');
        for row in std::iter::once(heading).chain(rows) {
            let [name, numbers @ ..] = row;
            let _ = write!(out, "{name:14}");
            for number in numbers {
                let _ = write!(out, "{number:>11}");
            }
            out.push('\n');
        }
    }
    out
}

fn row(command: &Command) -> [String; 6] {
    let count = command.count();
    let mean = command.micros.checked_div(count).unwrap_or(0);
    [
        command.name.to_owned(),
        count.to_string(),
        span(mean),
        below(command, count, 50),
        below(command, count, 90),
        below(command, count, 99),
    ]
}

/// The bound below which so many of a hundred are.
fn below(command: &Command, count: u64, percent: u64) -> String {
    let wanted = (u128::from(count) * u128::from(percent)).div_ceil(100);
    let mut sum = 0_u128;
    for (n, bound) in command.classes.iter().zip(LATENCY_BOUNDS) {
        sum += u128::from(*n);
        if sum >= wanted {
            return format!("<{}", span(u64::from(bound)));
        }
    }
    let slowest = LATENCY_BOUNDS.last().copied().unwrap_or(0);
    format!(">{}", span(u64::from(slowest)))
}

/// `0.25ms`, `12ms`, `2.5s`
fn span(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}ms", seconds(micros / 10 * 10_000)),
        10_000..1_000_000 => format!("{}ms", micros / 1000),
        _ => format!("{}s", seconds(micros / 100_000 * 100_000)),
    }
}

pub fn json(stats: &ServerStats) -> String {
    let mut out = format!("{{\"uptime\": {}", stats.uptime.as_secs());
    for element in &ELEMENTS {
        let _ = write!(out, ", \"{}\": {}", element.name, (element.value)(stats));
    }
    out.push_str(", \"commands\": [");
    for (i, command) in commands(stats).iter().enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        let (name, count) = (command.name, command.count());
        let sum = seconds(command.micros);
        let _ = write!(
            out,
            "  {{\"command\": \"{name}\", \"count\": {count}, \"seconds\": {sum}, \"latency\": {{"
        );
        for (i, (bound, count)) in command.cumulative().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(out, "{comma}\"{bound}\": {count}");
        }
        out.push_str("}}");
    }
    out.push_str("]}\n");
    out
}

const _: () = assert!(LATENCY_BOUNDS.len() + 1 == LATENCY_CLASSES);

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn people_are_told_how_long_commands_take() {
        let text = people(&sample());
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
        assert!(line("imapActive ").contains("  3  Connections open now"));
        assert!(text.contains("started, 1h02m ago"), "{text}");
        let words: Vec<_> = line("NOOP").split_whitespace().collect();
        assert_eq!(words, ["NOOP", "10", "2s", "<1ms", "<10ms", ">10s"]);
    }

    #[test]
    fn spans_are_short() {
        let texts = [0, 9, 250, 9_990, 10_000, 999_999, 2_560_000].map(span);
        assert_eq!(
            texts,
            ["0ms", "0ms", "0.25ms", "9.99ms", "10ms", "999ms", "2.5s"]
        );
    }

    #[test]
    fn programs_get_one_object() {
        let text = json(&sample());
        assert!(
            text.starts_with("{\"uptime\": 3750, \"imapActive\": 3, "),
            "{text}"
        );
        assert!(
            text.contains("{\"command\": \"NOOP\", \"count\": 10, \"seconds\": 20.008, "),
            "{text}"
        );
        assert!(text.ends_with("\"+Inf\": 10}}]}\n"), "{text}");
        let empty = ServerStats {
            commands: Vec::new(),
            ..sample()
        };
        assert!(json(&empty).ends_with("\"commands\": []}\n"));
    }
}
