//! `roostctl fetch`.

use clap::{Args, ValueEnum};
use roost_message::decode::decode_header;

use super::{Rows, Scope, Which, found, in_sessions};
use crate::args::Common;
use crate::imap::value::Value;
use crate::imap::{Client, count, pieces, query};
use crate::out::{self, Output};
use crate::table::Cell;
use crate::{Failure, exit};

#[derive(Args, Debug)]
pub struct Fetch {
    #[command(flatten)]
    scope: Scope,
    /// What to print of each message
    #[arg(
        short,
        long = "field",
        value_name = "FIELD",
        value_delimiter = ',',
        default_values = ["mailbox", "uid", "flags", "date", "size", "from", "subject"],
    )]
    fields: Vec<Field>,
    /// Print the message itself; there must be one only
    #[arg(long, conflicts_with = "fields")]
    raw: bool,
    /// IMAP search keys, such as: UNSEEN FROM bob BEFORE 1-Oct-2026
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Mailbox,
    Uid,
    Flags,
    Date,
    Saved,
    Size,
    Modseq,
    Preview,
    Sent,
    From,
    To,
    Cc,
    Subject,
    MessageId,
}

impl Field {
    const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::Mailbox, "mailbox", "UID"),
        (Self::Uid, "uid", "UID"),
        (Self::Flags, "flags", "FLAGS"),
        (Self::Date, "date", "INTERNALDATE"),
        (Self::Saved, "saved", "SAVEDATE"),
        (Self::Size, "size", "RFC822.SIZE"),
        (Self::Modseq, "modseq", "MODSEQ"),
        (Self::Preview, "preview", "PREVIEW"),
        (Self::Sent, "sent", "ENVELOPE"),
        (Self::From, "from", "ENVELOPE"),
        (Self::To, "to", "ENVELOPE"),
        (Self::Cc, "cc", "ENVELOPE"),
        (Self::Subject, "subject", "ENVELOPE"),
        (Self::MessageId, "message-id", "ENVELOPE"),
    ];

    fn entry(self) -> (&'static str, &'static str) {
        let of = |entry: &&(Self, _, _)| entry.0 == self;
        let found = Self::ALL.iter().find(of);
        found.map_or(("uid", "UID"), |(_, name, item)| (*name, *item))
    }

    /// Of the items of a FETCH response.
    fn cell(self, mailbox: &str, items: &Value) -> Option<Cell> {
        let value = items.get(self.entry().1)?;
        let envelope = |at: usize| value.list().get(at);
        let number = |value: &Value| value.number().map(Cell::Number);
        Some(match self {
            Self::Mailbox => Cell::Text(mailbox.to_owned()),
            Self::Uid | Self::Size => number(value)?,
            Self::Modseq => number(value.list().first()?)?,
            Self::Flags => {
                let flags: Vec<String> = value.list().iter().map(Value::text).collect();
                Cell::Text(flags.join(" "))
            }
            Self::Date | Self::Saved | Self::Preview => text(value),
            Self::Sent => text(envelope(0)?),
            Self::MessageId => text(envelope(9)?),
            Self::Subject => match envelope(1)? {
                value if value.is("NIL") => Cell::None,
                value => Cell::Text(decode_header(value.octets())),
            },
            Self::From => addresses(envelope(2)?),
            Self::To => addresses(envelope(5)?),
            Self::Cc => addresses(envelope(6)?),
        })
    }
}

fn text(value: &Value) -> Cell {
    match value.is("NIL") {
        true => Cell::None,
        false => Cell::Text(value.text()),
    }
}

/// `Name <local@domain>, …`
fn addresses(value: &Value) -> Cell {
    let of_one = |address: &Value| {
        let [name, _, local, domain] = address.list() else {
            return None;
        };
        // The begin and the end of a group have no place.
        if local.is("NIL") || domain.is("NIL") {
            return None;
        }
        let place = format!("{}@{}", local.text(), domain.text());
        Some(match name.is("NIL") {
            true => place,
            false => format!("{} <{place}>", decode_header(name.octets())),
        })
    };
    match value {
        Value::List(all) => {
            let all: Vec<String> = all.iter().filter_map(of_one).collect();
            Cell::Text(all.join(", "))
        }
        Value::Atom(_) | Value::Text(_) => Cell::None,
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(n) => n.to_string(),
        Cell::Bool(b) => b.to_string(),
        Cell::None => "-".to_owned(),
    }
}

pub fn fetch(common: &Common, args: &Fetch) -> Result<u8, Failure> {
    let keys = query::keys(&args.keys)?;
    if args.raw {
        common.no_table()?;
        return raw(common, &args.scope, &keys);
    }
    let fields = &args.fields;
    let mut columns = vec!["account"];
    columns.extend(fields.iter().map(|field| field.entry().0));
    let mut items: Vec<&str> = fields.iter().map(|field| field.entry().1).collect();
    items.sort_unstable();
    items.dedup();
    let items = items.join(" ");
    let scope = &args.scope;
    // Made once, for the whole run of the program.
    let mut rows = Rows::new(common, scope.all_users, columns.leak());
    let done = in_sessions(common, scope.all_users, &mut |client, account| {
        rows.of(account);
        let which = Which {
            exact: scope.exact,
            ..Which::of(&scope.mailboxes, account)
        };
        found(
            client,
            which,
            ("EXAMINE", &keys),
            &mut |client, mailbox, set| {
                for piece in pieces(set).iter().take_while(|_| out::is_wanted()) {
                    let command = format!("UID FETCH {piece} ({items})");
                    client.run(&command, &mut |values| {
                        let [_, kind, items] = values else {
                            return Ok(());
                        };
                        let cells = fields.iter().map(|field| field.cell(mailbox, items));
                        // What others have changed meanwhile comes without the rest.
                        if kind.is("FETCH")
                            && let Some(cells) = cells.collect::<Option<Vec<Cell>>>()
                        {
                            let texts: Vec<String> = cells.iter().map(shown).collect();
                            rows.row(&texts, cells);
                        }
                        Ok(())
                    })?;
                }
                Ok(())
            },
        )
    });
    rows.table.end();
    done
}

/// The one message that matches, as it is.
fn raw(common: &Common, scope: &Scope, keys: &str) -> Result<u8, Failure> {
    if scope.all_users {
        let text = "--raw is for one message, not for all accounts'";
        return Err(Failure::new(exit::USAGE, text));
    }
    in_sessions(common, false, &mut |client: &mut Client, _| {
        let mut all: Vec<(String, String)> = Vec::new();
        let which = Which {
            exact: scope.exact,
            ..Which::of(&scope.mailboxes, None)
        };
        let code = found(client, which, ("EXAMINE", keys), &mut |_, mailbox, set| {
            all.push((mailbox.to_owned(), set.to_owned()));
            Ok(())
        })?;
        let messages: u64 = all.iter().map(|(_, set)| count(set)).sum();
        let [(mailbox, uid)] = all.as_slice() else {
            return Err(not_one(messages));
        };
        if messages != 1 {
            return Err(not_one(messages));
        }
        let examine = format!("EXAMINE {}", client.wire_name(mailbox)?);
        client.run(&examine, &mut |_| Ok(()))?;
        client.copy(&format!("UID FETCH {uid} (BODY.PEEK[])"), &mut Output)?;
        Ok(code)
    })
}

fn not_one(messages: u64) -> Failure {
    let text = format!("{messages} messages match; --raw prints one");
    let code = if messages == 0 {
        exit::NOINPUT
    } else {
        exit::USAGE
    };
    Failure::new(code, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::value::parse;

    fn items(text: &str) -> Value {
        let values = parse(vec![(text.as_bytes().to_vec(), None)]).unwrap();
        values.into_iter().next().unwrap()
    }

    #[test]
    fn fields_come_from_their_items() {
        let items = items(
            "(UID 7 FLAGS (\\Seen $X) RFC822.SIZE 120 MODSEQ (9) SAVEDATE NIL \
             ENVELOPE (\"Mon\" \"=?utf-8?q?K=C3=A4se?=\" ((NIL NIL \"a\" \"x.example\") \
             (\"Bo B\" NIL \"b\" \"x.example\")) NIL NIL NIL NIL NIL NIL \"<1@x>\"))",
        );
        let text = |field: Field| shown(&field.cell("Work", &items).unwrap());
        assert_eq!(text(Field::Mailbox), "Work");
        assert_eq!(
            (text(Field::Uid), text(Field::Size)),
            ("7".into(), "120".into())
        );
        assert_eq!(text(Field::Flags), "\\Seen $X");
        assert_eq!(
            (text(Field::Modseq), text(Field::Saved)),
            ("9".into(), "-".into())
        );
        assert_eq!(text(Field::Subject), "Käse");
        assert_eq!(text(Field::From), "a@x.example, Bo B <b@x.example>");
        assert_eq!(
            (text(Field::To), text(Field::MessageId)),
            ("-".into(), "<1@x>".into())
        );
        assert!(Field::Preview.cell("Work", &items).is_none());
    }

    #[test]
    fn every_field_has_its_name() {
        for field in Field::value_variants() {
            let name = field.to_possible_value().unwrap();
            assert_eq!(name.get_name(), field.entry().0);
        }
    }
}
