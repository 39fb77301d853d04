//! The control socket: where `roostctl` of this host reaches the supervisor.
//!
//! Anyone may connect; who it is comes from the kernel. So it has a thread and
//! a runtime of its own: nothing that a stranger has sent is received or closed
//! in the supervisor's, which gets requests alone.

mod admins;
mod attend;
mod guest;
mod turns;

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use roost_ipc::log::Seldom;
use roost_ipc::{ControlReply, ControlRequest, LogLevel, Sender};
use roost_os::{UserId, identity, local};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::supervisor::Event;
use admins::Admins;
use guest::{Closer, Guest};
use turns::Turns;

/// The first who connect wait so long for the name service to say who looks
/// after the server.
const NAME_SERVICE: Duration = Duration::from_secs(1);
/// Every user of the host may ask; the answer depends on who it is.
const MODE: u32 = 0o666;
/// For the answer to be read.
const READING: Duration = Duration::from_secs(10);

/// A request, and whom to answer.
#[derive(Debug)]
pub struct Asked {
    pub by: UserId,
    /// One of those who look after the server.
    pub admin: bool,
    pub request: ControlRequest,
    /// What is sent here reaches who asked.
    pub connection: OwnedFd,
}

/// Listens until dropped.
pub struct ControlSocket {
    path: PathBuf,
    admins: Admins,
    /// Its thread ends with this.
    _stop: oneshot::Sender<()>,
}

impl ControlSocket {
    pub fn open(path: &Path, events: mpsc::Sender<Event>) -> io::Result<Self> {
        let listener = local::listen(path, MODE)?;
        roost_os::fdpass::refuse_descriptors(&listener);
        Self::serve(path, listener, events)
    }

    fn serve(path: &Path, listener: OwnedFd, events: mpsc::Sender<Event>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let closer = Closer::start()?;
        let admins = Admins::default();
        let known = admins.look_up();
        roost_os::fdpass::set_nonblocking(&listener, true)?;
        let listener = {
            let _entered = runtime.enter();
            // Tokio has no type for `SOCK_SEQPACKET`; that for datagrams
            // serves, for only its readiness is asked.
            UnixDatagram::from_std(listener.into())?
        };
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name("control".into()).spawn({
            let admins = admins.clone();
            move || {
                let _ = known.recv_timeout(NAME_SERVICE);
                run(
                    runtime,
                    accept_all(listener, admins, closer, events),
                    stopped,
                )
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            admins,
            _stop: stop,
        })
    }
}

impl ControlSocket {
    /// The group of the administrators may be another one now.
    pub fn look_up_admins(&self) {
        let _ = self.admins.look_up();
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn run(runtime: Runtime, work: impl Future<Output = ()>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        tokio::select! {
            () = work => {}
            _ = stopped => {}
        }
    });
    // The name service may keep a thread.
    runtime.shutdown_background();
}

async fn accept_all(
    listener: UnixDatagram,
    admins: Admins,
    closer: Closer,
    events: mpsc::Sender<Event>,
) {
    let turns = Turns::default();
    loop {
        let accepted = listener.async_io(Interest::READABLE, || local::accept(&listener));
        let come = accepted.await.and_then(|connection| {
            let who = identify(&admins, &connection);
            let guest = Guest::new(connection, &closer)?;
            Ok((guest, who?))
        });
        let (guest, (by, admin)) = match come {
            Ok(come) => come,
            Err(error) => {
                // Out of descriptors, perhaps; not for ever.
                log::error!("control socket: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Some(turn) = turns.take(by, admin) else {
            complain(by, &"too many connections");
            continue;
        };
        let attended = attend::attend((by, admin), guest, closer.clone(), events.clone());
        tokio::spawn(async move {
            if let Err(error) = attended.await {
                complain(by, &error);
            }
            drop(turn);
        });
    }
}

/// Whether it is an administrator as well.
fn identify(admins: &Admins, connection: &OwnedFd) -> io::Result<(UserId, bool)> {
    let peer = identity::peer_credentials(connection)?;
    Ok((peer.uid, admins.have(&peer, connection)?))
}

/// What one user does wrong.
fn complain(by: UserId, what: &dyn Display) {
    static LINES: Seldom = Seldom::new();
    let text = format_args!("control socket: uid {by}: {what}");
    LINES.log(by, LogLevel::Problems, text);
}

/// Answers a connection that no one else will answer.
pub fn answer(connection: OwnedFd, reply: ControlReply) {
    answer_all(connection, vec![reply]);
}

/// The same, with a descriptor, which is closed here afterwards.
pub fn answer_with(connection: OwnedFd, reply: ControlReply, descriptor: OwnedFd) {
    send_all(connection, vec![(reply, Some(descriptor))]);
}

/// Answers in several messages. Who does not read them is not waited for.
pub fn answer_all(connection: OwnedFd, replies: Vec<ControlReply>) {
    send_all(connection, replies.into_iter().map(|r| (r, None)).collect());
}

fn send_all(connection: OwnedFd, replies: Vec<(ControlReply, Option<OwnedFd>)>) {
    tokio::spawn(async move {
        let sending = async {
            let mut sender = Sender::<ControlReply>::new(connection)?;
            for (reply, descriptor) in &replies {
                let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
                sender.send(reply, &descriptors).await?;
            }
            Ok::<_, roost_ipc::Error>(())
        };
        match tokio::time::timeout(READING, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::debug!("control socket: {error}"),
            Err(_) => log::debug!("control socket: an answer is not read"),
        }
    });
}

#[cfg(test)]
mod tests;
