//! `roostctl kick`.

use roost_ipc::{ControlReply, ControlRequest, Target};

use super::who::session_id;
use crate::args::Common;
use crate::{Failure, exit, server};

pub fn run(common: &Common, target: &str) -> Result<u8, Failure> {
    let config = server::config(common)?;
    let target = match session_id(target) {
        Some(session) => Target::Session { session },
        None => Target::Account {
            account: target.to_owned(),
        },
    };
    let (code, missing) = match &target {
        Target::Session { .. } => (
            exit::NOINPUT,
            "there is no such connection that you may end",
        ),
        Target::Account { .. } => (
            exit::NOUSER,
            "that account has no connection that you may end",
        ),
    };
    let socket = config.server.control_socket.as_deref();
    match server::must_ask(socket, &ControlRequest::Kick(target))?.reply()? {
        ControlReply::Kicked(0) => Err(Failure::new(code, missing)),
        ControlReply::Kicked(_) => Ok(exit::OK),
        other => Err(server::unexpected(&other)),
    }
}
