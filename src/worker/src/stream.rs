//! A client's connection: its own TCP socket, or the gate's end of a TLS
//! relay. Both are plain stream sockets here; COMPRESS lies on top of them.

use crate::deflate::{Deflate, Inflate};
use roost_session::Tally;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client that takes nothing for so long is gone.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Octets read at once. The buffer is on the stack and only while reading: an
/// idle connection has none.
const READ: usize = 16 << 10;
/// The largest buffer that is kept between two writes.
const SPARE: usize = 512 << 10;

pub struct Stream {
    /// The relay's Unix socket too: nothing is asked of it that only TCP has.
    socket: TcpStream,
    compression: Option<Box<Compression>>,
    /// What is to be sent, and how much of it is.
    pending: Vec<u8>,
    sent: usize,
    is_tcp: bool,
    /// For statistics; none of a link.
    tally: Option<Arc<Tally>>,
    /// As they are on the wire.
    pub bytes_in: u64,
    pub bytes_out: u64,
}

#[derive(Default)]
struct Compression {
    inflate: Inflate,
    deflate: Deflate,
    /// Read and not yet decoded.
    input: Vec<u8>,
    /// Decoding may go on without further input.
    more: bool,
}

impl Stream {
    /// Must be called within a runtime.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        roost_os::fdpass::set_nonblocking(&fd, true)?;
        Ok(Self {
            socket: TcpStream::from_std(std::net::TcpStream::from(fd))?,
            compression: None,
            pending: Vec::new(),
            sent: 0,
            is_tcp: true,
            tally: None,
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// What comes and goes is counted there.
    pub fn counted(mut self, tally: Arc<Tally>) -> Self {
        self.tally = Some(tally);
        self
    }

    fn received(&mut self, octets: usize) {
        self.bytes_in += octets as u64;
        if let Some(tally) = &self.tally {
            tally.received(octets);
        }
    }

    /// From now on both directions are compressed; `input` has been read
    /// already. What was queued before goes out as it is.
    pub fn compress(&mut self, input: Vec<u8>) {
        self.compression = Some(Box::new(Compression {
            more: !input.is_empty(),
            input,
            ..Compression::default()
        }));
    }

    /// Waits until there may be something to read. May be given up at any time
    /// without losing anything.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Gives `take` some of what has come by now, without waiting: `None` when
    /// there is nothing, 0 at the end of the stream. Reads from the client once
    /// at most: compressed octets may come to nothing, however many they are.
    ///
    /// # Errors
    /// `InvalidData` when a compressed stream is damaged.
    pub fn try_read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<Option<usize>> {
        if let Some(compression) = &mut self.compression
            && let Some(n) = compression.next(&mut take)?
        {
            return Ok(Some(n));
        }
        let mut buffer = [0; READ];
        let n = match self.socket.try_read(&mut buffer) {
            Ok(n) => n,
            Err(e) if is_for_later(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        self.received(n);
        let bytes = buffer.get(..n).unwrap_or_default();
        match &mut self.compression {
            Some(compression) if n > 0 => {
                compression.push(bytes);
                compression.next(&mut take)
            }
            _ => {
                take(bytes);
                Ok(Some(n))
            }
        }
    }

    /// What has come by now, without waiting; see [`Stream::try_read`]. Only
    /// for what is not compressed.
    pub fn try_read_into<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        match self.socket.try_read(buffer) {
            Ok(n) => {
                self.bytes_in += n as u64;
                Ok(buffer.get(..n))
            }
            Err(e) if is_for_later(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Something that was queued has not been sent yet.
    pub fn is_behind(&self) -> bool {
        self.sent < self.pending.len()
    }

    /// Acknowledges at once what was read. A client that sends a literal and
    /// the line end behind it in two pieces waits for that before the second,
    /// some 40 ms if the kernel has its way (Nagle and delayed ACK).
    pub fn acknowledge(&mut self) {
        if self.is_tcp && roost_os::net::acknowledge_now(self.socket.as_fd()).is_err() {
            // A relay's socket; the gate does it there.
            self.is_tcp = false;
        }
    }

    /// Takes over what is in `out`, to be sent next; `out` gets an empty
    /// buffer for it.
    ///
    /// # Errors
    /// When it cannot be compressed, which does not happen.
    pub fn queue(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.sent >= self.pending.len() {
            self.pending.clear();
            self.sent = 0;
        }
        match &mut self.compression {
            Some(compression) if !out.is_empty() => {
                compression.deflate.write(out, &mut self.pending)?;
            }
            None if self.pending.is_empty() => std::mem::swap(&mut self.pending, out),
            _ => self.pending.extend_from_slice(out),
        }
        out.clear();
        if out.capacity() > SPARE {
            *out = Vec::new();
        }
        Ok(())
    }

    /// Sends what the connection takes now; true when all is sent.
    pub fn try_flush(&mut self) -> io::Result<bool> {
        while let Some(rest @ [_, ..]) = self.pending.get(self.sent..) {
            match self.socket.try_write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.bytes_out += n as u64;
                    self.sent += n;
                    if let Some(tally) = &self.tally {
                        tally.sent(n);
                    }
                }
                Err(e) if is_for_later(&e) => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Sends all that is queued.
    ///
    /// # Errors
    /// `TimedOut` when the client takes nothing for [`WRITE_PATIENCE`].
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.try_flush()? {
            match timeout(WRITE_PATIENCE, self.socket.writable()).await {
                Ok(ready) => ready?,
                Err(_elapsed) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(())
    }

    /// Gives back the memory that an idle connection can do without.
    pub fn rest(&mut self) {
        if self.sent >= self.pending.len() {
            self.pending = Vec::new();
            self.sent = 0;
        }
        if let Some(compression) = &mut self.compression {
            compression.inflate.rest();
            compression.deflate.rest();
        }
    }
}

impl Compression {
    fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.more = true;
    }

    /// Decodes some of the input. `None` when there is nothing left to decode,
    /// 0 behind the end of the client's stream.
    fn next(&mut self, take: &mut impl FnMut(&[u8])) -> io::Result<Option<usize>> {
        if !self.more {
            return Ok(None);
        }
        let step = self.inflate.step(&self.input);
        let taken = step.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        if taken >= self.input.len() {
            self.input = Vec::new();
        } else {
            self.input.drain(..taken);
        }
        let fresh = self.inflate.fresh();
        self.more = !fresh.is_empty();
        if self.more {
            take(fresh);
            return Ok(Some(fresh.len()));
        }
        Ok(self.inflate.is_over().then_some(0))
    }
}

fn is_for_later(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn octets_that_come_to_nothing_hold_nobody_up() {
        let (ours, theirs) = roost_os::fdpass::stream_pair().unwrap();
        let mut stream = Stream::new(ours).unwrap();
        stream.compress(Vec::new());
        // Stored blocks of no length.
        let mut client = std::net::TcpStream::from(theirs);
        client
            .write_all(&[0, 0, 0, 0xff, 0xff].repeat(READ))
            .unwrap();
        for reads in 1..=4 {
            stream.readable().await.unwrap();
            let came = stream.try_read(|_| panic!("octets out of nothing"));
            assert_eq!(came.unwrap(), None);
            assert_eq!(stream.bytes_in, reads * READ as u64);
        }
    }
}
