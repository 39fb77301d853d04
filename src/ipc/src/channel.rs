//! Messages over a `SOCK_SEQPACKET` socket.
//!
//! Each packet begins with one octet that says whether more of the message
//! follows; only setups need that. Descriptors go with the first packet. What
//! the peer sends is held to the limits before it is kept.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use roost_os::fdpass::{self, MAX_DESCRIPTORS, Received};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zeroize::{Zeroize, Zeroizing};

use crate::codec::{self, DecodeError, EncodeError, Message};

/// The largest packet, flag octet included; well below the kernel's limit for
/// one packet (`net.core.wmem_default`).
const PACKET: usize = 48 * 1024;
const LAST: u8 = 0;
const MORE: u8 = 1;

/// What ends a channel. After any of these the peer cannot be trusted to be
/// in step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("peer sent no message: {0}")]
    Decode(#[from] DecodeError),
    #[error("message cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One message in binary, ready to be cut into packets.
struct Outgoing {
    /// Each packet's flag octet stands in place.
    bytes: Zeroizing<Vec<u8>>,
}

impl Outgoing {
    fn new<T: Message>(message: &T, descriptors: usize) -> Result<Self, EncodeError> {
        let expected = message.descriptors();
        if expected != descriptors {
            return Err(EncodeError::Descriptors {
                expected,
                got: descriptors,
            });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        message.encode(&mut bytes)?;
        let first = bytes.first().copied().unwrap_or(codec::SETUP);
        if bytes.len() > codec::limit::<T>(first) || descriptors > MAX_DESCRIPTORS {
            return Err(EncodeError::TooLong);
        }
        Ok(Self { bytes })
    }

    /// The packets in order.
    fn packets(&self) -> impl Iterator<Item = Zeroizing<Vec<u8>>> + '_ {
        let mut chunks = self.bytes.chunks(PACKET - 1).peekable();
        std::iter::from_fn(move || {
            let chunk = chunks.next()?;
            let flag = if chunks.peek().is_some() { MORE } else { LAST };
            let mut packet = Zeroizing::new(Vec::with_capacity(chunk.len() + 1));
            packet.push(flag);
            packet.extend_from_slice(chunk);
            Some(packet)
        })
    }
}

/// A message that fits one packet, for senders without a channel.
pub(crate) fn single_packet<T: Message>(message: &T) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let outgoing = Outgoing::new(message, 0)?;
    let mut packets = outgoing.packets();
    match (packets.next(), packets.next()) {
        (Some(packet), None) => Ok(packet),
        _ => Err(EncodeError::TooLong),
    }
}

/// Receives a message of one packet, without descriptors, from somebody who may
/// be anyone ([`fdpass::recv_plain`]); `None` when the peer has closed.
pub fn recv_single<T: Message>(socket: impl AsFd) -> Result<Option<T>, Error> {
    let mut packet = Zeroizing::new(vec![0; PACKET]);
    let len = match fdpass::recv_plain(socket, &mut packet) {
        Ok(0) => return Ok(None),
        Ok(len) => len,
        Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    match packet.get(..len).and_then(<[u8]>::split_first) {
        Some((&LAST, message)) => Ok(Some(T::decode(message)?)),
        _ => Err(DecodeError::TooLong.into()),
    }
}

/// Puts packets together; keeps its state between calls, so that waiting for
/// the next packet can be given up at any time.
struct Incoming<T> {
    packet: Zeroizing<Vec<u8>>,
    partial: Zeroizing<Vec<u8>>,
    descriptors: Vec<OwnedFd>,
    kind: PhantomData<fn() -> T>,
}

/// What one packet led to.
enum Step<T> {
    Message(T, Vec<OwnedFd>),
    More,
    Closed,
}

impl<T: Message> Incoming<T> {
    fn new() -> Self {
        Self {
            packet: Zeroizing::new(vec![0; PACKET]),
            partial: Zeroizing::default(),
            descriptors: Vec::new(),
            kind: PhantomData,
        }
    }

    fn read(&mut self, socket: impl AsFd) -> Result<Step<T>, Error> {
        let Received { len, descriptors } = match fdpass::recv(socket, &mut self.packet) {
            Ok(received) => received,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(Step::Closed),
            Err(e) => return Err(e.into()),
        };
        if len == 0 {
            return Ok(Step::Closed);
        }
        self.descriptors.extend(descriptors);
        let packet = self.packet.get_mut(..len).unwrap_or_default();
        let complete = complete::<T>(&mut self.partial, packet);
        // It may have held a password.
        packet.zeroize();
        if self.descriptors.len() > MAX_DESCRIPTORS {
            return Err(DecodeError::TooLong.into());
        }
        match complete? {
            Some(message) => self.finish(message),
            None => Ok(Step::More),
        }
    }

    fn finish(&mut self, message: T) -> Result<Step<T>, Error> {
        let descriptors = std::mem::take(&mut self.descriptors);
        let (expected, got) = (message.descriptors(), descriptors.len());
        if expected != got {
            return Err(DecodeError::Descriptors { expected, got }.into());
        }
        Ok(Step::Message(message, descriptors))
    }
}

/// Adds a packet to the message so far; the message, if that was the last.
fn complete<T: Message>(
    partial: &mut Zeroizing<Vec<u8>>,
    packet: &[u8],
) -> Result<Option<T>, DecodeError> {
    let (&flag, chunk) = packet.split_first().ok_or(DecodeError::Truncated)?;
    let first = partial.first().or(chunk.first());
    let limit = codec::limit::<T>(*first.ok_or(DecodeError::Truncated)?);
    if partial.len() + chunk.len() > limit {
        return Err(DecodeError::TooLong);
    }
    match flag {
        // It could go on for ever.
        MORE if chunk.is_empty() => Err(DecodeError::Truncated),
        MORE => {
            append(partial, chunk);
            Ok(None)
        }
        LAST if partial.is_empty() => T::decode(chunk).map(Some),
        LAST => {
            let mut whole = std::mem::take(partial);
            append(&mut whole, chunk);
            T::decode(&whole).map(Some)
        }
        other => Err(DecodeError::Variant(other)),
    }
}

/// Grows without leaving old copies in freed memory.
fn append(to: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let wanted = to.len() + bytes.len();
    if wanted > to.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(wanted * 2));
        larger.extend_from_slice(to);
        std::mem::swap(to, &mut larger);
    }
    to.extend_from_slice(bytes);
}

/// The descriptors of a message go with its first packet.
fn first_only<'a>(index: usize, fds: &'a [BorrowedFd<'a>]) -> &'a [BorrowedFd<'a>] {
    if index == 0 { fds } else { &[] }
}

/// A channel for threads: before a runtime is there, and in short-lived
/// children.
pub struct BlockingChannel<Tx, Rx> {
    socket: OwnedFd,
    incoming: Incoming<Rx>,
    kind: PhantomData<fn(&Tx)>,
}

impl<Tx: Message, Rx: Message> BlockingChannel<Tx, Rx> {
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        fdpass::set_nonblocking(&socket, false)?;
        Ok(Self {
            socket,
            incoming: Incoming::new(),
            kind: PhantomData,
        })
    }

    /// Both ends of a new channel.
    pub fn pair() -> io::Result<(Self, BlockingChannel<Rx, Tx>)> {
        let (a, b) = fdpass::seqpacket_pair()?;
        Ok((Self::new(a)?, BlockingChannel::new(b)?))
    }

    pub fn send(&mut self, message: &Tx, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let outgoing = Outgoing::new(message, fds.len())?;
        for (i, packet) in outgoing.packets().enumerate() {
            fdpass::send(&self.socket, &packet, first_only(i, fds))?;
        }
        Ok(())
    }

    /// The same, to who reads with [`recv_single`].
    pub fn send_single(&mut self, message: &Tx) -> Result<(), Error> {
        let packet = single_packet(message)?;
        Ok(fdpass::send(&self.socket, &packet, &[])?)
    }

    /// The next message; `None` when the peer has closed.
    pub fn recv(&mut self) -> Result<Option<(Rx, Vec<OwnedFd>)>, Error> {
        loop {
            match self.incoming.read(&self.socket)? {
                Step::Message(message, fds) => return Ok(Some((message, fds))),
                Step::More => {}
                Step::Closed => return Ok(None),
            }
        }
    }

    /// Goes on within a tokio runtime.
    pub fn into_async(self) -> io::Result<Channel<Tx, Rx>> {
        Channel::with(self.socket, self.incoming)
    }
}

/// A channel within a tokio runtime.
pub struct Channel<Tx, Rx> {
    sender: Sender<Tx>,
    receiver: Receiver<Rx>,
}

/// The sending half.
pub struct Sender<Tx> {
    socket: Arc<OwnedFd>,
    kind: PhantomData<fn(&Tx)>,
}

/// The receiving half.
pub struct Receiver<Rx> {
    /// Watched for reading alone: a local socket can be written to again
    /// whenever its peer has read, and would wake us each time.
    socket: AsyncFd<Arc<OwnedFd>>,
    incoming: Incoming<Rx>,
}

/// Has the runtime watch a socket for something to read.
fn watch(socket: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    fdpass::set_nonblocking(&socket, true)?;
    watch_for(socket, Interest::READABLE)
}

/// The one call that watches for one direction. Its successor is unsafe, for
/// a type that could change its descriptor while it is watched; these cannot.
#[expect(deprecated, reason = "an OwnedFd keeps to what the new form demands")]
fn watch_for(socket: Arc<OwnedFd>, interest: Interest) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(socket, interest)
}

/// Waits until `socket` takes something again.
async fn writable(socket: &OwnedFd) -> io::Result<()> {
    // A descriptor of its own, since each is watched once only.
    let watched = watch_for(Arc::new(socket.try_clone()?), Interest::WRITABLE)?;
    watched.writable().await.map(|_| ())
}

impl<Tx: Message, Rx: Message> Channel<Tx, Rx> {
    /// Must be called within a runtime.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        Self::with(socket, Incoming::new())
    }

    /// Both ends of a new channel.
    pub fn pair() -> io::Result<(Self, Channel<Rx, Tx>)> {
        let (a, b) = fdpass::seqpacket_pair()?;
        Ok((Self::new(a)?, Channel::new(b)?))
    }

    fn with(socket: OwnedFd, incoming: Incoming<Rx>) -> io::Result<Self> {
        let socket = Arc::new(socket);
        Ok(Self {
            sender: Sender {
                socket: Arc::clone(&socket),
                kind: PhantomData,
            },
            receiver: Receiver {
                socket: watch(socket)?,
                incoming,
            },
        })
    }

    /// See [`Sender::send`].
    pub async fn send(&mut self, message: &Tx, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        self.sender.send(message, fds).await
    }

    /// See [`Receiver::recv`].
    pub async fn recv(&mut self) -> Result<Option<(Rx, Vec<OwnedFd>)>, Error> {
        self.receiver.recv().await
    }

    /// Halves for different tasks. The socket closes with the second of them.
    pub fn split(self) -> (Sender<Tx>, Receiver<Rx>) {
        (self.sender, self.receiver)
    }
}

impl<Tx: Message> Sender<Tx> {
    /// A sender alone, as for one answer.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        fdpass::set_nonblocking(&socket, true)?;
        Ok(Self {
            socket: Arc::new(socket),
            kind: PhantomData,
        })
    }

    /// Sends one message, waiting for room. Given up half-way, a message of
    /// one packet (all but large setups) is either sent or not; a larger one
    /// leaves the channel unusable.
    pub async fn send(&mut self, message: &Tx, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let outgoing = Outgoing::new(message, fds.len())?;
        for (i, packet) in outgoing.packets().enumerate() {
            let fds = first_only(i, fds);
            while let Err(e) = fdpass::send(&*self.socket, &packet, fds) {
                match e.kind() {
                    io::ErrorKind::WouldBlock => writable(&self.socket).await?,
                    _ => return Err(e.into()),
                }
            }
        }
        Ok(())
    }
}

impl<Rx: Message> Receiver<Rx> {
    /// A receiver alone, as for log records.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            socket: watch(Arc::new(socket))?,
            incoming: Incoming::new(),
        })
    }

    /// The next message; `None` when the peer has closed. May be given up at
    /// any time without losing anything.
    pub async fn recv(&mut self) -> Result<Option<(Rx, Vec<OwnedFd>)>, Error> {
        loop {
            let mut ready = self.socket.readable().await?;
            let read = self.incoming.read(&**ready.get_inner());
            match read {
                Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                    // Only now does the runtime wait for more.
                    ready.clear_ready();
                }
                Ok(Step::Message(message, fds)) => return Ok(Some((message, fds))),
                // Readiness that lasts takes no turns with other tasks.
                Ok(Step::More) => tokio::task::consume_budget().await,
                Ok(Step::Closed) => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests;
