//! `roostctl reindex`.

use roost_ipc::Task;

use super::maintain::{News, maintain};
use crate::args::Args;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

const COLUMNS: &[&str] = &["mailbox", "messages"];

pub fn run(args: &Args) -> Result<u8, Failure> {
    let mut table = Table::new(args.json, COLUMNS);
    let done = maintain(args, Task::Reindex, &mut |news| {
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
