//! One connection: its request goes to the supervisor, the answer comes back.
//!
//! Whoever answers gets one end of a pair in place of the connection. Nothing
//! but what is sent from here arrives there, so it may be closed anywhere.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use roost_ipc::{ControlRequest, Error};
use roost_os::UserId;
use roost_os::fdpass::{self, Received};
use tokio::io::Interest;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Asked;
use super::guest::{Closer, Guest};
use crate::supervisor::Event;

/// For the request to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// For a part of the answer to be read.
const READING: Duration = Duration::from_secs(10);
/// Larger than any packet of ours.
const BUFFER: usize = 64 << 10;

/// # Errors
/// What the stranger did wrong, or the kernel.
pub async fn attend(
    (by, admin): (UserId, bool),
    guest: Guest,
    closer: Closer,
    events: mpsc::Sender<Event>,
) -> Result<(), Error> {
    let request = match timeout(PATIENCE, request(&guest)).await {
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(io::Error::other("a connection without a request").into()),
    };
    // A user's worker answers some requests, and could send anything along.
    let with_descriptors = matches!(request, ControlRequest::Open(_));
    let (ours, connection) = fdpass::seqpacket_pair()?;
    let answers = Guest::new(ours, &closer)?;
    let asked = Asked {
        by,
        admin,
        request,
        connection,
    };
    if events.send(Event::Control(asked)).await.is_err() {
        return Ok(());
    }
    tokio::select! {
        passed = pass_on(&answers, &guest, &closer, with_descriptors) => passed?,
        _ = said_more(&guest) => {}
    }
    Ok(())
}

/// The only packet of a stranger that is read.
async fn request(guest: &Guest) -> Result<Option<ControlRequest>, Error> {
    let read = |fd: &OwnedFd| match roost_ipc::recv_single(fd) {
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        other => Ok(other),
    };
    guest.act(Interest::READABLE, read).await?
}

/// Ends when there is anything to read: the end of the connection, mostly.
async fn said_more(guest: &Guest) {
    let look = |fd: &OwnedFd| fdpass::peek(fd);
    let _ = guest.act(Interest::READABLE, look).await;
}

/// Until who answers has closed his end.
async fn pass_on(
    from: &Guest,
    to: &Guest,
    closer: &Closer,
    with_descriptors: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let receive = |fd: &OwnedFd| match with_descriptors {
            true => fdpass::recv(fd, &mut buffer),
            false => fdpass::recv_plain(fd, &mut buffer).map(|len| Received {
                len,
                descriptors: Vec::new(),
            }),
        };
        let Received { len, descriptors } = from.act(Interest::READABLE, receive).await?;
        let packet = buffer.get(..len).unwrap_or_default();
        if packet.is_empty() {
            return Ok(());
        }
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let send = |fd: &OwnedFd| fdpass::send(fd, packet, &borrowed);
        let sent = timeout(READING, to.act(Interest::WRITABLE, send)).await;
        drop(borrowed);
        // A session's end: its worker could have sent something along.
        descriptors.into_iter().for_each(|fd| closer.close(fd));
        sent.unwrap_or_else(|_| Err(io::Error::other("an answer is not read")))?;
        // Many packets in a row must not keep others waiting.
        tokio::task::consume_budget().await;
    }
}
