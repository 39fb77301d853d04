//! What can go wrong with a message: nearly nothing.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message could not be read.
    #[error("reading a message: {0}")]
    Io(#[from] io::Error),
    /// The content transfer encoding is none that this server can undo
    /// (RFC 9051 §7.1, UNKNOWN-CTE).
    #[error("unknown content transfer encoding")]
    UnknownEncoding,
}
