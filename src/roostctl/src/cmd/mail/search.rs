//! `roostctl search`.

use clap::Args;

use super::{Rows, Scope, Which, found, in_sessions};
use crate::Failure;
use crate::args::Common;
use crate::imap::{query, uids};
use crate::table::Cell;

const COLUMNS: &[&str] = &["account", "mailbox", "uid"];

#[derive(Args, Debug)]
pub struct Search {
    #[command(flatten)]
    scope: Scope,
    /// IMAP search keys, such as: UNSEEN FROM bob BEFORE 1-Oct-2026
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

pub fn search(common: &Common, args: &Search) -> Result<u8, Failure> {
    let keys = query::keys(&args.keys)?;
    let scope = &args.scope;
    let mut rows = Rows::new(common, scope.all_users, COLUMNS);
    let done = in_sessions(common, scope.all_users, &mut |client, account| {
        rows.of(account);
        let which = Which {
            exact: scope.exact,
            ..Which::of(&scope.mailboxes, account)
        };
        found(client, which, ("EXAMINE", &keys), &mut |_, mailbox, set| {
            for uid in uids(set) {
                let cells = vec![Cell::Text(mailbox.to_owned()), Cell::Number(uid.into())];
                rows.row(&[mailbox.to_owned(), uid.to_string()], cells);
            }
            Ok(())
        })
    });
    rows.table.end();
    done
}
