//! `roostctl`, the administrator's and the user's own tool.
//!
//! A command is one file in [`cmd`] and one line in [`cmd::COMMANDS`]. What
//! touches mail is done by the running server's worker of that mail, asked
//! over the control socket; only where no session has the account open is it
//! done here, and then with the mail owner's identity.

#![forbid(unsafe_code)]

mod account;
mod args;
mod cmd;
mod exit;
mod server;
mod table;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use args::Args;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    pub fn new(code: u8, text: impl Display) -> Self {
        Self {
            code,
            text: text.to_string(),
        }
    }
}

/// Runs the program; the arguments are those behind its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let code = match Args::parse(args) {
        Ok(args) => run(&args),
        Err(error) => {
            eprint!("roostctl: {error}\n{}", usage());
            exit::USAGE
        }
    };
    ExitCode::from(code)
}

fn run(args: &Args) -> u8 {
    if args.help {
        print!("{}", usage());
        return exit::OK;
    }
    if args.version {
        println!("roostctl {}", env!("CARGO_PKG_VERSION"));
        return exit::OK;
    }
    let Some(command) = args.command else {
        eprint!("roostctl: what is to be done?\n{}", usage());
        return exit::USAGE;
    };
    match (command.run)(args) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("roostctl: {}", failure.text);
            failure.code
        }
    }
}

fn usage() -> String {
    let mut text = String::from("usage:\n");
    for command in cmd::COMMANDS {
        text.push_str(&format!("  roostctl {} {}\n", command.name, command.usage));
        text.push_str(&format!("      {}\n", command.does));
    }
    text.push_str(args::OPTIONS);
    text
}
