//! Aliases: own names that stand for other mailboxes, for clients that cannot
//! name those of others.
//!
//! Each is followed by a link of its own to the account of its mailbox, which
//! calls the mailbox by the alias: so commands and answers pass as they are, and
//! rights are those at the mailbox. An alias for an own mailbox takes the same
//! way.

use crate::error::Error;
use crate::link::Ask;
use crate::names::{FOREIGN, Names};
use crate::session::{Alias, Session};
use roost_types::MailboxName;

/// The alias of this name, as it stands on the wire.
pub(super) fn named(session: &Session, raw: &[u8]) -> Result<Option<String>, Error> {
    if session.is_foreign() {
        return Ok(None);
    }
    let text = Names::decode(raw, session.dialect())?;
    let Ok(given) = session.names.parse(&text) else {
        return Ok(None);
    };
    // INBOX is none, and its tree need not be known.
    if given.name.is_inbox() {
        return Ok(None);
    }
    let folders = session.account.folders()?;
    let folder = folders.get(&given.name);
    Ok(folder
        .filter(|folder| folder.alias.is_some())
        .and_then(|folder| session.names.show(&folder.name)))
}

/// What to ask for to have a link; `shown` is `~` and an owner, or an alias.
pub(super) fn ask(session: &Session, shown: &str) -> Ask {
    let target = (!shown.starts_with(FOREIGN))
        .then(|| target(session, shown))
        .flatten();
    match target {
        Some((owner, of)) => Ask::Link {
            shown: owner,
            alias: Some(Alias {
                name: shown.to_owned(),
                of,
            }),
        },
        // What is no alias any more is found to be nobody's.
        None => Ask::Link {
            shown: shown.to_owned(),
            alias: None,
        },
    }
}

/// `~` and the owner, and the mailbox there.
fn target(session: &Session, alias: &str) -> Option<(String, MailboxName)> {
    let given = session.names.parse(alias).ok()?;
    let folders = session.account.folders().ok()?;
    let target = folders.get(&given.name)?.alias.clone()?;
    match target.starts_with(FOREIGN) {
        true => {
            let (owner, mailbox) = target.split_once('/')?;
            Some((owner.to_owned(), MailboxName::parse(mailbox, '/').ok()?))
        }
        false => {
            let owner = format!("{FOREIGN}{}", session.identity.user);
            Some((owner, MailboxName::parse(&target, '/').ok()?))
        }
    }
}
