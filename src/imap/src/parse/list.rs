//! LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819,
//! RFC 6154, RFC 8440).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use super::status::status_atts;
use crate::command::{Command, ListArgs, ListReturn, ListSelect};

/// `[SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
pub(super) fn list(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut extended = false;
    let mut select = ListSelect::default();
    if c.peek() == Some(b'(') {
        extended = true;
        select = list_select_opts(c)?;
        c.sp()?;
    }
    let reference = c.mailbox()?;
    c.sp()?;
    extended |= c.peek() == Some(b'(');
    let patterns = mbox_or_pat(c)?;
    let mut returns = ListReturn::default();
    if c.more() {
        extended = true;
        returns = list_return_opts(c)?;
    }
    Ok(Command::List(ListArgs {
        reference,
        patterns,
        select,
        returns,
        extended,
    }))
}

/// `SP mailbox SP list-mailbox`
pub(super) fn lsub(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let reference = c.mailbox()?;
    c.sp()?;
    let pattern = c.list_mailbox()?.into_owned();
    Ok(Command::Lsub { reference, pattern })
}

/// `mbox-or-pat`
fn mbox_or_pat(c: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>> {
    if c.peek() != Some(b'(') {
        return Ok(vec![c.list_mailbox()?.into_owned()]);
    }
    let mut patterns = Vec::new();
    c.list(MAX_LIST_ITEMS, |c| {
        patterns.push(c.list_mailbox()?.into_owned());
        Ok(())
    })?;
    if patterns.is_empty() {
        return Err(Syntax("Mailbox pattern expected"));
    }
    Ok(patterns)
}

/// `list-select-opts`
fn list_select_opts(c: &mut Cursor<'_>) -> Result<ListSelect> {
    let mut select = ListSelect::default();
    c.list(MAX_LIST_ITEMS, |c| {
        let option = match c.upper_atom()?.as_str() {
            "SUBSCRIBED" => &mut select.subscribed,
            "REMOTE" => &mut select.remote,
            "RECURSIVEMATCH" => &mut select.recursive_match,
            "SPECIAL-USE" => &mut select.special_use,
            "CLASS" => &mut select.tell.class,
            "UNSEEN" => &mut select.tell.unseen,
            "INTERNALSIZE" => &mut select.tell.internal_size,
            _ => return Err(Syntax("Unknown LIST selection option")),
        };
        *option = true;
        Ok(())
    })?;
    // RFC 5258 §3.1
    if select.recursive_match && !select.subscribed && !select.special_use {
        return Err(Syntax("RECURSIVEMATCH needs another selection option"));
    }
    Ok(select)
}

/// `list-return-opts`
fn list_return_opts(c: &mut Cursor<'_>) -> Result<ListReturn> {
    if !c.eat_word("RETURN") {
        return Err(Syntax("RETURN expected"));
    }
    c.sp()?;
    let mut returns = ListReturn::default();
    c.list(MAX_LIST_ITEMS, |c| {
        match c.upper_atom()?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "MYRIGHTS" => returns.my_rights = true,
            "CLASS" => returns.tell.class = true,
            "UNSEEN" => returns.tell.unseen = true,
            "INTERNALSIZE" => returns.tell.internal_size = true,
            "STATUS" => {
                c.sp()?;
                returns.status = Some(status_atts(c)?);
            }
            _ => return Err(Syntax("Unknown LIST return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}
