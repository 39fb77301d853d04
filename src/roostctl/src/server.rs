//! The running server, over its control socket.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use roost_ipc::{BlockingChannel, ControlReply, ControlRequest};

use roost_config::Config;

use crate::args::Common;
use crate::{Failure, account, exit};

/// For an answer that needs nobody but the server, which waits for its other
/// processes no longer than 2 s.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one that PAM has a part in; `pam_timeout` is shorter.
const LONG: Duration = Duration::from_secs(300);

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
    match connect(socket, patience(request))? {
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

/// What is done to mail may take as long as it takes.
fn patience(request: &ControlRequest) -> Option<Duration> {
    match request {
        ControlRequest::Maintain(_) => None,
        ControlRequest::Open(_) | ControlRequest::Test(_) => Some(LONG),
        _ => Some(PATIENCE),
    }
}

/// `None` if no server runs. Whoever waits for an answer gives up after
/// `patience`.
pub fn connect(socket: Option<&Path>, patience: Option<Duration>) -> Result<Option<Line>, Failure> {
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
    let os = |e| Failure::new(exit::OSERR, e);
    let connection = UnixStream::from(connection);
    connection.set_read_timeout(patience).map_err(os)?;
    connection.set_write_timeout(patience).map_err(os)?;
    let channel = BlockingChannel::new(connection.into()).map_err(os)?;
    Ok(Some(Line(channel)))
}

/// Somebody listens at its socket.
pub fn runs(config: &Config) -> Result<bool, Failure> {
    let socket = config.server.control_socket.as_deref();
    Ok(connect(socket, None)?.is_some())
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
        ControlReply::Refused => {
            let text = "the server allows this to root and members of the group roostadm only";
            Failure::new(exit::NOPERM, text)
        }
        ControlReply::Busy => Failure::new(exit::TEMPFAIL, "the server is busy: try again"),
        other => lost(format!("{other:?}")),
    }
}

/// The time for an answer is over.
fn is_silence(error: &roost_ipc::Error) -> bool {
    matches!(error, roost_ipc::Error::Io(e) if e.kind() == io::ErrorKind::WouldBlock)
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
        match self.0.recv() {
            Ok(Some(received)) => Ok(received),
            Ok(None) => Err(lost("it closed the connection")),
            Err(error) if is_silence(&error) => {
                let text = "the server does not answer; is it stopped, or very busy?";
                Err(Failure::new(exit::TEMPFAIL, text))
            }
            Err(error) => Err(lost(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let _silent = roost_os::local::listen(&path, 0o600).unwrap();
        let line = connect(Some(&path), Some(Duration::from_millis(1)));
        let failure = line.unwrap().unwrap().ask(&ControlRequest::Who);
        let failure = failure.unwrap().reply().unwrap_err();
        assert_eq!(failure.code, exit::TEMPFAIL, "{failure:?}");
        assert!(failure.text.starts_with("the server does not answer"));
        assert!(
            connect(Some(&dir.path().join("none")), None)
                .unwrap()
                .is_none()
        );
    }
}
