//! UNSELECT (RFC 3691, RFC 9051 §6.4.2): CLOSE that expunges nothing.

use crate::job::Reply;
use crate::session::Session;

pub(super) fn run(session: &mut Session) -> Reply {
    session.leave();
    Reply::ok("Unselect completed")
}
