//! The header around what is encrypted: the fields that mail readers list,
//! sort and thread by stay readable, the rest is inside.

use roost_message::crlf::{self, Nul};
use roost_message::header::{self, Field};

/// The fields that are repeated outside, as they stand and in their order.
const SHOWN: [&[u8]; 8] = [
    b"From",
    b"To",
    b"Cc",
    b"Subject",
    b"Date",
    b"Message-ID",
    b"References",
    b"In-Reply-To",
];

/// RFC 8551 §3.3 and §3.2.1; the names are what Outlook and Thunderbird look
/// for where the type is not known.
const OWN: &[u8] = b"MIME-Version: 1.0\r\n\
    Content-Type: application/pkcs7-mime; name=\"smime.p7m\";\r\n\
    \tsmime-type=enveloped-data\r\n\
    Content-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\
    Content-Description: S/MIME Encrypted Message\r\n\
    \r\n";

/// The header around a message that begins with `block`, with its empty line.
/// Of a block that is not `whole` the last field is left out.
pub fn header(block: &[u8], whole: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut fields = header::fields(block).peekable();
    while let Some(field) = fields.next() {
        if (whole || fields.peek().is_some()) && is_shown(&field) {
            crlf::append(field.raw, Nul::Replace, &mut out);
            if !field.raw.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(OWN);
    out
}

fn is_shown(field: &Field<'_>) -> bool {
    SHOWN.iter().any(|name| field.is(name))
}

/// Where the header that `text` begins with ends, if that shows already: at
/// the beginning of its empty line. `from`: what was searched before.
pub(crate) fn end(text: &[u8], from: usize) -> Option<usize> {
    let is_blank = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    };
    if is_blank(0) {
        return Some(0);
    }
    // An empty line may have come only in part.
    let from = from.saturating_sub(2);
    let rest = text.get(from..).unwrap_or_default();
    memchr::memchr_iter(b'\n', rest)
        .map(|at| from + at + 1)
        .find(|&at| is_blank(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(block: &str, whole: bool) -> String {
        let header = String::from_utf8(header(block.as_bytes(), whole)).unwrap();
        let own = std::str::from_utf8(OWN).unwrap();
        header.strip_suffix(own).unwrap().into()
    }

    #[test]
    fn only_what_listings_need_is_outside() {
        let block = "Received: from x\nfrom: a@example.com\nTo: b@example.com,\n c@example.com\n\
            Bcc: d@example.com\nsubject : twice\nSUBJECT: twice\nMIME-Version: 1.0\n\
            Content-Type: text/html\nMessage-Id: <1@example.com>\n\nFrom: the body\n";
        let expected = "from: a@example.com\r\nTo: b@example.com,\r\n c@example.com\r\n\
            subject : twice\r\nSUBJECT: twice\r\nMessage-Id: <1@example.com>\r\n";
        assert_eq!(shown(block, true), expected);
        assert_eq!(shown("", true), "");
        assert_eq!(
            shown("Subject: no line end", true),
            "Subject: no line end\r\n"
        );
    }

    #[test]
    fn a_field_that_may_be_cut_is_left_out() {
        assert_eq!(shown("To: a\r\nSubject: half", false), "To: a\r\n");
    }

    #[test]
    fn ends_of_headers() {
        assert_eq!(end(b"a: b\n\nx", 0), Some(5));
        assert_eq!(end(b"a: b\r\n\r\nx", 7), Some(6));
        assert_eq!(end(b"a: b\r\n\r", 0), None);
        assert_eq!(end(b"\r\nx", 0), Some(0));
        assert_eq!(end(b"a: b\nc: d\n", 0), None);
    }
}
