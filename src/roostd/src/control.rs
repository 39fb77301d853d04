//! The control socket: where `roostctl` of this host reaches the supervisor.
//!
//! Anyone may connect; who it is comes from the kernel. A connection has one
//! request, read under the limits of all our messages and within a short time,
//! and is then the business of whoever answers it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roost_ipc::{ControlReply, ControlRequest, Receiver, Sender};
use roost_os::{UserId, identity, local};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::supervisor::Event;

/// Every user of the host may ask; the answer depends on who it is.
const MODE: u32 = 0o666;
/// The group of those who may look after all sessions.
const ADMINS: &str = "roostadm";
/// Connections whose request is awaited.
const AT_ONCE: usize = 32;
/// Of these, one user's but root's.
const BY_ONE_USER: usize = 4;
/// For the request to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// For the answer to be read.
const READING: Duration = Duration::from_secs(10);

/// A request, and the connection that waits for the answer.
#[derive(Debug)]
pub struct Asked {
    pub by: UserId,
    /// One of those who look after the server.
    pub admin: bool,
    pub request: ControlRequest,
    pub connection: OwnedFd,
}

/// Listens until dropped.
pub struct ControlSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl ControlSocket {
    pub fn open(path: &Path, events: mpsc::Sender<Event>) -> io::Result<Self> {
        let listener = local::listen(path, MODE)?;
        roost_os::fdpass::set_nonblocking(&listener, true)?;
        // Tokio has no type for `SOCK_SEQPACKET`; that for datagrams serves,
        // for only its readiness is asked.
        let listener = UnixDatagram::from_std(listener.into())?;
        Ok(Self {
            path: path.to_owned(),
            task: tokio::spawn(accept_all(listener, events)),
        })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn accept_all(listener: UnixDatagram, events: mpsc::Sender<Event>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let turns = Turns::default();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = listener.async_io(Interest::READABLE, || local::accept(&listener));
        let connection = match accepted.await {
            Ok(connection) => connection,
            Err(error) => {
                // Out of descriptors, perhaps; not for ever.
                log::error!("control socket: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let by = match identity::peer_credentials(&connection) {
            Ok(peer) => peer.uid,
            Err(error) => {
                log::error!("control socket: {error}");
                continue;
            }
        };
        let Some(turn) = Turn::take(&turns, by) else {
            log::info!("control socket: too many connections of uid {by}");
            continue;
        };
        let events = events.clone();
        tokio::spawn(async move {
            let asked = tokio::time::timeout(PATIENCE, read(turn.by, connection)).await;
            match asked {
                Ok(Ok(Some(asked))) => {
                    let _ = events.send(Event::Control(asked)).await;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => log::info!("control socket: {error}"),
                Err(_) => log::info!("control socket: a connection without a request"),
            }
            drop((permit, turn));
        });
    }
}

/// Users' connections whose request is awaited.
type Turns = Arc<Mutex<Vec<UserId>>>;

/// One of them, until dropped.
struct Turn {
    by: UserId,
    turns: Turns,
}

impl Turn {
    fn take(turns: &Turns, by: UserId) -> Option<Self> {
        let mut taken = turns.lock().unwrap_or_else(PoisonError::into_inner);
        if !by.is_root() && taken.iter().filter(|&&user| user == by).count() >= BY_ONE_USER {
            return None;
        }
        taken.push(by);
        Some(Self {
            by,
            turns: Arc::clone(turns),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = taken.iter().position(|&user| user == self.by) {
            taken.swap_remove(at);
        }
    }
}

async fn read(by: UserId, connection: OwnedFd) -> Result<Option<Asked>, roost_ipc::Error> {
    let mut receiver = Receiver::<ControlRequest>::new(connection.try_clone()?)?;
    let Some((request, _)) = receiver.recv().await? else {
        return Ok(None);
    };
    Ok(Some(Asked {
        by,
        // The name service may take its time.
        admin: tokio::task::spawn_blocking(move || is_admin(by))
            .await
            .unwrap_or(false),
        request,
        connection,
    }))
}

/// Root, whom the server runs as, or one of the administrators' group.
fn is_admin(by: UserId) -> bool {
    if by.is_root() || by == identity::current_user() {
        return true;
    }
    let of_group = || {
        let group = identity::group_by_name(ADMINS)?;
        let (Some(group), Some(user)) = (group, identity::user_by_id(by)?) else {
            return Ok(false);
        };
        let groups = identity::groups_of(&user.name, user.gid)?;
        Ok::<_, io::Error>(groups.contains(&group))
    };
    of_group().unwrap_or_else(|error| {
        log::error!("groups of uid {by}: {error}");
        false
    })
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
mod tests {
    use super::*;

    #[test]
    fn nobody_but_root_takes_all_turns() {
        let turns = Turns::default();
        let mut of_one: Vec<_> = (0..BY_ONE_USER)
            .map(|_| Turn::take(&turns, UserId(7)).unwrap())
            .collect();
        assert!(Turn::take(&turns, UserId(7)).is_none());
        assert!(Turn::take(&turns, UserId(8)).is_some());
        of_one.pop();
        assert!(Turn::take(&turns, UserId(7)).is_some());
        let roots = (0..AT_ONCE).filter_map(|_| Turn::take(&turns, UserId(0)));
        assert_eq!(roots.collect::<Vec<_>>().len(), AT_ONCE);
    }
}
