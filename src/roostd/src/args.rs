//! The command line. Hand-written: eight options need no library, and the
//! supervisor runs as root.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Where the configuration is read from unless `-c` names another file.
pub const DEFAULT_CONFIG: &str = "/etc/roost/roost.conf";

/// Ports of the demo; those of IMAP need root.
pub const DEMO_PORT: u16 = 1143;
pub const DEMO_TLS_PORT: u16 = 1993;

pub const USAGE: &str = "\
usage: roostd [-c FILE] [-t]
       roostd --demo [--dir DIR] [--port N] [--tls-port N]
       roostd --sample-config | --version | --help

  -c FILE          read FILE instead of /etc/roost/roost.conf
  -t               check the configuration, print every error, and exit
  --demo           serve sample mail to user demo, password demo; needs no root
  --dir DIR        keep the demo's files in DIR (default: a new folder under
                   the temporary directory)
  --port N         the demo's clear-text and STARTTLS port (default 1143)
  --tls-port N     the demo's TLS port (default 1993)
  --sample-config  print a configuration file with every key and its default
  --version        print the version
";

/// What roostd was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Serve { config: PathBuf },
    Check { config: PathBuf },
    Demo(DemoArgs),
    SampleConfig,
    Version,
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub struct DemoArgs {
    /// `None`: a new folder under the temporary directory.
    pub dir: Option<PathBuf>,
    pub port: u16,
    pub tls_port: u16,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("unknown option {0}")]
    Unknown(String),
    #[error("{0} needs a value")]
    MissingValue(String),
    #[error("{0} needs a port number from 1 to 65535, not {1}")]
    BadPort(String, String),
    #[error("{0} takes no value")]
    NoValue(String),
    #[error("{0} given twice")]
    Twice(String),
    #[error("unexpected argument {0}")]
    Unexpected(String),
    #[error("{0} cannot be combined with {1}")]
    Conflict(&'static str, &'static str),
    #[error("the two ports of the demo are the same")]
    SamePorts,
}

#[derive(Default)]
struct Seen {
    config: Option<PathBuf>,
    dir: Option<PathBuf>,
    port: Option<u16>,
    tls_port: Option<u16>,
    check: bool,
    demo: bool,
    sample: bool,
    version: bool,
    help: bool,
}

/// Reads the arguments behind the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, UsageError> {
    let mut seen = Seen::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let (name, inline) = split(&arg);
        let mut value = |inline: Option<OsString>| {
            inline
                .or_else(|| args.next())
                .ok_or_else(|| UsageError::MissingValue(name.clone()))
        };
        match name.as_str() {
            "-c" | "--config" => once(&name, &mut seen.config, value(inline)?.into())?,
            "--dir" => once(&name, &mut seen.dir, value(inline)?.into())?,
            "--port" => once(&name, &mut seen.port, port(&name, &value(inline)?)?)?,
            "--tls-port" => once(&name, &mut seen.tls_port, port(&name, &value(inline)?)?)?,
            _ => {
                let flag = match name.as_str() {
                    "-t" => &mut seen.check,
                    "--demo" => &mut seen.demo,
                    "--sample-config" => &mut seen.sample,
                    "--version" | "-V" => &mut seen.version,
                    "--help" | "-h" => &mut seen.help,
                    other if other.starts_with('-') => return Err(UsageError::Unknown(name)),
                    _ => return Err(UsageError::Unexpected(name)),
                };
                if inline.is_some() {
                    return Err(UsageError::NoValue(name));
                }
                *flag = true;
            }
        }
    }
    seen.action()
}

impl Seen {
    fn action(self) -> Result<Action, UsageError> {
        if self.help {
            return Ok(Action::Help);
        }
        if self.version {
            return Ok(Action::Version);
        }
        if self.sample {
            return Ok(Action::SampleConfig);
        }
        if self.demo {
            return self.demo();
        }
        if self.dir.is_some() {
            return Err(UsageError::Conflict("--dir", "anything but --demo"));
        }
        if self.port.is_some() || self.tls_port.is_some() {
            return Err(UsageError::Conflict(
                "--port, --tls-port",
                "anything but --demo",
            ));
        }
        let config = self.config.unwrap_or_else(|| DEFAULT_CONFIG.into());
        Ok(if self.check {
            Action::Check { config }
        } else {
            Action::Serve { config }
        })
    }

    fn demo(self) -> Result<Action, UsageError> {
        if self.config.is_some() {
            return Err(UsageError::Conflict("--demo", "-c"));
        }
        if self.check {
            return Err(UsageError::Conflict("--demo", "-t"));
        }
        let port = self.port.unwrap_or(DEMO_PORT);
        let tls_port = self.tls_port.unwrap_or(DEMO_TLS_PORT);
        if port == tls_port {
            return Err(UsageError::SamePorts);
        }
        Ok(Action::Demo(DemoArgs {
            dir: self.dir,
            port,
            tls_port,
        }))
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

fn once<T>(name: &str, slot: &mut Option<T>, value: T) -> Result<(), UsageError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(UsageError::Twice(name.to_owned())),
    }
}

fn port(name: &str, value: &OsString) -> Result<u16, UsageError> {
    let text = value.to_string_lossy();
    match text.parse::<u16>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(UsageError::BadPort(name.to_owned(), text.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Action, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn serves_by_default_and_checks_with_t() {
        let config: PathBuf = DEFAULT_CONFIG.into();
        assert_eq!(args(""), Ok(Action::Serve { config }));
        let config: PathBuf = "/x".into();
        assert_eq!(args("-t -c /x"), Ok(Action::Check { config }));
    }

    #[test]
    fn demo_has_its_ports_and_folder() {
        assert_eq!(
            args("--demo"),
            Ok(Action::Demo(DemoArgs {
                dir: None,
                port: 1143,
                tls_port: 1993
            }))
        );
        assert_eq!(
            args("--demo --dir /d --port=2143 --tls-port 2993"),
            Ok(Action::Demo(DemoArgs {
                dir: Some("/d".into()),
                port: 2143,
                tls_port: 2993
            }))
        );
    }

    #[test]
    fn wrong_lines_are_told() {
        assert_eq!(args("-x"), Err(UsageError::Unknown("-x".into())));
        assert_eq!(args("-c"), Err(UsageError::MissingValue("-c".into())));
        assert_eq!(args("file"), Err(UsageError::Unexpected("file".into())));
        assert_eq!(
            args("--demo --port 0"),
            Err(UsageError::BadPort("--port".into(), "0".into()))
        );
        assert_eq!(
            args("--demo --port 70000"),
            Err(UsageError::BadPort("--port".into(), "70000".into()))
        );
        assert_eq!(args("--demo=1"), Err(UsageError::NoValue("--demo".into())));
        assert_eq!(args("--demo --port 1993"), Err(UsageError::SamePorts));
        assert_eq!(args("-c a -c b"), Err(UsageError::Twice("-c".into())));
        assert!(matches!(
            args("--demo -t"),
            Err(UsageError::Conflict("--demo", "-t"))
        ));
        assert!(matches!(args("--port 9"), Err(UsageError::Conflict(..))));
    }

    #[test]
    fn every_option_stands_in_the_usage_text() {
        for option in [
            "-c",
            "-t",
            "--demo",
            "--dir",
            "--port",
            "--tls-port",
            "--sample-config",
            "--version",
        ] {
            assert!(USAGE.contains(option), "{option}");
        }
    }
}
