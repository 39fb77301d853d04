//! `HEADER.FIELDS` and `HEADER.FIELDS.NOT`: a header with only some of its
//! fields, as a stream.

use crate::crlf::{self, Nul};
use crate::header::{self, field_name, is_blank_line, read_some};
use crate::limits::{CHUNK, MAX_FIELD_NAME};
use std::io::{self, Read};
use std::sync::Arc;

/// Which fields stay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keep {
    names: Arc<[Vec<u8>]>,
    /// Those that are not named, instead of those that are.
    except: bool,
}

impl Keep {
    pub fn only(names: &[Vec<u8>]) -> Self {
        Self {
            names: names.into(),
            except: false,
        }
    }

    pub fn except(names: &[Vec<u8>]) -> Self {
        Self {
            names: names.into(),
            except: true,
        }
    }

    /// Lines that are no fields have an empty name and match no other.
    fn keeps(&self, name: &[u8]) -> bool {
        let mut names = self.names.iter();
        let named = !name.is_empty() && names.any(|n| n.eq_ignore_ascii_case(name));
        named != self.except
    }
}

/// Appends the wanted fields of `block`, which is in memory as the file has
/// it, just as a [`FieldsReader`] would give them out.
pub fn append(block: &[u8], keep: &Keep, out: &mut Vec<u8>) {
    for field in header::fields(block).filter(|f| keep.keeps(f.name)) {
        crlf::append(field.raw, Nul::Replace, out);
        if !field.raw.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Passes the wanted fields of a header, with CRLF line ends, and always the
/// empty line that ends it (RFC 9051 §6.4.5). Fields stay as they stand, in
/// their order, as often as they occur.
pub struct FieldsReader<R> {
    /// Gives CRLF line ends.
    inner: R,
    keep: Keep,
    raw: Vec<u8>,
    /// A line as long as it must be known before it can be judged.
    line: Vec<u8>,
    state: State,
    out: Vec<u8>,
    at: usize,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a line, or in a name.
    Start,
    /// Within a line that is passed on, or not.
    Inside { kept: bool },
    /// Behind such a line: a continuation shares its fate.
    Behind { kept: bool },
}

impl<R: Read> FieldsReader<R> {
    /// Over a header that already has CRLF line ends.
    pub fn new(inner: R, keep: Keep) -> Self {
        Self {
            inner,
            keep,
            raw: vec![0; CHUNK.min(8192)],
            line: Vec::new(),
            state: State::Start,
            out: Vec::new(),
            at: 0,
            over: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        let n = read_some(&mut self.inner, &mut self.raw)?;
        let raw = std::mem::take(&mut self.raw);
        for &b in raw.get(..n).unwrap_or_default() {
            if self.over {
                break;
            }
            self.push(b);
        }
        self.raw = raw;
        if n == 0 && !self.over {
            if !self.line.is_empty() {
                self.judge();
            }
            self.end();
        }
        Ok(())
    }

    fn push(&mut self, b: u8) {
        match self.state {
            State::Behind { kept } if matches!(b, b' ' | b'\t') => {
                self.state = State::Inside { kept };
                self.pass(b, kept);
            }
            State::Inside { kept } => self.pass(b, kept),
            State::Behind { .. } | State::Start => {
                self.state = State::Start;
                self.line.push(b);
                if is_blank_line(&self.line) {
                    self.end();
                } else if matches!(b, b':' | b'\n') || self.line.len() > MAX_FIELD_NAME + 1 {
                    self.judge();
                }
            }
        }
    }

    fn pass(&mut self, b: u8, kept: bool) {
        if kept {
            self.out.push(b);
        }
        if b == b'\n' {
            self.state = State::Behind { kept };
        }
    }

    /// Decides upon the line by what is known of it.
    fn judge(&mut self) {
        let kept = self.keep.keeps(field_name(&self.line).unwrap_or_default());
        let ended = self.line.ends_with(b"\n");
        if kept {
            self.out.append(&mut self.line);
        }
        self.line.clear();
        self.state = match ended {
            true => State::Behind { kept },
            false => State::Inside { kept },
        };
    }

    /// The empty line; in front of it what the last line lacks.
    fn end(&mut self) {
        if let State::Inside { kept: true } = self.state {
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(b"\r\n");
        self.over = true;
    }
}

impl<R: Read> Read for FieldsReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.out.len() && !self.over {
            self.fill()?;
        }
        let left = self.out.get(self.at..).unwrap_or_default();
        let n = left.len().min(buf.len());
        if let (Some(buf), Some(left)) = (buf.get_mut(..n), left.get(..n)) {
            buf.copy_from_slice(left);
        }
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crlf::CrlfReader;
    use proptest::prelude::*;

    fn filter(text: &[u8], keep: &Keep) -> Vec<u8> {
        let mut out = Vec::new();
        let crlf = CrlfReader::new(text, Nul::Keep);
        FieldsReader::new(crlf, keep.clone())
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    fn names(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|n| n.as_bytes().to_vec()).collect()
    }

    const HEADER: &[u8] = b"From me\nA: 1\nB : 2\r\n\tmore: x\nno field\na: 3\n\nA: body\n";

    #[test]
    fn only_and_except() {
        let list = names(&["a", "X"]);
        assert_eq!(filter(HEADER, &Keep::only(&list)), b"A: 1\r\na: 3\r\n\r\n");
        assert_eq!(
            filter(HEADER, &Keep::except(&list)),
            b"From me\r\nB : 2\r\n\tmore: x\r\nno field\r\n\r\n"
        );
        assert_eq!(
            filter(HEADER, &Keep::only(&names(&["b"]))),
            b"B : 2\r\n\tmore: x\r\n\r\n"
        );
    }

    #[test]
    fn the_empty_line_is_always_there() {
        assert_eq!(filter(b"", &Keep::only(&names(&["a"]))), b"\r\n");
        assert_eq!(
            filter(b"A: 1", &Keep::only(&names(&["a"]))),
            b"A: 1\r\n\r\n"
        );
        assert_eq!(filter(b"A: 1", &Keep::except(&names(&["a"]))), b"\r\n");
        assert_eq!(
            filter(b"junk", &Keep::except(&names(&["a"]))),
            b"junk\r\n\r\n"
        );
        assert_eq!(filter(b"\nA: 1\n", &Keep::only(&names(&["a"]))), b"\r\n");
    }

    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(buf.len()).min(1);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_fields_of_a_block(text in "([AB: \t\n]|\r\n){0,40}", except: bool) {
            let list = names(&["a"]);
            let keep = if except { Keep::except(&list) } else { Keep::only(&list) };
            let mut crlf = Vec::new();
            CrlfReader::new(text.as_bytes(), Nul::Keep).read_to_end(&mut crlf).unwrap();
            let mut model: Vec<u8> = header::fields(&crlf)
                .filter(|f| keep.keeps(f.name))
                .flat_map(|f| f.raw.to_vec())
                .collect();
            if !model.is_empty() && !model.ends_with(b"\r\n") {
                model.extend(b"\r\n");
            }
            model.extend(b"\r\n");
            let mut slow = Vec::new();
            FieldsReader::new(Slow(&crlf), keep.clone()).read_to_end(&mut slow).unwrap();
            prop_assert_eq!(&slow, &model);
            let mut appended = Vec::new();
            append(text.as_bytes(), &keep, &mut appended);
            prop_assert_eq!(&appended, &model);
            prop_assert_eq!(filter(text.as_bytes(), &keep), model);
        }
    }
}
