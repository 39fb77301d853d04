//! Sockets whose other ends strangers have.
//!
//! What they send along with a packet is closed with it, which can take as
//! long as they like ([`roost_os::parting`]). So such a packet is not even
//! received, and who drops a guest does not close it.

use std::io;
use std::iter;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use roost_os::{fdpass, parting};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Sockets that may wait to be closed, and those closed together.
const WAITING: usize = 256;
const TOGETHER: usize = 64;

/// Closes what it is given, in a thread of its own. Clones are the same.
#[derive(Clone)]
pub struct Closer(SyncSender<OwnedFd>);

impl Closer {
    pub fn start() -> io::Result<Self> {
        let (sender, queue) = mpsc::sync_channel(WAITING);
        thread::Builder::new()
            .name("closer".into())
            .spawn(move || close_all(&queue))?;
        Ok(Self(sender))
    }

    pub fn close(&self, socket: OwnedFd) {
        // Its thread ends with the last sender.
        let _ = self.0.send(socket);
    }
}

fn close_all(queue: &Receiver<OwnedFd>) {
    while let Ok(first) = queue.recv() {
        let batch = iter::once(first).chain(queue.try_iter());
        if let Err(error) = parting::close(batch.take(TOGETHER).collect()) {
            log::error!("control socket: connections may be slow to close: {error}");
        }
    }
}

/// Watched by the runtime in which it was made.
pub struct Guest {
    /// None only while it is dropped.
    socket: Option<AsyncFd<OwnedFd>>,
    closer: Closer,
}

impl Guest {
    pub fn new(socket: OwnedFd, closer: &Closer) -> io::Result<Self> {
        match watch(socket) {
            Ok(socket) => Ok(Self {
                socket: Some(socket),
                closer: closer.clone(),
            }),
            Err((socket, error)) => {
                closer.close(socket);
                Err(error)
            }
        }
    }

    /// Does something with it as soon as that does not block.
    pub async fn act<T>(
        &self,
        interest: Interest,
        act: impl FnMut(&OwnedFd) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.socket {
            Some(socket) => socket.async_io(interest, act).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.closer.close(socket.into_inner());
        }
    }
}

/// The successor of `try_new` is unsafe, for a type that could change its
/// descriptor while it is watched.
#[expect(deprecated, reason = "an OwnedFd keeps to what the new form demands")]
fn watch(socket: OwnedFd) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    match fdpass::set_nonblocking(&socket, true) {
        Ok(()) => AsyncFd::try_new(socket).map_err(|error| error.into_parts()),
        Err(error) => Err((socket, error)),
    }
}
