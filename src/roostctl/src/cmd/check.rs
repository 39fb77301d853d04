//! `roostctl check`.

use roost_ipc::Task;

use super::maintain::{News, maintain};
use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

const COLUMNS: &[&str] = &["mailbox", "file", "problem", "mended"];

pub fn run(common: &Common, fix: bool, mailboxes: &[String]) -> Result<u8, Failure> {
    let task = if fix { Task::Fix } else { Task::Check };
    let mut table = Table::new(common.json, COLUMNS);
    let mut wrong = false;
    let done = maintain(common, mailboxes, task, &mut |news| {
        let News::Finding(found) = news else {
            return;
        };
        wrong |= !found.mended;
        let place = found.mailbox.as_deref().unwrap_or("(account)");
        let mended = if found.mended { " [mended]" } else { "" };
        let line = format!("{place}: {}: {}{mended}", found.file, found.text);
        let cells = [
            found.mailbox.map_or(Cell::None, Cell::Text),
            Cell::Text(found.file),
            Cell::Text(found.text),
            Cell::Bool(found.mended),
        ];
        table.row(&line, &cells);
    });
    table.end();
    done?;
    Ok(if wrong { exit::DATAERR } else { exit::OK })
}
