//! Roost and Debian's Dovecot under the same load, in turns, on copies of the
//! same mail; the outcome is a table of medians and ratios.
//!
//! What must stay true: both servers get the same files, flags and UIDs and are
//! asked the same things; the load generator looks at every octet that comes
//! back but keeps none of bulk answers; its own CPU time stands in the table.

#![forbid(unsafe_code)]

mod answer;
mod bench;
mod canned;
mod client;
mod deadline;
mod error;
mod limits;
mod machine;
mod mail;
mod maildir;
mod memory;
mod options;
mod report;
mod rng;
mod row;
mod scan;
mod server;
mod threads;
mod work;

use error::Result;

/// Runs what the command line asks for.
pub fn run(args: impl Iterator<Item = String>) -> Result<()> {
    match options::parse(args)? {
        Some(options) => bench::run(options),
        None => {
            print!("{}", options::HELP);
            Ok(())
        }
    }
}
