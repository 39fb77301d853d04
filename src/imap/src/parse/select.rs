//! SELECT and EXAMINE (RFC 9051 §6.3.2 and §6.3.3, RFC 4466 §2.3).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result};
use crate::command::{Command, SelectArgs, SelectParam};

/// Parentheses in the value of an unknown parameter.
const MAX_DEPTH: usize = 8;

/// `SP mailbox [SP "(" select-param *(SP select-param) ")"]`
pub(super) fn select(c: &mut Cursor<'_>, examine: bool) -> Result<Command> {
    c.sp()?;
    let mailbox = c.mailbox()?;
    let mut params = Vec::new();
    if c.more() {
        c.list(MAX_LIST_ITEMS, |c| {
            params.push(select_param(c)?);
            Ok(())
        })?;
    }
    Ok(Command::Select(SelectArgs {
        mailbox,
        examine,
        params,
    }))
}

/// `select-param-name [SP select-param-value]`
fn select_param(c: &mut Cursor<'_>) -> Result<SelectParam> {
    let name = c.upper_atom()?;
    // Only a list is surely a value, and not the next parameter.
    if c.rest().starts_with(b" (") {
        c.sp()?;
        c.skip_value(MAX_DEPTH)?;
    }
    Ok(SelectParam::Unknown(name))
}
