//! `maildirsize`, the sum that all programs keep of all messages
//! (MAILDIR-FORMATS §7), compared with what is there.

use super::{Cure, Problem};
use crate::error::Error;
use crate::format::Dir;
use crate::format::maildirsize::{self, FILE};
use crate::quota::count;

pub(super) fn look(root: &Dir, counts_trash: bool) -> Result<Option<Problem>, Error> {
    let found = match maildirsize::read(root) {
        Ok(None) => return Ok(None),
        // It is due to be counted anew by who needs it next.
        Ok(Some(found)) if found.full => return Ok(None),
        Ok(Some(found)) => found,
        Err(_) => return Ok(None),
    };
    let wrong = |text: String| Ok(Some(Problem::new(FILE, Cure::SetAside, text)));
    let Some(told) = found.sum else {
        return wrong("damaged".into());
    };
    let counted = count::all(root, counts_trash)?;
    if told == counted {
        return Ok(None);
    }
    wrong(format!(
        "says {} octets in {} messages, there are {} in {}",
        told.octets, told.messages, counted.octets, counted.messages
    ))
}
