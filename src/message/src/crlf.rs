//! Bytes of a file as clients get them: every LF as CRLF.
//!
//! A CR stands for itself wherever it is; only an LF without a CR in front of
//! it gets one. NUL is served as 0x80, which any literal may hold, except
//! where binary data is asked for.

use crate::header::read_some;
use crate::limits::CHUNK;
use std::io::{self, Read};

/// What becomes of NUL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nul {
    Keep,
    Replace,
}

/// Turns lone LF into CRLF.
pub struct CrlfReader<R> {
    inner: R,
    nul: Nul,
    /// Converted bytes from `at` on are still to be given out.
    buf: Vec<u8>,
    at: usize,
    raw: Vec<u8>,
    last: u8,
}

impl<R: Read> CrlfReader<R> {
    pub fn new(inner: R, nul: Nul) -> Self {
        Self {
            inner,
            nul,
            buf: Vec::new(),
            at: 0,
            raw: vec![0; CHUNK],
            last: 0,
        }
    }

    /// Appends at most `most` octets to `out`, fewer only at the end: as
    /// reading would, without another copy.
    ///
    /// # Errors
    /// Those of the reader; what was appended before stays.
    pub fn append(&mut self, out: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let start = out.len();
        let mut room = most;
        while room > 0 {
            if self.at < self.buf.len() || room < 2 * self.raw.len() {
                let left = match self.buf.get(self.at..) {
                    Some(left @ [_, ..]) => left,
                    _ => {
                        self.fill()?;
                        &self.buf
                    }
                };
                let piece = left.get(..room.min(left.len())).unwrap_or_default();
                if piece.is_empty() {
                    break;
                }
                out.extend_from_slice(piece);
                self.at += piece.len();
            } else {
                // Whatever it becomes, it fits.
                let n = read_some(&mut self.inner, &mut self.raw)?;
                if n == 0 {
                    break;
                }
                let raw = self.raw.get(..n).unwrap_or_default();
                let from = out.len();
                convert(raw, self.last, out);
                self.last = raw.last().copied().unwrap_or(self.last);
                if self.nul == Nul::Replace
                    && let Some(new) = out.get_mut(from..)
                {
                    replace_nul(new);
                }
            }
            room = most - (out.len() - start);
        }
        Ok(out.len() - start)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buf.clear();
        self.at = 0;
        let n = read_some(&mut self.inner, &mut self.raw)?;
        let raw = self.raw.get(..n).unwrap_or_default();
        convert(raw, self.last, &mut self.buf);
        self.last = raw.last().copied().unwrap_or(self.last);
        if self.nul == Nul::Replace {
            replace_nul(&mut self.buf);
        }
        Ok(())
    }
}

impl<R: Read> Read for CrlfReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.buf.len() {
            self.fill()?;
        }
        let left = self.buf.get(self.at..).unwrap_or_default();
        let n = left.len().min(out.len());
        if let (Some(out), Some(left)) = (out.get_mut(..n), left.get(..n)) {
            out.copy_from_slice(left);
        }
        self.at += n;
        Ok(n)
    }
}

/// Appends `raw` with CRLF for LF; `before` is the octet in front of it.
pub fn convert(raw: &[u8], before: u8, out: &mut Vec<u8>) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'\n', raw) {
        let last = match at.checked_sub(1) {
            Some(i) => raw.get(i).copied().unwrap_or_default(),
            None => before,
        };
        if last != b'\r' {
            out.extend_from_slice(raw.get(from..at).unwrap_or_default());
            out.push(b'\r');
            from = at;
        }
    }
    out.extend_from_slice(raw.get(from..).unwrap_or_default());
}

/// Appends `raw`, the beginning of a line and all after it, as a
/// [`CrlfReader`] would give it out.
pub fn append(raw: &[u8], nul: Nul, out: &mut Vec<u8>) {
    let from = out.len();
    convert(raw, 0, out);
    if nul == Nul::Replace
        && let Some(new) = out.get_mut(from..)
    {
        replace_nul(new);
    }
}

fn replace_nul(buf: &mut [u8]) {
    let mut from = 0;
    while let Some(rest) = buf.get_mut(from..)
        && let Some(at) = memchr::memchr(0, rest)
        && let Some(b) = rest.get_mut(at)
    {
        *b = 0x80;
        from += at + 1;
    }
}

/// Counts what [`CrlfReader`] would give out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    raw: u64,
    crlf: u64,
    last: u8,
}

impl Counter {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn update(&mut self, chunk: &[u8]) {
        let mut lone = 0;
        for at in memchr::memchr_iter(b'\n', chunk) {
            let last = match at.checked_sub(1) {
                Some(i) => chunk.get(i).copied().unwrap_or_default(),
                None => self.last,
            };
            lone += u64::from(last != b'\r');
        }
        self.raw += chunk.len() as u64;
        self.crlf += chunk.len() as u64 + lone;
        self.last = chunk.last().copied().unwrap_or(self.last);
    }

    /// Octets seen.
    pub fn raw(&self) -> u64 {
        self.raw
    }

    /// Octets with every LF as CRLF.
    pub fn crlf(&self) -> u64 {
        self.crlf
    }
}

/// Octets of `text` with every LF as CRLF.
pub fn len(text: &[u8]) -> u64 {
    let mut counter = Counter::new();
    counter.update(text);
    counter.crlf()
}

/// Counts a whole stream.
pub fn count(reader: &mut dyn Read) -> io::Result<Counter> {
    let mut counter = Counter::new();
    let mut buf = vec![0; CHUNK];
    loop {
        let n = read_some(reader, &mut buf)?;
        if n == 0 {
            return Ok(counter);
        }
        counter.update(buf.get(..n).unwrap_or_default());
    }
}

/// Reads `count` octets and throws them away; fewer if the stream ends.
pub fn skip(reader: &mut dyn Read, count: u64) -> io::Result<u64> {
    let mut buf = vec![0; CHUNK];
    let mut left = count;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let n = read_some(reader, buf.get_mut(..room).unwrap_or_default())?;
        if n == 0 {
            break;
        }
        left -= n as u64;
    }
    Ok(count - left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mixed_line_ends() {
        let mut out = Vec::new();
        let raw = &b"a\nb\r\nc\rd\n\r\n\0\n"[..];
        CrlfReader::new(raw, Nul::Replace)
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, b"a\r\nb\r\nc\rd\r\n\r\n\x80\r\n");
        out.clear();
        CrlfReader::new(raw, Nul::Keep)
            .read_to_end(&mut out)
            .unwrap();
        assert!(out.contains(&0));
    }

    #[test]
    fn skips_no_further_than_the_end() {
        assert_eq!(skip(&mut &b"abc"[..], 2).unwrap(), 2);
        assert_eq!(skip(&mut &b"abc"[..], 9).unwrap(), 3);
    }

    struct Pieces<'a>(Vec<&'a [u8]>);
    impl Read for Pieces<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.first_mut() else {
                return Ok(0);
            };
            let n = piece.len().min(buf.len());
            buf[..n].copy_from_slice(&piece[..n]);
            *piece = &piece[n..];
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(n)
        }
    }

    proptest! {
        #[test]
        fn converts_and_counts_alike_in_any_pieces(
            text in "[a\r\n]{0,40}", cut in prop::collection::vec(1usize..5, 0..20),
            most in prop::sample::select(&[1, 3, 2 * CHUNK, 3 * CHUNK][..])
        ) {
            let model = text.replace("\r\n", "\n").replace('\n', "\r\n");
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            for n in cut {
                let (a, b) = rest.split_at(n.min(rest.len()));
                if !a.is_empty() { pieces.push(a); }
                rest = b;
            }
            if !rest.is_empty() { pieces.push(rest); }
            let counter = count(&mut Pieces(pieces.clone())).unwrap();
            let mut out = Vec::new();
            let again = pieces.clone();
            CrlfReader::new(Pieces(pieces), Nul::Keep).read_to_end(&mut out).unwrap();
            prop_assert_eq!(out.len() as u64, counter.crlf());
            let mut reader = CrlfReader::new(Pieces(again), Nul::Keep);
            let mut taken = Vec::new();
            while reader.append(&mut taken, most).unwrap() == most {}
            prop_assert_eq!(&taken, &out);
            let mut appended = Vec::new();
            append(text.as_bytes(), Nul::Keep, &mut appended);
            prop_assert_eq!(&appended, &out);
            prop_assert_eq!(text.len() as u64, counter.raw());
            prop_assert_eq!(String::from_utf8(out).unwrap(), model);
        }
    }
}
