//! Every file beside the messages: readers, writers and locks.
//!
//! What must stay true:
//! - files of other servers are read and written as Dovecot and Courier do it,
//!   under the same locks, so that either can take the Maildir back;
//! - a damaged file is set aside under another name and what parses is kept;
//!   nothing is ever thrown away;
//! - a file is replaced by rename or appended to under its lock, so readers
//!   need no lock;
//! - with `fsync` other than `never` a change is on disk before the call that
//!   made it returns.

pub mod acl;
pub mod annotations;
pub mod courier;
pub mod dir;
pub mod dirname;
pub mod dotlock;
mod error;
pub mod extra_keywords;
pub mod folders;
pub mod keywords;
pub(crate) mod lines;
pub mod maildirsize;
pub mod name;
pub mod open;
pub(crate) mod own_file;
pub mod perm;
pub(crate) mod ranges;
pub mod subscriptions;
pub mod tmpclean;
pub mod uidlist;
pub mod uidvalidity;

pub use annotations::Annotations;
pub use dir::Dir;
pub use dotlock::DotLock;
pub use error::FormatError;
pub use extra_keywords::ExtraKeywords;
pub use folders::FolderFile;
pub use keywords::KeywordFile;
pub use uidlist::{UidList, UidListLock};

use crate::options::Fsync;

/// True when files beside the messages are synced: only `never` leaves it out.
pub(crate) fn sync_control(fsync: Fsync) -> bool {
    fsync != Fsync::Never
}
