//! The stand-ins. They speak the real messages over the real descriptors, and
//! lines of text with clients.

pub mod auth;
pub mod gate;
pub mod worker;

use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use roost_ipc::{Channel, LogLevel, Message};

/// The control socket once more, for what no channel would send.
static RAW_CONTROL: OnceLock<OwnedFd> = OnceLock::new();

fn inherited(number: u8) -> OwnedFd {
    roost_os::spawn::inherited(number).unwrap()
}

/// Sets up the log, and runs `body` with the control channel.
fn serve<Tx: Message, Rx: Message, F: Future<Output = ()>>(
    body: impl FnOnce(Channel<Tx, Rx>) -> F,
) {
    roost_ipc::log::init_child_logger(inherited(4), LogLevel::LowLevel).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let control = inherited(3);
    RAW_CONTROL.set(control.try_clone().unwrap()).unwrap();
    runtime.block_on(async { body(Channel::new(control).unwrap()).await });
}
