//! `roostctl flags`, `move` and `expunge`: what is found is changed, by UID and
//! nothing else.

use clap::{Args, Subcommand};

use super::{Place, Rows, Which, found, in_sessions};
use crate::args::Common;
use crate::imap::{Client, count, pieces, query};
use crate::table::Cell;
use crate::{Failure, exit};

const COLUMNS: &[&str] = &["account", "mailbox", "messages"];

#[derive(Subcommand, Debug)]
pub enum Flags {
    /// Sets flags besides those that messages have
    Add(Change),
    /// Takes flags away
    Remove(Change),
    /// Sets these flags and takes all others away
    Set(Change),
}

#[derive(Args, Debug)]
pub struct Change {
    #[command(flatten)]
    place: Place,
    /// Separated by commas, such as: '\Seen,$Important'
    flags: String,
    /// IMAP search keys, such as: UNSEEN FROM bob BEFORE 1-Oct-2026
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Move {
    #[command(flatten)]
    place: Place,
    /// Where to
    mailbox: String,
    /// IMAP search keys, such as: UNSEEN FROM bob BEFORE 1-Oct-2026
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Expunge {
    #[command(flatten)]
    place: Place,
    /// Only say how many there are
    #[arg(long)]
    dry_run: bool,
    /// IMAP search keys, such as: BEFORE 1-Oct-2026
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

pub fn flags(common: &Common, command: &Flags) -> Result<u8, Failure> {
    let (item, change) = match command {
        Flags::Add(change) => ("+FLAGS.SILENT", change),
        Flags::Remove(change) => ("-FLAGS.SILENT", change),
        Flags::Set(change) => ("FLAGS.SILENT", change),
    };
    let flags = flag_list(&change.flags)?;
    all(common, &change.place, &change.keys, &mut |client, set| {
        run(client, &format!("UID STORE {set} {item} ({flags})"))
    })
}

pub fn move_to(common: &Common, args: &Move) -> Result<u8, Failure> {
    all(common, &args.place, &args.keys, &mut |client, set| {
        let to = client.wire_name(&args.mailbox)?;
        run(client, &format!("UID MOVE {set} {to}")).map_err(|failure| match failure.code {
            exit::NOINPUT => {
                Failure::new(failure.code, format!("{}: {}", args.mailbox, failure.text))
            }
            _ => failure,
        })
    })
}

/// Others may have marked messages for deletion: those stay.
pub fn expunge(common: &Common, args: &Expunge) -> Result<u8, Failure> {
    all(common, &args.place, &args.keys, &mut |client, set| {
        if args.dry_run {
            return Ok(());
        }
        run(
            client,
            &format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"),
        )?;
        run(client, &format!("UID EXPUNGE {set}"))
    })
}

fn run(client: &mut Client, command: &str) -> Result<(), Failure> {
    client.run(command, &mut |_| Ok(()))
}

fn flag_list(text: &str) -> Result<String, Failure> {
    let flags = text.split([',', ' ']).filter(|flag| !flag.is_empty());
    let mut list = Vec::new();
    for flag in flags {
        let name = flag.strip_prefix('\\').unwrap_or(flag);
        let special = |c| matches!(c, '(' | ')' | '{' | '%' | '*' | '"' | '\\' | ']');
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_graphic() && !special(c)) {
            return Err(Failure::new(exit::USAGE, format!("{flag}: no flag")));
        }
        list.push(flag);
    }
    Ok(list.join(" "))
}

/// Prints in which mailboxes how many messages were changed.
fn all(
    common: &Common,
    place: &Place,
    keys: &[String],
    work: &mut dyn FnMut(&mut Client, &str) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let keys = query::careful_keys(keys)?;
    let mut rows = Rows::new(common, place.all_users, COLUMNS);
    let done = in_sessions(common, place.all_users, &mut |client, account| {
        rows.of(account);
        let which = Which {
            exact: place.exact,
            ..Which::of(&place.mailboxes, account)
        };
        found(
            client,
            which,
            ("SELECT", &keys),
            &mut |client, mailbox, set| {
                for piece in pieces(set) {
                    work(client, &piece)?;
                }
                let messages = count(set);
                let cells = vec![Cell::Text(mailbox.to_owned()), Cell::Number(messages)];
                rows.row(&[mailbox.to_owned(), messages.to_string()], cells);
                Ok(())
            },
        )
    });
    rows.table.end();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_atoms() {
        assert_eq!(flag_list("\\Seen,$X foo").unwrap(), "\\Seen $X foo");
        assert_eq!(flag_list("").unwrap(), "");
        for wrong in ["a(b", "\\", "\\\\Seen", "ä", "a\r\nb", "x\"y"] {
            assert_eq!(flag_list(wrong).unwrap_err().code, exit::USAGE, "{wrong}");
        }
    }
}
