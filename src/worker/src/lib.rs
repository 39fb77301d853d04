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
//!   steps, and never while a client is written to;
//! - a panic in one session ends that session only;
//! - the worker ends itself only when the supervisor has agreed, so that no
//!   session on its way is lost.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod connection;
mod control;
mod serve;
mod setup;
mod stream;

use roost_ipc::{BlockingChannel, LogLevel, SupervisorToWorker, WorkerToSupervisor};
use std::io;
use std::process::ExitCode;

/// Where the supervisor puts the sockets.
const CONTROL: u8 = 3;
const LOG: u8 = 4;

/// Steps of sessions run on at most so many threads at once; a step may wait
/// for another program's lock, so there are more of them than cores.
const BLOCKING_THREADS: usize = 32;

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
    let control = roost_os::spawn::inherited(CONTROL).map_err(Error::Sockets)?;
    let log = roost_os::spawn::inherited(LOG).map_err(Error::Sockets)?;
    roost_ipc::log::init_child_logger(log, LogLevel::LowLevel)?;
    // Modes of mail files follow their folder; anything else is the owner's.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let control = BlockingChannel::<WorkerToSupervisor, SupervisorToWorker>::new(control)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("roost-worker")
        .build()?;
    let result = runtime.block_on(control::run(control));
    // A step that hangs on a dead file server must not keep the process.
    runtime.shutdown_background();
    result
}
