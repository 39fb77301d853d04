//! Courier's files.

use roost_store::Encoding;

use super::super::maintain;
use super::Open;
use crate::Failure;
use crate::args::Common;
use crate::table::{Cell, Table};

pub const COLUMNS: &[&str] = &[
    "account",
    "mailbox",
    "uidvalidity",
    "messages",
    "keywords",
    "rights",
];

pub fn run(common: &Common, utf7: bool, account: &Open) -> Result<Vec<String>, Failure> {
    let names = if utf7 {
        Encoding::Mutf7
    } else {
        Encoding::Utf8
    };
    let mut table = Table::new(common.json, COLUMNS);
    let done = account.export_to_courier(names, &mut |exported| {
        let name = exported.mailbox.to_string();
        let line = format!(
            "{}: {name}: {} messages, UIDVALIDITY {}, {} keywords",
            account.name(),
            exported.messages,
            exported.uid_validity,
            exported.keywords
        );
        let cells = [
            Cell::Text(account.name().to_owned()),
            Cell::Text(name),
            Cell::Number(u64::from(exported.uid_validity)),
            Cell::Number(u64::from(exported.messages)),
            Cell::Number(exported.keywords as u64),
            Cell::Number(exported.rights as u64),
        ];
        table.row(&line, &cells);
    });
    table.end();
    done.map_err(maintain::failed)
}
