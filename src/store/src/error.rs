//! What can go wrong in the store, as types; the words for clients are made
//! by the session.

use crate::format::FormatError;
use std::io;
use std::path::{Path, PathBuf};

/// A failed store operation. Nothing here is text for a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such mailbox")]
    NoSuchMailbox,
    #[error("mailbox exists already")]
    AlreadyExists,
    /// A directory without storage of its own (`\Noselect`).
    #[error("name is a directory without storage")]
    NotSelectable,
    /// DELETE of a directory without storage that still has children.
    #[error("name has children")]
    HasChildren,
    /// INBOX can be neither deleted nor created.
    #[error("not possible with INBOX")]
    InboxImmutable,
    /// The name cannot be stored in a Maildir++ tree.
    #[error("name not allowed: {0}")]
    InvalidName(&'static str),
    #[error("no permission: {path}")]
    Permission { path: PathBuf },
    /// The file system or a quota on it is full.
    #[error("disk or quota full: {path}")]
    DiskFull { path: PathBuf },
    /// The message is larger than the configured limit, in octets.
    #[error("message larger than {limit} octets")]
    TooLarge { limit: u64 },
    /// The account would hold more than it may.
    #[error("over quota")]
    OverQuota,
    /// A count has reached its limit (keywords of a mailbox, UIDs).
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// The message is gone; sessions that have not been told yet may still
    /// show what they know of it.
    #[error("message is expunged")]
    Expunged,
    /// A file does not hold what it must (a damaged compressed message).
    #[error("damaged file {path}: {reason}")]
    Corrupt { path: PathBuf, reason: &'static str },
    /// Another program held the lock for longer than the lock timeout.
    #[error("lock held by another program: {path}")]
    Locked { path: PathBuf },
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Sorts an I/O error about `path` into its kind.
    pub fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, source },
        }
    }

    /// The same error for another who waited for the same thing.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NoSuchMailbox => Self::NoSuchMailbox,
            Self::AlreadyExists => Self::AlreadyExists,
            Self::NotSelectable => Self::NotSelectable,
            Self::HasChildren => Self::HasChildren,
            Self::InboxImmutable => Self::InboxImmutable,
            Self::InvalidName(reason) => Self::InvalidName(reason),
            Self::Permission { path } => Self::Permission { path: path.clone() },
            Self::DiskFull { path } => Self::DiskFull { path: path.clone() },
            Self::TooLarge { limit } => Self::TooLarge { limit: *limit },
            Self::OverQuota => Self::OverQuota,
            Self::Limit(what) => Self::Limit(what),
            Self::Expunged => Self::Expunged,
            Self::Corrupt { path, reason } => Self::Corrupt {
                path: path.clone(),
                reason,
            },
            Self::Locked { path } => Self::Locked { path: path.clone() },
            Self::Io { path, source } => Self::Io {
                path: path.clone(),
                source: match source.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::from(source.kind()),
                },
            },
        }
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Io { path, source } => Self::io(&path, source),
            FormatError::Locked { path } | FormatError::LockLost { path } => Self::Locked { path },
            FormatError::TooLarge { path, .. } => Self::Corrupt {
                path,
                reason: "too large",
            },
            FormatError::Full { what, .. } => Self::Limit(what),
            FormatError::Version { path } => Self::Corrupt {
                path,
                reason: "version not known",
            },
            FormatError::Exhausted { .. } => Self::Limit("UIDs, UIDVALIDITY or keywords"),
            FormatError::Name { reason, .. } => Self::InvalidName(reason),
        }
    }
}
