//! Text files read line by line in bounded memory, and the numbers in them.
//!
//! A last line without its line feed is told apart from whole lines: it is one
//! that another program is just writing, or that a crash cut off.

use super::{Dir, FormatError};
use std::io::{self, Read};

/// Longest line taken from any file beside the messages, in octets.
pub const MAX_LINE: usize = 64 * 1024;

/// Read at a time, in octets.
const WINDOW: usize = 2 * MAX_LINE;

/// What stands between two line feeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line<'a> {
    /// Line feed taken off.
    Whole(&'a [u8]),
    /// Longer than [`MAX_LINE`]; how many octets were skipped.
    TooLong(u64),
    /// The end of the file, without line feed.
    Torn(&'a [u8]),
}

/// Reads lines; [`next`](Self::next) is no iterator, because lines borrow.
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    whole: u64,
    eof: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            whole: 0,
            eof: false,
        }
    }

    /// Octets up to the end of the last whole line returned.
    pub fn offset(&self) -> u64 {
        self.whole
    }

    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut scanned = 0;
        loop {
            let pending = self.buffer.get(self.start..self.end).unwrap_or_default();
            let fresh = pending.get(scanned..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', fresh) {
                return Ok(Some(self.take_whole(scanned + at)));
            }
            scanned = pending.len();
            if scanned > MAX_LINE {
                return self.skip_long().map(Some);
            }
            if self.eof {
                let torn = self.start..self.end;
                self.start = self.end;
                let torn = self.buffer.get(torn).unwrap_or_default();
                return Ok((!torn.is_empty()).then_some(Line::Torn(torn)));
            }
            self.fill()?;
        }
    }

    fn take_whole(&mut self, length: usize) -> Line<'_> {
        let line = self.start..self.start + length;
        self.start = line.end + 1;
        self.whole += length as u64 + 1;
        if length > MAX_LINE {
            return Line::TooLong(length as u64 + 1);
        }
        Line::Whole(self.buffer.get(line).unwrap_or_default())
    }

    fn skip_long(&mut self) -> io::Result<Line<'_>> {
        let mut skipped = 0u64;
        loop {
            let pending = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', pending) {
                self.start += at + 1;
                skipped += at as u64 + 1;
                break;
            }
            skipped += pending.len() as u64;
            self.start = self.end;
            if self.eof {
                break;
            }
            self.fill()?;
        }
        self.whole += skipped;
        Ok(Line::TooLong(skipped))
    }

    /// Moves what is left to the front and reads once more.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.resize(WINDOW, 0);
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.reader.read(room) {
            Ok(0) => self.eof = true,
            Ok(n) => self.end += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// Reads a small file whole; `None` if there is none.
///
/// # Errors
/// `TooLarge` above `limit` octets.
pub(crate) fn read_small(
    dir: &Dir,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, FormatError> {
    let Some(file) = dir.open_file(name)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| dir.error(name, e))?;
    if bytes.len() as u64 > limit {
        let path = dir.entry(name.as_bytes());
        return Err(FormatError::TooLarge { path, limit });
    }
    Ok(Some(bytes))
}

/// A decimal number of nothing but digits that fits.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// [`number`] in 32 bits.
pub(crate) fn number32(text: &[u8]) -> Option<u32> {
    number(text)?.try_into().ok()
}

/// What stands before and behind the first `separator`.
pub(crate) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out a few octets at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn long_lines_are_skipped_and_counted() {
        let mut text = vec![b'x'; 3 * WINDOW];
        text.extend_from_slice(b"\nshort\n");
        text.extend(vec![b'y'; MAX_LINE]);
        text.extend_from_slice(b"\n");
        text.extend(vec![b'z'; MAX_LINE + 1]);
        let mut lines = Lines::new(&text[..]);
        let skipped = 3 * WINDOW as u64 + 1;
        assert_eq!(lines.next().unwrap(), Some(Line::TooLong(skipped)));
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"short")));
        assert!(matches!(lines.next().unwrap(), Some(Line::Whole(l)) if l.len() == MAX_LINE));
        assert_eq!(
            lines.next().unwrap(),
            Some(Line::TooLong(MAX_LINE as u64 + 1))
        );
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.offset(), text.len() as u64);
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(b"0017"), Some(17));
        for bad in ["", "+1", "-1", " 1", "1 ", "18446744073709551616"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(number32(b"4294967295"), Some(u32::MAX));
        assert_eq!(number32(b"4294967296"), None);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_split(text in "[a\n]{0,60}", step in 1usize..7) {
            let mut expected: Vec<&[u8]> = text.as_bytes().split(|&b| b == b'\n').collect();
            let torn = expected.pop().unwrap();
            let mut lines = Lines::new(Slow(text.as_bytes(), step));
            for line in expected {
                prop_assert_eq!(lines.next().unwrap(), Some(Line::Whole(line)));
            }
            let end = lines.next().unwrap();
            prop_assert_eq!(end, (!torn.is_empty()).then_some(Line::Torn(torn)));
            prop_assert_eq!(lines.next().unwrap(), None);
            prop_assert_eq!(lines.offset(), (text.len() - torn.len()) as u64);
        }
    }
}
