//! The supervisor's side: its orders in, handovers and requests out.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::{
    Channel, GateSetup, GateToSupervisor, Handover, Receiver, Sender, Strangers, SupervisorToGate,
};
use tokio::sync::mpsc;

use crate::listener::Listeners;
use crate::registry::Event;
use crate::settings::Settings;
use crate::{Error, Shared, auth_link};

/// How often the end of the last relays is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Connections told in one message.
const TOLD_AT_ONCE: usize = 500;

/// What goes to the supervisor.
pub enum ToSupervisor {
    Plain(GateToSupervisor),
    Handover(Box<Handover>, OwnedFd),
}

pub type Supervisor = Channel<GateToSupervisor, SupervisorToGate>;

/// Writes to the supervisor, in the order of the queue.
pub async fn write_all(
    mut queue: mpsc::Receiver<ToSupervisor>,
    mut supervisor: Sender<GateToSupervisor>,
) {
    while let Some(message) = queue.recv().await {
        let sent = match message {
            ToSupervisor::Plain(message) => supervisor.send(&message, &[]).await,
            ToSupervisor::Handover(handover, fd) => {
                let message = GateToSupervisor::Handover(*handover);
                supervisor.send(&message, &[fd.as_fd()]).await
            }
        };
        match sent {
            Ok(()) => {}
            Err(roost_ipc::Error::Encode(error)) => log::error!("to supervisor: {error}"),
            Err(_) => return,
        }
    }
}

/// Follows the supervisor's orders until the end.
pub async fn follow(
    mut orders: Receiver<SupervisorToGate>,
    mut listeners: Listeners,
    shared: Arc<Shared>,
) -> Result<(), Error> {
    loop {
        let Some((order, fds)) = orders.recv().await? else {
            return Ok(());
        };
        match order {
            SupervisorToGate::Setup(setup) => {
                let answer = reload(&setup, fds, &mut listeners, &shared);
                shared.tell_supervisor(answer).await;
            }
            SupervisorToGate::Shutdown(limit) => {
                drop(listeners);
                return shut_down(&shared, limit, orders).await;
            }
            order => obey(order, fds, &shared).await?,
        }
    }
}

/// What is an order before the end and during it.
async fn obey(
    order: SupervisorToGate,
    fds: Vec<OwnedFd>,
    shared: &Arc<Shared>,
) -> Result<(), Error> {
    match order {
        SupervisorToGate::AuthPeer => {
            if let Some(fd) = fds.into_iter().next() {
                auth_link::connect(fd, shared)?;
            }
        }
        SupervisorToGate::Sessions(block) => shared.registry.add_numbers(block),
        SupervisorToGate::HandoverDone(id) => shared.registry.tell(id, Event::HandedOver),
        SupervisorToGate::HandoverFailed(failure) => {
            let event = Event::Refused(failure.reason);
            shared.registry.tell(failure.session, event);
        }
        SupervisorToGate::SessionEnded(id) => shared.registry.session_ended(id),
        SupervisorToGate::Kick(id) => shared.registry.kick(id),
        SupervisorToGate::Who(request) => tell_strangers(request, shared).await,
        SupervisorToGate::Stats(request) => {
            let strangers = shared.registry.before_login();
            let stats = shared.tally.take(request, strangers);
            shared.tell_supervisor(GateToSupervisor::Stats(stats)).await;
        }
        // Not any more.
        SupervisorToGate::Setup(_) | SupervisorToGate::Shutdown(_) => {}
    }
    Ok(())
}

async fn tell_strangers(request: u64, shared: &Shared) {
    let mut strangers = shared.registry.strangers();
    loop {
        let rest = strangers.split_off(strangers.len().min(TOLD_AT_ONCE));
        let last = rest.is_empty();
        let message = Strangers {
            request,
            strangers,
            last,
        };
        let message = GateToSupervisor::Strangers(message);
        shared.tell_supervisor(message).await;
        if last {
            return;
        }
        strangers = rest;
    }
}

/// Puts a new setup in force, or leaves everything as it was.
fn reload(
    setup: &GateSetup,
    fds: Vec<OwnedFd>,
    listeners: &mut Listeners,
    shared: &Arc<Shared>,
) -> GateToSupervisor {
    let settings = match Settings::new(setup, &shared.tls_memory) {
        Ok(settings) => settings,
        Err(error) => return GateToSupervisor::SetupRejected(error.to_string()),
    };
    let opened = match Listeners::open(&setup.listeners, fds, shared) {
        Ok(opened) => opened,
        Err(error) => return GateToSupervisor::SetupRejected(error.to_string()),
    };
    roost_ipc::log::set_level(setup.log_level);
    shared.settings.store(Arc::new(settings));
    // The old tasks end; the sockets and who waits in them are the same.
    *listeners = opened;
    GateToSupervisor::Ready
}

/// Says BYE before login; relays end with their workers, or with the limit.
/// Logins on their way to a worker hear meanwhile what has become of them.
async fn shut_down(
    shared: &Arc<Shared>,
    limit: Duration,
    mut orders: Receiver<SupervisorToGate>,
) -> Result<(), Error> {
    shared.registry.close();
    shared.registry.tell_all(|| Event::Shutdown);
    let all_gone = async {
        while shared.registry.busy() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    let obeying = async {
        while let Some((order, fds)) = orders.recv().await? {
            obey(order, fds, shared).await?;
        }
        Ok(())
    };
    // What is left then is cut off by the end of the process.
    let limit = tokio::time::sleep(limit);
    tokio::select! {
        () = all_gone => Ok(()),
        () = limit => Ok(()),
        obeyed = obeying => obeyed,
    }
}
