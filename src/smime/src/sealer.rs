//! A message into an encrypted one, in pieces as they come.

use crate::envelope::Envelope;
use crate::lines::{self, Lines};
use crate::outer;
use crate::recipient::Recipient;
use std::sync::Arc;

/// Octets of a message that are looked through for its header.
const MAX_HEADER: usize = 256 << 10;

/// Why a message could not be encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    #[error("encryption failed")]
    Crypto,
    /// More or fewer octets came than were announced.
    #[error("the message has another size than was said")]
    Size,
}

impl From<aws_lc_rs::error::Unspecified> for SealError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Crypto
    }
}

/// Structures of our own that cannot be written.
impl From<cms::cert::x509::der::Error> for SealError {
    fn from(_: cms::cert::x509::der::Error) -> Self {
        Self::Crypto
    }
}

/// Encrypts one message. What goes in comes out of decryption as it is, so it
/// should have CRLF line ends; what comes out has them.
pub struct Sealer {
    recipient: Arc<Recipient>,
    state: State,
    /// Octets of the message that are still to come.
    left: u64,
    size: u64,
}

enum State {
    /// The header has to be known as a whole.
    Header(Vec<u8>),
    Body(Box<Body>),
}

struct Body {
    envelope: Envelope,
    lines: Lines,
    total: u64,
}

impl Sealer {
    /// For a message of `size` octets.
    pub fn new(recipient: Arc<Recipient>, size: u64) -> Self {
        Self {
            recipient,
            state: State::Header(Vec::new()),
            left: size,
            size,
        }
    }

    /// Takes octets of the message and appends what comes of them.
    pub fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let left = self.left.checked_sub(plain.len() as u64);
        self.left = left.ok_or(SealError::Size)?;
        match &mut self.state {
            State::Body(body) => body.write(plain, out),
            State::Header(block) => {
                let searched = block.len();
                block.extend_from_slice(plain);
                let whole = outer::end(block, searched).is_some() || self.left == 0;
                if !whole && block.len() < MAX_HEADER {
                    return Ok(());
                }
                self.begin(whole, out)
            }
        }
    }

    /// Ends the message.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        if self.left > 0 {
            return Err(SealError::Size);
        }
        if let State::Header(_) = self.state {
            // An empty message.
            self.begin(true, out)?;
        }
        match self.state {
            State::Body(body) => body.finish(out),
            State::Header(_) => Err(SealError::Size),
        }
    }

    /// How large the encrypted message will be, once its header is known.
    pub fn total(&self) -> Option<u64> {
        match &self.state {
            State::Header(_) => None,
            State::Body(body) => Some(body.total),
        }
    }

    /// Writes what stands before the body, and what has been read.
    fn begin(&mut self, whole: bool, out: &mut Vec<u8>) -> Result<(), SealError> {
        let State::Header(block) = &mut self.state else {
            return Err(SealError::Crypto);
        };
        let block = std::mem::take(block);
        let header = outer::header(&block, whole);
        let (envelope, head, octets) = Envelope::new(&self.recipient, self.size)?;
        let mut body = Body {
            envelope,
            lines: Lines::default(),
            total: header.len() as u64 + lines::text_size(octets),
        };
        out.extend_from_slice(&header);
        body.lines.write(&head, out);
        body.write(&block, out)?;
        self.state = State::Body(Box::new(body));
        Ok(())
    }
}

impl Body {
    fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let Self {
            envelope, lines, ..
        } = self;
        envelope.write(plain, |octets| lines.write(octets, out))
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<(), SealError> {
        let Self {
            envelope,
            mut lines,
            ..
        } = self;
        envelope.finish(|octets| lines.write(octets, out))?;
        lines.finish(out);
        Ok(())
    }
}
