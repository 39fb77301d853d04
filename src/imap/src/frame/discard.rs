//! Reading away what is left of a refused command.

use super::Frame;
use super::literal::{Literal, WINDOW};
use memchr::memchr;

/// Reads away lines and the literals they announce until the client must have
/// stopped: at a line end without a literal, or with one that it does not send
/// before it is asked to.
pub(super) struct Discard {
    /// Octets of a literal still to come.
    left: u64,
    /// The end of the line so far, at most [`WINDOW`] octets.
    tail: Vec<u8>,
    /// How many octets may still be read away.
    budget: u64,
    /// What to report at the end.
    after: Frame,
}

pub(super) enum Outcome {
    /// All octets were used up, and more must come.
    More(Discard),
    /// The refused command ended after so many octets.
    End(usize, Frame),
    /// The budget is used up.
    Exceeded,
}

impl Discard {
    /// Begins with `left` octets of a literal, then reads lines; `budget` is
    /// the most it may read away.
    pub fn new(left: u64, budget: u64, after: Frame) -> Self {
        Self {
            left,
            tail: Vec::new(),
            budget,
            after,
        }
    }

    pub fn feed(mut self, bytes: &[u8]) -> Outcome {
        let mut rest = bytes;
        loop {
            if self.left > self.budget {
                return Outcome::Exceeded;
            }
            rest = self.skip_literal(rest);
            if self.left > 0 {
                return Outcome::More(self);
            }
            let Some(end) = memchr(b'\n', rest) else {
                return if self.spend(rest.len()) {
                    self.remember(rest);
                    Outcome::More(self)
                } else {
                    Outcome::Exceeded
                };
            };
            let (line, after) = rest.split_at_checked(end + 1).unwrap_or((rest, &[]));
            rest = after;
            if !self.spend(line.len()) {
                return Outcome::Exceeded;
            }
            self.remember(line);
            match Literal::at_end(trim_line_end(&self.tail)) {
                Some(literal) if !literal.sync => {
                    self.left = literal.size;
                    self.tail.clear();
                }
                _ => return Outcome::End(bytes.len() - rest.len(), self.after),
            }
        }
    }

    fn skip_literal<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let n = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= n as u64;
        // `left` was within the budget.
        self.budget = self.budget.saturating_sub(n as u64);
        bytes.get(n..).unwrap_or_default()
    }

    fn spend(&mut self, n: usize) -> bool {
        match self.budget.checked_sub(n as u64) {
            Some(left) => {
                self.budget = left;
                true
            }
            None => false,
        }
    }

    /// Keeps the end of the line, the line end included.
    fn remember(&mut self, piece: &[u8]) {
        const KEEP: usize = WINDOW + 2;
        let piece = piece.last_chunk::<KEEP>().map_or(piece, |c| c.as_slice());
        self.tail.extend_from_slice(piece);
        let excess = self.tail.len().saturating_sub(KEEP);
        self.tail.drain(..excess);
    }
}

/// Without LF or CRLF at its end.
pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
