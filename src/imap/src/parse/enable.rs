//! ENABLE (RFC 9051 §6.3.1).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use crate::command::Command;

/// `1*(SP capability)`; unknown ones are allowed, and ignored by the session.
pub(super) fn enable(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut names = Vec::new();
    loop {
        if names.len() == MAX_LIST_ITEMS {
            return Err(Syntax("Too many capabilities"));
        }
        names.push(c.upper_atom()?);
        if !c.more() {
            return Ok(Command::Enable(names));
        }
    }
}
