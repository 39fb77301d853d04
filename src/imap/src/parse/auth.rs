//! AUTHENTICATE and LOGIN (RFC 9051 §6.2.2 and §6.2.3, RFC 4959).

use super::cursor::{Cursor, Result, Syntax};
use crate::command::{AuthenticateArgs, Command, Hidden};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// SASL mechanism names have up to 20 characters (RFC 4422 §3.1).
const MAX_MECHANISM: usize = 20;

/// `SP auth-type [SP initial-resp]`
pub(super) fn authenticate(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mechanism = c.upper_atom()?;
    if mechanism.len() > MAX_MECHANISM {
        return Err(Syntax("Invalid mechanism name"));
    }
    let initial = if c.more() {
        Some(initial_resp(c)?)
    } else {
        None
    };
    Ok(Command::Authenticate(AuthenticateArgs {
        mechanism,
        initial,
    }))
}

/// `initial-resp`
fn initial_resp(c: &mut Cursor<'_>) -> Result<Hidden> {
    let text = c.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if text == b"=" {
        return Ok(Hidden::new(Vec::new()));
    }
    base64_line(text)
        .filter(|_| !text.is_empty())
        .ok_or(Syntax("Invalid base64 in the initial response"))
}

/// Decodes the base64 of a [`crate::Frame::Line`]; `None` if it is none. The
/// empty line is the empty response.
pub fn base64_line(line: &[u8]) -> Option<Hidden> {
    STANDARD.decode(line).ok().map(Hidden::new)
}

/// `SP userid SP password`
pub(super) fn login(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let user = c.astring()?.into_owned();
    c.sp()?;
    let password = Hidden::new(c.astring()?.into_owned());
    Ok(Command::Login { user, password })
}
