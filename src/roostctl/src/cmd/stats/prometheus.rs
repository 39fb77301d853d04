//! Statistics as Prometheus reads them (text format 0.0.4).

use roost_ipc::ServerStats;
use std::fmt::Write as _;

use super::{ELEMENTS, commands, seconds};

const LATENCY: &str = "roost_command_duration_seconds";
const UPTIME: &str = "roost_uptime_seconds";
const BUILD: &str = "roost_build_info";

pub fn page(stats: &ServerStats) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, stats);
    page
}

fn write_page(page: &mut String, stats: &ServerStats) -> std::fmt::Result {
    heading(page, BUILD, "gauge", "1, with the version.")?;
    let version = env!("CARGO_PKG_VERSION");
    writeln!(page, "{BUILD}{{version=\"{version}\"}} 1")?;
    heading(page, UPTIME, "gauge", "Since the server was started.")?;
    writeln!(page, "{UPTIME} {}", stats.uptime.as_secs())?;
    for element in &ELEMENTS {
        let kind = if element.counter { "counter" } else { "gauge" };
        let help = format!("{} ({})", element.help, element.name);
        heading(page, element.metric, kind, &help)?;
        writeln!(page, "{} {}", element.metric, (element.value)(stats))?;
    }
    heading(page, LATENCY, "histogram", "How long commands took.")?;
    for command in commands(stats) {
        let label = format!("command=\"{}\"", command.name);
        for (bound, count) in command.cumulative() {
            writeln!(page, "{LATENCY}_bucket{{{label},le=\"{bound}\"}} {count}")?;
        }
        writeln!(page, "{LATENCY}_sum{{{label}}} {}", seconds(command.micros))?;
        writeln!(page, "{LATENCY}_count{{{label}}} {}", command.count())?;
    }
    Ok(())
}

fn heading(page: &mut String, metric: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(page, "# HELP {metric} {help}")?;
    writeln!(page, "# TYPE {metric} {kind}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The dashboard, whose every metric must be there.
    const DASHBOARD: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contrib/grafana/roost.json"
    );

    /// Name, labels, value.
    fn samples(page: &str) -> Vec<(&str, &str, f64)> {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                (
                    name,
                    labels.strip_suffix('}').unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn the_page_is_in_form() {
        let page = page(&sample());
        assert!(page.ends_with('\n'));
        let mut types = BTreeMap::new();
        for line in page.lines() {
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", _, help] => assert!(!help.is_empty()),
                ["#", "TYPE", name, kind] => assert!(types.insert(name, kind).is_none(), "{line}"),
                _ => assert!(!line.starts_with('#'), "{line}"),
            }
        }
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        for (name, _, _) in samples(&page) {
            assert!(name.chars().all(plain), "{name}");
            let parts = ["_bucket", "_sum", "_count"];
            let histogram = parts.iter().find_map(|part| name.strip_suffix(part));
            let known = types.get(name).copied();
            let known = known.or_else(|| types.get(histogram?).copied());
            assert!(known.is_some(), "{name} has no type");
            assert_eq!(name.ends_with("_total"), known == Some("counter"), "{name}");
        }
    }

    #[test]
    fn a_histogram_counts_upwards_to_all() {
        let page = page(&sample());
        let all = samples(&page);
        let bucket = |bound: &str| {
            let labels = format!("command=\"NOOP\",le=\"{bound}\"");
            let found = all.iter().find(|(_, seen, _)| *seen == labels);
            found.unwrap_or_else(|| panic!("{bound}")).2
        };
        let counts = ["0.0005", "0.001", "0.01", "10", "+Inf"].map(bucket);
        assert_eq!(counts, [0.0, 8.0, 9.0, 9.0, 10.0]);
        let of = |part: &str| {
            all.iter()
                .find(|(name, _, _)| name.ends_with(part))
                .unwrap()
                .2
        };
        assert_eq!((of("_count"), of("_sum")), (10.0, 20.008));
        assert_eq!(of("traffic_out_bytes_total"), 123_456.0);
    }

    #[test]
    fn the_dashboard_asks_for_nothing_else() {
        let dashboard = std::fs::read_to_string(DASHBOARD).unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let asked: BTreeSet<_> = dashboard
            .split(|c| !plain(c))
            .filter(|word| word.starts_with("roost_"))
            .collect();
        let page = page(&sample());
        let there: BTreeSet<_> = samples(&page)
            .into_iter()
            .map(|(name, _, _)| name)
            .collect();
        assert!(asked.len() >= ELEMENTS.len(), "{asked:?}");
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
