//! ACL, LISTRIGHTS and MYRIGHTS responses (RFC 4314 §3.6 to §3.8).

use super::crlf;
use super::string::{Dialect, astring, mailbox};
use roost_types::Rights;

/// The obsolete letters, each with what it stands for (RFC 4314 §2.1.1).
const OBSOLETE: [(char, Rights, Rights); 2] = [
    ('c', Rights::CREATE, Rights::DELETE),
    ('d', Rights::MARK_DELETED, Rights::EXPUNGE),
];

/// Appends `* ACL name identifier rights …`; identifiers have their `-`.
pub fn acl<S: AsRef<str>>(
    out: &mut Vec<u8>,
    name: &str,
    entries: impl IntoIterator<Item = (S, Rights)>,
    dialect: Dialect,
) {
    out.extend_from_slice(b"* ACL ");
    mailbox(out, name, dialect);
    for (identifier, rights) in entries {
        out.push(b' ');
        astring(out, identifier.as_ref().as_bytes(), dialect);
        out.push(b' ');
        letters(out, rights);
    }
    crlf(out);
}

/// Appends `* MYRIGHTS name rights`.
pub fn my_rights(out: &mut Vec<u8>, name: &str, rights: Rights, dialect: Dialect) {
    out.extend_from_slice(b"* MYRIGHTS ");
    mailbox(out, name, dialect);
    out.push(b' ');
    letters(out, rights);
    crlf(out);
}

/// Appends `* LISTRIGHTS name identifier required …`, with the identifier as
/// the client wrote it; each of the `optional` ones stands for itself.
pub fn list_rights(
    out: &mut Vec<u8>,
    name: &str,
    identifier: &[u8],
    (required, optional): (Rights, Rights),
    dialect: Dialect,
) {
    out.extend_from_slice(b"* LISTRIGHTS ");
    mailbox(out, name, dialect);
    out.push(b' ');
    astring(out, identifier, dialect);
    out.push(b' ');
    letters(out, required);
    for right in optional.iter() {
        out.extend_from_slice(format!(" {right}").as_bytes());
    }
    for (letter, _, _) in obsolete(optional) {
        out.extend_from_slice(format!(" {letter}").as_bytes());
    }
    crlf(out);
}

fn letters(out: &mut Vec<u8>, rights: Rights) {
    let mut text = rights.to_string();
    text.extend(obsolete(rights).map(|(letter, _, _)| letter));
    match text.is_empty() {
        true => out.extend_from_slice(b"\"\""),
        false => out.extend_from_slice(text.as_bytes()),
    }
}

fn obsolete(rights: Rights) -> impl Iterator<Item = (char, Rights, Rights)> {
    OBSOLETE
        .into_iter()
        .filter(move |&(_, a, b)| rights.intersects(a | b))
}

#[cfg(test)]
mod tests {
    use super::super::tests::text;
    use super::*;

    #[test]
    fn responses() {
        let lrx = Rights::LOOKUP | Rights::READ | Rights::DELETE;
        let ascii = Dialect::Ascii;
        let entries = [
            ("alice", Rights::ALL),
            ("-#a b", lrx),
            ("bob", Rights::NONE),
        ];
        assert_eq!(
            text(|out| acl(out, "In box", entries, ascii)),
            "* ACL \"In box\" alice lrwstipekxacd \"-#a b\" lrxc bob \"\"\r\n"
        );
        assert_eq!(
            text(|out| my_rights(out, "x", Rights::EXPUNGE, ascii)),
            "* MYRIGHTS x ed\r\n"
        );
        assert_eq!(
            text(|out| list_rights(out, "x", b"bob", (Rights::NONE, Rights::ALL), ascii)),
            "* LISTRIGHTS x bob \"\" l r w s t i p e k x a c d\r\n"
        );
        assert_eq!(
            text(|out| list_rights(out, "x", b"al", (Rights::ALL, Rights::NONE), ascii)),
            "* LISTRIGHTS x al lrwstipekxacd\r\n"
        );
    }
}
