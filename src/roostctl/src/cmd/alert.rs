//! `roostctl alert`.

use clap::Subcommand;
use roost_ipc::{AlertKind, AlertRow, ControlReply, ControlRequest, PostAlert};
use roost_types::UnixTime;

use crate::args::Common;
use crate::out::print;
use crate::table::{Cell, Table};
use crate::{Failure, exit, server};

const COLUMNS: &[&str] = &["id", "kind", "name", "posted", "text"];

#[derive(Subcommand, Debug)]
pub enum Alert {
    /// Has clients show a text, in sessions that are open too
    Post {
        /// Of this account, once
        #[arg(long, value_name = "NAME", conflicts_with = "domain")]
        account: Option<String>,
        /// Of all accounts of this domain, once in each session
        #[arg(long)]
        domain: Option<String>,
        /// One line of text
        text: String,
    },
    /// Shows the alerts that are there
    List,
    /// Has an alert shown no more
    Remove {
        /// Its number, as `list` shows it
        id: u64,
    },
}

pub fn run(common: &Common, alert: &Alert) -> Result<u8, Failure> {
    let config = server::config(common)?;
    let socket = config.server.control_socket.as_deref();
    match alert {
        Alert::Post {
            account,
            domain,
            text,
        } => {
            let (kind, name) = match (account, domain) {
                (Some(account), _) => (AlertKind::Account, account.clone()),
                (None, Some(domain)) => (AlertKind::Domain, domain.clone()),
                (None, None) => (AlertKind::Server, String::new()),
            };
            let text = text.clone();
            let post = ControlRequest::PostAlert(PostAlert { kind, name, text });
            match server::must_ask(socket, &post)?.reply()? {
                ControlReply::AlertPosted(id) => print(&format!("{id}\n")),
                ControlReply::Failed(why) => return Err(Failure::new(exit::DATAERR, why)),
                other => return Err(server::unexpected(&other)),
            }
        }
        Alert::List => list(
            common,
            server::must_ask(socket, &ControlRequest::ListAlerts)?,
        )?,
        Alert::Remove { id } => {
            match server::must_ask(socket, &ControlRequest::RemoveAlert(*id))?.reply()? {
                ControlReply::Done => {}
                ControlReply::Missing => {
                    return Err(Failure::new(exit::NOINPUT, "there is no such alert"));
                }
                ControlReply::Failed(why) => return Err(Failure::new(exit::IOERR, why)),
                other => return Err(server::unexpected(&other)),
            }
        }
    }
    Ok(exit::OK)
}

fn list(common: &Common, mut asked: server::Asked) -> Result<(), Failure> {
    let mut table = Table::new(common.json, COLUMNS);
    loop {
        match asked.reply()? {
            ControlReply::Alerts(rows) => rows.iter().for_each(|row| {
                table.row(&line(row), &cells(row));
            }),
            ControlReply::Done => break,
            other => return Err(server::unexpected(&other)),
        }
    }
    table.end();
    Ok(())
}

/// `7  account alice  2026-11-23 02:15  text`
fn line(row: &AlertRow) -> String {
    let posted = UnixTime(i64::try_from(row.posted).unwrap_or(0)).civil();
    let whom = match row.kind {
        AlertKind::Server => row.kind.name().to_owned(),
        AlertKind::Account | AlertKind::Domain => format!("{} {}", row.kind.name(), row.name),
    };
    format!(
        "{}  {whom}  {}-{:02}-{:02} {:02}:{:02} UTC  {}",
        row.id, posted.year, posted.month, posted.day, posted.hour, posted.minute, row.text
    )
}

fn cells(row: &AlertRow) -> [Cell; 5] {
    [
        Cell::Number(row.id),
        Cell::Text(row.kind.name().to_owned()),
        match row.kind {
            AlertKind::Server => Cell::None,
            AlertKind::Account | AlertKind::Domain => Cell::Text(row.name.clone()),
        },
        Cell::Number(row.posted),
        Cell::Text(row.text.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_told_from_one_another() {
        let row = AlertRow {
            id: 7,
            kind: AlertKind::Account,
            name: "alice".into(),
            posted: 951_827_696,
            text: "Read this".into(),
        };
        let wanted = "7  account alice  2000-02-29 12:34 UTC  Read this";
        assert_eq!(line(&row), wanted);
        let all = AlertRow {
            kind: AlertKind::Server,
            name: String::new(),
            ..row
        };
        assert_eq!(line(&all), "7  server  2000-02-29 12:34 UTC  Read this");
    }
}
