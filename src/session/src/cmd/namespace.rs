//! NAMESPACE (RFC 2342, RFC 9051 §6.3.10): the client's own mailboxes, those of
//! other accounts, and those of the account `public`, if there is one.

use crate::job::Reply;
use crate::names::FOREIGN;
use crate::session::Session;
use roost_imap::write;

pub(super) fn run(session: &Session, out: &mut Vec<u8>) -> Reply {
    let separator = session.names.separator();
    let public = format!("{FOREIGN}public{separator}");
    let others = FOREIGN.to_string();
    let namespace = |prefix| write::Namespace {
        prefix,
        separator: Some(separator),
    };
    let shared = match session.settings.public {
        true => &[namespace(public.as_str())][..],
        false => &[],
    };
    let own = namespace(session.names.prefix());
    write::namespace(
        out,
        &[own],
        &[namespace(others.as_str())],
        shared,
        session.dialect(),
    );
    Reply::ok("Namespace completed")
}
