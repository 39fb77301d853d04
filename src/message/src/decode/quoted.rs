//! Streaming quoted-printable (RFC 2045 §6.7). An `=` that begins nothing
//! stands for itself; blanks at the end of a line go.

use super::feed::Feed;

#[derive(Default)]
pub struct Quoted {
    /// What may turn out to be a soft line break, an encoded octet or blanks
    /// at the end of a line.
    held: Vec<u8>,
}

/// Blanks held back; a longer run is text.
const MAX_HELD: usize = 1000;

impl Feed for Quoted {
    fn feed(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        let mut rest = raw;
        while let Some((&b, after)) = rest.split_first() {
            if !self.held.is_empty() {
                self.push(b, out);
                rest = after;
                continue;
            }
            // Up to the next mark or line end nothing has a meaning, but for
            // blanks in front of that.
            let end = memchr::memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            let blanks = run.iter().rev().take_while(|&&b| is_blank(b)).count();
            let (text, blanks) = run
                .split_at_checked(run.len() - blanks)
                .unwrap_or((run, &[]));
            out.extend_from_slice(text);
            blanks.iter().for_each(|&b| self.push(b, out));
            rest = behind;
            if let Some((&b, after)) = behind.split_first() {
                self.push(b, out);
                rest = after;
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        // Blanks at the end of the last line, and a soft break without line.
        let is_text = self.held.len() == 2 && self.held.last().is_some_and(|&b| !is_blank(b));
        if is_text {
            out.append(&mut self.held);
        }
        self.held.clear();
    }
}

impl Quoted {
    fn push(&mut self, b: u8, out: &mut Vec<u8>) {
        match *self.held.as_slice() {
            [] => self.fresh(b, out),
            [b'=', ..] => self.after_equals(b, out),
            _ => self.after_blanks(b, out),
        }
    }

    fn fresh(&mut self, b: u8, out: &mut Vec<u8>) {
        match b {
            b'=' | b' ' | b'\t' | b'\r' => self.held.push(b),
            b => out.push(b),
        }
    }

    /// Held: `=`, `=` and a digit, or `=` and blanks.
    fn after_equals(&mut self, b: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), b) {
            // Soft line break, with whatever blanks a relay has put there.
            (_, b'\n') if self.held.get(1).is_none_or(|&c| is_blank(c)) => self.held.clear(),
            ([b'='], _) if hex(b).is_some() || is_blank(b) => self.held.push(b),
            (&[b'=', high], _) if !is_blank(high) => match (hex(high), hex(b)) {
                (Some(high), Some(low)) => {
                    self.held.clear();
                    out.push(high << 4 | low);
                }
                _ => self.release_and(b, out),
            },
            _ if is_blank(b) && self.held.len() > 1 && self.held.len() < MAX_HELD => {
                self.held.push(b);
            }
            _ => self.release_and(b, out),
        }
    }

    /// Held: blanks, perhaps a CR.
    fn after_blanks(&mut self, b: u8, out: &mut Vec<u8>) {
        match b {
            b'\n' => {
                let has_cr = self.held.last() == Some(&b'\r');
                self.held.clear();
                if has_cr {
                    out.push(b'\r');
                }
                out.push(b'\n');
            }
            b' ' | b'\t' | b'\r' if self.held.len() < MAX_HELD => self.held.push(b),
            b => self.release_and(b, out),
        }
    }

    /// What was held is text after all.
    fn release_and(&mut self, b: u8, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.fresh(b, out);
    }
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r')
}

fn hex(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{QuotedReader, feed};
    use proptest::prelude::*;
    use std::io::Read;

    fn decode(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        QuotedReader::new(text).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn examples() {
        let text = b"Now's the time =\r\nfor all folk to come=\r\n to the aid of=\r\n";
        assert_eq!(
            decode(text),
            b"Now's the time for all folk to come to the aid of"
        );
        assert_eq!(decode(b"a=3D=e9b"), b"a=\xe9b");
        assert_eq!(decode(b"a  \r\nb\t\n"), b"a\r\nb\n");
        assert_eq!(decode(b"a= \t\r\nb"), b"ab");
        assert_eq!(decode(b"a = b"), b"a = b");
        assert_eq!(decode(b"=zz=3D="), b"=zz=");
        assert_eq!(decode(b"==3D"), b"==");
        assert_eq!(decode(b"=3\n"), b"=3\n");
        assert_eq!(decode(b"=3"), b"=3");
        assert_eq!(decode(b"a\rb"), b"a\rb");
        assert_eq!(decode(b"end  "), b"end");
        assert_eq!(decode(b"= x= y"), b"= x= y");
    }

    proptest! {
        #[test]
        fn comes_back(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = String::new();
            for (i, b) in data.iter().enumerate() {
                text += &format!("={b:02X}");
                if i % 20 == 19 { text += "=\r\n"; }
            }
            prop_assert_eq!(decode(text.as_bytes()), data);
        }

        #[test]
        fn at_once_or_octet_by_octet(text in "[=3Dz \t\r\n]{0,40}", step in 1usize..4) {
            let mut whole = Vec::new();
            feed::decode::<Quoted>(text.as_bytes(), &mut whole);
            prop_assert_eq!(&whole, &decode(text.as_bytes()));
            let (mut quoted, mut out) = (Quoted::default(), Vec::new());
            for piece in text.as_bytes().chunks(step) {
                quoted.feed(piece, &mut out);
            }
            quoted.end(&mut out);
            prop_assert_eq!(&whole, &out);
        }

        #[test]
        fn any_text_survives_without_growing(text in "[=3Dz \t\r\n]{0,40}") {
            prop_assert!(decode(text.as_bytes()).len() <= text.len());
        }
    }
}
