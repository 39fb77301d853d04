//! Case folding and substring search over a stream of text.

use memchr::memmem::Finder;

/// What is searched for, case folded.
#[derive(Clone, Debug)]
pub struct Needle {
    finder: Finder<'static>,
}

impl Needle {
    pub fn new(text: &str) -> Self {
        let mut folded = Vec::with_capacity(text.len());
        fold(text, &mut folded);
        Self {
            finder: Finder::new(&folded).into_owned(),
        }
    }

    /// Everything contains it.
    pub fn is_empty(&self) -> bool {
        self.finder.needle().is_empty()
    }

    pub fn is_in(&self, text: &str) -> bool {
        let mut folded = Vec::with_capacity(text.len());
        fold(text, &mut folded);
        self.finder.find(&folded).is_some()
    }
}

/// Appends `text` folded: upper case and back, so that letters with several
/// lower case forms (ß and ss, ς and σ) meet.
fn fold(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().take_while(u8::is_ascii).count();
        let (head, tail) = rest.split_at_checked(ascii).unwrap_or((rest, ""));
        let from = out.len();
        out.extend_from_slice(head.as_bytes());
        if let Some(new) = out.get_mut(from..) {
            new.make_ascii_lowercase();
        }
        let other = tail.chars().take_while(|c| !c.is_ascii());
        let mut len = 0;
        for c in other {
            len += c.len_utf8();
            for folded in c.to_uppercase().flat_map(char::to_lowercase) {
                out.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = tail.get(len..).unwrap_or_default();
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
        fold(text, &mut self.buf);
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            *found = *found || needle.finder.find(&self.buf).is_some();
        }
        let old = self.buf.len().saturating_sub(self.overlap);
        self.buf.drain(..old);
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
            ("STRASSE", "die Straße"),
            ("straße", "DIE STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("οδοσ", "ΟΔΟΣ"),
            ("éÉ", "ÉÉé"),
            ("ж", "Ж"),
        ] {
            assert!(Needle::new(needle).is_in(text), "{needle} in {text}");
        }
        assert!(!Needle::new("e").is_in("É"));
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
