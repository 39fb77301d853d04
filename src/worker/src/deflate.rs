//! Both directions of a compressed connection (RFC 4978, RFC 1951).
//!
//! What must stay true:
//! - what was written reaches the client whole: each flush ends on an octet
//!   with an empty stored block;
//! - a client cannot make much of little: one step gives at most
//!   [`inflate::STEP`] octets, however small its input was;
//! - [`Deflate::rest`] and [`Inflate::rest`] leave of an idle connection
//!   nothing but what the client may still refer back to.

mod huffman;
mod inflate;
#[cfg(test)]
mod tests;

pub use inflate::{Corrupt, Inflate};

use flate2::{Compress, Compression, FlushCompress, Status};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Mail is sent once and IMAP responses are short: what more effort saves is
/// little and costs much.
const LEVEL: Compression = Compression::new(3);
/// Room made for compressed octets at a time.
const ROOM: usize = 16 << 10;
/// Compressors that may stay between two commands of their connections, a
/// third of a megabyte each; all others live for one answer.
const KEPT: usize = 64;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// What the client is sent.
#[derive(Default)]
pub struct Deflate {
    compressor: Option<Kept>,
}

impl Deflate {
    /// Appends all of `plain` in compressed form, so that the client can read
    /// every octet of it.
    pub fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut kept = self.compressor.take().unwrap_or_else(Kept::new);
        kept.write(plain, out)?;
        if ALIVE.load(Ordering::Relaxed) <= KEPT {
            self.compressor = Some(kept);
        }
        Ok(())
    }

    /// Gives the memory back. The stream goes on with a compressor that knows
    /// nothing of what it follows: it refers to nothing before itself, and
    /// begins on an octet's border, where the flush has ended.
    pub fn rest(&mut self) {
        self.compressor = None;
    }
}

/// A compressor that counts.
struct Kept(Compress);

impl Kept {
    fn new() -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(Compress::new(LEVEL, false))
    }

    fn write(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        loop {
            out.reserve(ROOM);
            let before = self.0.total_in();
            let status = self
                .0
                .compress_vec(plain, out, FlushCompress::Sync)
                .map_err(io::Error::other)?;
            let taken = usize::try_from(self.0.total_in() - before).unwrap_or(usize::MAX);
            plain = plain.get(taken..).unwrap_or_default();
            // With room left over, all is out, the flush included.
            let all_out = out.len() < out.capacity();
            match status {
                Status::Ok | Status::BufError if plain.is_empty() && all_out => return Ok(()),
                Status::Ok | Status::BufError => {}
                Status::StreamEnd => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}
