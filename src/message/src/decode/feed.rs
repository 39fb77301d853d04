//! Decoders that are fed piece by piece, and readers of what comes out.

use crate::header::read_some;
use crate::limits::CHUNK;
use std::io::{self, Read};

/// Undoes a transfer encoding.
pub trait Feed: Default {
    /// Takes the next octets, and appends what they have become.
    fn feed(&mut self, raw: &[u8], out: &mut Vec<u8>);

    /// Appends what was held back: nothing comes any more.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// Appends all of `raw` decoded; line ends stay as they are.
pub(super) fn decode<F: Feed>(raw: &[u8], out: &mut Vec<u8>) {
    let mut decoder = F::default();
    decoder.feed(raw, out);
    decoder.end(out);
}

/// Reads what a decoder makes of what `inner` has.
pub struct FeedReader<R, F> {
    inner: R,
    decoder: F,
    raw: Vec<u8>,
    ready: Ready,
}

impl<R: Read, F: Feed> FeedReader<R, F> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            decoder: F::default(),
            raw: vec![0; CHUNK],
            ready: Ready::default(),
        }
    }

    /// Decodes another piece; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.ready.clear();
        let n = read_some(&mut self.inner, &mut self.raw)?;
        let raw = self.raw.get(..n).unwrap_or_default();
        self.decoder.feed(raw, &mut self.ready.bytes);
        if n == 0 {
            self.decoder.end(&mut self.ready.bytes);
        }
        Ok(n > 0)
    }
}

impl<R: Read, F: Feed> Read for FeedReader<R, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && self.fill()? {}
        Ok(self.ready.give(buf))
    }
}

/// What a decoder has ready, given out piece by piece.
#[derive(Default)]
struct Ready {
    bytes: Vec<u8>,
    at: usize,
}

impl Ready {
    fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    fn give(&mut self, out: &mut [u8]) -> usize {
        let left = self.bytes.get(self.at..).unwrap_or_default();
        let n = left.len().min(out.len());
        if let (Some(out), Some(left)) = (out.get_mut(..n), left.get(..n)) {
            out.copy_from_slice(left);
        }
        self.at += n;
        n
    }
}
