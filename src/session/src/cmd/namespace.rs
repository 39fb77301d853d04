//! NAMESPACE (RFC 2342, RFC 9051 §6.3.10): one personal namespace.

use crate::job::Reply;
use crate::session::Session;
use roost_imap::write;

pub(super) fn run(session: &Session, out: &mut Vec<u8>) -> Reply {
    let own = write::Namespace {
        prefix: session.names.prefix(),
        separator: Some(session.names.separator()),
    };
    write::namespace(out, &[own], &[], &[], session.dialect());
    Reply::ok("Namespace completed")
}
