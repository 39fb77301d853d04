//! `roostctl alias`, `roostctl class` and `roostctl lock`.

use clap::Subcommand;
use roost_ipc::{Property, PropertyChange, PropertyWork};
use roost_os::identity;

use super::maintain::{News, Order, maintain};
use crate::args::Common;
use crate::table::{Cell, Table};
use crate::{Failure, exit};

#[derive(Subcommand, Debug)]
pub enum Alias {
    /// Shows the aliases of an account
    List,
    /// Makes a name stand for a mailbox
    Set {
        name: String,
        /// `~account/mailbox`, or an own mailbox
        mailbox: String,
    },
    /// Takes an alias away
    Delete { name: String },
}

#[derive(Subcommand, Debug)]
pub enum Class {
    /// Shows the mailboxes that are for something else than mail
    List {
        /// The mailboxes (default: all)
        #[arg(value_name = "MAILBOX")]
        mailboxes: Vec<String>,
    },
    /// Says what a mailbox is for
    Set {
        mailbox: String,
        /// Such as IPF.Contact
        class: String,
    },
    /// Says that a mailbox is for mail
    Delete { mailbox: String },
}

#[derive(Subcommand, Debug)]
pub enum Lock {
    /// Shows the locked mailboxes
    List,
    /// Locks mailboxes: they can only be read
    Set {
        #[arg(value_name = "MAILBOX", required = true)]
        mailboxes: Vec<String>,
    },
    /// Opens locked mailboxes again
    Delete {
        #[arg(value_name = "MAILBOX", required = true)]
        mailboxes: Vec<String>,
    },
}

pub fn alias(common: &Common, alias: &Alias) -> Result<u8, Failure> {
    let one = std::slice::from_ref;
    let (names, change) = match alias {
        Alias::List => (&[][..], None),
        Alias::Set { name, mailbox } => (one(name), Some(Some(mailbox.clone()))),
        Alias::Delete { name } => (one(name), Some(None)),
    };
    run(
        common,
        (Property::Alias, &["name", "mailbox"]),
        names,
        change,
    )
}

pub fn class(common: &Common, class: &Class) -> Result<u8, Failure> {
    let one = std::slice::from_ref;
    let (names, change) = match class {
        Class::List { mailboxes } => (mailboxes.as_slice(), None),
        Class::Set { mailbox, class } => (one(mailbox), Some(Some(class.clone()))),
        Class::Delete { mailbox } => (one(mailbox), Some(None)),
    };
    run(
        common,
        (Property::Class, &["mailbox", "class"]),
        names,
        change,
    )
}

/// An owner has the file in which locks stand; but what roostctl does for him
/// is not to undo what an administrator has said.
pub fn lock(common: &Common, lock: &Lock) -> Result<u8, Failure> {
    let (names, change) = match lock {
        Lock::List => (&[][..], None),
        Lock::Set { mailboxes } => (mailboxes.as_slice(), Some(Some(String::new()))),
        Lock::Delete { mailboxes } => (mailboxes.as_slice(), Some(None)),
    };
    if change.is_some() && !identity::is_root() {
        let text = "mailboxes are locked and opened by root";
        return Err(Failure::new(exit::NOPERM, text));
    }
    run(common, (Property::Lock, &["mailbox"]), names, change)
}

fn run(
    common: &Common,
    (property, columns): (Property, &'static [&'static str]),
    names: &[String],
    change: Option<Option<String>>,
) -> Result<u8, Failure> {
    let mut table = Table::new(common.json && change.is_none(), columns);
    let order = Order::of_property(PropertyWork {
        property,
        change: change.map(|value| PropertyChange { value }),
    });
    let done = maintain(common, names, order, &mut |news| {
        let News::Property(entry) = news else {
            return;
        };
        let line = match entry.value.as_str() {
            "" => entry.mailbox.clone(),
            value => format!("{}: {value}", entry.mailbox),
        };
        let cells = [Cell::Text(entry.mailbox), Cell::Text(entry.value)];
        table.row(&line, cells.get(..columns.len()).unwrap_or(&cells));
    });
    table.end();
    done?;
    Ok(exit::OK)
}
