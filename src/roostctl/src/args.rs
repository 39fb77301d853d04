//! The command line; its help, and what it refuses, come from these types.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser};

use crate::cmd::Command;
use crate::{Failure, exit};

/// Where the configuration is read from unless `-c` names another file.
pub const DEFAULT_CONFIG: &str = "/etc/roost/roost.conf";

/// Looks after Roost's mailboxes.
#[derive(Parser, Debug)]
#[command(
    name = "roostctl",
    version,
    after_help = "Mailbox names have / between their levels. The exit code is 0 if all is well,\n\
                  65 if something disagrees, else one of sysexits.h."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(ClapArgs, Clone, Debug)]
pub struct Common {
    /// Read FILE instead of /etc/roost/roost.conf
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The account (default: your own)
    #[arg(short, long, global = true)]
    pub user: Option<String>,
    /// The Maildir, instead of an account
    #[arg(long, value_name = "DIR", global = true)]
    pub maildir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    /// Of a command that prints something else than a table: nobody takes it for
    /// JSON.
    pub fn no_table(&self) -> Result<(), Failure> {
        match self.json {
            true => {
                let text = "this prints no table: leave out --json";
                Err(Failure::new(exit::USAGE, text))
            }
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn args(line: &str) -> Result<Args, ErrorKind> {
        let words = std::iter::once("roostctl").chain(line.split_whitespace());
        Args::try_parse_from(words).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_holds_together() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn options_stand_anywhere() {
        let seen = args("-c /x check --json --fix -u alice Work/2024 -- -odd").unwrap();
        let Command::Check { fix, mailboxes } = seen.command else {
            panic!("{seen:?}");
        };
        assert_eq!(seen.common.config, Some("/x".into()));
        assert_eq!(seen.common.user.as_deref(), Some("alice"));
        assert!(fix && seen.common.json);
        assert_eq!(mailboxes, ["Work/2024", "-odd"]);
        let seen = args("reindex --maildir=/m").unwrap();
        assert_eq!(seen.common.maildir, Some("/m".into()));
    }

    #[test]
    fn wrong_lines_are_told() {
        for (line, kind) in [
            ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("-x", ErrorKind::UnknownArgument),
            ("chek", ErrorKind::InvalidSubcommand),
            ("check -u", ErrorKind::InvalidValue),
            ("check --fix=1", ErrorKind::TooManyValues),
            ("check -c a -c b", ErrorKind::ArgumentConflict),
            ("reindex --fix", ErrorKind::UnknownArgument),
        ] {
            assert_eq!(args(line).unwrap_err(), kind, "{line}");
        }
    }
}
