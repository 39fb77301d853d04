//! COPY and MOVE (RFC 9051 §6.4.7 and §6.4.8).

use super::cursor::{Cursor, Result};
use super::set::sequence_set;
use crate::command::CopyArgs;

/// `SP sequence-set SP mailbox`
pub(super) fn copy(c: &mut Cursor<'_>, uid: bool) -> Result<CopyArgs> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let mailbox = c.mailbox()?;
    Ok(CopyArgs { uid, set, mailbox })
}
