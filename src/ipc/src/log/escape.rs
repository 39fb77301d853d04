//! The one place where text from strangers is made fit for the log.

use std::fmt::{self, Write};

/// The longest client text that [`escape`] shows, in octets of the original.
pub const MAX_ESCAPED: usize = 256;
/// Client text for a log line: octets that are no printable UTF-8, `<`, `>`
/// and the backslash are escaped, and what is longer than [`MAX_ESCAPED`]
/// octets is cut, marked by `...`. So no client can forge a line or a field.
pub fn escape<T: AsRef<[u8]> + ?Sized>(text: &T) -> Escaped<'_> {
    Escaped(text.as_ref())
}

/// See [`escape`].
#[derive(Clone, Copy)]
pub struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..MAX_ESCAPED).unwrap_or(self.0);
        for chunk in shown.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '<' | '>' => write!(f, "\\x{:02x}", u32::from(c))?,
                    c => put_visible(f, c)?,
                }
            }
            for b in chunk.invalid() {
                write!(f, "\\x{b:02x}")?;
            }
        }
        if shown.len() < self.0.len() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

/// Client text as the value of a field: besides what [`escape`] escapes, all
/// that a reader of the line could take for its end or for another field.
pub fn field<T: AsRef<[u8]> + ?Sized>(text: &T) -> Field<'_> {
    Field(escape(text))
}

/// See [`field`].
#[derive(Clone, Copy)]
pub struct Field<'a>(Escaped<'a>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The escapes' own backslashes and braces stay.
        for c in self.0.to_string().chars() {
            match c {
                c if c.is_ascii_alphanumeric() || !c.is_ascii() => f.write_char(c)?,
                '-' | '.' | '_' | '@' | '%' | '+' | '/' | ':' | '~' | '\\' | '{' | '}' => {
                    f.write_char(c)?;
                }
                c => write!(f, "\\x{:02x}", u32::from(c))?,
            }
        }
        Ok(())
    }
}

pub(super) fn put_visible(f: &mut impl Write, c: char) -> fmt::Result {
    match c {
        c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c)),
        c if c.is_control() || is_deceptive(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}

/// Line separators, and characters that turn the direction of writing.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn client_text_cannot_forge_lines_or_fields() {
        let cases: [(&[u8], &str); 6] = [
            (b"alice", "alice"),
            (b"a>, rip=<1.2.3.4", "a\\x3e, rip=\\x3c1.2.3.4"),
            (b"a\r\nb\x1b[31m\x7f\0", "a\\x0d\\x0ab\\x1b[31m\\x7f\\x00"),
            (b"back\\slash", "back\\\\slash"),
            (b"\xff\xfeJ\xc3\xbcrgen", "\\xff\\xfeJürgen"),
            ("\u{85}\u{202e}x".as_bytes(), "\\u{85}\\u{202e}x"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape(text).to_string(), expected);
        }
        let long = escape(&[b'x'; 300]).to_string();
        assert_eq!(long, format!("{}...", "x".repeat(MAX_ESCAPED)));
    }

    #[test]
    fn a_field_holds_no_other_field() {
        assert_eq!(
            field("al.ice+x@example.org").to_string(),
            "al.ice+x@example.org"
        );
        assert_eq!(
            field("a, rip=1.2.3.4 [\"'(").to_string(),
            "a\\x2c\\x20rip\\x3d1.2.3.4\\x20\\x5b\\x22\\x27\\x28"
        );
        assert_eq!(field("\u{202e}<").to_string(), "\\u{202e}\\x3c");
    }

    proptest! {
        #[test]
        fn escaped_text_is_one_harmless_piece(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let text = escape(&bytes).to_string();
            prop_assert!(!text.chars().any(|c| c.is_control() || "<>".contains(c)));
        }
    }
}
