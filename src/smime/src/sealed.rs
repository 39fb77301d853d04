//! A message that is encrypted while it is read.

use crate::recipient::Recipient;
use crate::sealer::{SealError, Sealer};
use std::io::{self, Read};
use std::sync::Arc;

/// Octets read from the message at once.
const PIECE: usize = 32 << 10;

/// Reads as the encrypted message, with CRLF line ends.
pub struct Sealed<R> {
    source: R,
    /// `None` when the message is at its end.
    sealer: Option<Sealer>,
    size: u64,
    piece: Box<[u8]>,
    /// What is still to be given out begins at `at`.
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Sealed<R> {
    /// `source` yields the message, `size` octets with CRLF line ends. Its
    /// header is read at once.
    ///
    /// # Errors
    /// Those of the source, and [`SealError`] inside of [`io::Error`]: of the
    /// kind `InvalidData` where the source has another size, here or later.
    pub fn new(recipient: Arc<Recipient>, source: R, size: u64) -> io::Result<Self> {
        let mut sealed = Self {
            source,
            sealer: Some(Sealer::new(recipient, size)),
            size: 0,
            piece: vec![0; PIECE].into(),
            ready: Vec::new(),
            at: 0,
        };
        loop {
            match &sealed.sealer {
                None => sealed.size = sealed.ready.len() as u64,
                Some(sealer) => match sealer.total() {
                    Some(total) => sealed.size = total,
                    None => {
                        sealed.fill()?;
                        continue;
                    }
                },
            }
            return Ok(sealed);
        }
    }

    /// Octets that all reading together yields.
    pub fn size(&self) -> u64 {
        self.size
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.ready.capacity() + self.piece.len()
    }

    /// Gets more of the message, to the end of which there is nothing ready.
    fn fill(&mut self) -> io::Result<()> {
        let Some(mut sealer) = self.sealer.take() else {
            return Ok(());
        };
        let n = loop {
            match self.source.read(&mut self.piece) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if n == 0 {
            return sealer.finish(&mut self.ready).map_err(as_io);
        }
        let piece = self.piece.get(..n).unwrap_or_default();
        sealer.write(piece, &mut self.ready).map_err(as_io)?;
        self.sealer = Some(sealer);
        Ok(())
    }
}

fn as_io(error: SealError) -> io::Error {
    match error {
        SealError::Size => io::Error::new(io::ErrorKind::InvalidData, error),
        SealError::Crypto => io::Error::other(error),
    }
}

impl<R: Read> Read for Sealed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.ready.len() && self.sealer.is_some() {
            self.ready.clear();
            self.at = 0;
            self.fill()?;
        }
        let mut ready = self.ready.get(self.at..).unwrap_or_default();
        let n = ready.read(out)?;
        self.at += n;
        Ok(n)
    }
}
