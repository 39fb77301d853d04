//! The command line: options anywhere, the first other word is the command.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::cmd::{COMMANDS, Command};

/// Where the configuration is read from unless `-c` names another file.
pub const DEFAULT_CONFIG: &str = "/etc/roost/roost.conf";

pub const OPTIONS: &str = "\
options:
  -c FILE        read FILE instead of /etc/roost/roost.conf
  -u USER        the account (default: your own)
  --maildir DIR  the Maildir, instead of an account
  --fix          mend what can be mended without loss; what is damaged is set
                 aside, not deleted
  --json         print JSON
  --version      print the version
Mailbox names have / between their levels. The exit code is 0 if all is well,
65 if something disagrees, else one of sysexits.h.
";

#[derive(Default, Debug)]
pub struct Args {
    pub command: Option<&'static Command>,
    pub config: Option<PathBuf>,
    pub user: Option<String>,
    pub maildir: Option<PathBuf>,
    pub fix: bool,
    pub json: bool,
    pub version: bool,
    pub help: bool,
    /// What stands behind the command.
    pub rest: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("unknown option {0}")]
    Unknown(String),
    #[error("unknown command {0}")]
    UnknownCommand(String),
    #[error("{0} needs a value")]
    MissingValue(String),
    #[error("{0} takes no value")]
    NoValue(String),
    #[error("{0} given twice")]
    Twice(String),
    #[error("{0} is not UTF-8")]
    Encoding(String),
    #[error("{0} does not go with {1}")]
    Conflict(&'static str, String),
}

impl Args {
    /// Reads the arguments behind the program's name.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut seen = Self::default();
        let mut args = args.into_iter();
        let mut options = true;
        while let Some(arg) = args.next() {
            if !options || !arg.as_bytes().starts_with(b"-") {
                seen.word(arg)?;
                continue;
            }
            let (name, inline) = split(&arg);
            let mut value = |inline: Option<OsString>| {
                inline
                    .or_else(|| args.next())
                    .ok_or_else(|| UsageError::MissingValue(name.clone()))
            };
            match name.as_str() {
                "-c" | "--config" => once(&name, &mut seen.config, value(inline)?.into())?,
                "-u" | "--user" => once(&name, &mut seen.user, text(value(inline)?)?)?,
                "--maildir" => once(&name, &mut seen.maildir, value(inline)?.into())?,
                "--" => options = false,
                _ => *seen.flag(&name, inline.is_some())? = true,
            }
        }
        seen.checked()
    }

    fn flag(&mut self, name: &str, has_value: bool) -> Result<&mut bool, UsageError> {
        let flag = match name {
            "--fix" => &mut self.fix,
            "--json" => &mut self.json,
            "--version" | "-V" => &mut self.version,
            "--help" | "-h" => &mut self.help,
            _ => return Err(UsageError::Unknown(name.to_owned())),
        };
        match has_value {
            true => Err(UsageError::NoValue(name.to_owned())),
            false => Ok(flag),
        }
    }

    fn word(&mut self, word: OsString) -> Result<(), UsageError> {
        let word = text(word)?;
        if self.command.is_some() {
            self.rest.push(word);
            return Ok(());
        }
        let found = COMMANDS.iter().find(|command| command.name == word);
        self.command = Some(found.ok_or(UsageError::UnknownCommand(word))?);
        Ok(())
    }

    fn checked(self) -> Result<Self, UsageError> {
        if self.user.is_some() && self.maildir.is_some() {
            return Err(UsageError::Conflict("--maildir", "-u".into()));
        }
        match self.command {
            Some(command) if self.fix && !command.fixes => {
                Err(UsageError::Conflict("--fix", command.name.into()))
            }
            _ => Ok(self),
        }
    }
}

/// `--name=value` in its two parts; the value may be any bytes, as paths are.
fn split(arg: &OsString) -> (String, Option<OsString>) {
    let bytes = arg.as_bytes();
    let at = bytes.iter().position(|&b| b == b'=');
    match at.and_then(|at| bytes.split_at_checked(at)) {
        Some((name, [b'=', value @ ..])) if name.starts_with(b"--") => (
            String::from_utf8_lossy(name).into_owned(),
            Some(OsString::from_vec(value.to_vec())),
        ),
        _ => (arg.to_string_lossy().into_owned(), None),
    }
}

fn text(value: OsString) -> Result<String, UsageError> {
    value
        .into_string()
        .map_err(|value| UsageError::Encoding(value.to_string_lossy().into_owned()))
}

fn once<T>(name: &str, slot: &mut Option<T>, value: T) -> Result<(), UsageError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(UsageError::Twice(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, UsageError> {
        Args::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_stand_anywhere() {
        let seen = args("-c /x check --json --fix -u alice Work/2024 -- -odd").unwrap();
        assert_eq!(seen.command.unwrap().name, "check");
        assert_eq!(seen.config, Some("/x".into()));
        assert_eq!(seen.user.as_deref(), Some("alice"));
        assert!(seen.fix && seen.json);
        assert_eq!(seen.rest, ["Work/2024", "-odd"]);
        let seen = args("reindex --maildir=/m").unwrap();
        assert_eq!(seen.maildir, Some("/m".into()));
        assert!(args("").unwrap().command.is_none());
    }

    #[test]
    fn wrong_lines_are_told() {
        let error = |line| args(line).map(|_| ()).unwrap_err();
        assert_eq!(error("-x"), UsageError::Unknown("-x".into()));
        assert_eq!(error("chek"), UsageError::UnknownCommand("chek".into()));
        assert_eq!(error("check -u"), UsageError::MissingValue("-u".into()));
        assert_eq!(error("check --fix=1"), UsageError::NoValue("--fix".into()));
        assert_eq!(error("-c a -c b"), UsageError::Twice("-c".into()));
        assert!(matches!(
            error("check -u a --maildir /m"),
            UsageError::Conflict(..)
        ));
        assert!(matches!(error("reindex --fix"), UsageError::Conflict(..)));
    }
}
