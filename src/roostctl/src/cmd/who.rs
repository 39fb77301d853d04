//! `roostctl who`.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use roost_config::Config;
use roost_ipc::{ControlReply, ControlRequest, SessionRow};
use roost_types::SessionId;

use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit, server};

const COLUMNS: &[&str] = &[
    "id",
    "address",
    "tls",
    "account",
    "connected",
    "status",
    "running",
    "show_all",
];
pub const HEADING: [&str; 6] = ["ID", "ADDRESS", "ACCOUNT", "CONNECTED", "STATUS", "RUNNING"];
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

pub fn run(common: &Common, filter: Option<&str>) -> Result<u8, Failure> {
    let config = server::config(common)?;
    let mut rows = ask(&config)?;
    rows.retain(|row| filter.is_none_or(|filter| is_meant(row, filter)));
    let mut table = Table::new(common.json, COLUMNS);
    let color = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut lines = lines(&rows).into_iter();
    let heading = lines.next().unwrap_or_default();
    if !common.json && !rows.is_empty() {
        table.heading(&heading);
    }
    for (row, line) in rows.iter().zip(lines) {
        let line = match color && row.show_all {
            true => format!("{GREEN}{line}{PLAIN}"),
            false => line,
        };
        table.row(&line, &cells(row));
    }
    table.end();
    Ok(exit::OK)
}

/// All that the server shows to who asks.
pub fn ask(config: &Config) -> Result<Vec<SessionRow>, Failure> {
    let socket = config.server.control_socket.as_deref();
    let mut asked = server::must_ask(socket, &ControlRequest::Who)?;
    let mut rows = Vec::new();
    loop {
        match asked.reply()? {
            ControlReply::Sessions(part) => rows.extend(part),
            ControlReply::Done => return Ok(rows),
            other => return Err(server::unexpected(&other)),
        }
    }
}

/// `IMAP-00012`; digits alone may be an account.
pub fn session_id(text: &str) -> Option<SessionId> {
    number(text.strip_prefix("IMAP-")?)
}

fn number(digits: &str) -> Option<SessionId> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(SessionId)).flatten()
}

pub fn is_meant(row: &SessionRow, filter: &str) -> bool {
    session_id(filter).or_else(|| number(filter)) == Some(row.session)
        || row.account.as_ref().is_some_and(|a| a.contains(filter))
        || address(row).starts_with(filter)
        || row.status.starts_with(filter)
}

/// `local` for programs of this host.
fn address(row: &SessionRow) -> String {
    match row.address.is_unspecified() {
        true => "local".to_owned(),
        false => row.address.to_string(),
    }
}

fn cells(row: &SessionRow) -> [Cell; 8] {
    [
        Cell::Text(row.session.to_string()),
        Cell::Text(address(row)),
        row.tls.map_or(Cell::None, Cell::Bool),
        row.account.clone().map_or(Cell::None, Cell::Text),
        Cell::Number(row.connected.as_secs()),
        Cell::Text(row.status.clone()),
        row.running
            .map_or(Cell::None, |r| Cell::Number(r.as_secs())),
        Cell::Bool(row.show_all),
    ]
}

/// The heading, and a line for each row, in columns.
pub fn lines(rows: &[SessionRow]) -> Vec<String> {
    let all: Vec<[String; 6]> = std::iter::once(HEADING.map(str::to_owned))
        .chain(rows.iter().map(texts))
        .collect();
    let mut widths = [0; 6];
    for texts in &all {
        for (width, text) in widths.iter_mut().zip(texts) {
            *width = text.chars().count().max(*width);
        }
    }
    let line = |texts: &[String; 6]| {
        let mut line = String::new();
        for (text, width) in texts.iter().zip(widths) {
            line.push_str(&format!("{text:width$}  "));
        }
        line.truncate(line.trim_end().len());
        line
    };
    all.iter().map(line).collect()
}

fn texts(row: &SessionRow) -> [String; 6] {
    [
        row.session.to_string(),
        address(row),
        printable(row.account.as_deref().unwrap_or("-")),
        time(row.connected),
        printable(&row.status),
        row.running.map_or_else(|| "-".to_owned(), time),
    ]
}

/// Names are clients' to choose, and terminals are easily led astray.
pub fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(plain).collect()
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
mod tests {
    use super::*;

    fn row() -> SessionRow {
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
            ..row()
        };
        assert_eq!(
            lines(&[row(), second]),
            [
                "ID          ADDRESS    ACCOUNT  CONNECTED  STATUS             RUNNING",
                "IMAP-00012  192.0.2.7  alice    1h02m      Selected W?[2Jork  1.4s",
                "IMAP-00012  local      -        1h02m      Selected W?[2Jork  -",
            ]
        );
    }

    #[test]
    fn filters_match_what_is_shown() {
        for filter in ["12", "IMAP-00012", "IMAP-12", "lic", "192.0.2.", "Selected"] {
            assert!(is_meant(&row(), filter), "{filter}");
        }
        for filter in ["13", "IMAP-1", "bob", "2.7", "IMAP-x"] {
            assert!(!is_meant(&row(), filter), "{filter}");
        }
    }

    #[test]
    fn an_account_may_be_a_number() {
        assert_eq!(session_id("IMAP-00012"), Some(SessionId(12)));
        for text in ["12", "00012", "IMAP-", "IMAP-+1", "imap-12"] {
            assert_eq!(session_id(text), None, "{text}");
        }
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
