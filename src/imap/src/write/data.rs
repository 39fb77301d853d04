//! Short untagged responses.

use super::number::{number, number64};
use super::status::{Status, untagged};
use super::string::{Dialect, nstring, string};
use super::{crlf, flag_list};
use crate::code::ResponseCode;
use roost_types::{Keyword, ModSeq, SeqNum, SystemFlags, Uid};

/// Appends `* n EXISTS`.
pub fn exists(out: &mut Vec<u8>, n: u32) {
    counted(out, n, b" EXISTS");
}

/// How a line of a session that another one relays begins; it is no response,
/// and not for the client.
pub const MARK: &[u8] = b"* X-ROOST-TOLD ";

/// Appends what a session that relays has to know of its client: all messages
/// that it has been told of are below `next`, and so are all changes up to
/// `complete`.
pub fn mark(out: &mut Vec<u8>, next: Uid, complete: ModSeq) {
    out.extend_from_slice(MARK);
    number(out, next.get());
    out.push(b' ');
    number64(out, complete.0);
    out.extend_from_slice(b"\r\n");
}

/// Appends `* n RECENT` (RFC 3501 §7.3.2).
pub fn recent(out: &mut Vec<u8>, n: u32) {
    counted(out, n, b" RECENT");
}

/// Appends `* n EXPUNGE`.
pub fn expunge(out: &mut Vec<u8>, seq: SeqNum) {
    counted(out, seq.get(), b" EXPUNGE");
}

fn counted(out: &mut Vec<u8>, n: u32, word: &[u8]) {
    out.extend_from_slice(b"* ");
    number(out, n);
    out.extend_from_slice(word);
    crlf(out);
}

/// Appends `* BYE [CODE] text`.
pub fn bye(out: &mut Vec<u8>, code: Option<&ResponseCode>, human: &str) {
    untagged(out, Status::Bye, code, human);
}

/// Appends `* FLAGS (…)`.
pub fn flags_response<'a>(
    out: &mut Vec<u8>,
    system: SystemFlags,
    keywords: impl IntoIterator<Item = &'a Keyword>,
) {
    out.extend_from_slice(b"* FLAGS ");
    flag_list(out, system, keywords, None);
    crlf(out);
}

/// Appends `* CAPABILITY …`.
pub fn capability<S: AsRef<str>>(out: &mut Vec<u8>, names: impl IntoIterator<Item = S>) {
    words(out, b"* CAPABILITY", names);
}

/// Appends `* ENABLED …`, with no names when nothing was enabled.
pub fn enabled<S: AsRef<str>>(out: &mut Vec<u8>, names: impl IntoIterator<Item = S>) {
    words(out, b"* ENABLED", names);
}

fn words<S: AsRef<str>>(out: &mut Vec<u8>, start: &[u8], names: impl IntoIterator<Item = S>) {
    out.extend_from_slice(start);
    for name in names {
        out.push(b' ');
        out.extend_from_slice(name.as_ref().as_bytes());
    }
    crlf(out);
}

/// Appends `* ID (…)` or `* ID NIL` (RFC 2971).
pub fn id<'a>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) {
    out.extend_from_slice(b"* ID ");
    let mut any = false;
    for (name, value) in fields {
        out.push(if any { b' ' } else { b'(' });
        any = true;
        string(out, name.as_bytes(), Dialect::Ascii);
        out.push(b' ');
        nstring(out, value.map(str::as_bytes), Dialect::Ascii);
    }
    out.extend_from_slice(if any { b")" } else { b"NIL" });
    crlf(out);
}

/// One `namespace-descr`: the prefix as it goes on the wire, and the
/// separator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namespace<'a> {
    pub prefix: &'a str,
    pub separator: Option<char>,
}

/// Appends `* NAMESPACE personal others shared` (RFC 9051 §7.3.3); an empty
/// list is NIL.
pub fn namespace(
    out: &mut Vec<u8>,
    personal: &[Namespace<'_>],
    others: &[Namespace<'_>],
    shared: &[Namespace<'_>],
    dialect: Dialect,
) {
    out.extend_from_slice(b"* NAMESPACE");
    for list in [personal, others, shared] {
        out.push(b' ');
        if list.is_empty() {
            out.extend_from_slice(b"NIL");
            continue;
        }
        out.push(b'(');
        for descr in list {
            out.push(b'(');
            super::string::mailbox_quoted(out, descr.prefix, dialect);
            out.push(b' ');
            super::list::separator(out, descr.separator);
            out.push(b')');
        }
        out.push(b')');
    }
    crlf(out);
}

/// Appends ` NAME n`.
pub(super) fn named_number(out: &mut Vec<u8>, name: &str, n: u64) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    number64(out, n);
}

#[cfg(test)]
mod tests {
    use super::super::tests::text;
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(text(|o| exists(o, 0)), "* 0 EXISTS\r\n");
        assert_eq!(text(|o| recent(o, 5)), "* 5 RECENT\r\n");
        let seq = SeqNum::new(44).unwrap();
        assert_eq!(text(|o| expunge(o, seq)), "* 44 EXPUNGE\r\n");
    }

    #[test]
    fn words_and_flags() {
        assert_eq!(
            text(|o| capability(o, ["IMAP4rev2", "IDLE"])),
            "* CAPABILITY IMAP4rev2 IDLE\r\n"
        );
        assert_eq!(text(|o| enabled(o, [""; 0])), "* ENABLED\r\n");
        assert_eq!(
            text(|o| flags_response(o, SystemFlags::SEEN, [])),
            "* FLAGS (\\Seen)\r\n"
        );
        assert_eq!(text(|o| bye(o, None, "Bye")), "* BYE Bye\r\n");
    }

    #[test]
    fn ids() {
        assert_eq!(text(|o| id(o, [])), "* ID NIL\r\n");
        assert_eq!(
            text(|o| id(o, [("name", Some("Roost")), ("os", None)])),
            "* ID (\"name\" \"Roost\" \"os\" NIL)\r\n"
        );
    }

    #[test]
    fn namespaces() {
        let own = [Namespace {
            prefix: "",
            separator: Some('/'),
        }];
        let others = [Namespace {
            prefix: "Ü/",
            separator: Some('\\'),
        }];
        assert_eq!(
            text(|o| namespace(o, &own, &others, &[], Dialect::Ascii)),
            "* NAMESPACE ((\"\" \"/\")) ((\"&ANw-/\" \"\\\\\")) NIL\r\n"
        );
    }
}
