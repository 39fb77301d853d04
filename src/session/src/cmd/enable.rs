//! ENABLE (RFC 5161, RFC 9051 §6.3.1).

use crate::job::Reply;
use crate::session::Session;
use roost_imap::write;

/// Names that are not known, or need not be enabled, are passed over: mutt
/// sends `ENABLE UTF8=ACCEPT` wherever there is ENABLE.
pub(super) fn run(session: &mut Session, names: &[String], out: &mut Vec<u8>) -> Reply {
    let rev2 = names.iter().any(|n| n.eq_ignore_ascii_case("IMAP4REV2"));
    session.rev2 |= rev2;
    write::enabled(out, rev2.then_some("IMAP4rev2"));
    Reply::ok("Enabled")
}
