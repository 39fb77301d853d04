//! `i;unicode-casemap` (RFC 5051), the collation of SORT and SEARCH: titlecase
//! by simple mappings, then decomposed.

use std::sync::LazyLock;
use unicode_normalization::char::decompose_compatible;

/// Appends the octets by which `text` is compared.
pub fn casemap(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len());
    let mut rest = text;
    loop {
        let ascii = encoding_rs::Encoding::ascii_valid_up_to(rest.as_bytes());
        let (head, tail) = rest.split_at_checked(ascii).unwrap_or((rest, ""));
        casemap_ascii(head.as_bytes(), out);
        let mut len = 0;
        for c in tail.chars().take_while(|c| !c.is_ascii()) {
            len += c.len_utf8();
            push_mapped(c, out);
        }
        match tail.get(len..) {
            Some(next) if len > 0 => rest = next,
            _ => return,
        }
    }
}

/// The same for octets that are all ASCII.
pub fn casemap_ascii(text: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(text);
    if let Some(new) = out.get_mut(from..) {
        new.make_ascii_uppercase();
    }
}

/// Letters of Europe and the Near East, which are asked for most.
const TABLE: std::ops::Range<usize> = 0x80..0x800;

/// What each becomes: its length, and so many octets.
type Mapped = (u8, [u8; 15]);

fn push_mapped(c: char, out: &mut Vec<u8>) {
    static MAPPED: LazyLock<Vec<Mapped>> = LazyLock::new(|| {
        let mapped = |n: usize| {
            let mut bytes = Vec::new();
            let c = u32::try_from(n).ok().and_then(char::from_u32);
            map(c.unwrap_or_default(), &mut bytes);
            let mut entry: Mapped = (0, [0; 15]);
            if let Some(room) = entry.1.get_mut(..bytes.len()) {
                room.copy_from_slice(&bytes);
                entry.0 = bytes.len() as u8;
            }
            entry
        };
        TABLE.map(mapped).collect()
    });
    let at = (c as usize).checked_sub(TABLE.start);
    match at.and_then(|at| MAPPED.get(at)) {
        Some((len, bytes)) if *len > 0 => {
            out.extend_from_slice(bytes.get(..usize::from(*len)).unwrap_or_default());
        }
        _ => map(c, out),
    }
}

fn map(c: char, out: &mut Vec<u8>) {
    decompose_compatible(title(c), |c| {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    });
}

/// The simple titlecase mapping of UnicodeData.
fn title(c: char) -> char {
    match c {
        // Letters that are two, of which the first alone is a capital.
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Greek with an iota below.
        '\u{1f80}'..='\u{1faf}' => char::from_u32(c as u32 | 8).unwrap_or(c),
        '\u{1fb3}' => '\u{1fbc}',
        '\u{1fc3}' => '\u{1fcc}',
        '\u{1ff3}' => '\u{1ffc}',
        // Georgian has capitals, but no titles.
        '\u{10d0}'..='\u{10ff}' => c,
        // What becomes several letters has no simple mapping.
        _ => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => c,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(text: &str) -> String {
        let mut out = Vec::new();
        casemap(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn letters() {
        assert_eq!(mapped("Hello 1"), "HELLO 1");
        assert_eq!(mapped("é"), mapped("E\u{301}"));
        assert_eq!(mapped("É"), "E\u{301}");
        assert_eq!(mapped("ß"), "ß");
        assert_eq!(mapped("ǆ"), mapped("Ǆ"));
        assert_eq!(mapped("ᾀ"), mapped("ᾈ"));
        assert_eq!(mapped("ა"), "ა");
        assert_eq!(mapped("ﬁ"), "fi");
        assert_ne!(mapped("e"), mapped("é"));
    }

    #[test]
    fn the_table_is_the_mapping() {
        for c in ('\u{0}'..='\u{3000}').chain('\u{ac00}'..='\u{ac40}') {
            let mut expected = Vec::new();
            map(c, &mut expected);
            let both = mapped(&format!("x{c}{c}y"));
            let expected = String::from_utf8(expected).unwrap().repeat(2);
            match c.is_ascii() {
                true => assert_eq!(both, format!("X{c}{c}Y").to_ascii_uppercase()),
                false => assert_eq!(both, format!("X{expected}Y"), "{c}"),
            }
        }
    }
}
