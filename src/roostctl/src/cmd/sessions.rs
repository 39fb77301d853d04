//! Connections as a table for people, on paper and on screens.
//!
//! The state stands last, for its length is the client's to choose: nothing
//! behind it can be out of line, and on a screen it is cut where the line ends.

use std::time::Duration;

use roost_ipc::SessionRow;

use super::who::address;
use crate::out::{cut, padded, printable, width};

pub const HEADING: [&str; 6] = ["ID", "ADDRESS", "ACCOUNT", "CONNECTED", "RUNNING", "STATUS"];
/// Between two columns.
const GAP: usize = 2;
/// What other columns leave for the state, if it needs as much: `searching
/// messages` fits.
const STATE: usize = 18;
/// What is left of an address and an account: first an address of IPv4 as it
/// is, then what tells them apart at least.
const LEAST: [(usize, usize); 2] = [(15, 10), (8, 8)];

/// The heading, and a line for each row, no longer than `limit` columns.
pub fn lines(rows: &[SessionRow], limit: Option<usize>) -> Vec<String> {
    let all: Vec<[String; 6]> = std::iter::once(HEADING.map(str::to_owned))
        .chain(rows.iter().map(texts))
        .collect();
    let mut widths = [0; 6];
    for texts in &all {
        for (wide, text) in widths.iter_mut().zip(texts) {
            *wide = width(text).max(*wide);
        }
    }
    if let Some(limit) = limit {
        fit(&mut widths, limit);
    }
    let line = |texts: &[String; 6]| {
        let line = line(texts, widths);
        match limit {
            Some(limit) => cut(&line, limit),
            None => line,
        }
    };
    all.iter().map(line).collect()
}

/// The longer one of address and account gives way.
fn fit(widths: &mut [usize; 6], limit: usize) {
    let [id, address, account, connected, running, state] = widths;
    let fixed = *id + *connected + *running + 5 * GAP;
    let room = limit.saturating_sub(fixed + STATE.min(*state));
    for (least_address, least_account) in LEAST {
        while *address + *account > room {
            let first = *account >= *address && *account > least_account;
            if first || (*address <= least_address && *account > least_account) {
                *account -= 1;
            } else if *address > least_address {
                *address -= 1;
            } else {
                break;
            }
        }
    }
}

/// Times stand to the right.
fn line(texts: &[String; 6], widths: [usize; 6]) -> String {
    let [id, address, account, connected, running, state] = texts;
    let left = [(id, widths[0]), (address, widths[1]), (account, widths[2])];
    let mut line = String::new();
    for (text, wide) in left {
        line.push_str(&padded(&cut(text, wide), wide + GAP));
    }
    let (since, runs) = (widths[3], widths[4]);
    line.push_str(&format!("{connected:>since$}  {running:>runs$}  {state}"));
    line
}

fn texts(row: &SessionRow) -> [String; 6] {
    [
        row.session.to_string(),
        address(row),
        printable(row.account.as_deref().unwrap_or("-")),
        time(row.connected),
        row.running.map_or_else(|| "-".to_owned(), time),
        printable(&row.status),
    ]
}

/// `0.4s`, `12m05s`, `3h07m`, `2d04h`
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}.{}s", time.subsec_millis() / 100),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use roost_types::SessionId;
    use std::net::Ipv6Addr;

    pub fn row() -> SessionRow {
        SessionRow {
            session: SessionId(12),
            address: [192, 0, 2, 7].into(),
            tls: Some(true),
            account: Some("alice".into()),
            connected: Duration::from_secs(3750),
            status: "Selected W\x1b[2Jork".into(),
            running: Some(Duration::from_millis(1470)),
            show_all: false,
        }
    }

    #[test]
    fn columns_stand_below_their_headings() {
        let second = SessionRow {
            address: [0; 4].into(),
            account: None,
            running: None,
            status: "Selected 日\u{202e}本".into(),
            ..row()
        };
        assert_eq!(
            lines(&[row(), second], None),
            [
                "ID          ADDRESS    ACCOUNT  CONNECTED  RUNNING  STATUS",
                "IMAP-00012  192.0.2.7  alice        1h02m     1.4s  Selected W?[2Jork",
                "IMAP-00012  local      -            1h02m        -  Selected 日?本",
            ]
        );
    }

    #[test]
    fn lines_fit_the_screen() {
        let address = Ipv6Addr::new(
            0x2001, 0xdb8, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666,
        );
        let long = SessionRow {
            address: address.into(),
            account: Some("somebody.with.a.name@department.example".into()),
            status: "searching messages".into(),
            ..row()
        };
        let rows = [row(), long];
        assert_eq!(
            lines(&rows, Some(80)),
            [
                "ID          ADDRESS          ACCOUNT      CONNECTED  RUNNING  STATUS",
                "IMAP-00012  192.0.2.7        alice            1h02m     1.4s  Selected W?[2Jork",
                "IMAP-00012  2001:db8:1111:…  somebody.w…      1h02m     1.4s  searching messages",
            ]
        );
        let wide = lines(&rows, Some(120));
        assert!(wide[2].contains("  searching messages"), "{wide:?}");
        for limit in 0..140 {
            let lines = lines(&rows, Some(limit));
            assert!(lines.iter().all(|line| width(line) <= limit), "{limit}");
        }
        let whole = lines(&rows, None);
        assert!(
            whole[2].contains("2222:3333:4444:5555:6666  somebody.with.a.name@department.example")
        );
    }

    #[test]
    fn times_are_short() {
        let text = |millis| time(Duration::from_millis(millis));
        assert_eq!(text(470), "0.4s");
        assert_eq!(text(65_000), "1m05s");
        assert_eq!(text(11_220_000), "3h07m");
        assert_eq!(text(187_200_000), "2d04h");
    }
}
