//! A client's connection: its own TCP socket, or the gate's end of a TLS
//! relay. Both are plain stream sockets here.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client that takes nothing for so long is gone.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// Octets read at once. The buffer is on the stack and only while reading: an
/// idle connection has none.
const READ: usize = 16 << 10;

pub struct Stream {
    /// The relay's Unix socket too: nothing is asked of it that only TCP has.
    socket: TcpStream,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Stream {
    /// Must be called within a runtime.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        roost_os::fdpass::set_nonblocking(&fd, true)?;
        Ok(Self {
            socket: TcpStream::from_std(std::net::TcpStream::from(fd))?,
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// Waits for octets and gives them to `take`; 0 at the end of the stream.
    /// May be given up at any time without losing anything.
    pub async fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        loop {
            self.socket.readable().await?;
            if let Some(n) = self.try_read(&mut take)? {
                return Ok(n);
            }
        }
    }

    /// What has come by now, without waiting: `None` when there is nothing.
    pub fn try_read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<Option<usize>> {
        let mut buffer = [0; READ];
        match self.socket.try_read(&mut buffer) {
            Ok(n) => {
                take(buffer.get(..n).unwrap_or_default());
                self.bytes_in += n as u64;
                Ok(Some(n))
            }
            Err(e) if is_for_later(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `TimedOut` when the client takes nothing for [`WRITE_PATIENCE`].
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = match self.socket.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => n,
                Err(e) if is_for_later(&e) => {
                    match timeout(WRITE_PATIENCE, self.socket.writable()).await {
                        Ok(ready) => ready?,
                        Err(_elapsed) => return Err(io::ErrorKind::TimedOut.into()),
                    }
                    continue;
                }
                Err(e) => return Err(e),
            };
            self.bytes_out += written as u64;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

fn is_for_later(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
