//! METADATA responses with values (RFC 5464 §4.4.1).

use super::crlf;
use super::string::{Dialect, literal8, mailbox, quotable, quoted};

/// Appends `* METADATA mailbox (entry value …)`; nothing without entries. An
/// empty name stands for the server.
pub fn metadata<'a>(
    out: &mut Vec<u8>,
    name: &str,
    entries: impl IntoIterator<Item = (String, &'a [u8])>,
    dialect: Dialect,
) {
    let mut any = false;
    for (entry, value) in entries {
        if any {
            out.push(b' ');
        } else {
            out.extend_from_slice(b"* METADATA ");
            mailbox(out, name, dialect);
            out.extend_from_slice(b" (");
            any = true;
        }
        out.extend_from_slice(entry.as_bytes());
        out.push(b' ');
        text(out, value, dialect);
    }
    if any {
        out.push(b')');
        crlf(out);
    }
}

/// A value comes back as it was given, so NUL octets take a `literal8`.
fn text(out: &mut Vec<u8>, value: &[u8], dialect: Dialect) {
    match value {
        value if quotable(value, dialect) => quoted(out, value),
        value if value.contains(&0) => literal8(out, value),
        value => super::literal(out, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(entries: &[(&str, &[u8])]) -> String {
        let mut out = Vec::new();
        let entries = entries
            .iter()
            .map(|(name, value)| (name.to_string(), *value));
        metadata(&mut out, "INBOX", entries, Dialect::Ascii);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_in_all_forms() {
        assert_eq!(wire(&[]), "");
        assert_eq!(
            wire(&[("/shared/comment", b"My \"own\""), ("/private/x", b"")]),
            "* METADATA INBOX (/shared/comment \"My \\\"own\\\"\" /private/x \"\")\r\n"
        );
        assert_eq!(
            wire(&[("/shared/a", b"1\r\n2"), ("/shared/b", b"\0")]),
            "* METADATA INBOX (/shared/a {4}\r\n1\r\n2 /shared/b ~{1}\r\n\0)\r\n"
        );
    }
}
