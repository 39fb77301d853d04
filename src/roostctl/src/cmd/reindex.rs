//! `roostctl reindex`.

use roost_ipc::Task;

use super::maintain::{News, maintain};
use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

const COLUMNS: &[&str] = &["mailbox", "messages"];

pub fn run(common: &Common, mailboxes: &[String]) -> Result<u8, Failure> {
    let mut table = Table::new(common.json, COLUMNS);
    let done = maintain(common, mailboxes, Task::Reindex, &mut |news| {
        let News::Indexed(done) = news else {
            return;
        };
        let line = format!("{}: {} messages", done.mailbox, done.messages);
        let messages = Cell::Number(done.messages.into());
        table.row(&line, &[Cell::Text(done.mailbox), messages]);
    });
    table.end();
    done?;
    Ok(exit::OK)
}
