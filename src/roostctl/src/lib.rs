//! `roostctl`, the administrator's and the user's own tool.
//!
//! A command is one file in [`cmd`] and one case of [`cmd::Command`]. What
//! touches mail is done by the running server's worker of that mail, asked
//! over the control socket; only where no session has the account open is it
//! done here, and then with the mail owner's identity.

#![forbid(unsafe_code)]

mod account;
mod args;
mod child;
mod cmd;
mod doveadm;
mod exit;
mod imap;
#[cfg(test)]
mod manual;
mod out;
mod server;
mod session;
mod table;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use args::Args;
use clap::Parser;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// For people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// With another code, if it has one of these.
    pub fn instead_of(self, codes: &[u8], code: u8) -> Self {
        match codes.contains(&self.code) {
            true => Self { code, ..self },
            false => self,
        }
    }

    pub fn new(code: u8, text: impl Display) -> Self {
        Self {
            code,
            text: text.to_string(),
        }
    }
}

/// Runs the program; the arguments begin with its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(match Args::try_parse_from(args) {
        Ok(args) => run(&args),
        Err(error) => {
            // Where nobody reads it, there is nobody to tell.
            let _ = error.print();
            match error.use_stderr() {
                true => exit::USAGE,
                false => exit::OK,
            }
        }
    })
}

fn run(args: &Args) -> u8 {
    let code = args.command.run(&args.common).unwrap_or_else(|failure| {
        out::tell(&failure.text);
        failure.code
    });
    match out::end() {
        Some(error) => {
            out::tell(&format!("standard output: {error}"));
            exit::worse(code, exit::IOERR)
        }
        None => code,
    }
}
