//! Text of any charset as UTF-8, piece by piece.

use crate::header::read_some;
use crate::limits::CHUNK;
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use std::io::{self, Read};

/// The decoder for a charset name; `None` if it is unknown. US-ASCII is taken
/// for UTF-8, of which it is a part.
pub fn encoding_for(charset: &[u8]) -> Option<&'static Encoding> {
    const ASCII: [&[u8]; 4] = [b"us-ascii", b"ascii", b"ansi_x3.4-1968", b"us"];
    let charset = charset.trim_ascii();
    if ASCII.iter().any(|a| a.eq_ignore_ascii_case(charset)) {
        return Some(UTF_8);
    }
    Encoding::for_label_no_replacement(charset)
}

/// Decodes a stream of text; what is invalid becomes U+FFFD.
pub struct TextReader<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    /// Read but not yet decoded: `raw[from..to]`.
    from: usize,
    to: usize,
    text: String,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Reading,
    /// The stream is over, the decoder not yet.
    Ending,
    Over,
}

impl<R: Read> TextReader<R> {
    /// An unknown charset, or none, is read as UTF-8; a byte order mark wins.
    pub fn new(inner: R, charset: Option<&[u8]>) -> Self {
        let encoding = charset.and_then(encoding_for).unwrap_or(UTF_8);
        Self {
            inner,
            decoder: encoding.new_decoder(),
            raw: vec![0; CHUNK],
            from: 0,
            to: 0,
            text: String::with_capacity(CHUNK),
            state: State::Reading,
        }
    }

    /// The next piece of text, `None` at the end.
    pub fn next_piece(&mut self) -> io::Result<Option<&str>> {
        self.text.clear();
        while self.text.is_empty() && self.state != State::Over {
            if self.from == self.to && self.state == State::Reading {
                self.from = 0;
                self.to = read_some(&mut self.inner, &mut self.raw)?;
                if self.to == 0 {
                    self.state = State::Ending;
                }
            }
            let raw = self.raw.get(self.from..self.to).unwrap_or_default();
            let last = self.state == State::Ending;
            let (result, read, _) = self.decoder.decode_to_string(raw, &mut self.text, last);
            self.from += read;
            if last && result == CoderResult::InputEmpty {
                self.state = State::Over;
            }
        }
        Ok((!self.text.is_empty()).then_some(&*self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Slow<'a>(&'a [u8], usize);
    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buf.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn text(raw: &[u8], charset: Option<&[u8]>, step: usize) -> String {
        let mut reader = TextReader::new(Slow(raw, step), charset);
        let mut out = String::new();
        while let Some(piece) = reader.next_piece().unwrap() {
            out += piece;
        }
        out
    }

    #[test]
    fn charsets() {
        for step in [1, 100] {
            assert_eq!(text(b"caf\xe9", Some(b"ISO-8859-1"), step), "café");
            assert_eq!(text("café".as_bytes(), Some(b"us-ascii"), step), "café");
            assert_eq!(text("café".as_bytes(), None, step), "café");
            assert_eq!(text(b"\x93\xfa\x96\x7b", Some(b"Shift_JIS"), step), "日本");
            assert_eq!(
                text(b"\x1b$BF|K\\\x1b(B", Some(b"iso-2022-jp"), step),
                "日本"
            );
            assert_eq!(text(b"a\xc3", Some(b"utf-8"), step), "a\u{fffd}");
            assert_eq!(text(b"x", Some(b"no-such"), step), "x");
        }
        assert!(encoding_for(b"no-such").is_none());
        assert!(encoding_for(b" UTF-8 ").is_some());
        assert!(encoding_for(b"hz-gb-2312").is_none(), "replacement only");
    }

    proptest! {
        #[test]
        fn the_size_of_reads_does_not_matter(
            raw in prop::collection::vec(any::<u8>(), 0..60), step in 1usize..7, which in 0usize..4
        ) {
            let charset = [&b"utf-8"[..], b"gb18030", b"iso-2022-jp", b"utf-16le"][which];
            prop_assert_eq!(text(&raw, Some(charset), step), text(&raw, Some(charset), 1000));
        }
    }
}
