//! Accepting connections.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::{Endpoints, GateToSupervisor, Listener};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Shared;
use crate::connection::{self, Accepted};
use crate::control::ToSupervisor;
use crate::proxy::awaited::Place;
use crate::proxy::{self, Fault, Header};
use crate::registry::TooMany;
use crate::settings::Settings;

/// Before accepting again when the host has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// The tasks that accept; they end when this is dropped.
pub struct Listeners {
    _tasks: JoinSet<()>,
}

impl Listeners {
    /// Starts to accept on `fds`, which belong to `list` one by one. Must be
    /// called within the runtime.
    pub fn open(list: &[Listener], fds: Vec<OwnedFd>, shared: &Arc<Shared>) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for (listener, fd) in list.iter().zip(fds) {
            let socket = StdListener::from(fd);
            socket.set_nonblocking(true)?;
            sockets.push((TcpListener::from_std(socket)?, listener.tls));
        }
        let mut tasks = JoinSet::new();
        for (socket, tls) in sockets {
            tasks.spawn(accept_all(socket, tls, Arc::clone(shared)));
        }
        Ok(Self { _tasks: tasks })
    }
}

async fn accept_all(socket: TcpListener, tls: bool, shared: Arc<Shared>) {
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                // It is gone already if that fails.
                if let Ok(local) = stream.local_addr() {
                    let endpoints = Endpoints { remote, local };
                    let accepted = Accepted {
                        stream,
                        endpoints,
                        tls,
                    };
                    take_from(accepted, &shared);
                }
            }
            // The client's trouble, not ours.
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                log::error!("accept: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Finds out whose connection it is, and takes it.
fn take_from(accepted: Accepted, shared: &Arc<Shared>) {
    let peer = accepted.endpoints.remote.ip().to_canonical();
    if !shared.settings.load().is_proxy(peer) {
        return take(accepted, shared);
    }
    match shared.headers.place(peer) {
        Some(place) => {
            tokio::spawn(take_from_proxy(accepted, Arc::clone(shared), place));
        }
        None => refuse(shared, peer, &"too many without a header"),
    }
}

async fn take_from_proxy(mut accepted: Accepted, shared: Arc<Shared>, place: Place) {
    let peer = accepted.endpoints.remote.ip().to_canonical();
    let read = timeout(proxy::TIMEOUT, proxy::read(&mut accepted.stream)).await;
    drop(place);
    match read {
        Ok(Ok(Header::Of(endpoints))) => accepted.endpoints = endpoints,
        Ok(Ok(Header::Own)) => {}
        Ok(Ok(Header::Nobodys)) => {
            accepted.endpoints.remote = proxy::nobody(accepted.endpoints.remote);
        }
        // Checks of health often connect and go.
        Ok(Err(Fault::Io(error))) => return log::debug!("connection from proxy {peer}: {error}"),
        Ok(Err(fault)) => return refuse(&shared, peer, &fault),
        Err(_) => return refuse(&shared, peer, &"no header in time"),
    }
    take(accepted, &shared);
}

fn refuse(shared: &Shared, peer: IpAddr, why: &dyn Display) {
    shared.tally.rejects();
    log::info!("connection from proxy {peer} refused: {why}");
}

/// Starts a task for the connection, or sends it away.
fn take(accepted: Accepted, shared: &Arc<Shared>) {
    let settings = shared.settings.load_full();
    let address = accepted.endpoints.remote.ip().to_canonical();
    match shared.registry.admit(address, &settings.limits) {
        Ok(admitted) => {
            if admitted.numbers_low {
                ask_for_numbers(shared);
            }
            shared.tally.accepts();
            tokio::spawn(connection::serve(accepted, admitted, Arc::clone(shared)));
        }
        Err(TooMany::Closing) => {}
        Err(why) => {
            shared.tally.rejects();
            if why == TooMany::NoNumber && shared.registry.numbers_low() {
                ask_for_numbers(shared);
            }
            log::info!(
                "connection from {address} refused: {}",
                told(why, &settings)
            );
            if let Ok(permit) = Arc::clone(&shared.farewells).try_acquire_owned() {
                tokio::spawn(connection::turn_away(accepted, settings, permit));
            }
        }
    }
}

/// The limit by its name in the configuration.
fn told(why: TooMany, settings: &Settings) -> String {
    let limits = &settings.limits;
    match why {
        TooMany::All => format!("max_connections = {}", limits.max_connections),
        TooMany::FromAddress => {
            format!("max_connections_per_ip = {}", limits.max_connections_per_ip)
        }
        TooMany::NoNumber => "no session number is left".to_owned(),
        TooMany::Closing => "the server is being stopped".to_owned(),
    }
}

fn ask_for_numbers(shared: &Arc<Shared>) {
    let message = ToSupervisor::Plain(GateToSupervisor::MoreSessions);
    let supervisor = shared.supervisor.clone();
    tokio::spawn(async move {
        // Gone only when this process is about to end.
        let _ = supervisor.send(message).await;
    });
}
