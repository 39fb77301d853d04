//! What is wrong with a configuration.

use std::path::PathBuf;

/// One error, displayed as `FILE:LINE: MESSAGE`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{}: {message}", file.display(), line.map(|n| format!(":{n}")).unwrap_or_default())]
pub struct ConfigError {
    pub file: PathBuf,
    /// From 1; `None` when it is about the file as a whole.
    pub line: Option<usize>,
    pub message: String,
}
