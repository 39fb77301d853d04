//! The start: everything that can fail at once fails here, with a message on
//! standard error as well as in the log, before the first child is started.

use std::fmt::Display;
use std::path::PathBuf;

use roost_config::{Config, LogTarget};

use crate::listen::Listeners;
use crate::logger::{self, Writer};
use crate::roles::Executables;
use crate::settings::{self, Privilege, Settings};
use crate::supervisor::{Parts, Source};
use crate::{exit, supervisor};

/// Descriptors beyond those of connections.
const SPARE_FILES: u64 = 1024;
/// A connection takes up to three in the gate: the client's, its relay's and
/// the copy that is on its way to a worker.
const FILES_A_CONNECTION: u64 = 3;

/// What is to be served.
pub struct Service {
    /// Where the configuration is, for reloads.
    pub path: PathBuf,
    pub config: Config,
    pub privilege: Privilege,
    /// Printed once connections are taken.
    pub greeting: Option<String>,
    /// Printed when an address cannot be listened on.
    pub advice: Option<&'static str>,
}

/// Serves until told to stop; returns the exit code.
pub fn run(service: Service) -> u8 {
    let listeners = match Listeners::inherited() {
        Ok(listeners) => listeners,
        Err(error) => {
            eprintln!("roostd: sockets from systemd: {error}");
            return exit::OSERR;
        }
    };
    if let Some(fault) = settings::log_fault(&service.path, &service.config) {
        eprintln!("roostd: {fault}");
        return exit::CONFIG;
    }
    let target = settings::log_target(&service.config);
    let level = settings::log_level(&service.config);
    let (log, writer) = match logger::start(&target, level) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("roostd: no log: {error}");
            return exit::OSERR;
        }
    };
    let complaint = Complaint {
        on_stderr: service.config.server.log_target != LogTarget::Stderr,
    };
    let code = match prepare(service, &listeners, log, &complaint) {
        Ok(parts) => supervise(parts, &complaint),
        Err(code) => code,
    };
    finish(writer, code)
}

fn finish(writer: Writer, code: u8) -> u8 {
    writer.close();
    code
}

fn supervise(parts: Parts, complaint: &Complaint) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.and_then(|runtime| runtime.block_on(supervisor::run(parts)));
    result.unwrap_or_else(|error| {
        complaint.make(&format_args!("cannot start: {error}"));
        exit::OSERR
    })
}

/// The exit code is that of the first thing that failed.
fn prepare(
    service: Service,
    listeners: &Listeners,
    log: logger::Log,
    complaint: &Complaint,
) -> Result<Parts, u8> {
    let Service {
        path,
        config,
        privilege,
        greeting,
        advice,
    } = service;
    let libexec = config.server.libexec_dir.clone();
    let executables = Executables::find(libexec.as_deref())
        .map_err(|error| complaint.fail(&error, exit::OSFILE))?;
    privilege
        .prepare()
        .map_err(|error| complaint.fail(&error, exit::CANTCREAT))?;
    hide_keys(&privilege);
    raise_limits(&config);
    let settings = Settings::new(config, &privilege)
        .map_err(|errors| complaint.fail_all(&errors, exit::CONFIG))?;
    let listeners = listeners.with(&settings.listeners).map_err(|errors| {
        let code = complaint.fail_all(&errors, exit::UNAVAILABLE);
        if let Some(advice) = advice {
            eprintln!("roostd: {advice}");
        }
        code
    })?;
    for address in listeners.unused() {
        log::warn!("{address}: systemd listens there, but it is not in [listen]");
    }
    if let Some(greeting) = greeting {
        println!("{greeting}");
    }
    Ok(Parts {
        source: Source {
            config: path,
            privilege,
        },
        settings,
        executables,
        listeners,
        log,
    })
}

/// Keeps certificates' keys out of core files. Without root the caller could
/// read them anyway.
fn hide_keys(privilege: &Privilege) {
    if let Privilege::Root { .. } = privilege
        && let Err(error) = roost_os::identity::set_undumpable()
    {
        log::error!("core files may hold private keys: {error}");
    }
}

/// Children inherit this; only root could raise it further for them.
fn raise_limits(config: &Config) {
    let connections = u64::from(config.limits.max_connections);
    let wanted = connections * FILES_A_CONNECTION + SPARE_FILES;
    match roost_os::limits::raise_open_files(wanted) {
        Ok(got) if got < wanted => log::info!(
            "only {got} open files are allowed, {wanted} would serve {connections} connections"
        ),
        Ok(_) => {}
        Err(error) => log::error!("limit of open files: {error}"),
    }
}

/// What goes wrong at the start must be seen by whoever started it.
struct Complaint {
    /// False when the log goes there anyway.
    on_stderr: bool,
}

impl Complaint {
    fn make(&self, error: &dyn Display) {
        if self.on_stderr {
            eprintln!("roostd: {error}");
        }
        log::error!("{error}");
    }

    fn fail(&self, error: &dyn Display, code: u8) -> u8 {
        self.make(error);
        code
    }

    fn fail_all<E: Display>(&self, errors: &[E], code: u8) -> u8 {
        for error in errors {
            self.make(error);
        }
        code
    }
}
