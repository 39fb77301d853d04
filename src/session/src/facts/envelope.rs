//! ENVELOPE (RFC 9051 §7.5.2), with encoded words as they stand.

use roost_imap::write::{self, Dialect};
use roost_message::Envelope;
use roost_message::envelope::Party;

/// Appends `"(" env-date SP env-subject SP … ")"`.
pub(super) fn write(out: &mut Vec<u8>, envelope: &Envelope<'_>, dialect: Dialect) {
    out.push(b'(');
    write::nstring(out, envelope.date().as_deref(), dialect);
    out.push(b' ');
    write::nstring(out, envelope.subject().as_deref(), dialect);
    let mut from = out.len()..out.len();
    for party in Party::ALL {
        out.push(b' ');
        let start = out.len();
        match party != Party::From && envelope.is_from(party) {
            true => out.extend_from_within(from.clone()),
            false => write_addresses(out, envelope, party, dialect),
        }
        if party == Party::From {
            from = start..out.len();
        }
    }
    out.push(b' ');
    write::nstring(out, envelope.in_reply_to().as_deref(), dialect);
    out.push(b' ');
    write::nstring(out, envelope.message_id().as_deref(), dialect);
    out.push(b')');
}

/// `"(" 1*address ")" / nil`
fn write_addresses(out: &mut Vec<u8>, envelope: &Envelope<'_>, party: Party, dialect: Dialect) {
    let mut any = false;
    for address in envelope.addresses(party) {
        if !any {
            out.push(b'(');
        }
        any = true;
        let parts = [
            &address.name,
            &address.route,
            &address.mailbox,
            &address.host,
        ];
        for (i, part) in parts.into_iter().enumerate() {
            out.push(if i == 0 { b'(' } else { b' ' });
            write::nstring(out, part.as_deref(), dialect);
        }
        out.push(b')');
    }
    out.extend_from_slice(if any { b")" } else { b"NIL" });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(block: &str, dialect: Dialect) -> String {
        let mut out = Vec::new();
        write(&mut out, &Envelope::new(block.as_bytes()), dialect);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 9051 §8.
        let block = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
            From: Terry Gray <gray@cac.washington.edu>\r\n\
            Subject: IMAP4rev2 WG mtg summary and minutes\r\n\
            To: imap@cac.washington.edu\r\n\
            cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
            Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n";
        assert_eq!(
            wire(block, Dialect::Ascii),
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \
             \"IMAP4rev2 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")\
             (\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\")"
        );
    }

    #[test]
    fn nothing_and_raw_text() {
        assert_eq!(
            wire("", Dialect::Ascii),
            "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
        );
        let block = "Subject: =?utf-8?q?=C3=A9?= \"x\"\nTo: g:;\nFrom: é <a@b>\n";
        assert_eq!(
            wire(block, Dialect::Ascii),
            "(NIL \"=?utf-8?q?=C3=A9?= \\\"x\\\"\" (({2}\r\né NIL \"a\" \"b\")) \
             (({2}\r\né NIL \"a\" \"b\")) (({2}\r\né NIL \"a\" \"b\")) \
             ((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)"
        );
        assert!(wire(block, Dialect::Utf8).contains("((\"é\" NIL"));
    }
}
