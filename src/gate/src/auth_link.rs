//! The connection to auth: requests of all connections in one queue, answers
//! to the connection they are for.
//!
//! When auth is replaced, attempts under way fail as unavailable and the queue
//! goes on with the new one.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use roost_ipc::{AuthToGate, Channel, GateToAuth, GateToSupervisor, Receiver, Sender};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::registry::Event;
use crate::{Error, Shared};

type Auth = Channel<GateToAuth, AuthToGate>;

/// The requests of all connections; whoever writes to auth holds it.
pub type Queue = Arc<Mutex<mpsc::Receiver<GateToAuth>>>;

/// Speaks with the auth process at the other end of `fd`, instead of the one
/// before. Must be called within the runtime.
pub fn connect(fd: OwnedFd, shared: &Arc<Shared>) -> Result<(), Error> {
    let (sender, receiver) = Auth::new(fd)?.split();
    let lost = Arc::new(AtomicBool::new(false));
    let task = tokio::spawn(speak(
        sender,
        receiver,
        Arc::clone(shared),
        Arc::clone(&lost),
    ));
    if let Some(before) = shared.set_auth_link(Link { task, lost }) {
        before.task.abort();
        // What has been asked since it was told is the new one's to answer.
        if !before.lost.swap(true, Ordering::Relaxed) {
            shared.registry.tell_all(|| Event::AuthLost);
        }
    }
    Ok(())
}

/// The connection to one auth process.
pub struct Link {
    task: JoinHandle<()>,
    /// All connections have been told that it is gone.
    lost: Arc<AtomicBool>,
}

async fn speak(
    sender: Sender<GateToAuth>,
    receiver: Receiver<AuthToGate>,
    shared: Arc<Shared>,
    lost: Arc<AtomicBool>,
) {
    let queue = Arc::clone(&shared.auth_queue);
    tokio::select! {
        () = write_all(sender, queue) => {}
        () = read_all(receiver, &shared) => {}
    }
    log::error!("connection to roost-auth lost");
    if !lost.swap(true, Ordering::Relaxed) {
        shared.registry.tell_all(|| Event::AuthLost);
    }
    shared.tell_supervisor(GateToSupervisor::AuthLost).await;
}

async fn write_all(mut sender: Sender<GateToAuth>, queue: Queue) {
    // Free as soon as the task before has ended.
    let mut queue = queue.lock().await;
    while let Some(message) = queue.recv().await {
        match sender.send(&message, &[]).await {
            Ok(()) => {}
            Err(roost_ipc::Error::Encode(error)) => log::error!("to auth: {error}"),
            Err(_) => return,
        }
    }
}

async fn read_all(mut receiver: Receiver<AuthToGate>, shared: &Shared) {
    loop {
        let message = match receiver.recv().await {
            Ok(Some((message, _))) => message,
            Ok(None) => return,
            Err(error) => return log::error!("from auth: {error}"),
        };
        match message {
            AuthToGate::Continue(challenge) => {
                let event = Event::Challenge(challenge.data);
                shared.registry.tell(challenge.session, event);
            }
            AuthToGate::Outcome(outcome) => {
                let event = Event::Outcome(outcome.result);
                shared.registry.tell(outcome.session, event);
            }
        }
    }
}
