//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result};
use crate::command::Command;

/// `SP quota-root-name`
pub(super) fn get_quota(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let root = c.astring()?.into_owned();
    Ok(Command::GetQuota { root })
}

/// `SP quota-root-name SP setquota-list`
pub(super) fn set_quota(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let root = c.astring()?.into_owned();
    c.sp()?;
    let mut limits = Vec::new();
    c.list(MAX_LIST_ITEMS, |c| {
        let resource = c.upper_atom()?;
        c.sp()?;
        limits.push((resource, c.number64()?));
        Ok(())
    })?;
    Ok(Command::SetQuota { root, limits })
}
