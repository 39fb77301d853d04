//! Maildir++ with the sidecars of Dovecot and Courier.
//!
//! The Maildir is the truth: messages are files whose names carry their
//! flags, UIDs live in `dovecot-uidlist`, keyword letters in
//! `dovecot-keywords`. This crate keeps one picture of each open mailbox in
//! memory ([`Snapshot`]), shared by all sessions, and brings it up to date
//! when the disk changes, whoever changed it. It knows no IMAP syntax.
//!
//! What must stay true:
//! - a message file is durable before its UID record, and the UID record
//!   before any snapshot shows the UID;
//! - a message leaves the picture only when an authoritative listing, or a
//!   direct look at its known name, has proved that its file is gone;
//! - snapshots are immutable; nobody waits for a lock to read one.

#![forbid(unsafe_code)]

pub mod account;
pub mod cache;
pub mod check;
pub mod error;
pub mod events;
pub mod format;
mod index;
pub mod mailbox;
#[cfg(test)]
mod manual;
pub mod message;
pub mod migrate;
pub mod options;
mod quota;
mod seen;
pub mod snapshot;
pub mod store;
mod upkeep;
mod watch;

pub use account::Account;
pub use account::acl_task::{AclError, AclRow, AclTask};
pub use account::asking::{Asked, Looking};
pub use account::folders::{Folder, Folders};
pub use account::properties::Purpose;
pub use account::property_task::{Property, PropertyTask};
pub use account::status::{Details, More, Sizes, Status};
pub use check::{Finding, Indexed};
pub use error::Error;
pub use events::{Interest, Listener};
pub use format::acl;
pub use format::annotations::{Annotated, Annotation, Annotations, Scope};
pub use format::uidlist::Guid;
pub use mailbox::Mailbox;
pub use mailbox::append::{Append, AppendOutcome};
pub use mailbox::beginning::Beginning;
pub use mailbox::copy::{CopyMode, CopyOutcome};
pub use mailbox::flags::{FlagChange, FlagMode, FlagOutcome, Within};
pub use message::Message;
pub use migrate::Survey;
pub use options::{AccountOptions, Encoding, Fsync, Judge, Options, QuotaOptions};
pub use quota::count::Count;
pub use quota::{Known, Usage};
pub use seen::Reader;
pub use snapshot::diff::Diff;
pub use snapshot::keywords::KeywordSetId;
pub use snapshot::sight::Sight;
pub use snapshot::{Row, Snapshot};
pub use store::Store;
