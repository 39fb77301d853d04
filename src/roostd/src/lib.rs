//! `roostd`, the supervisor of Roost's processes: it binds the sockets, reads
//! configuration and certificates, starts gate, auth and workers, brings each
//! granted login to the worker of its uid, writes the log, and replaces what
//! dies. It runs as root and so parses nothing that a stranger sent.

#![forbid(unsafe_code)]

mod alerts;
mod args;
mod backoff;
mod certs;
mod control;
mod demo;
mod exit;
mod link;
mod listen;
mod logger;
#[cfg(test)]
mod manual;
mod names;
mod permits;
mod registry;
mod roles;
mod serve;
mod settings;
mod shares;
mod supervisor;
mod systemd;
mod watch;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use roost_config::Config;

use args::Action;
use settings::Privilege;

/// Runs the program; the arguments begin with its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(match args::parse(args) {
        Ok(action) => run(action),
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

fn run(action: Action) -> u8 {
    match action {
        Action::SampleConfig => {
            print!("{}", Config::sample());
            exit::OK
        }
        Action::Check { config } => check(&config),
        Action::Serve { config } => serve(&config),
        Action::Demo(demo) => demo::run(&demo),
    }
}

/// `-t`: every error with file and line.
fn check(path: &Path) -> u8 {
    let errors = match Config::load(path) {
        Ok(config) => {
            for warning in settings::warnings(&config) {
                eprintln!("warning: {warning}");
            }
            settings::check(path, &config)
        }
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    };
    if errors.is_empty() {
        println!("{}: no errors", path.display());
        return exit::OK;
    }
    for error in errors {
        eprintln!("{error}");
    }
    exit::CONFIG
}

fn serve(path: &Path) -> u8 {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                eprintln!("{error}");
            }
            return exit::CONFIG;
        }
    };
    match Privilege::of_process(&config.server.user, &config.server.chroot_dir) {
        Ok(privilege) => serve::run(serve::Service {
            path: path.to_owned(),
            config,
            privilege,
            greeting: None,
            advice: None,
        }),
        Err(error) => {
            eprintln!("roostd: {error}");
            exit::CONFIG
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `roostd --sample-config` writes the file that packages install.
    #[test]
    fn the_packaged_configuration_is_the_sample() {
        let packaged = include_str!("../../../packaging/roost.conf");
        assert_eq!(packaged, Config::sample());
    }
}
