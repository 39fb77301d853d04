//! The table.

use crate::bench::Bench;
use crate::machine;
use crate::row::{Row, Target, Unit};
use crate::server::Kind;
use std::fmt::Write as _;

const HEAD: &str = "\
| workload | Roost | Dovecot, tuned | Dovecot, default | ratio | target | met | answers | limit of the machine | client CPU |
| --- | ---: | ---: | ---: | ---: | ---: | --- | --- | --- | ---: |
";

pub fn whole(bench: &Bench, seconds: u64) -> String {
    let mut out = String::from(INTRODUCTION);
    let _ = writeln!(
        out,
        "{}.\n{} messages in the ordinary mailbox, {} MB of mail; {} minutes.\n",
        machine::description(&bench.dir),
        thousands(bench.messages() as f64),
        bench.master.wire_octets() / 1_000_000,
        seconds.div_ceil(60)
    );
    out.push_str(&table(&bench.rows));
    for note in &bench.notes {
        let _ = write!(out, "\n- {note}");
    }
    out.push('\n');
    out
}

const INTRODUCTION: &str = "\
# Roost and Dovecot under the same load

Written by `make bench`; `README.md` says what is measured and how. Medians; the
ratio says how many times better Roost is than Dovecot's better setting. Client
CPU is the load generator's own share of the time (of one core).

";

pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(HEAD);
    for row in rows {
        let cell = |kind| match row.median(kind) {
            Some(v) => figure(row.unit, v),
            None if row.failures.contains_key(&kind) => "failed".into(),
            None => "–".into(),
        };
        let share = if row.client.1 > 0.0 {
            format!("{:.0} %", row.client.0 / row.client.1 * 100.0)
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {share} |",
            row.title,
            cell(Kind::Roost),
            cell(Kind::Tuned),
            cell(Kind::Default),
            row.factor().map_or_else(String::new, ratio),
            target(row),
            match row.met() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "",
            },
            row.answers.as_deref().unwrap_or(""),
            row.limit().map_or_else(String::new, |l| format!(
                "{}: {}",
                l.what,
                figure(row.unit, l.value)
            )),
        );
    }
    for row in rows {
        for (kind, why) in &row.failures {
            let _ = writeln!(out, "\n{}: {}: {why}", row.title, kind.name());
        }
    }
    out
}

fn target(row: &Row) -> String {
    match row.target {
        None => String::new(),
        Some(Target::Ratio(r)) => ratio(r),
        Some(Target::RatioOr(r, most)) => {
            format!("{} or {}", ratio(r), figure(row.unit, most))
        }
        Some(Target::OfLimit(share)) => format!("{:.0} % of the limit", share * 100.0),
        Some(Target::AtMost(most)) => format!("≤ {}", figure(row.unit, most)),
    }
}

fn ratio(r: f64) -> String {
    if r >= 9.95 {
        thousands(r.round())
    } else {
        format!("{r:.1}")
    }
}

fn figure(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds if value < 0.01 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds if value < 0.1 => format!("{:.1} ms", value * 1e3),
        Unit::Seconds => format!("{} ms", thousands((value * 1e3).round())),
        Unit::Octets if value < 102_400.0 => format!("{:.1} KiB", value / 1024.0),
        Unit::Octets => format!("{} KiB", thousands((value / 1024.0).round())),
        Unit::Megabytes => format!("{} MB/s", thousands(value.round())),
        Unit::PerSecond => format!("{}/s", thousands(value.round())),
    }
}

/// A whole number with its digits in groups.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (n, c) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) && c.is_ascii_digit() {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(figure(Unit::Seconds, 0.001_234), "1.23 ms");
        assert_eq!(figure(Unit::Seconds, 12.3456), "12,346 ms");
        assert_eq!(figure(Unit::Octets, 2048.0), "2.0 KiB");
        assert_eq!(figure(Unit::PerSecond, 1_234_567.0), "1,234,567/s");
    }
}
