//! roost-worker: all sessions of one uid, and the only process that touches
//! that uid's mail.
//!
//! The supervisor starts it with exactly the user's identity, tells it the
//! settings, and sends it connections that are logged in. All sessions share
//! one [`roost_store::Store`], so they have one picture of each mailbox.
//!
//! What must stay true:
//! - an idle session costs its state and nothing else: no thread, no read
//!   buffer, no output buffer;
//! - the disk is touched on blocking threads only, in the session's bounded
//!   steps, and no thread waits for a client;
//! - threads do not grow with the sessions ([`turns`]);
//! - a panic in one session ends that session only;
//! - the worker ends itself only when the supervisor has agreed, so that no
//!   session on its way is lost.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod changes;
mod client;
mod connection;
mod control;
mod deflate;
mod ending;
mod hints;
mod links;
mod maintain;
mod relay;
mod serve;
mod setup;
mod stream;
mod tidy;
mod trace;
mod turns;

use roost_ipc::{BlockingChannel, LogLevel, SupervisorToWorker, WorkerToSupervisor};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// Where the supervisor puts the sockets.
const CONTROL: u8 = 3;
const LOG: u8 = 4;

/// Sessions work on at most so many threads at once; they may wait for the
/// disk and for other programs' locks, so there are more of them than cores.
const TURNS: usize = 64;
/// Threads beside those, for opening accounts.
const OTHER_THREADS: usize = 8;
/// A thread with nothing to do ends after so long.
const THREAD_IDLE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("started without the supervisor's sockets: {0}")]
    Sockets(io::Error),
    #[error("supervisor: {0}")]
    Control(#[from] roost_ipc::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            log::error!("worker: {e}");
            // The log socket may be what is missing.
            eprintln!("roost-worker: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    roost_os::memory::share_arenas();
    let control = roost_os::spawn::inherited(CONTROL).map_err(Error::Sockets)?;
    let log = roost_os::spawn::inherited(LOG).map_err(Error::Sockets)?;
    roost_ipc::log::init_child_logger(log, LogLevel::LowLevel)?;
    // Whose mail it is must not make it speak for others, nor read what they
    // ask it for.
    roost_os::identity::set_undumpable()?;
    // Modes of mail files follow their folder; anything else is the owner's.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let control = BlockingChannel::<WorkerToSupervisor, SupervisorToWorker>::new(control)?;
    // One thread waits for everything: what takes time is on others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(TURNS + OTHER_THREADS)
        .thread_keep_alive(THREAD_IDLE)
        .thread_name("roost-worker")
        .build()?;
    let result = runtime.block_on(control::run(control));
    // A step that hangs on a dead file server must not keep the process.
    runtime.shutdown_background();
    result
}
