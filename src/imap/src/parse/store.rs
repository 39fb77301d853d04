//! STORE (RFC 9051 §6.4.6).

use super::cursor::{Cursor, Result, Syntax};
use super::flags::{Recent, flag, flag_list};
use super::set::sequence_set;
use crate::command::{Command, Flags, StoreArgs, StoreMode};

/// `SP sequence-set SP store-att-flags`
pub(super) fn store(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let mode = if c.eat(b'+') {
        StoreMode::Add
    } else if c.eat(b'-') {
        StoreMode::Remove
    } else {
        StoreMode::Replace
    };
    let silent = c.eat_word("FLAGS.SILENT");
    if !silent && !c.eat_word("FLAGS") {
        return Err(Syntax("Unknown STORE item"));
    }
    c.sp()?;
    Ok(Command::Store(StoreArgs {
        uid,
        set,
        mode,
        silent,
        flags: store_flags(c)?,
    }))
}

/// `flag-list / (flag *(SP flag))`
fn store_flags(c: &mut Cursor<'_>) -> Result<Flags> {
    if c.peek() == Some(b'(') {
        return flag_list(c, Recent::Refused);
    }
    let mut flags = Flags::default();
    loop {
        flag(c, &mut flags, Recent::Refused)?;
        if !c.more() {
            return Ok(flags);
        }
    }
}
