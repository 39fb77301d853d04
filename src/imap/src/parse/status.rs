//! STATUS (RFC 9051 §6.3.11, RFC 3501 §6.3.10).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use crate::command::{Command, StatusItem, StatusItems};

/// `SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn status(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mailbox = c.mailbox()?;
    c.sp()?;
    let items = status_atts(c)?;
    Ok(Command::Status { mailbox, items })
}

/// `"(" status-att *(SP status-att) ")"`
pub(super) fn status_atts(c: &mut Cursor<'_>) -> Result<StatusItems> {
    let mut items = StatusItems::default();
    c.list(MAX_LIST_ITEMS, |c| {
        items.insert(status_att(c)?);
        Ok(())
    })?;
    if items.is_empty() {
        return Err(Syntax("STATUS item expected"));
    }
    Ok(items)
}

/// `status-att`
fn status_att(c: &mut Cursor<'_>) -> Result<StatusItem> {
    let name = c.atom()?;
    StatusItem::ALL
        .into_iter()
        .find(|item| item.name().as_bytes().eq_ignore_ascii_case(name))
        .ok_or(Syntax("Unknown STATUS item"))
}
