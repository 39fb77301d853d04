//! `roostctl user`: what the configuration and the name service say of accounts.

use clap::Subcommand;
use roost_config::Config;
use roost_os::identity;

use super::rebuild;
use super::who;
use crate::account::{self, Account};
use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

#[derive(Subcommand, Debug)]
pub enum User {
    /// Shows an account: its owner, its places, its limits
    Show {
        /// The account, as with --user
        #[arg(value_name = "USER")]
        account: Option<String>,
    },
    /// Shows the accounts that are known, and whether they have mail
    List,
}

const SHOW: &[&str] = &[
    "account",
    "uid",
    "gid",
    "groups",
    "home",
    "maildir",
    "mail",
    "index_dir",
    "quota_storage",
    "quota_messages",
    "max_mailboxes",
    "max_message_size",
    "max_connections",
    "connections",
];
const LIST: &[&str] = &["account", "uid", "maildir", "mail"];

pub fn run(common: &Common, command: &User) -> Result<u8, Failure> {
    let config = account::config(common)?;
    match command {
        User::Show { account } => {
            if account.is_some() && common.user.is_some() {
                let text = "--user and USER name an account each";
                return Err(Failure::new(exit::USAGE, text));
            }
            let common = Common {
                user: account.clone().or(common.user.clone()),
                ..common.clone()
            };
            show(&common, &config)
        }
        User::List => list(common, &config),
    }
}

fn show(common: &Common, config: &Config) -> Result<u8, Failure> {
    let account = account::named(common, config)?;
    let cells = cells(&account, config);
    let mut table = Table::new(common.json, SHOW);
    if common.json {
        table.row("", &cells);
    } else {
        for (name, cell) in SHOW.iter().zip(&cells) {
            table.row(&format!("{name}\t{}", shown(cell)), &[]);
        }
    }
    table.end();
    Ok(exit::OK)
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(n) => n.to_string(),
        Cell::Bool(true) => "yes".to_owned(),
        Cell::Bool(false) => "no".to_owned(),
        Cell::None => "-".to_owned(),
    }
}

/// As [`SHOW`] names them.
fn cells(account: &Account, config: &Config) -> [Cell; 14] {
    let path = |path: &std::path::Path| Cell::Text(path.display().to_string());
    // 0: no limit.
    let limit = |n: u64| if n == 0 { Cell::None } else { Cell::Number(n) };
    let group = |gid| match identity::group_by_id(gid) {
        Ok(Some(name)) => name,
        Ok(None) | Err(_) => gid.to_string(),
    };
    let groups: Vec<String> = account.owner.groups.iter().copied().map(group).collect();
    let own = config.users.get(&account.name);
    let size = own.and_then(|own| own.max_message_size);
    let quota = account.quota;
    [
        Cell::Text(account.name.clone()),
        Cell::Number(account.owner.uid.0.into()),
        Cell::Number(account.owner.gid.0.into()),
        Cell::Text(groups.join(" ")),
        account.home.as_deref().map_or(Cell::None, path),
        path(&account.maildir),
        Cell::Bool(account.has_mail()),
        account.index_dir.as_deref().map_or(Cell::None, path),
        quota.map_or(Cell::None, |quota| limit(quota.storage)),
        quota.map_or(Cell::None, |quota| limit(quota.messages)),
        limit(config.max_mailboxes_of(&account.name).into()),
        limit(size.unwrap_or(config.limits.max_message_size)),
        limit(config.limits.max_connections_per_user.into()),
        connections(account, config),
    ]
}

/// None where no server runs.
fn connections(account: &Account, config: &Config) -> Cell {
    let Ok(rows) = who::ask(config) else {
        return Cell::None;
    };
    let own = |row: &&roost_ipc::SessionRow| row.account.as_ref() == Some(&account.name);
    Cell::Number(rows.iter().filter(own).count() as u64)
}

fn list(common: &Common, config: &Config) -> Result<u8, Failure> {
    let mut table = Table::new(common.json, LIST);
    for name in rebuild::accounts(config)? {
        let common = Common {
            user: Some(name.clone()),
            maildir: None,
            ..common.clone()
        };
        // One that has no home, say, is no account.
        let Ok(account) = account::named(&common, config) else {
            continue;
        };
        let maildir = account.maildir.display().to_string();
        let mail = if account.has_mail() { "mail" } else { "-" };
        let uid = account.owner.uid.0;
        table.row(
            &format!("{}\t{uid}\t{maildir}\t{mail}", account.name),
            &[
                Cell::Text(account.name.clone()),
                Cell::Number(uid.into()),
                Cell::Text(maildir),
                Cell::Bool(account.has_mail()),
            ],
        );
    }
    table.end();
    Ok(exit::OK)
}
