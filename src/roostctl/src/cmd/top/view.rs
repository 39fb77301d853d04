//! The state as lines of a screen.

use std::ops::Range;

use super::state::{Column, Mode, State};
use crate::cmd::sessions::{self, time};
use crate::out::{cut, padded, printable};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Plain,
    Bold,
    Reverse,
    Green,
}

/// As wide as the screen at most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub text: String,
    pub style: Style,
}

/// Above the rows: two lines of sums, an empty one, the heading.
const ABOVE: usize = 4;
/// Below them: the keys, or a question.
const BELOW: usize = 1;

pub fn lines(state: &State, width: usize, height: usize) -> Vec<Line> {
    let mut lines = sums(state);
    let mut texts = sessions::lines(&state.rows, Some(width)).into_iter();
    let heading = texts.next().unwrap_or_default();
    lines.push(line(marked(&heading, state), Style::Bold));
    let room = height.saturating_sub(ABOVE + BELOW);
    let at = state.at().unwrap_or(0);
    // A page at a time, so that rows stay where they are.
    let first = at.checked_div(room).unwrap_or(0) * room;
    let rows = state.rows.iter().zip(texts).enumerate();
    for (n, (row, text)) in rows.skip(first).take(room) {
        let style = match (n == at, row.show_all) {
            (true, _) => Style::Reverse,
            (false, true) => Style::Green,
            (false, false) => Style::Plain,
        };
        let text = match style {
            Style::Reverse => padded(&text, width),
            _ => text,
        };
        lines.push(line(text, style));
    }
    lines.truncate(height.saturating_sub(BELOW));
    lines.resize(
        height.saturating_sub(BELOW),
        line(String::new(), Style::Plain),
    );
    lines.push(below(state, first..first + room));
    for line in &mut lines {
        line.text = cut(&line.text, width);
    }
    lines.truncate(height);
    lines
}

fn line(text: impl Into<String>, style: Style) -> Line {
    let text = text.into();
    Line { text, style }
}

fn sums(state: &State) -> Vec<Line> {
    let shown = state.rows.len();
    let (first, second) = match &state.counted {
        None => {
            let shown = several(shown as u64, "connection");
            (format!("Roost   {shown} shown"), String::new())
        }
        Some(counted) => {
            let stats = &counted.stats;
            let rates = state.rates;
            (
                format!(
                    "Roost   up {}   {}, {} so far, {} refused   {}",
                    time(stats.uptime),
                    several(stats.active, "connection"),
                    stats.total,
                    stats.rejected,
                    several(stats.login_failures, "failed login")
                ),
                format!(
                    "{} running, {} per second   {}/s from clients, {}/s to them",
                    several(stats.jobs, "command"),
                    rates.commands,
                    octets(rates.bytes_in),
                    octets(rates.bytes_out)
                ),
            )
        }
    };
    vec![
        line(first, Style::Plain),
        line(second, Style::Plain),
        line("", Style::Plain),
    ]
}

/// `1 login`, `2 logins`
fn several(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// The heading, with an arrow at the column that rows are sorted by: upwards
/// where the smallest stands first.
fn marked(heading: &str, state: &State) -> String {
    let names = sessions::HEADING;
    let at = Column::ALL.iter().position(|column| *column == state.sort);
    let Some(name) = at.and_then(|at| names.get(at)) else {
        return heading.to_owned();
    };
    let arrow = match state.sort.longest_first() != state.reverse {
        true => '▼',
        false => '▲',
    };
    // Between two columns there is room, and behind the last one.
    let marked = format!("{name}{arrow}");
    match heading.strip_suffix(name) {
        Some(before) => format!("{before}{marked}"),
        None => heading.replacen(&format!("{name} "), &marked, 1),
    }
}

fn below(state: &State, page: Range<usize>) -> Line {
    let text = match (&state.mode, &state.said) {
        (Mode::Asking(session, whose), _) => {
            let whose = printable(whose);
            return line(format!("End {session} of {whose}? (y/n)"), Style::Bold);
        }
        (Mode::Filtering(_), _) => {
            return line(
                format!("Filter: {}_", printable(&state.filter)),
                Style::Bold,
            );
        }
        (Mode::Watching, Some(said)) => return line(printable(said), Style::Bold),
        (Mode::Watching, None) => "q quit  up/down choose  k kick  s sort  r reverse  / filter",
    };
    let filter = match state.filter.as_str() {
        "" => String::new(),
        filter => format!("  [{}]", printable(filter)),
    };
    let all = state.rows.len();
    let part = match all > page.len() {
        true => format!("  {}-{} of {all}", page.start + 1, page.end.min(all)),
        false => String::new(),
    };
    line(format!("{text}{filter}{part}"), Style::Plain)
}

/// `17 B`, `4.2 KiB`, `1.3 GiB`
fn octets(n: u64) -> String {
    const UNITS: [char; 4] = ['K', 'M', 'G', 'T'];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut n = n.saturating_mul(10);
    let mut unit = 'K';
    for u in UNITS {
        n /= 1024;
        unit = u;
        if n < 10_240 {
            break;
        }
    }
    match n {
        0..100 => format!("{}.{} {unit}iB", n / 10, n % 10),
        _ => format!("{} {unit}iB", n / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Key;
    use super::super::state::tests::row;
    use super::*;
    use crate::cmd::stats::tests::sample;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.trim_end()).collect()
    }

    #[test]
    fn the_screen_is_full_and_nothing_beyond() {
        let rows = (1..=30).map(|n| row(n, "somebody@with.a.long.name.example", None));
        let mut state = State::new(rows.collect());
        state.see(state.rows.clone(), Some(sample()));
        for (width, height) in [(80, 24), (20, 5), (20, 4), (1, 1), (0, 0)] {
            let lines = lines(&state, width, height);
            assert_eq!(lines.len(), height, "{width} {height}");
            assert!(
                lines
                    .iter()
                    .all(|line| crate::out::width(&line.text) <= width)
            );
        }
        let page = lines(&state, 80, 24);
        assert_eq!(page[4].style, Style::Reverse, "the first is chosen");
        assert_eq!(page[5].style, Style::Green, "show-all");
        assert!(page[22].text.starts_with("IMAP-00019"), "{page:?}");
        state.press(Key::Move(20));
        let page = lines(&state, 80, 24);
        assert!(page[4].text.starts_with("IMAP-00020"), "the next page");
        assert!(page[23].text.ends_with("  20-30 of 30"), "{page:?}");
        assert_eq!(page[5].style, Style::Reverse);
    }

    #[test]
    fn sums_heading_and_keys_are_told() {
        let mut state = State::new(vec![row(1, "alice", Some(75))]);
        state.see(state.rows.clone(), Some(sample()));
        let page = lines(&state, 120, 7);
        assert_eq!(
            texts(&page),
            [
                "Roost   up 1h02m   3 connections, 12 so far, 1 refused   2 failed logins",
                "1 command running, 0 per second   0 B/s from clients, 0 B/s to them",
                "",
                "ID          ADDRESS    ACCOUNT  CONNECTED  RUNNING▼ STATUS",
                "IMAP-00001  192.0.2.7  alice        1m40s    1m15s  Authenticated",
                "",
                "q quit  up/down choose  k kick  s sort  r reverse  / filter",
            ]
        );
        state.press(Key::Char('k'));
        let question = "End IMAP-00001 of alice? (y/n)";
        assert_eq!(texts(&lines(&state, 80, 7))[6], question);
        state.press(Key::Escape);
        for heading in [
            "ID          ADDRESS    ACCOUNT  CONNECTED  RUNNING  STATUS▲",
            "ID▲         ADDRESS    ACCOUNT  CONNECTED  RUNNING  STATUS",
            "ID          ADDRESS▲   ACCOUNT  CONNECTED  RUNNING  STATUS",
            "ID          ADDRESS    ACCOUNT▲ CONNECTED  RUNNING  STATUS",
            "ID          ADDRESS    ACCOUNT  CONNECTED▼ RUNNING  STATUS",
        ] {
            state.press(Key::Char('s'));
            assert_eq!(texts(&lines(&state, 80, 7))[3], heading);
        }
        state.press(Key::Char('r'));
        assert!(texts(&lines(&state, 80, 7))[3].contains("  CONNECTED▲ "));
        state.press(Key::Char('/'));
        state.press(Key::Char('a'));
        assert_eq!(texts(&lines(&state, 80, 7))[6], "Filter: a_");
        state.say("word\x1b[2J".into());
        state.press(Key::Enter);
        assert!(texts(&lines(&state, 80, 7))[6].ends_with("filter  [a]"));
    }

    #[test]
    fn octets_are_short() {
        let told = [0, 1023, 1024, 10_239, 10_240, 1_048_575, 5 << 30].map(octets);
        let short = [
            "0 B", "1023 B", "1.0 KiB", "9.9 KiB", "10 KiB", "1023 KiB", "5.0 GiB",
        ];
        assert_eq!(told, short);
    }
}
