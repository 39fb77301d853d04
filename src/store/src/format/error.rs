use std::io;
use std::path::{Path, PathBuf};

/// A failed operation on a file beside the messages.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Another program held the lock for the whole time allowed.
    #[error("lock held by another program: {path}")]
    Locked { path: PathBuf },
    /// The lock was broken or replaced while we held it; nothing more may be
    /// written under it.
    #[error("lock lost: {path}")]
    LockLost { path: PathBuf },
    /// Larger than any file of its kind may be, in octets.
    #[error("{path}: larger than {limit} octets")]
    TooLarge { path: PathBuf, limit: u64 },
    /// It would have become larger than what is read.
    #[error("{path}: {what} would be too long")]
    Full { path: PathBuf, what: &'static str },
    /// Written by a later version of Roost.
    #[error("{path}: format version not known")]
    Version { path: PathBuf },
    /// No UID (or no UIDVALIDITY) is left above the last one.
    #[error("{path}: numbers used up")]
    Exhausted { path: PathBuf },
    /// A name that cannot stand in the file.
    #[error("{path}: name cannot be stored: {reason}")]
    Name { path: PathBuf, reason: &'static str },
}

impl FormatError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}
