//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3).

use super::cursor::{Cursor, Result, Syntax};
use crate::command::{AclCommand, RightsMode};
use roost_types::Rights;

/// `SP mailbox`
pub(super) fn get(c: &mut Cursor<'_>) -> Result<AclCommand> {
    let mailbox = super::only_mailbox(c)?;
    Ok(AclCommand::Get { mailbox })
}

/// `SP mailbox`
pub(super) fn my(c: &mut Cursor<'_>) -> Result<AclCommand> {
    let mailbox = super::only_mailbox(c)?;
    Ok(AclCommand::My { mailbox })
}

/// `SP mailbox SP identifier`
pub(super) fn delete(c: &mut Cursor<'_>) -> Result<AclCommand> {
    let (mailbox, identifier) = whose(c)?;
    Ok(AclCommand::Delete {
        mailbox,
        identifier,
    })
}

/// `SP mailbox SP identifier`
pub(super) fn list(c: &mut Cursor<'_>) -> Result<AclCommand> {
    let (mailbox, identifier) = whose(c)?;
    Ok(AclCommand::List {
        mailbox,
        identifier,
    })
}

/// `SP mailbox SP identifier SP mod-rights`
pub(super) fn set(c: &mut Cursor<'_>) -> Result<AclCommand> {
    let (mailbox, identifier) = whose(c)?;
    c.sp()?;
    let text = c.astring()?;
    let (mode, letters) = match text.split_first() {
        Some((b'+', letters)) => (RightsMode::Add, letters),
        Some((b'-', letters)) => (RightsMode::Remove, letters),
        _ => (RightsMode::Replace, &*text),
    };
    Ok(AclCommand::Set {
        mailbox,
        identifier,
        mode,
        rights: rights(letters)?,
    })
}

fn whose(c: &mut Cursor<'_>) -> Result<(Vec<u8>, Vec<u8>)> {
    let mailbox = super::only_mailbox(c)?;
    c.sp()?;
    let identifier = c.astring().map_err(|_| Syntax("Identifier expected"))?;
    Ok((mailbox, identifier.into_owned()))
}

/// `c` and `d` stand for what they were in RFC 2086 (RFC 4314 §2.1.1).
fn rights(letters: &[u8]) -> Result<Rights> {
    let mut all = Rights::NONE;
    for &letter in letters {
        let right = match letter {
            b'c' => Rights::CREATE | Rights::DELETE,
            b'd' => Rights::MARK_DELETED | Rights::EXPUNGE,
            b'A'..=b'Z' => return Err(Syntax("Rights are lower case letters")),
            letter => {
                let known = Rights::by_letter(char::from(letter));
                known.ok_or(Syntax("Unknown right"))?
            }
        };
        all = all | right;
    }
    Ok(all)
}
