//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use super::flags::{Recent, flag, flag_list};
use super::modseq::mod_sequence_valzer;
use super::set::sequence_set;
use crate::command::{Command, Flags, StoreArgs, StoreMode};
use roost_types::ModSeq;

/// `SP sequence-set [store-modifiers] SP store-att-flags`
pub(super) fn store(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let mut unchanged_since = None;
    if c.peek() == Some(b'(') {
        unchanged_since = store_modifiers(c)?;
        c.sp()?;
    }
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
        unchanged_since,
        mode,
        silent,
        flags: store_flags(c)?,
    }))
}

/// `"(" store-modifier *(SP store-modifier) ")"`
fn store_modifiers(c: &mut Cursor<'_>) -> Result<Option<ModSeq>> {
    let mut unchanged_since = None;
    c.list(MAX_LIST_ITEMS, |c| {
        if !c.eat_word("UNCHANGEDSINCE") || unchanged_since.is_some() {
            return Err(Syntax("Unknown STORE modifier"));
        }
        c.sp()?;
        unchanged_since = Some(mod_sequence_valzer(c)?);
        Ok(())
    })?;
    Ok(unchanged_since)
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
