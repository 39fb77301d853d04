//! Strings: as atoms, quoted, or as literals, whichever is safe.

use super::number::number64;
use crate::chars::is_astring;
use roost_types::utf7;

/// What the session may put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// IMAP4rev1: ASCII in quoted strings and texts, mailbox names in modified
    /// UTF-7.
    #[default]
    Ascii,
    /// After `ENABLE IMAP4rev2`: UTF-8 in all of them.
    Utf8,
}

/// Longer strings are sent as literals: some clients read a line at a time
/// into a small buffer.
const MAX_QUOTED: usize = 1024;

/// Whether `bytes` may be sent quoted: short, one line, and text of the
/// dialect.
pub fn quotable(bytes: &[u8], dialect: Dialect) -> bool {
    if bytes.len() > MAX_QUOTED || bytes.iter().any(|&b| b < b' ' || b == 0x7f) {
        return false;
    }
    match dialect {
        Dialect::Ascii => bytes.is_ascii(),
        Dialect::Utf8 => std::str::from_utf8(bytes).is_ok(),
    }
}

/// Appends a `quoted` string without asking whether it may be one: see
/// [`quotable`], or use [`string`].
pub fn quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut from = 0;
    for at in memchr::memchr2_iter(b'"', b'\\', bytes) {
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        out.push(b'\\');
        from = at;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}

/// Appends `{n}` and the line end; `n` octets must follow.
pub fn literal_header(out: &mut Vec<u8>, n: u64) {
    out.push(b'{');
    number64(out, n);
    out.extend_from_slice(b"}\r\n");
}

/// Appends `~{n}` and the line end; `n` octets must follow (RFC 3516).
pub fn literal8_header(out: &mut Vec<u8>, n: u64) {
    out.push(b'~');
    literal_header(out, n);
}

pub fn literal(out: &mut Vec<u8>, bytes: &[u8]) {
    literal_header(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A literal that may hold NUL octets.
pub fn literal8(out: &mut Vec<u8>, bytes: &[u8]) {
    literal8_header(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a `string`: quoted if possible, otherwise a literal. A literal
/// cannot hold NUL octets: they become 0x80, as Dovecot has it, and the length
/// stays what it is.
pub fn string(out: &mut Vec<u8>, bytes: &[u8], dialect: Dialect) {
    if quotable(bytes, dialect) {
        return quoted(out, bytes);
    }
    literal_header(out, bytes.len() as u64);
    let start = out.len();
    out.extend_from_slice(bytes);
    for b in out.iter_mut().skip(start) {
        if *b == 0 {
            *b = 0x80;
        }
    }
}

/// Appends an `nstring`.
pub fn nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>, dialect: Dialect) {
    match bytes {
        Some(bytes) => string(out, bytes, dialect),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends an `astring`: bare where that cannot be mistaken for anything else.
pub fn astring(out: &mut Vec<u8>, bytes: &[u8], dialect: Dialect) {
    let bare = !bytes.is_empty()
        && bytes.len() <= MAX_QUOTED
        && bytes.iter().all(|&b| is_astring(b))
        && !bytes.eq_ignore_ascii_case(b"NIL");
    if bare {
        out.extend_from_slice(bytes);
    } else {
        string(out, bytes, dialect);
    }
}

/// Appends a mailbox name given in Unicode with the session's separator and
/// prefix in place: modified UTF-7 or UTF-8 as the dialect has it.
pub fn mailbox(out: &mut Vec<u8>, name: &str, dialect: Dialect) {
    let plain = name
        .bytes()
        .all(|b| (b' '..=b'~').contains(&b) && b != b'&');
    if plain || dialect == Dialect::Utf8 {
        astring(out, name.as_bytes(), dialect);
    } else {
        astring(out, utf7::encode(name).as_bytes(), dialect);
    }
}

/// The same as a `string`, for places that allow no bare word.
pub(super) fn mailbox_quoted(out: &mut Vec<u8>, name: &str, dialect: Dialect) {
    match dialect {
        Dialect::Ascii => string(out, utf7::encode(name).as_bytes(), dialect),
        Dialect::Utf8 => string(out, name.as_bytes(), dialect),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::text;
    use super::*;

    #[test]
    fn only_printable_ascii_is_quoted_before_utf8_is_on() {
        for b in 0..=255u8 {
            let printable = (0x20..0x7f).contains(&b);
            assert_eq!(quotable(&[b], Dialect::Ascii), printable, "{b:#04x}");
            // A lone octet from 0x80 up is never UTF-8.
            assert_eq!(quotable(&[b], Dialect::Utf8), printable, "{b:#04x}");
        }
        assert!(quotable("é".as_bytes(), Dialect::Utf8));
        assert!(!quotable("é".as_bytes(), Dialect::Ascii));
    }

    #[test]
    fn the_longest_quoted_string() {
        assert!(quotable(&[b'x'; MAX_QUOTED], Dialect::Ascii));
        assert!(!quotable(&[b'x'; MAX_QUOTED + 1], Dialect::Ascii));
    }

    #[test]
    fn strings_choose_their_form() {
        let ascii = Dialect::Ascii;
        assert_eq!(text(|o| string(o, b"a \"b\\", ascii)), r#""a \"b\\""#);
        assert_eq!(text(|o| string(o, b"", ascii)), "\"\"");
        assert_eq!(text(|o| string(o, b"a\r\nb", ascii)), "{4}\r\na\r\nb");
        assert_eq!(text(|o| nstring(o, None, ascii)), "NIL");
        assert_eq!(text(|o| nstring(o, Some(b"NIL"), ascii)), "\"NIL\"");
        let mut out = Vec::new();
        string(&mut out, b"a\0b", ascii);
        assert_eq!(out, b"{3}\r\na\x80b");
        out.clear();
        literal8(&mut out, b"a\0b");
        assert_eq!(out, b"~{3}\r\na\0b");
        assert_eq!(text(|o| string(o, "é".as_bytes(), ascii)), "{2}\r\né");
        assert_eq!(text(|o| string(o, "é".as_bytes(), Dialect::Utf8)), "\"é\"");
    }

    #[test]
    fn astrings_are_bare_only_when_they_read_as_one_word() {
        let wire = |b: &[u8]| text(|o| astring(o, b, Dialect::Ascii));
        assert_eq!(wire(b"INBOX"), "INBOX");
        assert_eq!(wire(b"a]b"), "a]b");
        assert_eq!(wire(b"a b"), "\"a b\"");
        assert_eq!(wire(b"nil"), "\"nil\"");
        assert_eq!(wire(b""), "\"\"");
        assert_eq!(wire(b"a%"), "\"a%\"");
    }

    #[test]
    fn mailbox_names_in_both_dialects() {
        let wire = |n: &str, d| text(|o| mailbox(o, n, d));
        assert_eq!(wire("Entwürfe", Dialect::Ascii), "Entw&APw-rfe");
        assert_eq!(wire("Entwürfe", Dialect::Utf8), "\"Entwürfe\"");
        assert_eq!(wire("a & b", Dialect::Ascii), "\"a &- b\"");
        assert_eq!(wire("a & b", Dialect::Utf8), "\"a & b\"");
        assert_eq!(wire("a/b", Dialect::Ascii), "a/b");
    }
}
