//! Fields of a header block.
//!
//! A block is bytes as they stand in the file, with or without the empty line
//! that ends it. A line that is neither a field nor the continuation of one
//! (the `From ` line of an mbox, text by a broken mailer) is a field without
//! a name: it is passed on and never matches anything.

use crate::limits::{CHUNK, MAX_FIELD_NAME};
use std::borrow::Cow;
use std::io::{self, Read};

/// One header field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// The whole field with its folds and line ends.
    pub raw: &'a [u8],
    /// Empty for a line that is no field.
    pub name: &'a [u8],
    /// What stands behind the colon, folds included, last line end not.
    pub value: &'a [u8],
}

impl Field<'_> {
    pub fn is(&self, name: &[u8]) -> bool {
        !name.is_empty() && self.name.eq_ignore_ascii_case(name)
    }
}

/// Iterates over the fields of `block` up to its empty line.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { rest: block }
}

/// The first field called `name`.
pub fn find<'a>(block: &'a [u8], name: &[u8]) -> Option<Field<'a>> {
    fields(block).find(|f| f.is(name))
}

#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.rest.is_empty() || is_blank_line(self.rest) {
            self.rest = &[];
            return None;
        }
        let mut end = 0;
        loop {
            let line = self.rest.get(end..).unwrap_or_default();
            end += memchr::memchr(b'\n', line).map_or(line.len(), |at| at + 1);
            match self.rest.get(end) {
                Some(b' ' | b'\t') => {}
                _ => break,
            }
        }
        let (raw, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(split(raw))
    }
}

/// True if `line` begins with the empty line that ends a header.
pub(crate) fn is_blank_line(line: &[u8]) -> bool {
    matches!(line, [b'\n', ..] | [b'\r', b'\n', ..])
}

fn split(raw: &[u8]) -> Field<'_> {
    let text = trim_line_end(raw);
    match name_and_colon(text) {
        Some((name, colon)) => Field {
            raw,
            name,
            value: text.get(colon + 1..).unwrap_or_default(),
        },
        None => Field {
            raw,
            name: &[],
            value: text,
        },
    }
}

/// The name in front of the colon, without the blanks that RFC 5322 §4.5
/// allows there.
pub(crate) fn field_name(line: &[u8]) -> Option<&[u8]> {
    name_and_colon(line).map(|(name, _)| name)
}

fn name_and_colon(line: &[u8]) -> Option<(&[u8], usize)> {
    let end = MAX_FIELD_NAME.saturating_add(1).min(line.len());
    let colon = memchr::memchr2(b':', b'\n', line.get(..end)?)?;
    if line.get(colon) == Some(&b'\n') {
        return None;
    }
    let name = line.get(..colon)?.trim_ascii_end();
    let plain = |b: &u8| (0x21..0x7f).contains(b) || *b >= 0x80;
    (!name.is_empty() && name.iter().all(plain)).then_some((name, colon))
}

fn trim_line_end(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// Undoes folding (RFC 5322 §2.2.3): the line ends go, the blanks behind them
/// stay; blanks at both ends go. NUL, which no response may carry, becomes
/// 0x80.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr3(b'\n', b'\r', 0, value).is_none() {
        return Cow::Borrowed(value);
    }
    let kept = value.iter().filter(|b| !matches!(b, b'\r' | b'\n'));
    Cow::Owned(kept.map(|&b| if b == 0 { 0x80 } else { b }).collect())
}

/// Length of the header that `text` begins with, its empty line included; all
/// of `text` if there is none.
pub fn len(text: &[u8]) -> usize {
    match block_end(text, 0) {
        Some(end) if text.get(end) == Some(&b'\r') => end + 2,
        Some(end) => end + 1,
        None => text.len(),
    }
}

/// Reads the header block at the beginning of `reader` and no further than
/// needed, at most `limit` octets of it; the empty line is not part of it.
pub fn read_block(reader: &mut dyn Read, limit: usize) -> io::Result<Vec<u8>> {
    let (mut block, end) = read_until_blank(reader, limit)?;
    block.truncate(end.unwrap_or(block.len()).min(limit));
    Ok(block)
}

/// Reads a whole header with the empty line that ends it, where there is one;
/// `None` if it is longer than `limit`.
pub fn read_whole(reader: &mut dyn Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let (mut block, end) = read_until_blank(reader, limit)?;
    if end.is_some() {
        block.truncate(len(&block));
    }
    Ok((block.len() <= limit).then_some(block))
}

/// Reads until the empty line, the end, or more than `limit` octets are read;
/// says where the empty line is.
fn read_until_blank(reader: &mut dyn Read, limit: usize) -> io::Result<(Vec<u8>, Option<usize>)> {
    let mut block = Vec::new();
    // Most headers fit into the first piece.
    let mut piece = vec![0; CHUNK.min(4096)];
    loop {
        let n = read_some(reader, &mut piece)?;
        let searched = block.len().saturating_sub(2);
        block.extend_from_slice(piece.get(..n).unwrap_or_default());
        let end = block_end(&block, searched);
        if end.is_some() || n == 0 || block.len() > limit {
            return Ok((block, end));
        }
    }
}

/// Where the empty line of `block` begins, looking from `from` on.
fn block_end(block: &[u8], from: usize) -> Option<usize> {
    if from == 0 && is_blank_line(block) {
        return Some(0);
    }
    let tail = block.get(from..)?;
    memchr::memchr_iter(b'\n', tail)
        .map(|at| from + at + 1)
        .find(|&at| block.get(at..).is_some_and(is_blank_line))
}

pub(crate) fn read_some(reader: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buf) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(block: &[u8]) -> Vec<String> {
        fields(block)
            .map(|f| String::from_utf8_lossy(f.name).into_owned())
            .collect()
    }

    #[test]
    fn fields_of_a_mixed_block() {
        let block = b"From me\nSubject : a\r\n\tb\nno colon here\nX:\n\nBody: no\n";
        assert_eq!(names(block), ["", "Subject", "", "X"]);
        let subject = find(block, b"SUBJECT").unwrap();
        assert_eq!(subject.value, b" a\r\n\tb");
        assert_eq!(&*unfold(subject.value), b"a\tb");
        assert_eq!(find(block, b""), None);
        assert_eq!(find(block, b"Body"), None);
    }

    #[test]
    fn a_continuation_that_continues_nothing_is_no_field() {
        assert_eq!(names(b" lost\nA: b\n"), ["", "A"]);
        assert_eq!(names(b"A: b"), ["A"]);
        assert_eq!(names(b"A\n : b"), [""]);
        assert_eq!(names(b""), Vec::<String>::new());
        assert_eq!(names(b"\r\nA: b\r\n"), Vec::<String>::new());
    }

    #[test]
    fn a_line_of_blanks_continues_the_header() {
        assert_eq!(names(b"A: b\n \nC: d\n\n"), ["A", "C"]);
    }

    #[test]
    fn the_block_ends_at_the_empty_line() {
        for text in ["A: b\n\nbody", "A: b\n\r\nbody"] {
            assert_eq!(read_block(&mut text.as_bytes(), 100).unwrap(), b"A: b\n");
        }
        assert_eq!(read_block(&mut &b"\nbody"[..], 100).unwrap(), b"");
        assert_eq!(read_block(&mut &b"A: b"[..], 100).unwrap(), b"A: b");
        assert_eq!(read_block(&mut &b"A: bcd\n\n"[..], 3).unwrap(), b"A: ");
    }

    #[test]
    fn a_whole_header_has_its_empty_line() {
        let whole = |text: &str, limit| read_whole(&mut text.as_bytes(), limit).unwrap();
        assert_eq!(whole("A: b\n\nbody", 9).unwrap(), b"A: b\n\n");
        assert_eq!(whole("A: b\n\r\nbody", 9).unwrap(), b"A: b\n\r\n");
        assert_eq!(whole("\nbody", 9).unwrap(), b"\n");
        assert_eq!(whole("A: b", 9).unwrap(), b"A: b");
        assert_eq!(whole("A: b\n\n", 5), None);
        assert_eq!(
            [len(b"A\n\nb"), len(b"A\n\r\nb"), len(b"\n"), len(b"A")],
            [3, 4, 1, 1]
        );
    }

    struct Slow<'a>(&'a [u8], usize);
    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buf.len()).min(self.0.len());
            let (now, later) = self.0.split_at(n);
            buf[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    proptest! {
        #[test]
        fn fields_cover_the_block_up_to_its_end(
            block in "([A-C:\r\n \t]|\r\n|\n\n){0,60}"
        ) {
            let joined: Vec<u8> = fields(block.as_bytes()).flat_map(|f| f.raw.to_vec()).collect();
            prop_assert!(block.as_bytes().starts_with(&joined));
            let rest = &block.as_bytes()[joined.len()..];
            prop_assert!(rest.is_empty() || is_blank_line(rest));
        }

        #[test]
        fn the_block_is_the_same_however_slowly_it_comes(
            text in "([A:\r\n]|\r\n|\n\n){0,60}", step in 1usize..5
        ) {
            let whole = read_block(&mut text.as_bytes(), 50).unwrap();
            let slow = read_block(&mut Slow(text.as_bytes(), step), 50).unwrap();
            prop_assert_eq!(&whole, &slow);
            let joined: usize = fields(text.as_bytes()).map(|f| f.raw.len()).sum();
            prop_assert_eq!(whole.len(), joined.min(50));
        }
    }
}
