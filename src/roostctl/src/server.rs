//! The running server, over its control socket.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use roost_ipc::{BlockingChannel, ControlReply, ControlRequest};

use roost_config::Config;

use crate::args::Common;
use crate::{Failure, account, exit};

/// A request on its way.
pub struct Asked(BlockingChannel<ControlRequest, ControlReply>);

/// The configuration, for commands that concern the server as a whole.
pub fn config(common: &Common) -> Result<Config, Failure> {
    if common.user.is_some() || common.maildir.is_some() {
        let text = "this command is for no single account: leave out --user and --maildir";
        return Err(Failure::new(exit::USAGE, text));
    }
    account::config(common)
}

/// Asks the server; `None` if none runs.
pub fn ask(socket: Option<&Path>, request: &ControlRequest) -> Result<Option<Asked>, Failure> {
    match connect(socket)? {
        Some(line) => line.ask(request).map(Some),
        None => Ok(None),
    }
}

/// A connection on which nothing has been asked. The server knows who made it,
/// whatever identity this process takes on afterwards.
pub struct Line(BlockingChannel<ControlRequest, ControlReply>);

impl Line {
    pub fn ask(mut self, request: &ControlRequest) -> Result<Asked, Failure> {
        self.0.send_single(request).map_err(lost)?;
        Ok(Asked(self.0))
    }
}

/// `None` if no server runs.
pub fn connect(socket: Option<&Path>) -> Result<Option<Line>, Failure> {
    let Some(path) = socket else {
        return Ok(None);
    };
    let connection = match roost_os::local::connect(path) {
        Ok(connection) => connection,
        Err(e) if is_down(&e) => return Ok(None),
        Err(e) => {
            let text = format!("{}: {e}", path.display());
            return Err(Failure::new(exit::UNAVAILABLE, text));
        }
    };
    let channel = BlockingChannel::new(connection).map_err(|e| Failure::new(exit::OSERR, e))?;
    Ok(Some(Line(channel)))
}

/// The same, where there is nothing to be done without a server.
pub fn must_ask(socket: Option<&Path>, request: &ControlRequest) -> Result<Asked, Failure> {
    let asked = ask(socket, request)?;
    asked.ok_or_else(|| Failure::new(exit::UNAVAILABLE, no_server(socket)))
}

fn no_server(socket: Option<&Path>) -> String {
    match socket {
        Some(path) => format!("no server runs (nobody listens at {})", path.display()),
        None => "the server has no control_socket".to_owned(),
    }
}

/// A reply that is no answer to what was asked.
pub fn unexpected(reply: &ControlReply) -> Failure {
    match reply {
        ControlReply::Refused => Failure::new(exit::NOPERM, "the server refuses it"),
        ControlReply::Busy => Failure::new(exit::TEMPFAIL, "the server is busy: try again"),
        other => lost(format!("{other:?}")),
    }
}

/// Nobody listens, or the folder of the socket is not there.
fn is_down(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn lost(error: impl std::fmt::Display) -> Failure {
    Failure::new(exit::UNAVAILABLE, format!("server: {error}"))
}

impl Asked {
    pub fn reply(&mut self) -> Result<ControlReply, Failure> {
        self.reply_with().map(|(reply, _)| reply)
    }

    /// And what comes with it.
    pub fn reply_with(&mut self) -> Result<(ControlReply, Vec<OwnedFd>), Failure> {
        match self.0.recv().map_err(lost)? {
            Some(received) => Ok(received),
            None => Err(lost("it closed the connection")),
        }
    }
}
