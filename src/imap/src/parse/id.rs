//! ID (RFC 2971).

use super::cursor::{Cursor, MAX_ID_FIELDS, Result, Syntax};
use crate::command::Command;

/// Octets of a value (RFC 2971 §3.3), and enough for a name.
const MAX_VALUE: usize = 1024;

/// `SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)`
pub(super) fn id(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut fields = Vec::new();
    if !c.eat_word("NIL") {
        c.list(MAX_ID_FIELDS, |c| {
            let name = c.string()?.into_owned();
            c.sp()?;
            let value = c.nstring()?.map(|v| v.into_owned());
            if name.len().max(value.as_ref().map_or(0, Vec::len)) > MAX_VALUE {
                return Err(Syntax("ID field too long"));
            }
            fields.push((name, value));
            Ok(())
        })?;
    }
    Ok(Command::Id(fields))
}
