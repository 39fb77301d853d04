//! `roost-auth`: who may log in.
//!
//! The only process that sees passwords and may check them. It parses nothing
//! from strangers but length-limited requests that the gate has taken apart,
//! SASL messages and names; it opens no connection and touches no mail. What
//! it grants goes to the supervisor, never through the gate.

#![forbid(unsafe_code)]

pub mod account;
pub mod attempt;
pub mod claim;
pub mod digest;
pub mod directory;
pub mod lookup;
pub mod pam;
pub mod passwd;
pub mod penalty;
pub mod prep;
pub mod sasl;
pub mod scheme;
pub mod server;
pub mod settings;
pub mod verify;

use std::io;
use std::time::Duration;

use roost_ipc::{AuthSetup, AuthToSupervisor, BlockingChannel, SupervisorToAuth};
use roost_os::{identity, spawn};

use server::Server;
use settings::Settings;

/// What ends the process.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("control channel: {0}")]
    Channel(#[from] roost_ipc::Error),
    #[error("the supervisor sent no setup")]
    NoSetup,
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The inherited descriptors.
const CONTROL: u8 = 3;
const LOG: u8 = 4;
const GATE: u8 = 5;

/// A thread that has checked passwords ends when there are none for so long.
const THREAD_IDLE: Duration = Duration::from_secs(2);

/// Runs the role, or the child that holds one PAM conversation.
pub fn run(arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    if arguments.skip(1).eq([pam::CHILD_ARGUMENT]) {
        return Ok(pam::run_child()?);
    }
    roost_os::memory::share_arenas();
    let control = spawn::inherited(CONTROL)?;
    let log_socket = spawn::inherited(LOG)?;
    let gate = spawn::inherited(GATE)?;
    let mut control = BlockingChannel::<AuthToSupervisor, SupervisorToAuth>::new(control)?;
    let Some((SupervisorToAuth::Setup(setup), _)) = control.recv()? else {
        return Err(Error::NoSetup);
    };
    roost_ipc::log::init_child_logger(log_socket, setup.log_level)?;
    identity::set_undumpable()?;
    let settings = first_settings(setup, &mut control)?;
    // One thread passes messages on; whatever takes time blocks others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(THREAD_IDLE)
        .build()?;
    runtime.block_on(async {
        let control = control.into_async()?;
        Server::run(settings, control, gate).await
    })
}

/// The first setup must do: without it nobody could log in.
fn first_settings(
    setup: AuthSetup,
    control: &mut BlockingChannel<AuthToSupervisor, SupervisorToAuth>,
) -> Result<Settings, Error> {
    Settings::new(setup, None).map_err(|error| {
        // Should this fail too, the supervisor sees the process end.
        let _ = control.send(&AuthToSupervisor::SetupRejected(error.to_string()), &[]);
        error.into()
    })
}
