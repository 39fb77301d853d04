//! Places in a message file, counted as the file has them and as clients
//! count them.

/// A point in a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pos {
    /// Octets of the file before it.
    pub raw: u64,
    /// The same with every LF as CRLF.
    pub crlf: u64,
    /// Line ends before it.
    pub lines: u64,
}

/// A stretch of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Offset in the file.
    pub start: u64,
    /// Octets in the file.
    pub len: u64,
    /// Octets on the wire, with every LF as CRLF.
    pub crlf_len: u64,
}

impl Span {
    /// From `start` to `end`; empty if they are the wrong way round.
    pub fn between(start: Pos, end: Pos) -> Self {
        Self {
            start: start.raw,
            len: end.raw.saturating_sub(start.raw),
            crlf_len: end.crlf.saturating_sub(start.crlf),
        }
    }

    /// The offset behind the last octet.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.len)
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// This span and the one right behind it.
    pub fn joined(self, next: Self) -> Self {
        Self {
            start: self.start,
            len: self.len + next.len,
            crlf_len: self.crlf_len + next.crlf_len,
        }
    }
}
