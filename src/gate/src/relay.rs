//! The way of a TLS session's bytes between the client and its worker.
//!
//! Most connections idle most of the time and there may be thousands of them:
//! a relay holds no buffer while nothing moves. Bytes pass through one scratch
//! buffer of the thread; only what the receiving side does not take at once is
//! kept, and nothing more is read until it is gone.
//!
//! A client that takes nothing of what waits for it is given up after a while:
//! its worker has long gone on, and nobody else would notice.
//!
//! What came from a client is acknowledged at once: one that sends a literal
//! and the line end behind it apart waits for that before the second, some
//! 40 ms if the kernel has its way.
//!
//! Each direction ends by itself: the client's end becomes the end of the
//! worker's input, the worker's end a close_notify for the client.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::server::TlsStream;

/// Four TLS records' worth of plain text, which leave in one write.
const SCRATCH: usize = 64 * 1024;
/// Turns of one wake-up before other tasks get theirs.
const TURNS: usize = 8;
/// How long a client may take to close after the worker has.
const LINGER: Duration = Duration::from_secs(2);
/// A client that takes nothing for so long is gone. Longer than the worker's
/// own patience, which is told in its log.
const PATIENCE: Duration = Duration::from_secs(70);

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// A client's side of a relay.
pub trait Client: AsyncRead + AsyncWrite + Unpin {
    /// Tells the client that what it sent has come.
    fn acknowledge(&self);
}

/// In a box, for a future holds what it is given more than once.
impl Client for Box<TlsStream<TcpStream>> {
    fn acknowledge(&self) {
        // Failing that, the kernel does it when it thinks fit.
        let _ = roost_os::net::acknowledge_now(self.get_ref().0);
    }
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Read, but not yet taken by the other side.
    pending: Vec<u8>,
    /// Octets of `pending` that were taken.
    taken: usize,
    /// Written octets may still wait inside the receiving side.
    unflushed: bool,
    /// Octets that the receiving side has taken so far.
    moved: u64,
    state: WayState,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum WayState {
    #[default]
    Open,
    /// The source has ended; the receiver is to be told.
    Ending,
    Closed,
}

impl Way {
    /// Moves what can be moved; ready when this direction is over.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        for _ in 0..TURNS {
            match self.state {
                WayState::Closed => return Poll::Ready(Ok(())),
                WayState::Ending => {
                    ready!(self.poll_drain(cx, to))?;
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = WayState::Closed;
                }
                WayState::Open => {
                    ready!(self.poll_drain(cx, to))?;
                    let moved = BUFFER.with_borrow_mut(|b| self.poll_move(cx, from, to, b))?;
                    if moved.is_pending() {
                        if self.unflushed {
                            ready!(Pin::new(&mut *to).poll_flush(cx))?;
                            self.unflushed = false;
                        }
                        return Poll::Pending;
                    }
                }
            }
        }
        // More to do, but others wait too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is kept.
    fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.pending.get(self.taken..) {
            match ready!(Pin::new(&mut *to).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => {
                    self.taken += n;
                    self.moved += n as u64;
                }
            }
        }
        // Gives the memory back.
        self.pending = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes once; ready when either did something.
    fn poll_move(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        scratch: &mut [u8],
    ) -> io::Result<Poll<()>> {
        let mut read = ReadBuf::new(scratch);
        match Pin::new(&mut *from).poll_read(cx, &mut read) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(())) => {}
            // Many clients drop TLS connections without a close_notify.
            Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {}
            Poll::Ready(Err(e)) => return Err(e),
        }
        let bytes = read.filled();
        if bytes.is_empty() {
            self.state = WayState::Ending;
            return Ok(Poll::Ready(()));
        }
        self.unflushed = true;
        let n = match Pin::new(&mut *to).poll_write(cx, bytes) {
            Poll::Ready(n) => n?,
            Poll::Pending => 0,
        };
        self.moved += n as u64;
        if let Some(rest @ [_, ..]) = bytes.get(n..) {
            self.pending = rest.to_vec();
            self.taken = 0;
        }
        Ok(Poll::Ready(()))
    }

    /// Whether it is the receiving side's turn.
    fn is_waiting(&self) -> bool {
        !self.pending.is_empty() || self.unflushed || self.state == WayState::Ending
    }
}

/// How long the receiving side has taken nothing; without a timer while
/// nothing waits for it.
#[derive(Default)]
struct Stall {
    /// When it is too long, and what had been taken when the wait began.
    since: Option<(Pin<Box<Sleep>>, u64)>,
}

impl Stall {
    fn check(&mut self, cx: &mut Context<'_>, way: &Way) -> io::Result<()> {
        if !way.is_waiting() {
            self.since = None;
            return Ok(());
        }
        let (late, moved) = self
            .since
            .get_or_insert_with(|| (Box::pin(sleep(PATIENCE)), way.moved));
        if *moved != way.moved {
            *moved = way.moved;
            late.as_mut().reset(Instant::now() + PATIENCE);
        }
        match late.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// Relays until the worker has ended its side and the client has heard it.
pub async fn relay<C, W>(mut client: C, mut worker: W) -> io::Result<()>
where
    C: Client,
    W: AsyncRead + AsyncWrite + Unpin,
{
    let mut inward = Way::default();
    let mut outward = Way::default();
    let mut stall = Stall::default();
    let mut acknowledged = 0;
    std::future::poll_fn(|cx| {
        // A client that is gone is seen when the worker's end comes.
        if let Poll::Ready(Err(_)) = inward.poll(cx, &mut client, &mut worker) {
            inward.state = match inward.state {
                WayState::Open => WayState::Ending,
                _ => WayState::Closed,
            };
            inward.pending = Vec::new();
            inward.taken = 0;
            cx.waker().wake_by_ref();
        }
        if acknowledged != inward.moved {
            acknowledged = inward.moved;
            client.acknowledge();
        }
        let end = outward.poll(cx, &mut worker, &mut client);
        if end.is_pending() {
            stall.check(cx, &outward)?;
        }
        end
    })
    .await?;
    drop(worker);
    linger(&mut client).await;
    Ok(())
}

/// Reads what the client still sends, so that closing does not reset the
/// connection and lose what it was sent last.
pub async fn linger(client: &mut (impl AsyncRead + Unpin)) {
    let mut sink = [0; 512];
    let drain = async { while let Ok(1..) = client.read(&mut sink).await {} };
    // Whoever does not close in time is cut off.
    let _ = timeout(LINGER, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    impl Client for DuplexStream {
        fn acknowledge(&self) {}
    }

    fn future_size<A, B, F: Future>(_: impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_relay_is_small() {
        let size = future_size(relay::<Box<TlsStream<TcpStream>>, tokio::net::UnixStream>);
        assert!(size <= 1024, "{size}");
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_in_order() {
        // Small pipes, so that both sides are full again and again.
        let (mut client, a) = duplex(100);
        let (b, worker) = duplex(64);
        let relay = tokio::spawn(relay(a, b));
        let data: Vec<u8> = (0..200_000u32)
            .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
            .collect();
        let (mut from_client, mut to_client) = tokio::io::split(worker);
        let echo = tokio::spawn(async move {
            tokio::io::copy(&mut from_client, &mut to_client)
                .await
                .unwrap();
            to_client.shutdown().await.unwrap();
        });
        let (mut reader, mut writer) = tokio::io::split(&mut client);
        let mut got = Vec::new();
        let (sent, read) = tokio::join!(
            async {
                writer.write_all(&data).await.unwrap();
                writer.shutdown().await.unwrap();
            },
            reader.read_to_end(&mut got)
        );
        let ((), _) = (sent, read.unwrap());
        assert!(got == data, "{} of {} octets", got.len(), data.len());
        echo.await.unwrap();
        relay.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_worker_may_go_on_after_the_client_has_ended() {
        let (mut client, a) = duplex(1024);
        let (b, mut worker) = duplex(1024);
        let relay = tokio::spawn(relay(a, b));
        client.write_all(b"a LOGOUT\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut seen = Vec::new();
        worker.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"a LOGOUT\r\n");
        worker.write_all(b"* BYE\r\n").await.unwrap();
        drop(worker);
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"* BYE\r\n");
        relay.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_worker_that_ends_first_ends_the_relay() {
        let (mut client, a) = duplex(1024);
        let (b, worker) = duplex(1024);
        let relay = tokio::spawn(relay(a, b));
        drop(worker);
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        drop(client);
        relay.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut client, a) = duplex(1024);
        let (b, mut worker) = duplex(1024);
        let relay = tokio::spawn(relay(a, b));
        worker.write_all(&[b'x'; 2500]).await.unwrap();
        drop(worker);
        // As long as it takes something now and then, it is waited for.
        let mut some = [0; 100];
        for _ in 0..5 {
            tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            client.read_exact(&mut some).await.unwrap();
            assert!(!relay.is_finished());
        }
        tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
        let end = relay.await.unwrap();
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_for_which_nothing_waits_may_be_silent_for_days() {
        let (mut client, a) = duplex(1024);
        let (b, mut worker) = duplex(1024);
        let relay = tokio::spawn(relay(a, b));
        worker.write_all(b"* OK hi\r\n").await.unwrap();
        let mut greeting = [0; 9];
        client.read_exact(&mut greeting).await.unwrap();
        tokio::time::sleep(Duration::from_secs(300_000)).await;
        client.write_all(b"a NOOP\r\n").await.unwrap();
        let mut command = [0; 8];
        worker.read_exact(&mut command).await.unwrap();
        assert!(!relay.is_finished());
    }

    #[tokio::test]
    async fn nothing_is_held_while_nothing_moves() {
        let (mut client, mut a) = duplex(1024);
        let (mut b, mut worker) = duplex(1024);
        let mut way = Way::default();
        client.write_all(b"hello").await.unwrap();
        std::future::poll_fn(|cx| {
            assert!(way.poll(cx, &mut a, &mut b).is_pending());
            Poll::Ready(())
        })
        .await;
        let mut got = [0; 5];
        worker.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"hello");
        assert_eq!(way.pending.capacity(), 0);
    }
}
