//! CREATE and RENAME (RFC 9051 §6.3.4 and §6.3.6, RFC 6154 §3).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use crate::command::{Command, CreateArgs, UseAttribute};
use roost_types::SpecialUse;

/// `SP mailbox [SP "(" create-param *(SP create-param) ")"]`
pub(super) fn create(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut args = CreateArgs {
        mailbox: c.mailbox()?,
        uses: Vec::new(),
        class: None,
    };
    if c.more() {
        c.list(MAX_LIST_ITEMS, |c| create_param(c, &mut args))?;
    }
    Ok(Command::Create(args))
}

/// `"USE" SP "(" [use-attr *(SP use-attr)] ")"`, or `"CLASS" SP string`
fn create_param(c: &mut Cursor<'_>, args: &mut CreateArgs) -> Result<()> {
    if c.eat_word("CLASS") {
        c.sp()?;
        args.class = Some(c.string()?.into_owned());
        return Ok(());
    }
    if !c.eat_word("USE") {
        return Err(Syntax("Unknown CREATE parameter"));
    }
    c.sp()?;
    c.list(MAX_LIST_ITEMS, |c| {
        args.uses.push(use_attr(c)?);
        Ok(())
    })
}

/// `use-attr`
fn use_attr(c: &mut Cursor<'_>) -> Result<UseAttribute> {
    c.expect(b'\\', "Special use expected")?;
    let name = format!("\\{}", String::from_utf8_lossy(c.atom()?));
    Ok(match SpecialUse::by_attribute(&name) {
        Some(known) => UseAttribute::Known(known),
        None => UseAttribute::Unknown(name),
    })
}

/// `SP mailbox SP mailbox`
pub(super) fn rename(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let from = c.mailbox()?;
    c.sp()?;
    let to = c.mailbox()?;
    Ok(Command::Rename { from, to })
}
