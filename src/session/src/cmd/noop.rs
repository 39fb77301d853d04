//! NOOP (RFC 9051 §6.1.2): changes are told around every command, so there is
//! nothing to do.

use crate::job::Reply;

pub(super) fn run() -> Reply {
    Reply::ok("NOOP completed")
}
