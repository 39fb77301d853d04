//! `roostctl acl`.

use clap::Subcommand;
use roost_ipc::{AclAct, AclWork, ControlReply, ControlRequest};
use roost_os::identity;

use super::maintain::{News, Order, maintain};
use super::rebuild;
use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, account, exit, out, server};

const COLUMNS: &[&str] = &["mailbox", "identifier", "rights"];

#[derive(Subcommand, Debug)]
pub enum Acl {
    /// Shows who has which rights
    List {
        /// The mailboxes (default: all)
        #[arg(value_name = "MAILBOX")]
        mailboxes: Vec<String>,
    },
    /// Gives rights
    Set {
        mailbox: String,
        /// anyone, an account, #group, anyone@domain; with - before it, its
        /// rights are taken away
        #[arg(allow_hyphen_values = true)]
        identifier: String,
        /// Some of lrwstipekxa; behind + or - these are added or removed
        #[arg(allow_hyphen_values = true)]
        rights: String,
    },
    /// Removes an entry
    Delete {
        mailbox: String,
        #[arg(allow_hyphen_values = true)]
        identifier: String,
    },
    /// Shows what an account may do
    Rights {
        mailbox: String,
        /// By its full name
        account: String,
        /// A group that it is in, besides those of its Unix account
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Has the server look at all accounts for who shares with whom
    Rebuild,
    /// Prints who is shown any mailbox
    #[command(hide = true)]
    Shares,
}

pub fn run(common: &Common, acl: &Acl) -> Result<u8, Failure> {
    let work = |act, who: &str, rights: &str| AclWork {
        act,
        who: who.to_owned(),
        rights: rights.to_owned(),
        groups: Vec::new(),
    };
    let one = std::slice::from_ref;
    let (mailboxes, work) = match acl {
        Acl::List { mailboxes } => (mailboxes.as_slice(), work(AclAct::List, "", "")),
        Acl::Set {
            mailbox,
            identifier,
            rights,
        } => (one(mailbox), work(AclAct::Set, identifier, rights)),
        Acl::Delete {
            mailbox,
            identifier,
        } => (one(mailbox), work(AclAct::Delete, identifier, "")),
        Acl::Rights {
            mailbox,
            account,
            groups,
        } => {
            let groups = all_groups(account, groups)?;
            let work = work(AclAct::Rights, account, "");
            (one(mailbox), AclWork { groups, ..work })
        }
        Acl::Rebuild => return rebuild::run(common),
        Acl::Shares => (&[][..], work(AclAct::Shares, "", "")),
    };
    let shares = work.act == AclAct::Shares;
    let shows = !matches!(work.act, AclAct::Set | AclAct::Delete);
    // Root's, before this process becomes the owner: what it does by itself the
    // server has to be told.
    let line = match !shows && identity::is_root() {
        true => server::connect(
            account::config(common)?.server.control_socket.as_deref(),
            None,
        )?,
        false => None,
    };
    let mut told = None;
    let mut table = Table::new(common.json && shows, COLUMNS);
    let done = maintain(common, mailboxes, Order::of_rights(work)?, &mut |news| {
        let entry = match news {
            News::Acl(entry) => entry,
            News::Shares(shares) => return told = Some(shares),
            _ => return,
        };
        let rights = if entry.rights.is_empty() {
            "\"\""
        } else {
            &entry.rights
        };
        let line = match &entry.mailbox {
            Some(mailbox) if !shares => format!("{mailbox}: {} {rights}", entry.identifier),
            _ => entry.identifier.clone(),
        };
        let cells = [
            entry.mailbox.clone().map_or(Cell::None, Cell::Text),
            Cell::Text(entry.identifier),
            Cell::Text(entry.rights.clone()),
        ];
        table.row(&line, &cells);
    });
    table.end();
    done?;
    let Some(shares) = told else {
        return Ok(exit::OK);
    };
    let request = ControlRequest::Share(rebuild::limited(shares));
    match line {
        Some(line) => rebuild::told(line.ask(&request)?)?,
        None if !identity::is_root() => say_as_owner(common, &request)?,
        None => {}
    }
    Ok(exit::OK)
}

/// To the server, which believes the account's own user. Where it does not,
/// rights hold all the same.
fn say_as_owner(common: &Common, request: &ControlRequest) -> Result<(), Failure> {
    let config = account::config(common)?;
    let Some(mut asked) = server::ask(config.server.control_socket.as_deref(), request)? else {
        return Ok(());
    };
    match asked.reply()? {
        ControlReply::Done => {}
        ControlReply::Refused | ControlReply::Busy => out::tell(
            "the server did not take it: `LIST \"\" \"~%\"` of others may not show it yet",
        ),
        other => return Err(server::unexpected(&other)),
    }
    Ok(())
}

/// Those that the account has by the name service too.
fn all_groups(account: &str, given: &[String]) -> Result<Vec<String>, Failure> {
    let os = |e| Failure::new(exit::OSERR, e);
    let mut groups = given.to_vec();
    if let Some(user) = identity::user_by_name(account).map_err(os)? {
        for gid in identity::groups_of(&user.name, user.gid).map_err(os)? {
            groups.extend(identity::group_by_id(gid).map_err(os)?);
        }
    }
    Ok(groups)
}
