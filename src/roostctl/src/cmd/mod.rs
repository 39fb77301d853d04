//! The commands, one file each.

mod check;
mod maintain;
mod reindex;

use crate::Failure;
use crate::args::Args;

/// One command of the program.
pub struct Command {
    pub name: &'static str,
    /// Its arguments.
    pub usage: &'static str,
    /// What it does, in one line.
    pub does: &'static str,
    /// It takes `--fix`.
    pub fixes: bool,
    /// Does it; returns the exit code.
    pub run: fn(&Args) -> Result<u8, Failure>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub const COMMANDS: &[Command] = &[
    Command {
        name: "check",
        usage: "[--fix] [-u USER | --maildir DIR] [--json] [MAILBOX...]",
        does: "compares Maildir, sidecars and index, and says what disagrees",
        fixes: true,
        run: check::run,
    },
    Command {
        name: "reindex",
        usage: "[-u USER | --maildir DIR] [--json] [MAILBOX...]",
        does: "throws Roost's index away and builds it anew",
        fixes: false,
        run: reindex::run,
    },
];
