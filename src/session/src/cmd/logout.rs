//! LOGOUT (RFC 9051 §6.1.3).

use crate::job::Reply;
use crate::session::{Session, State};
use roost_imap::write;

pub(super) fn run(session: &mut Session, out: &mut Vec<u8>) -> Reply {
    write::bye(out, None, "Logging out");
    session.state = State::LoggedOut;
    Reply::ok("Logout completed")
}
