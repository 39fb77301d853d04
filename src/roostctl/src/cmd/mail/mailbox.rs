//! `roostctl mailbox`.

use clap::Subcommand;

use super::{Rows, Which, in_sessions, listed};
use crate::args::Common;
use crate::imap::value::Value;
use crate::table::Cell;
use crate::{Failure, exit};

#[derive(Subcommand, Debug)]
pub enum Mailbox {
    /// Shows the mailboxes
    List {
        /// Only those that are subscribed to
        #[arg(long)]
        subscribed: bool,
        /// Of all accounts that have mail; for root
        #[arg(long)]
        all_users: bool,
        /// * stands for anything, % for anything on one level (default: all)
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,
    },
    /// Shows how many messages mailboxes have, and more
    Status {
        /// Of all accounts that have mail; for root
        #[arg(long)]
        all_users: bool,
        /// * stands for anything, % for anything on one level (default: all)
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,
    },
    /// Makes mailboxes
    Create {
        #[arg(value_name = "MAILBOX", required = true)]
        mailboxes: Vec<String>,
    },
    /// Deletes mailboxes with their messages
    Delete {
        #[arg(value_name = "MAILBOX", required = true)]
        mailboxes: Vec<String>,
    },
    /// Gives a mailbox, and those below it, another name
    Rename { mailbox: String, name: String },
    /// Subscribes to mailboxes
    Subscribe {
        #[arg(value_name = "MAILBOX", required = true)]
        mailboxes: Vec<String>,
    },
    /// Takes subscriptions back
    Unsubscribe {
        #[arg(value_name = "MAILBOX", required = true)]
        mailboxes: Vec<String>,
    },
}

const LIST: &[&str] = &[
    "account",
    "mailbox",
    "selectable",
    "subscribed",
    "special_use",
];
const STATUS: &[&str] = &[
    "account",
    "mailbox",
    "messages",
    "unseen",
    "uidnext",
    "uidvalidity",
    "highestmodseq",
    "size",
];
/// What LIST says besides.
const OTHER: [&str; 8] = [
    "\\HasChildren",
    "\\HasNoChildren",
    "\\Noinferiors",
    "\\Noselect",
    "\\NonExistent",
    "\\Marked",
    "\\Unmarked",
    "\\Subscribed",
];

pub fn mailbox(common: &Common, command: &Mailbox) -> Result<u8, Failure> {
    match command {
        Mailbox::List {
            subscribed,
            all_users,
            patterns,
        } => list(common, *all_users, *subscribed, patterns),
        Mailbox::Status {
            all_users,
            patterns,
        } => status(common, *all_users, patterns),
        Mailbox::Create { mailboxes } => each(common, "CREATE", mailboxes),
        Mailbox::Delete { mailboxes } => each(common, "DELETE", mailboxes),
        Mailbox::Subscribe { mailboxes } => each(common, "SUBSCRIBE", mailboxes),
        Mailbox::Unsubscribe { mailboxes } => each(common, "UNSUBSCRIBE", mailboxes),
        Mailbox::Rename { mailbox, name } => in_sessions(common, false, &mut |client, _| {
            let (old, new) = (client.wire_name(mailbox)?, client.wire_name(name)?);
            let done = client.run(&format!("RENAME {old} {new}"), &mut |_| Ok(()));
            done.map_err(|f| Failure::new(f.code, format!("{mailbox}: {}", f.text)))?;
            Ok(exit::OK)
        }),
    }
}

fn each(common: &Common, verb: &str, mailboxes: &[String]) -> Result<u8, Failure> {
    in_sessions(common, false, &mut |client, _| {
        for mailbox in mailboxes {
            let command = format!("{verb} {}", client.wire_name(mailbox)?);
            let done = client.run(&command, &mut |_| Ok(()));
            done.map_err(|f| Failure::new(f.code, format!("{mailbox}: {}", f.text)))?;
        }
        Ok(exit::OK)
    })
}

fn list(
    common: &Common,
    all_users: bool,
    only_subscribed: bool,
    patterns: &[String],
) -> Result<u8, Failure> {
    let mut rows = Rows::new(common, all_users, LIST);
    let done = in_sessions(common, all_users, &mut |client, account| {
        rows.of(account);
        let options = "SUBSCRIBED SPECIAL-USE";
        for found in listed(
            client,
            Which::of(patterns, account),
            options,
            &mut |_, _| Ok(()),
        )? {
            let subscribed = found.is("\\Subscribed");
            if only_subscribed && !subscribed {
                continue;
            }
            let used = |a: &&String| !OTHER.iter().any(|other| a.eq_ignore_ascii_case(other));
            let uses: Vec<String> = found.attributes.iter().filter(used).cloned().collect();
            let cells = vec![
                Cell::Text(found.shown.clone()),
                Cell::Bool(found.has_messages()),
                Cell::Bool(subscribed),
                Cell::Text(uses.join(" ")),
            ];
            rows.row(&[found.shown], cells);
        }
        Ok(exit::OK)
    });
    rows.table.end();
    done
}

fn status(common: &Common, all_users: bool, patterns: &[String]) -> Result<u8, Failure> {
    let names = STATUS.get(2..).unwrap_or_default();
    let items = names.join(" ").to_uppercase();
    let mut rows = Rows::new(common, all_users, STATUS);
    let done = in_sessions(common, all_users, &mut |client, account| {
        rows.of(account);
        let options = format!("STATUS ({items})");
        listed(
            client,
            Which::of(patterns, account),
            &options,
            &mut |mailbox, values| {
                if mailbox.starts_with('~') && !patterns.iter().any(|p| p.starts_with('~')) {
                    return Ok(());
                }
                let mut texts = vec![mailbox.to_owned()];
                let mut cells = vec![Cell::Text(mailbox.to_owned())];
                let status = Value::List(values.to_vec());
                for name in names {
                    let number = status.get(name).and_then(Value::number);
                    if let Some(number) = number {
                        texts.push(format!("{name}={number}"));
                    }
                    cells.push(number.map_or(Cell::None, Cell::Number));
                }
                rows.row(&texts, cells);
                Ok(())
            },
        )?;
        Ok(exit::OK)
    });
    rows.table.end();
    done
}
