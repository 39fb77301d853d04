//! A session of an account at the running server, over a connection of its own.

use std::os::unix::net::UnixStream;

use roost_config::Config;
use roost_ipc::{ControlReply, ControlRequest, NoSession, Wish};
use roost_os::{fdpass, identity};

use crate::args::Common;
use crate::{Failure, exit, server};

/// The client's end of the connection; the server greets with `PREAUTH`.
/// `user`: none for the caller's own account. `client`: what it says is shown
/// to somebody.
pub fn open(config: &Config, user: Option<&str>, client: bool) -> Result<UnixStream, Failure> {
    let socket = config.server.control_socket.as_deref();
    let request = ControlRequest::Open(Wish {
        name: user.map(str::to_owned),
        client,
    });
    let (reply, descriptors) = server::must_ask(socket, &request)?.reply_with()?;
    match (reply, descriptors.into_iter().next()) {
        (ControlReply::Opened, Some(connection)) => {
            let os = |e| Failure::new(exit::OSERR, e);
            fdpass::set_nonblocking(&connection, false).map_err(os)?;
            Ok(connection.into())
        }
        (ControlReply::NotOpened(reason), _) => Err(refused(reason, user)),
        (other, _) => Err(server::unexpected(&other)),
    }
}

/// Of the account that `--user` names. A Maildir alone is none.
pub fn open_chosen(common: &Common, config: &Config, client: bool) -> Result<UnixStream, Failure> {
    if common.maildir.is_some() {
        let text = "the server knows accounts, not Maildirs: use --user";
        return Err(Failure::new(exit::USAGE, text));
    }
    open(config, common.user.as_deref(), client)
}

fn refused(reason: NoSession, user: Option<&str>) -> Failure {
    let whose = match user {
        Some(name) => name.to_owned(),
        None => format!("uid {}", identity::current_user()),
    };
    let hint = match user {
        None => " (-u names one)",
        Some(_) => "",
    };
    match reason {
        NoSession::NoSuchAccount => {
            let text = format!("there is no account of {whose}{hint}");
            Failure::new(exit::NOUSER, text)
        }
        NoSession::NotAllowed => {
            let text = format!("the server allows no session of {whose}{hint}");
            Failure::new(exit::NOPERM, text)
        }
        NoSession::Elsewhere => {
            let text = format!("the account of {whose} is on another host now{hint}");
            Failure::new(exit::NOUSER, text)
        }
        NoSession::TooMany => {
            let text = format!("there are too many connections of {whose}");
            Failure::new(exit::TEMPFAIL, text)
        }
        NoSession::Unavailable => {
            let text = "the server can begin no session now; its log says why";
            Failure::new(exit::TEMPFAIL, text)
        }
    }
}
