//! What GETMETADATA and SETMETADATA have in common: whose annotations they
//! are, and the entries that stand for something else.

use crate::error::Error;
use crate::session::{Named, Session};
use roost_imap::command::EntryScope;
use roost_store::Scope;

/// The class of a mailbox.
pub(super) const CLASS: (EntryScope, &str) = (EntryScope::Shared, "vendor/roost/class");
/// What an alias stands for.
pub(super) const ALIAS: (EntryScope, &str) = (EntryScope::Private, "vendor/roost/alias");
/// RFC 6154 §4.
pub(super) const SPECIAL_USE: (EntryScope, &str) = (EntryScope::Private, "specialuse");
/// RFC 5464 §6.2.
pub(super) const ADMIN: (EntryScope, &str) = (EntryScope::Shared, "admin");
pub(super) const COMMENT: (EntryScope, &str) = (EntryScope::Shared, "comment");

/// The mailbox, or `None` for the server.
pub(super) fn place(session: &Session, mailbox: &[u8]) -> Result<Option<Named>, Error> {
    match mailbox.is_empty() {
        true => Ok(None),
        false => {
            let named = session.name(mailbox)?;
            session.permit_annotations(&named.given.name)?;
            Ok(Some(named))
        }
    }
}

/// Where the store keeps the annotations of a scope: each who asks has private
/// ones of his own.
pub(super) fn scope(session: &Session, scope: EntryScope) -> Scope {
    match scope {
        EntryScope::Shared => Scope::Shared,
        EntryScope::Private => {
            let asker = session.identity().asker.as_ref();
            Scope::Private(
                asker
                    .map(|asker| &*asker.account)
                    .unwrap_or_default()
                    .into(),
            )
        }
    }
}
