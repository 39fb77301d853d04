//! Commands on mailboxes and messages, each through an ordinary session of the
//! account at the running server.

mod change;
mod fetch;
mod mailbox;
mod search;

use clap::Args;
use roost_config::Config;
use roost_os::identity;

use super::rebuild;
use crate::args::Common;
use crate::imap::value::Value;
use crate::imap::{Client, query};
use crate::out::printable;
use crate::table::{Cell, Table};
use crate::{Failure, account, exit, out, server, session};

pub use change::{Expunge, Flags, Move};
pub use change::{expunge, flags, move_to};
pub use fetch::{Fetch, fetch};
pub use mailbox::{Mailbox, mailbox};
pub use search::{Search, search};

/// Whose mailboxes, and which.
#[derive(Args, Debug)]
pub struct Scope {
    /// Only these; * stands for anything, % for anything on one level (default: all)
    #[arg(short, long = "mailbox", value_name = "PATTERN")]
    pub mailboxes: Vec<String>,
    /// In names of mailboxes, * and % stand for themselves
    #[arg(long, requires = "mailboxes")]
    pub exact: bool,
    /// Of all accounts that have mail; for root
    #[arg(long)]
    pub all_users: bool,
}

/// The same for what changes messages: nobody empties everything by leaving
/// something out.
#[derive(Args, Debug)]
pub struct Place {
    /// These mailboxes; * stands for anything, % for anything on one level
    #[arg(short, long = "mailbox", value_name = "PATTERN", required = true)]
    pub mailboxes: Vec<String>,
    /// In names of mailboxes, * and % stand for themselves
    #[arg(long, requires = "mailboxes")]
    pub exact: bool,
    /// Of all accounts that have mail; for root
    #[arg(long)]
    pub all_users: bool,
}

/// Which of an account's mailboxes.
#[derive(Clone, Copy)]
struct Which<'a> {
    patterns: &'a [String],
    /// They are names.
    exact: bool,
    /// A name must be there.
    strict: bool,
}

impl<'a> Which<'a> {
    /// `account`: of several, which need not have all of them.
    fn of(patterns: &'a [String], account: Option<&str>) -> Self {
        Self {
            patterns,
            exact: false,
            strict: account.is_none(),
        }
    }
}

/// In a session; the account is named where there are several.
type Work<'a> = &'a mut dyn FnMut(&mut Client, Option<&str>) -> Result<u8, Failure>;
/// What STATUS says of a mailbox.
type EachStatus<'a> = &'a mut dyn FnMut(&str, &[Value]) -> Result<(), Failure>;

/// Does `work` in a session of the account, or of each one in turn; returns the
/// exit code. One account that cannot be served keeps the others from nothing.
fn in_sessions(common: &Common, all_users: bool, work: Work<'_>) -> Result<u8, Failure> {
    let config = account::config(common)?;
    if !all_users {
        let connection = session::open_chosen(common, &config, false)?;
        return work(&mut Client::begin(connection)?, None);
    }
    let mut worst = exit::OK;
    for name in everybody(common, &config)? {
        let opened = session::open(&config, Some(&name), false);
        let done = opened
            .and_then(Client::begin)
            .and_then(|mut client| work(&mut client, Some(&name)));
        match done {
            Ok(exit::OK) => {}
            Ok(code) => worst = exit::worse(worst, code),
            // It would fail for everybody.
            Err(failure) if failure.code == exit::USAGE => return Err(failure),
            Err(failure) if !server::runs(&config)? => return Err(failure),
            Err(failure) => {
                out::tell(&format!("{name}: {}", failure.text));
                worst = exit::worse(worst, failure.code);
            }
        }
    }
    Ok(worst)
}

fn everybody(common: &Common, config: &Config) -> Result<Vec<String>, Failure> {
    if common.user.is_some() || common.maildir.is_some() {
        let text = "--all-users goes with neither --user nor --maildir";
        return Err(Failure::new(exit::USAGE, text));
    }
    if !identity::is_root() {
        let text = "only root may work on all accounts";
        return Err(Failure::new(exit::NOPERM, text));
    }
    let mut all = Vec::from_iter(rebuild::accounts(config)?);
    all.retain(|name| account::has_mail(name, config));
    Ok(all)
}

/// A mailbox that LIST has told of.
struct Listed {
    /// As a string of a command.
    wire: String,
    shown: String,
    attributes: Vec<String>,
}

impl Listed {
    fn is(&self, attribute: &str) -> bool {
        let mut all = self.attributes.iter();
        all.any(|a| a.eq_ignore_ascii_case(attribute))
    }

    fn has_messages(&self) -> bool {
        !self.is("\\Noselect") && !self.is("\\NonExistent")
    }
}

/// The mailboxes of these patterns, or all own ones.
fn listed(
    client: &mut Client,
    which: Which<'_>,
    options: &str,
    each: EachStatus<'_>,
) -> Result<Vec<Listed>, Failure> {
    let everything = ["*".to_owned()];
    let patterns = match which.patterns {
        [] => &everything,
        patterns => patterns,
    };
    let is_named = |pattern: &String, shown: &str| {
        let inbox = pattern.eq_ignore_ascii_case("INBOX") && shown == "INBOX";
        pattern == shown || inbox
    };
    let mut wire = Vec::new();
    for pattern in patterns {
        if matches!(pattern.as_str(), "*" | "%") {
            wire.push("INBOX".to_owned());
        }
        wire.push(client.wire_name(pattern)?);
    }
    let mut answers = Vec::new();
    let command = format!("LIST \"\" ({}) RETURN ({options})", wire.join(" "));
    client.run(&command, &mut |values| {
        answers.push(values.to_vec());
        Ok(())
    })?;
    let others = patterns.iter().any(|pattern| pattern.starts_with('~'));
    let mut all: Vec<Listed> = Vec::new();
    for values in &answers {
        match values.as_slice() {
            [kind, attributes, _, name, ..] if kind.is("LIST") => {
                let shown = client.shown_name(name);
                let known = all.iter().any(|listed| listed.shown == shown);
                let meant = !which.exact || patterns.iter().any(|p| is_named(p, &shown));
                if known || !meant || shown.starts_with('~') && !others {
                    continue;
                }
                all.push(Listed {
                    wire: query::string(&name.text())?,
                    shown,
                    attributes: attributes.list().iter().map(Value::text).collect(),
                });
            }
            [kind, name, status] if kind.is("STATUS") => {
                each(&client.shown_name(name), status.list())?;
            }
            _ => {}
        }
    }
    let missing = |pattern: &&String| {
        let there = |l: &Listed| is_named(pattern, &l.shown) && !l.is("\\NonExistent");
        (which.exact || !pattern.contains(['*', '%'])) && !all.iter().any(there)
    };
    if which.strict
        && let Some(name) = patterns.iter().find(missing)
    {
        let text = format!("there is no mailbox {name}");
        return Err(Failure::new(exit::NOINPUT, text));
    }
    Ok(all)
}

/// Searches each of the mailboxes, selected by `verb`; `work` gets those in
/// which something was found, with the set of UIDs.
fn found(
    client: &mut Client,
    which: Which<'_>,
    (verb, keys): (&str, &str),
    work: &mut dyn FnMut(&mut Client, &str, &str) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let mut worst = exit::OK;
    for mailbox in listed(client, which, "", &mut |_, _| Ok(()))? {
        if !mailbox.has_messages() {
            continue;
        }
        // A change is made whoever reads of it.
        if verb == "EXAMINE" && !out::is_wanted() {
            break;
        }
        let named = which.exact || which.patterns.contains(&mailbox.shown);
        let done = search_one(client, (verb, named), &mailbox.wire, keys);
        let done = done.and_then(|set| match set {
            Some(set) => work(client, &mailbox.shown, &set),
            None => Ok(()),
        });
        match done {
            Ok(()) => {}
            Err(failure) if matches!(failure.code, exit::USAGE | exit::UNAVAILABLE) => {
                return Err(failure);
            }
            Err(failure) => {
                out::tell(&format!("{}: {}", mailbox.shown, failure.text));
                worst = exit::worse(worst, failure.code);
            }
        }
    }
    Ok(worst)
}

/// A mailbox that nobody has `named` may be gone since it was listed, or an alias
/// of one that is.
fn search_one(
    client: &mut Client,
    (verb, named): (&str, bool),
    mailbox: &str,
    keys: &str,
) -> Result<Option<String>, Failure> {
    match client.run(&format!("{verb} {mailbox}"), &mut |_| Ok(())) {
        Err(failure) if failure.code == exit::NOINPUT && !named => return Ok(None),
        other => other?,
    }
    let mut set = None;
    client.run(&format!("UID SEARCH RETURN (ALL) {keys}"), &mut |values| {
        if values.first().is_some_and(|kind| kind.is("ESEARCH")) {
            let at = values.iter().position(|value| value.is("ALL"));
            let all = at.and_then(|at| values.get(at + 1));
            set = all.map(Value::text);
        }
        Ok(())
    })?;
    Ok(set)
}

/// Rows, with the account before them where there are several.
struct Rows {
    table: Table,
    account: Option<String>,
}

impl Rows {
    /// `columns` begins with that of the account.
    fn new(common: &Common, all_users: bool, columns: &'static [&'static str]) -> Self {
        let from = usize::from(!all_users);
        Self {
            table: Table::new(common.json, columns.get(from..).unwrap_or_default()),
            account: None,
        }
    }

    fn of(&mut self, account: Option<&str>) {
        self.account = account.map(str::to_owned);
    }

    /// For people the texts with tabulators between them.
    fn row(&mut self, texts: &[String], cells: Vec<Cell>) {
        let shown = self.account.iter().chain(texts);
        let line: Vec<String> = shown.map(|text| printable(text)).collect();
        let account = self.account.clone().map(Cell::Text);
        let cells: Vec<Cell> = account.into_iter().chain(cells).collect();
        self.table.row(&line.join("\t"), &cells);
    }
}
