//! `roostctl import`: moving in from Dovecot or Courier.

mod config;
mod courier;
mod doveconf;
mod dovecot;
mod listen;
mod proposal;

use std::path::PathBuf;

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
}

pub fn run(common: &Common, import: &Import) -> Result<u8, Failure> {
    match import {
        Import::Config { from, output } => config::run(common, from.as_deref(), output.as_deref()),
    }
}
