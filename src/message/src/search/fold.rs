//! Substring search by `i;unicode-casemap`, over whole texts and over streams.

use crate::collate::{casemap, casemap_ascii};
use crate::decode::decode_header;
use memchr::memmem::Finder;

/// What is searched for, case folded.
#[derive(Clone, Debug)]
pub struct Needle {
    finder: Finder<'static>,
}

impl Needle {
    pub fn new(text: &str) -> Self {
        let mut folded = Vec::with_capacity(text.len());
        casemap(text, &mut folded);
        Self {
            finder: Finder::new(&folded).into_owned(),
        }
    }

    /// Everything contains it.
    pub fn is_empty(&self) -> bool {
        self.finder.needle().is_empty()
    }

    /// Whether a line end is part of it.
    pub(crate) fn spans_lines(&self) -> bool {
        memchr::memchr2(b'\r', b'\n', self.finder.needle()).is_some()
    }

    /// Whether it is in the value of a header field; `scratch` is overwritten.
    pub fn is_in_field(&self, value: &[u8], scratch: &mut Vec<u8>) -> bool {
        scratch.clear();
        fold_field(value, scratch);
        self.finder.find(scratch).is_some()
    }

    /// Whether it is in what [`fold_field`] gave.
    pub fn is_in_folded(&self, folded: &[u8]) -> bool {
        self.finder.find(folded).is_some()
    }

    pub fn is_in(&self, text: &str) -> bool {
        let mut folded = Vec::with_capacity(text.len());
        casemap(text, &mut folded);
        self.finder.find(&folded).is_some()
    }
}

/// Appends what a search compares of the value of a header field: unfolded,
/// its encoded words decoded, by `i;unicode-casemap`.
pub fn fold_field(value: &[u8], out: &mut Vec<u8>) {
    let trimmed = value.trim_ascii();
    let plain = trimmed.is_ascii() && memchr::memchr(0, trimmed).is_none();
    if !plain || memchr::memmem::find(trimmed, b"=?").is_some() {
        casemap(&decode_header(value), out);
        return;
    }
    for line in trimmed.split(|b| matches!(b, b'\r' | b'\n')) {
        casemap_ascii(line, out);
    }
}

/// Looks for several needles in one stream of text.
#[derive(Debug)]
pub struct Haystack<'n> {
    needles: &'n [Needle],
    found: Vec<bool>,
    /// The end of the text so far, folded.
    buf: Vec<u8>,
    /// How much of it a needle may still begin in.
    overlap: usize,
}

impl<'n> Haystack<'n> {
    pub fn new(needles: &'n [Needle]) -> Self {
        let longest = needles.iter().map(|n| n.finder.needle().len()).max();
        Self {
            needles,
            found: needles.iter().map(Needle::is_empty).collect(),
            buf: Vec::new(),
            overlap: longest.unwrap_or(0).saturating_sub(1),
        }
    }

    /// The next piece of the text; true once all needles have been found.
    pub fn push(&mut self, text: &str) -> bool {
        casemap(text, &mut self.buf);
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            *found = *found || needle.finder.find(&self.buf).is_some();
        }
        let old = self.buf.len().saturating_sub(self.overlap);
        self.buf.drain(..old);
        self.is_done()
    }

    /// A text of its own, as the comparison sees it already; true once all
    /// needles have been found.
    pub fn whole(&mut self, folded: &[u8]) -> bool {
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            *found = *found || needle.finder.find(folded).is_some();
        }
        self.is_done()
    }

    /// What comes next does not continue what came before.
    pub fn interrupt(&mut self) {
        self.buf.clear();
    }

    pub fn is_done(&self) -> bool {
        self.found.iter().all(|&found| found)
    }

    /// For each needle whether it was found.
    pub fn found(self) -> Vec<bool> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_meet_in_any_case() {
        for (needle, text) in [
            ("straßE", "die Straße"),
            ("ΟΔΟΣ", "οδος"),
            ("οδοσ", "ΟΔΟΣ"),
            ("éÉ", "ÉÉé"),
            ("e\u{301}", "é"),
            // A letter is in the same letter with a mark.
            ("CAFE", "café"),
            ("ж", "Ж"),
        ] {
            assert!(Needle::new(needle).is_in(text), "{needle} in {text}");
        }
        assert!(!Needle::new("é").is_in("e"));
        assert!(!Needle::new("ss").is_in("ß"));
        assert!(Needle::new("").is_in(""));
    }

    #[test]
    fn nothing_matches_across_an_interruption() {
        let needles = [Needle::new("ab")];
        let mut hay = Haystack::new(&needles);
        assert!(!hay.push("a"));
        hay.interrupt();
        assert!(!hay.push("b"));
        assert!(!hay.push("xA"));
        assert!(hay.push("B"));
    }

    proptest! {
        #[test]
        fn fields_are_folded_as_they_are_decoded(value in "([a-cB \t\u{e9}\u{0}]|\r\n |=\\?utf-8\\?q\\?=C3=89\\?=){0,12}") {
            let (mut field, mut decoded) = (Vec::new(), Vec::new());
            fold_field(value.as_bytes(), &mut field);
            casemap(&decode_header(value.as_bytes()), &mut decoded);
            prop_assert_eq!(field, decoded);
        }

        #[test]
        fn pieces_do_not_matter(
            text in "[abßsSéÉ]{0,30}", needles in prop::collection::vec("[abßSé]{0,4}", 1..4),
            step in 1usize..5
        ) {
            let needles: Vec<Needle> = needles.iter().map(|n| Needle::new(n)).collect();
            let mut hay = Haystack::new(&needles);
            let chars: Vec<char> = text.chars().collect();
            for piece in chars.chunks(step) {
                hay.push(&piece.iter().collect::<String>());
            }
            let whole: Vec<bool> = needles.iter().map(|n| n.is_in(&text)).collect();
            prop_assert_eq!(hay.found(), whole);
        }
    }
}
