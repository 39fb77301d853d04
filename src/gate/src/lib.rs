//! `roost-gate`: everything before login, and TLS.
//!
//! The only process that reads bytes of strangers who have not proved who they
//! are. It can open no file and become nobody else: after its setup it has no
//! privileges, an empty root directory, and only the sockets it was given. It
//! never learns or claims an identity; a granted connection is handed to the
//! supervisor, which knows whose it is.

#![forbid(unsafe_code)]

pub mod auth_link;
pub mod capability;
pub mod connection;
pub mod control;
pub mod dialog;
pub mod listener;
pub mod proxy;
pub mod registry;
pub mod relay;
pub mod report;
pub mod settings;
pub mod tally;
pub mod tidy;
pub mod tls;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use roost_ipc::{
    BlockingChannel, Confinement, GateSetup, GateToAuth, GateToSupervisor, SupervisorToGate,
};
use roost_os::{identity, spawn};
use tokio::sync::{Semaphore, mpsc};

use auth_link::{Link, Queue};
use control::ToSupervisor;
use listener::Listeners;
use registry::Registry;
use settings::Settings;
use tls::TlsMemory;

/// Messages that may wait for a writer.
const QUEUE: usize = 256;
/// Connections sent away at once with a word; more are just closed.
const FAREWELLS: usize = 64;

/// The inherited descriptors.
const CONTROL: u8 = 3;
const LOG: u8 = 4;
const AUTH: u8 = 5;

/// What ends the process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("control channel: {0}")]
    Channel(#[from] roost_ipc::Error),
    #[error("the supervisor sent no setup")]
    NoSetup,
    #[error("TLS: {0}")]
    Tls(#[from] tls::TlsError),
    #[error("giving up privileges: {0}")]
    Confinement(io::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What all connections share.
pub struct Shared {
    /// Of the newest setup.
    pub settings: ArcSwap<Settings>,
    pub registry: Arc<Registry>,
    pub auth: mpsc::Sender<GateToAuth>,
    pub supervisor: mpsc::Sender<ToSupervisor>,
    pub farewells: Arc<Semaphore>,
    pub headers: Arc<proxy::awaited::Awaited>,
    pub quiet: tidy::Quiet,
    pub tally: tally::Tally,
    tls_memory: TlsMemory,
    auth_queue: Queue,
    auth_link: Mutex<Option<Link>>,
}

impl Shared {
    /// Also gives the queue of what goes to the supervisor.
    fn new(settings: Settings, tls_memory: TlsMemory) -> (Arc<Self>, mpsc::Receiver<ToSupervisor>) {
        let (auth, auth_queue) = mpsc::channel(QUEUE);
        let (supervisor, to_supervisor) = mpsc::channel(QUEUE);
        let shared = Self {
            settings: ArcSwap::from_pointee(settings),
            registry: Arc::new(Registry::default()),
            auth,
            supervisor,
            farewells: Arc::new(Semaphore::new(FAREWELLS)),
            headers: Arc::default(),
            quiet: tidy::Quiet::default(),
            tally: tally::Tally::default(),
            tls_memory,
            auth_queue: Arc::new(tokio::sync::Mutex::new(auth_queue)),
            auth_link: Mutex::new(None),
        };
        (Arc::new(shared), to_supervisor)
    }

    /// The supervisor's end of the channel closes only when this process is to
    /// end; nothing is lost then.
    async fn tell_supervisor(&self, message: GateToSupervisor) {
        let _ = self.supervisor.send(ToSupervisor::Plain(message)).await;
    }

    fn set_auth_link(&self, link: Link) -> Option<Link> {
        let mut held = self
            .auth_link
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.replace(link)
    }
}

/// Runs the role.
pub fn run() -> Result<(), Error> {
    roost_os::memory::share_arenas();
    let control = spawn::inherited(CONTROL)?;
    let log_socket = spawn::inherited(LOG)?;
    let auth = spawn::inherited(AUTH)?;
    let mut control = BlockingChannel::<GateToSupervisor, SupervisorToGate>::new(control)?;
    let Some((SupervisorToGate::Setup(setup), listeners)) = control.recv()? else {
        return Err(Error::NoSetup);
    };
    roost_ipc::log::init_child_logger(log_socket, setup.log_level)?;
    let memory = TlsMemory::new()?;
    let settings = match Settings::new(&setup, &memory) {
        Ok(settings) => settings,
        Err(error) => {
            let rejected = GateToSupervisor::SetupRejected(error.to_string());
            control.send(&rejected, &[])?;
            return Err(error.into());
        }
    };
    // Asked before the way to /proc and /sys is closed.
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    // Before any thread is there, since part of it holds for one thread only.
    confine(&setup.confinement).map_err(Error::Confinement)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(control, auth, setup, listeners, settings, memory));
    runtime.shutdown_background();
    served
}

/// Gives up what a break-in could use.
fn confine(confinement: &Confinement) -> io::Result<()> {
    if let Some(root) = &confinement.chroot {
        identity::enter_chroot(root)?;
    }
    if let Some(credentials) = &confinement.credentials {
        identity::drop_privileges(credentials)?;
        // Cleared by the change of user.
        spawn::die_with_parent(spawn::parent_pid())?;
    }
    identity::set_no_new_privs()?;
    identity::set_undumpable()
}

async fn serve(
    control: BlockingChannel<GateToSupervisor, SupervisorToGate>,
    auth: OwnedFd,
    setup: GateSetup,
    listeners: Vec<OwnedFd>,
    settings: Settings,
    memory: TlsMemory,
) -> Result<(), Error> {
    let (to_supervisor, orders) = control.into_async()?.split();
    let (shared, queue) = Shared::new(settings, memory);
    let writing = tokio::spawn(control::write_all(queue, to_supervisor));
    tokio::spawn(tidy::run(Arc::clone(&shared)));
    if let Some(block) = &setup.sessions {
        shared.registry.add_numbers(block.clone());
    }
    auth_link::connect(auth, &shared)?;
    let listeners = Listeners::open(&setup.listeners, listeners, &shared)?;
    drop(setup);
    shared.tell_supervisor(GateToSupervisor::Ready).await;
    tokio::select! {
        followed = control::follow(orders, listeners, shared) => followed,
        // Nothing can be told to the supervisor any more.
        _ = writing => Ok(()),
    }
}

#[cfg(test)]
mod tests;
