//! Where the responses in a stream end. Nothing is copied: bulk answers pass
//! through the connection's buffer and are counted.

use memchr::memchr;

/// What a run of responses amounted to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Octets of everything up to and with the tagged response.
    pub octets: u64,
    pub untagged: u64,
    pub fetches: u64,
    pub expunges: u64,
}

/// What a scan looks for, beside counting.
pub trait Sink {
    /// A piece of an untagged response: a line without its end of line, or
    /// some of a literal.
    fn piece(&mut self, _bytes: &[u8]) {}
    /// The untagged response has ended.
    fn end(&mut self) {}
}

/// Counts alone.
pub struct Nothing;

impl Sink for Nothing {}

/// The responses whole, literals in place.
#[derive(Default)]
pub struct Collect {
    pub responses: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl Sink for Collect {
    fn piece(&mut self, bytes: &[u8]) {
        self.current.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        self.responses.push(std::mem::take(&mut self.current));
    }
}

/// What the scanner wants next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// More octets; so many of those shown are done with.
    More(usize),
    /// The tagged response stands at this range and is done with.
    Tagged(std::ops::Range<usize>),
    /// A continuation request was read, and so many octets are done with.
    Continue(usize),
}

#[derive(Default)]
pub struct Scanner {
    pub tally: Tally,
    literal: u64,
    /// In the middle of a response, after a literal.
    inside: bool,
    /// Octets at the front of the next input that hold no end of line.
    searched: usize,
}

impl Scanner {
    /// Goes through `input`, whose front is what the last step left.
    pub fn scan(&mut self, input: &[u8], tag: &[u8], sink: &mut impl Sink) -> Step {
        let mut at = 0;
        loop {
            if self.literal > 0 {
                let have = (input.len() - at) as u64;
                let some = have.min(self.literal) as usize;
                sink.piece(&input[at..at + some]);
                self.literal -= some as u64;
                self.tally.octets += some as u64;
                at += some;
                if self.literal > 0 {
                    return Step::More(at);
                }
            }
            let from = at + std::mem::take(&mut self.searched);
            let Some(end) = memchr(b'\n', &input[from..]).map(|n| from + n) else {
                self.searched = input.len() - at;
                return Step::More(at);
            };
            let line = &input[at..end];
            let text = line.strip_suffix(b"\r").unwrap_or(line);
            self.tally.octets += (end + 1 - at) as u64;
            if !self.inside {
                if text.starts_with(tag) && text.get(tag.len()) == Some(&b' ') {
                    return Step::Tagged(at..end + 1);
                }
                if text.first() == Some(&b'+') {
                    return Step::Continue(end + 1);
                }
                self.count(text);
            }
            sink.piece(text);
            self.literal = announced(text).unwrap_or(0);
            self.inside = text.last() == Some(&b'}') && announced(text).is_some();
            if self.inside {
                sink.piece(b"\r\n");
            } else {
                sink.end();
            }
            at = end + 1;
        }
    }

    fn count(&mut self, text: &[u8]) {
        self.tally.untagged += 1;
        // `* 1234 FETCH (…`: the word after the number.
        let Some(rest) = text.strip_prefix(b"* ") else {
            return;
        };
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        match rest.get(digits + 1..) {
            Some(word) if digits > 0 && word.starts_with(b"FETCH") => self.tally.fetches += 1,
            Some(b"EXPUNGE") if digits > 0 => self.tally.expunges += 1,
            _ => {}
        }
    }
}

/// The octets that a literal at the end of `line` announces.
fn announced(line: &[u8]) -> Option<u64> {
    let body = line.strip_suffix(b"}")?;
    let digits = body.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let open = body.len().checked_sub(digits + 1)?;
    if digits == 0 || digits > 18 || body.get(open) != Some(&b'{') {
        return None;
    }
    body.get(open + 1..)?
        .iter()
        .try_fold(0u64, |n, b| Some(n * 10 + u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &[u8] = b"* 1 FETCH (BODY[] {4}\r\na\nb\n FLAGS ())\r\n* 2 EXPUNGE\r\n\
        * 3 FETCH (BODY[] {0}\r\n)\r\n* SEARCH 1 2\r\nt7 OK done\r\n";

    fn scan_in_steps(step: usize) -> (Tally, Vec<Vec<u8>>, Vec<u8>) {
        let mut scanner = Scanner::default();
        let mut sink = Collect::default();
        let (mut start, mut end) = (0, 0);
        loop {
            end = (end + step).min(WIRE.len());
            match scanner.scan(&WIRE[start..end], b"t7", &mut sink) {
                Step::More(done) => start += done,
                Step::Tagged(range) => {
                    let line = WIRE[start..][range].to_vec();
                    return (scanner.tally, sink.responses, line);
                }
                Step::Continue(_) => unreachable!(),
            }
        }
    }

    #[test]
    fn responses_are_found_however_the_stream_is_cut() {
        let whole = scan_in_steps(WIRE.len());
        assert_eq!(whole.0.octets, WIRE.len() as u64);
        assert_eq!(
            (whole.0.untagged, whole.0.fetches, whole.0.expunges),
            (4, 2, 1)
        );
        assert_eq!(whole.1[0], b"* 1 FETCH (BODY[] {4}\r\na\nb\n FLAGS ())");
        assert_eq!(whole.2, b"t7 OK done\r\n");
        for step in 1..WIRE.len() {
            assert_eq!(scan_in_steps(step), whole, "step {step}");
        }
    }

    #[test]
    fn only_digits_in_braces_announce_a_literal() {
        assert_eq!(announced(b"x {12}"), Some(12));
        for other in ["x {}", "x {a}", "12}", "{12} ", "x"] {
            assert_eq!(announced(other.as_bytes()), None, "{other}");
        }
    }
}
