//! COPY and MOVE (RFC 9051 §6.4.7 and §6.4.8).

use super::cursor::{Cursor, Result, Syntax};
use super::encrypted;
use super::set::sequence_set;
use crate::command::CopyArgs;

/// `SP sequence-set SP mailbox [SP "ENCRYPTED" SP data]`
pub(super) fn copy(c: &mut Cursor<'_>, uid: bool) -> Result<CopyArgs> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let mailbox = c.mailbox()?;
    let encrypted = match c.more() {
        false => None,
        true if encrypted::keyword(c)? => Some(encrypted::data(c)?),
        true => return Err(Syntax("Unexpected text behind the arguments")),
    };
    Ok(CopyArgs {
        uid,
        set,
        mailbox,
        encrypted,
    })
}
