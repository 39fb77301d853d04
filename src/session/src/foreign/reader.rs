//! What another account's session sends, cut where responses begin and end:
//! lines are looked at, literals are skipped and never read as lines.
//!
//! What must stay true: pieces put together are what was sent, octet for octet
//! and however it came; no response makes more than [`MAX_TEXT`] be held.

use memchr::memchr;

/// A longer line is handed out in pieces.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// Enough of a line's end to find the announcement of a literal.
const TAIL: usize = 32;

/// A piece of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    Text(Text<'a>),
    /// Octets of a literal.
    Literal(&'a [u8]),
}

/// A piece of a line; its line end is part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Text<'a> {
    pub bytes: &'a [u8],
    /// The response begins here.
    pub begins: bool,
    /// It ends here.
    pub ends: bool,
    /// It announces a literal of so many octets.
    pub literal: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Reader {
    /// A line as far as it has come.
    held: Vec<u8>,
    /// A line that was put together and has been handed out.
    given: Vec<u8>,
    at: At,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum At {
    #[default]
    Start,
    /// Behind a piece of a response.
    Within,
    Literal(u64),
}

impl Reader {
    /// Whether a response is begun of which pieces have been handed out.
    pub fn within(&self) -> bool {
        self.at != At::Start
    }

    /// The next piece, of which `input` is shortened.
    pub fn next<'r, 'i: 'r>(&'r mut self, input: &mut &'i [u8]) -> Option<Piece<'r>> {
        if input.is_empty() {
            return None;
        }
        if let At::Literal(left) = self.at {
            let n = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
            let (piece, rest) = input.split_at_checked(n)?;
            *input = rest;
            self.at = match left - n as u64 {
                0 => At::Within,
                left => At::Literal(left),
            };
            return Some(Piece::Literal(piece));
        }
        let Some(end) = memchr(b'\n', input) else {
            self.held.extend_from_slice(input);
            *input = &[];
            return self.too_long();
        };
        let (line, rest) = input.split_at_checked(end + 1)?;
        *input = rest;
        let line = match self.held.is_empty() {
            true => line,
            false => {
                self.held.extend_from_slice(line);
                self.given = std::mem::take(&mut self.held);
                &self.given
            }
        };
        let begins = self.at == At::Start;
        let literal = match begins && is_status(line) {
            true => None,
            false => announced(line),
        };
        self.at = match literal {
            None => At::Start,
            Some(0) => At::Within,
            Some(size) => At::Literal(size),
        };
        Some(Piece::Text(Text {
            bytes: line,
            begins,
            ends: literal.is_none(),
            literal,
        }))
    }

    fn too_long(&mut self) -> Option<Piece<'_>> {
        if self.held.len() <= MAX_TEXT {
            return None;
        }
        let tail = self.held.split_off(self.held.len() - TAIL);
        self.given = std::mem::replace(&mut self.held, tail);
        let begins = self.at == At::Start;
        self.at = At::Within;
        Some(Piece::Text(Text {
            bytes: &self.given,
            begins,
            ends: false,
            literal: None,
        }))
    }
}

/// A line that ends in text for people, which may look like anything.
fn is_status(line: &[u8]) -> bool {
    let Some(word) = line.strip_prefix(b"* ") else {
        return true;
    };
    [&b"OK "[..], b"NO ", b"BAD ", b"BYE "]
        .iter()
        .any(|status| word.starts_with(status))
}

/// The size of the literal that `line` announces at its end.
fn announced(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_suffix(b"}")?;
    let start = line.iter().rposition(|b| !b.is_ascii_digit())?;
    let digits = line.get(start + 1..)?;
    if line.get(start) != Some(&b'{') || digits.is_empty() {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out, a line for each response: `text|literal|text`.
    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut reader, mut all, mut one) = (Reader::default(), Vec::new(), String::new());
        let mut in_literal = false;
        for mut input in pieces.iter().copied() {
            while let Some(piece) = reader.next(&mut input) {
                match piece {
                    Piece::Literal(octets) => {
                        if !in_literal {
                            one.push('|');
                        }
                        one.push_str(&String::from_utf8_lossy(octets));
                        in_literal = true;
                    }
                    Piece::Text(text) => {
                        assert_eq!(text.begins, one.is_empty());
                        if in_literal {
                            one.push('|');
                        }
                        in_literal = false;
                        one.push_str(&String::from_utf8_lossy(text.bytes));
                        if text.ends {
                            all.push(std::mem::take(&mut one));
                        }
                    }
                }
            }
        }
        assert!(!reader.within());
        all
    }

    #[test]
    fn however_it_is_cut() {
        let sent = b"* 1 FETCH (BODY[] {9}\r\na1 OK x\r\n UID 3)\r\n* 2 FETCH (X {0}\r\n)\r\n\
            * OK text {5}\r\n* LIST () \"/\" {2}\r\nab\r\n+ go {3}\r\na1 OK [X] done {7}\r\n";
        let whole = read(&[sent]);
        assert_eq!(
            whole,
            [
                "* 1 FETCH (BODY[] {9}\r\n|a1 OK x\r\n| UID 3)\r\n",
                "* 2 FETCH (X {0}\r\n)\r\n",
                "* OK text {5}\r\n",
                "* LIST () \"/\" {2}\r\n|ab|\r\n",
                "+ go {3}\r\n",
                "a1 OK [X] done {7}\r\n",
            ]
        );
        for i in 0..=sent.len() {
            for j in i..=sent.len() {
                assert_eq!(
                    read(&[&sent[..i], &sent[i..j], &sent[j..]]),
                    whole,
                    "{i} {j}"
                );
            }
        }
    }

    #[test]
    fn a_long_line_is_not_held() {
        let mut sent = b"* SEARCH".to_vec();
        sent.extend_from_slice(&b" 123456".repeat(100_000));
        sent.extend_from_slice(b"{3}\r\nabc\r\n");
        let mut reader = Reader::default();
        let mut back = Vec::new();
        for mut input in sent.chunks(1000) {
            while let Some(piece) = reader.next(&mut input) {
                match piece {
                    Piece::Text(text) => back.extend_from_slice(text.bytes),
                    Piece::Literal(octets) => {
                        assert_eq!(octets, b"abc");
                        back.extend_from_slice(octets);
                    }
                }
            }
            assert!(reader.held.capacity() <= 4 * MAX_TEXT);
        }
        assert!(!reader.within());
        assert_eq!(back, sent);
    }
}
