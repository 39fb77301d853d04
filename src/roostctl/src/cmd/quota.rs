//! `roostctl quota`.

use clap::Subcommand;
use roost_ipc::Task;

use super::maintain::{News, maintain};
use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

const COLUMNS: &[&str] = &["resource", "used", "limit", "percent"];

#[derive(Subcommand, Debug)]
pub enum Action {
    /// Says what is used of each limit, in KiB and in messages
    Get {
        /// The account, as with --user
        #[arg(value_name = "USER")]
        account: Option<String>,
    },
    /// Counts all messages anew first
    Recalc {
        /// The account, as with --user
        #[arg(value_name = "USER")]
        account: Option<String>,
    },
}

pub fn run(common: &Common, action: &Action) -> Result<u8, Failure> {
    let (task, user) = match action {
        Action::Get { account } => (Task::Quota, account),
        Action::Recalc { account } => (Task::Recount, account),
    };
    if user.is_some() && common.user.is_some() {
        let text = "--user and USER name an account each";
        return Err(Failure::new(exit::USAGE, text));
    }
    let common = Common {
        user: user.clone().or(common.user.clone()),
        ..common.clone()
    };
    let mut table = Table::new(common.json, COLUMNS);
    let done = maintain(&common, &[], task, &mut |news| {
        let News::Quota(quota) = news else {
            return;
        };
        let limits = quota.limits;
        let kibibytes = |octets: u64| octets.div_ceil(1024);
        let storage = (
            "STORAGE",
            " KiB",
            kibibytes(quota.octets),
            kibibytes(limits.storage),
        );
        let messages = ("MESSAGE", "", quota.messages, limits.messages);
        for (name, unit, used, limit) in [storage, messages] {
            if limit == 0 {
                continue;
            }
            let percent = used.saturating_mul(100) / limit;
            table.row(
                &format!("{name} {used} of {limit}{unit} ({percent} %)"),
                &[
                    Cell::Text(name.to_owned()),
                    Cell::Number(used),
                    Cell::Number(limit),
                    Cell::Number(percent),
                ],
            );
        }
    });
    table.end();
    done?;
    Ok(exit::OK)
}
