//! CAPABILITY (RFC 9051 §6.1.1).

use crate::job::Reply;
use crate::session::Session;
use roost_imap::write;

/// What a client that has logged in can use, in the order of the answer, and
/// APPENDLIMIT. It is the same before and after ENABLE (RFC 5161 §3.1).
pub const CAPABILITIES: &[&str] = &[
    "IMAP4rev1",
    "IMAP4rev2",
    "LITERAL+",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "NOTIFY",
    "COMPRESS=DEFLATE",
    "NAMESPACE",
    "CHILDREN",
    "UNSELECT",
    "UIDPLUS",
    "ESEARCH",
    "SEARCHRES",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "MOVE",
    "MULTIAPPEND",
    "BINARY",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "STATUS=SIZE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-MAILBOX",
    "WITHIN",
    "PARTIAL",
    "I18NLEVEL=1",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "INPROGRESS",
    "METADATA",
    "SAVEDATE",
    "PREVIEW",
    "OBJECTID",
    "REPLACE",
    "CONDSTORE",
    "QRESYNC",
    "UIDONLY",
    "ACL",
    "RIGHTS=texk",
    "LIST-MYRIGHTS",
    "X-ROOST-SHOWALL",
];

/// As the CAPABILITY response code takes them.
pub fn names(session: &Session) -> Vec<String> {
    let mut names: Vec<String> = CAPABILITIES.iter().map(ToString::to_string).collect();
    names.push(match session.settings.append_limit() {
        Some(limit) => format!("APPENDLIMIT={limit}"),
        // STATUS answers NIL (RFC 7889 §3).
        None => "APPENDLIMIT".into(),
    });
    names
}

pub(super) fn run(session: &Session, out: &mut Vec<u8>) -> Reply {
    write::capability(out, names(session));
    Reply::ok("Capability completed")
}
