//! `roostctl who`.

use std::io::{IsTerminal, stdout};

use roost_config::Config;
use roost_ipc::{ControlReply, ControlRequest, SessionRow};
use roost_types::SessionId;

use super::sessions;
use crate::args::Common;
use crate::table::{BOLD, Cell, GREEN, PLAIN, Table};
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

pub fn run(common: &Common, filter: Option<&str>) -> Result<u8, Failure> {
    let config = server::config(common)?;
    let mut rows = ask(&config)?;
    rows.retain(|row| filter.is_none_or(|filter| is_meant(row, filter)));
    let mut table = Table::new(common.json, COLUMNS);
    let terminal = stdout().is_terminal();
    let color = terminal && std::env::var_os("NO_COLOR").is_none();
    // Programs get all of it.
    let size = terminal
        .then(crossterm::terminal::size)
        .and_then(Result::ok);
    let columns = size.map(|(columns, _)| usize::from(columns));
    let mut lines = sessions::lines(&rows, columns.filter(|columns| *columns > 0)).into_iter();
    let heading = lines.next().unwrap_or_default();
    if !common.json && !rows.is_empty() {
        table.heading(if color { BOLD } else { PLAIN }, &heading);
    }
    for (row, line) in rows.iter().zip(lines) {
        let style = if color && row.show_all { GREEN } else { PLAIN };
        table.styled(style, &line, &cells(row));
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
pub fn address(row: &SessionRow) -> String {
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

#[cfg(test)]
mod tests {
    use super::super::sessions::tests::row;
    use super::*;

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
}
