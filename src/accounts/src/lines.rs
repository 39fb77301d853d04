//! The account file, line by line.

use std::io::{self, BufRead, Read};

/// The longest line, in octets; what is longer is skipped.
const MAX_LINE: usize = 16 * 1024;

/// A line's number, and its text unless it is too long.
type Line<'a> = (usize, Option<&'a [u8]>);

/// Lines of bounded length with their numbers, from 1.
pub struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
        }
    }

    /// `None` at the end.
    #[expect(
        clippy::should_implement_trait,
        reason = "a line is lent until the next"
    )]
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        let n = (&mut self.input)
            .take(limit)
            .read_until(b'\n', &mut self.line)?;
        if n == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if n > MAX_LINE {
            self.input.skip_until(b'\n')?;
            return Ok(Some((self.number, None)));
        }
        Ok(Some((self.number, Some(&self.line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_one_line_and_skipped() {
        let text = [&b"a\n"[..], &[b'x'; 5 * MAX_LINE], b"\nb"].concat();
        let mut lines = Lines::new(&text[..]);
        assert_eq!(lines.next().unwrap(), Some((1, Some(&b"a"[..]))));
        assert_eq!(lines.next().unwrap(), Some((2, None)));
        assert_eq!(lines.next().unwrap(), Some((3, Some(&b"b"[..]))));
        assert_eq!(lines.next().unwrap(), None);
    }
}
