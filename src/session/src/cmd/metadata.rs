//! What GETMETADATA and SETMETADATA have in common: whose annotations they
//! are, and the entries that stand for something else.

use crate::error::Error;
use crate::session::{Named, Session};
use roost_imap::command::{EntryName, EntryPath, EntryScope, GetMetadataArgs, SetMetadataArgs};
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
        // Also where the owner comes by another name of the mailbox.
        EntryScope::Private if session.is_owner() => Scope::Private("".into()),
        EntryScope::Private => {
            let asker = session.identity().asker.as_ref();
            let account = asker.map(|asker| &*asker.account);
            Scope::Private(account.unwrap_or_default().into())
        }
    }
}

/// What an alias stands for is asked for, not what is said of that mailbox.
pub(crate) fn asks_for_alias(args: &GetMetadataArgs) -> bool {
    let (scope, name) = ALIAS;
    let alias = |path: &EntryPath| path.scope == scope && *path.rest == *name;
    args.entries.iter().any(alias)
}

pub(crate) fn sets_alias(args: &SetMetadataArgs) -> bool {
    let alias = |name: &EntryName| (name.scope(), name.rest()) == ALIAS;
    args.values.iter().any(|(name, _)| alias(name))
}
