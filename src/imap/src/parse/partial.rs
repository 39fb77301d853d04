//! PARTIAL (RFC 9394 §4).

use super::cursor::{Cursor, Result, Syntax};
use crate::command::PartialRange;
use std::num::NonZeroU32;

const BAD: Syntax = Syntax("Invalid PARTIAL range");

/// `partial-range`
pub(super) fn partial_range(c: &mut Cursor<'_>) -> Result<PartialRange> {
    let from_end = c.peek() == Some(b'-');
    let first = place(c, from_end)?;
    c.expect(b':', BAD.0)?;
    let last = place(c, from_end)?;
    Ok(PartialRange {
        first,
        last,
        from_end,
    })
}

fn place(c: &mut Cursor<'_>, from_end: bool) -> Result<NonZeroU32> {
    if c.eat(b'-') != from_end {
        return Err(BAD);
    }
    c.nz_number().map_err(|_| BAD)
}
