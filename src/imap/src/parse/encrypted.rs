//! `ENCRYPTED data` behind the arguments of COPY, MOVE and APPEND: an
//! extension that CommuniGate Pro has.

use super::cursor::{Cursor, Result, Syntax};
use crate::command::Encrypted;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Whether `ENCRYPTED SP` comes next, which is read then.
pub(super) fn keyword(c: &mut Cursor<'_>) -> Result<bool> {
    if !c.eat_word("ENCRYPTED") {
        return Ok(false);
    }
    c.sp()?;
    Ok(true)
}

/// `"*" / astring`: the string is a certificate in base64, line ends allowed.
pub(super) fn data(c: &mut Cursor<'_>) -> Result<Encrypted> {
    if c.eat(b'*') {
        return Ok(Encrypted::Own);
    }
    let mut text = c.astring()?.into_owned();
    if text == b"*" {
        return Ok(Encrypted::Own);
    }
    text.retain(|b| !b.is_ascii_whitespace());
    match STANDARD.decode(text) {
        Ok(der) if !der.is_empty() => Ok(Encrypted::Certificate(der)),
        _ => Err(Syntax("Certificate is not valid base64")),
    }
}
