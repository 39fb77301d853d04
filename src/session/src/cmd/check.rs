//! CHECK (RFC 3501 §6.4.1): the mailbox is on the disk whenever a command is
//! answered, so there is no more to do than for NOOP.

use crate::job::Reply;

pub(super) fn run() -> Reply {
    Reply::ok("Check completed")
}
