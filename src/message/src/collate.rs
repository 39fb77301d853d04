//! `i;unicode-casemap` (RFC 5051), the collation of SORT and SEARCH: titlecase
//! by simple mappings, then decomposed.

use unicode_normalization::char::decompose_compatible;

/// Appends the octets by which `text` is compared.
pub fn casemap(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_uppercase() as u8);
            continue;
        }
        decompose_compatible(title(c), |c| {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        });
    }
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
}
