//! `roostctl acl rebuild`: what the server knows of who shares with whom, made
//! anew from all accounts' mailboxes. Each account is looked at by a process of
//! its own, which takes on the owner's identity.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use roost_accounts::{Entry, Lines};
use roost_config::{Backend, Config};
use roost_ipc::{ControlReply, ControlRequest, Shares};
use roost_os::identity;

use crate::args::Common;
use crate::child::{self, Trouble};
use crate::{Failure, account, exit, out, server};

/// Of one account; the server keeps no more.
const MAX_IDENTIFIERS: usize = 1000;
/// Octets of them, for a message has its limit.
const MAX_OCTETS: usize = 32 << 10;
/// Octets that the process of an account says.
const MAX_OUTPUT: usize = 16 << 20;
/// Without a word, before it is given up.
const SILENCE: Duration = Duration::from_secs(600);

pub fn run(common: &Common) -> Result<u8, Failure> {
    let config = account::config(common)?;
    if !identity::is_root() {
        let text = "only root may look at everybody's mailboxes";
        return Err(Failure::new(exit::NOPERM, text));
    }
    let accounts = accounts(&config)?;
    let socket = config.server.control_socket.as_deref();
    tell(socket, &ControlRequest::ForgetShares)?;
    let mut code = exit::OK;
    for account in accounts {
        match shares(common, &account) {
            Ok(identifiers) if identifiers.is_empty() => {}
            Ok(identifiers) => tell(
                socket,
                &ControlRequest::Share(Shares {
                    account,
                    identifiers,
                }),
            )?,
            Err(failure) => {
                out::tell(&format!("{account}: {}", failure.text));
                code = exit::worse(code, failure.code);
            }
        }
    }
    Ok(code)
}

fn tell(socket: Option<&Path>, request: &ControlRequest) -> Result<(), Failure> {
    told(server::must_ask(socket, request)?)
}

/// Whether the server has taken it.
pub fn told(mut asked: server::Asked) -> Result<(), Failure> {
    match asked.reply()? {
        ControlReply::Done => Ok(()),
        other => Err(server::unexpected(&other)),
    }
}

/// All names that may be accounts.
pub fn accounts(config: &Config) -> Result<BTreeSet<String>, Failure> {
    let mut all = BTreeSet::new();
    for backend in &config.auth.backends {
        match (backend, &config.auth.passwd_file) {
            (Backend::Pam, _) => all.extend(of_unix(config)?),
            (Backend::PasswdFile, Some(path)) => all.extend(of_file(path, config)?),
            (Backend::PasswdFile, None) => {}
        }
    }
    Ok(all)
}

/// Those that the name service lists; it need not list all that it knows.
fn of_unix(config: &Config) -> Result<Vec<String>, Failure> {
    let output = Command::new("getent").arg("passwd").output();
    let text = match output {
        Ok(output) => output.stdout,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            std::fs::read("/etc/passwd").map_err(|e| Failure::new(exit::IOERR, e))?
        }
        Err(e) => return Err(Failure::new(exit::OSERR, format!("getent: {e}"))),
    };
    let text = String::from_utf8_lossy(&text);
    Ok(users(&text, config.auth.minimum_uid))
}

fn users(passwd: &str, minimum_uid: u32) -> Vec<String> {
    let name = |line: &str| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        let uid: u32 = uid.parse().ok()?;
        (uid >= minimum_uid && !name.is_empty()).then(|| name.to_owned())
    };
    passwd.lines().filter_map(name).collect()
}

fn of_file(path: &Path, config: &Config) -> Result<Vec<String>, Failure> {
    let failed = |e| Failure::new(exit::IOERR, format!("{}: {e}", path.display()));
    let input = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::PermissionDenied => {
            let text = format!("{} is closed to you: ask root", path.display());
            Failure::new(exit::NOPERM, text)
        }
        _ => failed(e),
    })?;
    let mut lines = Lines::new(BufReader::new(input));
    let mut names = Vec::new();
    while let Some((_, line)) = lines.next().map_err(failed)? {
        let lowercase = config.auth.lowercase_names;
        let parse = |line| Entry::parse(line, lowercase, |_| Ok::<_, std::convert::Infallible>(()));
        if let Some(Ok(Some(entry))) = line.map(parse) {
            names.push(entry.name);
        }
    }
    Ok(names)
}

/// What an account shares; nothing where it has no mail.
fn shares(common: &Common, account: &str) -> Result<Vec<String>, Failure> {
    let os = |e: Trouble| Failure::new(exit::OSERR, e);
    let program = std::env::current_exe().map_err(|e| os(Trouble::Start(e)))?;
    let mut command = Command::new(program);
    command.args(["acl", "shares", "-u", account]);
    if let Some(config) = &common.config {
        command.arg("-c").arg(config);
    }
    let mut output = Vec::new();
    let ended = child::run(
        &mut command,
        SILENCE,
        &mut child::up_to(MAX_OUTPUT, &mut output),
    );
    let ended = ended.map_err(os)?;
    match ended.code() {
        Some(exit::OK) => {}
        Some(exit::NOINPUT | exit::NOUSER) => return Ok(Vec::new()),
        code => {
            let code = code.unwrap_or(exit::IOERR);
            return Err(Failure::new(code, ended.errors.trim()));
        }
    }
    let text = String::from_utf8_lossy(&output);
    Ok(fitting(text.lines().map(str::to_owned)))
}

/// As much as the server takes.
pub fn limited(shares: Shares) -> Shares {
    Shares {
        identifiers: fitting(shares.identifiers.into_iter()),
        ..shares
    }
}

fn fitting(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut room = MAX_OCTETS;
    let fits = |name: &String| {
        let left = room.checked_sub(name.len() + size_of::<u32>());
        room = left.unwrap_or(room);
        left.is_some()
    };
    all.take(MAX_IDENTIFIERS).filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_that_may_have_mail() {
        let passwd = "root:x:0:0::/root:/bin/sh\nodd\nann:x:1000:1000::/home/ann:/bin/sh\n\
                      bob:x:nine:1::/:\nvmail:x:5000:5000::/srv:\n";
        assert_eq!(users(passwd, 1000), ["ann", "vmail"]);
    }
}
