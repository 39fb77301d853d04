//! UID EXPUNGE (RFC 9051 §6.4.9).

use super::cursor::{Cursor, Result};
use super::set::sequence_set;
use crate::command::Command;

/// `SP sequence-set`
pub(super) fn uid_expunge(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    Ok(Command::UidExpunge(sequence_set(c)?))
}
