//! The command line; its help, and what it refuses, come from these types.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, error::ErrorKind};

/// Ports of the demo; those of IMAP need root.
pub const DEMO_PORT: u16 = 1143;
pub const DEMO_TLS_PORT: u16 = 1993;

/// What roostd was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Serve { config: PathBuf },
    Check { config: PathBuf },
    Demo(DemoArgs),
    SampleConfig,
}

#[derive(Debug, PartialEq, Eq)]
pub struct DemoArgs {
    /// `None`: a new folder under the temporary directory.
    pub dir: Option<PathBuf>,
    pub port: u16,
    pub tls_port: u16,
}

/// A Maildir IMAP server.
#[derive(Parser)]
#[command(name = "roostd", version)]
pub struct Args {
    /// Read FILE instead of the default
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/roost/roost.conf"
    )]
    config: PathBuf,
    /// Check the configuration, print every error, and exit
    #[arg(short = 't', long = "check")]
    check: bool,
    /// Serve sample mail to user demo, password demo; needs no root
    #[arg(long, conflicts_with_all = ["config", "check"])]
    demo: bool,
    /// Keep the demo's files in DIR (default: a new folder under the temporary
    /// directory)
    #[arg(long, requires = "demo")]
    dir: Option<PathBuf>,
    /// The demo's clear-text and STARTTLS port
    #[arg(long, value_name = "N", requires = "demo", default_value_t = DEMO_PORT,
          value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The demo's TLS port
    #[arg(long, value_name = "N", requires = "demo", default_value_t = DEMO_TLS_PORT,
          value_parser = clap::value_parser!(u16).range(1..))]
    tls_port: u16,
    /// Print a configuration file with every key and its default
    #[arg(long, exclusive = true)]
    sample_config: bool,
}

/// Reads the arguments; the first is the program's name.
///
/// # Errors
/// Also where help or version was asked for: the error prints them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, clap::Error> {
    let args = Args::try_parse_from(args)?;
    if args.sample_config {
        return Ok(Action::SampleConfig);
    }
    if !args.demo {
        let config = args.config;
        return Ok(match args.check {
            true => Action::Check { config },
            false => Action::Serve { config },
        });
    }
    if args.port == args.tls_port {
        let text = "the two ports of the demo are the same";
        return Err(Args::command().error(ErrorKind::ValueValidation, text));
    }
    Ok(Action::Demo(DemoArgs {
        dir: args.dir,
        port: args.port,
        tls_port: args.tls_port,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Action, ErrorKind> {
        let words = std::iter::once("roostd").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn serves_by_default_and_checks_with_t() {
        let config: PathBuf = "/etc/roost/roost.conf".into();
        assert_eq!(args(""), Ok(Action::Serve { config }));
        let config: PathBuf = "/x".into();
        assert_eq!(args("-t -c /x"), Ok(Action::Check { config }));
        assert_eq!(args("--sample-config"), Ok(Action::SampleConfig));
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
        for (line, kind) in [
            ("-x", ErrorKind::UnknownArgument),
            ("-c", ErrorKind::InvalidValue),
            ("file", ErrorKind::UnknownArgument),
            ("--demo --port 0", ErrorKind::ValueValidation),
            ("--demo --port 70000", ErrorKind::ValueValidation),
            ("--demo=1", ErrorKind::TooManyValues),
            ("--demo --port 1993", ErrorKind::ValueValidation),
            ("-c a -c b", ErrorKind::ArgumentConflict),
            ("--demo -t", ErrorKind::ArgumentConflict),
            ("--demo -c a", ErrorKind::ArgumentConflict),
            ("--port 9", ErrorKind::MissingRequiredArgument),
            ("--sample-config -t", ErrorKind::ArgumentConflict),
        ] {
            assert_eq!(args(line).unwrap_err(), kind, "{line}");
        }
    }
}
