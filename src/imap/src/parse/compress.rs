//! COMPRESS (RFC 4978 §3).

use super::cursor::{Cursor, Result};
use crate::command::Command;

/// `SP algorithm`; which ones there are is for the session to know.
pub(super) fn compress(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    Ok(Command::Compress(c.upper_atom()?))
}
