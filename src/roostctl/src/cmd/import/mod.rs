//! `roostctl import`: moving in from Dovecot or Courier.

mod check;
mod config;
mod courier;
mod doveconf;
mod dovecot;
mod host;
mod keywords;
mod listen;
mod pam;
mod proposal;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::Failure;
use crate::args::Common;

#[derive(Subcommand, Debug)]
pub enum Import {
    /// Proposes a roost.conf that does what Dovecot's or Courier's does
    Config {
        /// The output of `doveconf -nP`, or the folder of Courier's files
        /// (default: what is on this host)
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
        /// Write it to a new file, and print what becomes of each setting
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Says what will be kept of accounts: all, or the one that is named
    Check {
        /// Dovecot's configuration file, instead of its usual one
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
    },
    /// Keeps keywords beyond 26, which are in Dovecot's index alone
    Keywords {
        /// Dovecot's configuration file, instead of its usual one
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
        /// Also where they were taken before and have changed since
        #[arg(long)]
        force: bool,
    },
}

/// The command as another process is given it.
fn words(act: &str, from: Option<&Path>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["import".into(), act.into()];
    if let Some(path) = from {
        words.extend(["--from".into(), path.into()]);
    }
    words
}

pub fn run(common: &Common, import: &Import) -> Result<u8, Failure> {
    match import {
        Import::Config { from, output } => config::run(common, from.as_deref(), output.as_deref()),
        Import::Check { from } => check::run(common, from.as_deref()),
        Import::Keywords { from, force } => keywords::run(common, from.as_deref(), *force),
    }
}
