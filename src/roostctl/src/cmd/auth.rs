//! `roostctl auth`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Subcommand;
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use roost_ipc::{Attempted, AuthFailure, ControlReply, ControlRequest, Secret, TrialResult};

use crate::args::Common;
use crate::out::printable;
use crate::table::{Cell, Table};
use crate::{Failure, account, exit, server};

/// Octets of a password.
const MAX_PASSWORD: u64 = 4096;
/// Ctrl-C.
const INTERRUPT: u8 = 3;
const COLUMNS: &[&str] = &["account", "result", "text"];

#[derive(Subcommand, Debug)]
pub enum Auth {
    /// Logs in with a password, and says what comes of it
    Test {
        /// As a client would give it
        #[arg(value_name = "USER")]
        account: String,
    },
}

pub fn run(common: &Common, command: &Auth) -> Result<u8, Failure> {
    let Auth::Test { account: user } = command;
    if common.user.is_some() || common.maildir.is_some() {
        let text = "the account stands behind `test`";
        return Err(Failure::new(exit::USAGE, text));
    }
    let config = account::config(common)?;
    let request = ControlRequest::Test(Attempted {
        user: Secret::new(user.clone().into_bytes()),
        password: password(user)?,
    });
    let socket = config.server.control_socket.as_deref();
    let result = match server::must_ask(socket, &request)?.reply()? {
        ControlReply::Tested(result) => result,
        other => return Err(server::unexpected(&other)),
    };
    let (account, code, word, text) = match result {
        TrialResult::Proved { account } => (account, exit::OK, "success", "success".to_owned()),
        TrialResult::Failed { reason } => {
            let (code, word, text) = told(reason);
            (user.clone(), code, word, text.to_owned())
        }
        TrialResult::Elsewhere { user: there, host } => {
            let text = format!("the account has been moved to {there} at {host}");
            (user.clone(), exit::NOUSER, "elsewhere", text)
        }
    };
    let mut table = Table::new(common.json, COLUMNS);
    let line = format!("{account}: {text}");
    let cells = [account, word.to_owned(), text].map(Cell::Text);
    table.row(&line, &cells);
    table.end();
    Ok(code)
}

fn told(reason: AuthFailure) -> (u8, &'static str, &'static str) {
    match reason {
        AuthFailure::Credentials => (exit::NOPERM, "wrong", "wrong password, or no such account"),
        AuthFailure::NotAllowed => (exit::NOPERM, "denied", "the account may not use IMAP"),
        AuthFailure::Expired => (exit::NOPERM, "expired", "the password has expired"),
        AuthFailure::Unavailable => {
            let text = "passwords cannot be checked now; the log says why";
            (exit::TEMPFAIL, "unavailable", text)
        }
        AuthFailure::TooMany => {
            let text = "too many failures in the last minute: try again later";
            (exit::TEMPFAIL, "limit", text)
        }
        AuthFailure::OtherIdentity => (
            exit::NOPERM,
            "other-identity",
            "nobody may act as somebody else",
        ),
        AuthFailure::Malformed => (exit::USAGE, "malformed", "no name or no password"),
    }
}

fn password(user: &str) -> Result<Secret, Failure> {
    let stdin = io::stdin();
    let line = match stdin.is_terminal() {
        true => {
            let silence = Silence::begin().map_err(|e| Failure::new(exit::IOERR, e))?;
            // Where nobody reads it, there is nobody to tell.
            let _ = write!(io::stderr(), "Password of {}: ", printable(user));
            let line = first_line(stdin.lock());
            drop(silence);
            let _ = writeln!(io::stderr());
            line
        }
        false => first_line(stdin.lock()),
    };
    let line = line.map_err(|e| Failure::new(exit::IOERR, e))?;
    match line.last() == Some(&INTERRUPT) {
        true => Err(Failure::new(exit::NOINPUT, "no password")),
        false => Ok(Secret::new(line)),
    }
}

/// Without its end.
fn first_line(input: impl BufRead) -> io::Result<Vec<u8>> {
    // Room for all of it at once: growing would leave copies behind.
    let mut line = Vec::with_capacity(usize::try_from(MAX_PASSWORD).unwrap_or(0));
    input.take(MAX_PASSWORD).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        // Ctrl-C would end us before the echo is back: it ends the line.
        silent.local_flags &= !(LocalFlags::ECHO | LocalFlags::ISIG);
        if let Some(eol) = silent
            .control_chars
            .get_mut(SpecialCharacterIndices::VEOL as usize)
        {
            *eol = INTERRUPT;
        }
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        let of = |text: &str| String::from_utf8(first_line(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(of("a b\r\nc"), "a b");
        assert_eq!((of(" x "), of("")), (" x ".into(), String::new()));
        assert_eq!(of(&"x".repeat(5000)).len(), 4096);
    }

    #[test]
    fn every_failure_has_its_own_word() {
        let words: std::collections::BTreeSet<_> = AuthFailure::ALL
            .iter()
            .map(|&reason| told(reason).1)
            .collect();
        assert_eq!(words.len(), AuthFailure::ALL.len());
    }
}
