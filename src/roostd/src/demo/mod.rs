//! `roostd --demo`: an account, a certificate and sample mail in one folder,
//! served as any configuration is, without root and without touching
//! anything else on the machine.
//!
//! Started as root it changes no user either: the demo is the caller's.

mod mail;
mod password;
mod tree;

use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use roost_config::Config;
use roost_os::identity;
use roost_types::UnixTime;

use crate::args::DemoArgs;
use crate::certs::SELF_SIGNED_CERTIFICATE;
use crate::settings::Privilege;
use crate::{certs, exit, serve};

const USER: &str = "demo";
const PASSWORD: &str = "demo";
const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

const CONFIG: &str = "roost.conf";
const PASSWD: &str = "passwd";
const MAIL: &str = "mail";
const STATE: &str = "state";

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: there is something else in this folder", .0.display())]
    Occupied(PathBuf),
    #[error("{}: a demo's folder may have no colons, percent or dollar signs, quotes, backslashes or control characters in its name", .0.display())]
    Name(PathBuf),
    #[error("the demo's password cannot be stored: no random numbers")]
    Random,
    #[error(transparent)]
    Certificate(#[from] certs::CertError),
    #[error("{0}")]
    Config(String),
}

impl DemoError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Occupied(_) | Self::Certificate(_) => exit::CANTCREAT,
            Self::Name(_) => exit::USAGE,
            Self::Random => exit::OSERR,
            Self::Config(_) => exit::SOFTWARE,
        }
    }
}

/// Prepares the folder and serves it until interrupted.
pub fn run(args: &DemoArgs) -> u8 {
    match prepare(args) {
        Ok(service) => serve::run(service),
        Err(error) => {
            eprintln!("roostd: {error}");
            error.exit_code()
        }
    }
}

fn prepare(args: &DemoArgs) -> Result<serve::Service, DemoError> {
    let dir = folder(args.dir.as_deref())?;
    fill(&dir)?;
    let (files, _) = certs::self_signed(&dir.join(STATE), "localhost", UnixTime::now())?;
    debug_assert!(files.certificate.ends_with(SELF_SIGNED_CERTIFICATE));
    // Written each time: the ports may have changed.
    let path = dir.join(CONFIG);
    let text = configuration(&dir, args);
    std::fs::write(&path, &text).map_err(at(&path))?;
    let config = Config::parse(text.as_bytes(), &path).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        DemoError::Config(lines.join("\n"))
    })?;
    Ok(serve::Service {
        path,
        config,
        privilege: Privilege::Caller(identity::current_user()),
        greeting: Some(greeting(&dir, args)),
        advice: Some("--port and --tls-port choose other ports for the demo"),
    })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let path = path.to_owned();
    |error| DemoError::Io { path, error }
}

/// The folder as an absolute path that exists.
fn folder(wanted: Option<&Path>) -> Result<PathBuf, DemoError> {
    let Some(wanted) = wanted else {
        let template = std::env::temp_dir().join("roost-demo.XXXXXX");
        return nix::unistd::mkdtemp(&template).map_err(|e| at(&template)(e.into()));
    };
    let path = std::path::absolute(wanted).map_err(at(wanted))?;
    match path.to_str() {
        Some(text) if is_plain(text) => {}
        _ => return Err(DemoError::Name(path)),
    }
    match tree::make_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
        other => other.map(|()| path.clone()).map_err(at(&path)),
    }
}

/// Fit for a configuration file, a passwd-file and the command lines that are
/// printed.
fn is_plain(path: &str) -> bool {
    const SPECIAL: &str = ":%'\"\\$`";
    path.trim() == path && !path.chars().any(|c| SPECIAL.contains(c) || c.is_control())
}

/// Makes what a demo needs in an empty folder; that of an earlier demo is
/// taken as it is.
fn fill(dir: &Path) -> Result<(), DemoError> {
    if dir.join(CONFIG).exists() {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(dir).map_err(at(dir))?;
    if entries.next().is_some() {
        return Err(DemoError::Occupied(dir.to_owned()));
    }
    let state = dir.join(STATE);
    tree::make_dir(&state).map_err(at(&state))?;
    let passwd = dir.join(PASSWD);
    tree::create(&passwd, account(dir)?.as_bytes()).map_err(at(&passwd))?;
    let mail = dir.join(MAIL);
    tree::write(&mail, UnixTime::now()).map_err(at(&mail))
}

/// The line of the passwd-file.
fn account(dir: &Path) -> Result<String, DemoError> {
    let hash = password::scram_sha_256(PASSWORD).ok_or(DemoError::Random)?;
    let (uid, gid) = (identity::current_user(), identity::current_group());
    Ok(format!("{USER}:{hash}:{uid}:{gid}::{}::\n", dir.display()))
}

fn configuration(dir: &Path, args: &DemoArgs) -> String {
    let dir = dir.display();
    format!(
        "\
# Made by `roostd --demo`; `roostd --sample-config` shows every key.
[server]
hostname = localhost
log_target = stderr
log_level = problems
control_socket = {dir}/control

[listen]
imap = {HOST}:{}
imaps = {HOST}:{}

[tls]
state_dir = {dir}/{STATE}

[auth]
backend = passwd-file
passwd_file = {dir}/{PASSWD}
minimum_uid = 0

[mail]
maildir = {dir}/{MAIL}

[limits]
max_connections = 200
",
        args.port, args.tls_port
    )
}

/// What is printed: where the demo is, and how to connect.
fn greeting(dir: &Path, args: &DemoArgs) -> String {
    let clear = SocketAddr::from((HOST, args.port));
    let tls = SocketAddr::from((HOST, args.tls_port));
    let certificate = dir.join(STATE).join(SELF_SIGNED_CERTIFICATE);
    let certificate = certificate.display();
    let lines = [
        ("Roost demo", format!("in {}", dir.display())),
        ("  IMAP", format!("{clear} (STARTTLS)")),
        ("  IMAPS", format!("{tls} (TLS)")),
        ("  user", USER.to_owned()),
        ("  password", PASSWORD.to_owned()),
        (
            "curl",
            format!(
                "curl --cacert '{certificate}' --user {USER}:{PASSWORD} \
                 'imaps://{tls}/INBOX;MAILINDEX=1'"
            ),
        ),
        (
            "openssl",
            format!("openssl s_client -quiet -crlf -CAfile '{certificate}' -connect {tls}"),
        ),
        (
            "neomutt",
            format!(
                "neomutt -n -F /dev/null -e \
                 'set folder=imaps://{USER}@{tls}/ spoolfile=+INBOX imap_pass={PASSWORD} \
                 certificate_file=\"{certificate}\"'"
            ),
        ),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<12}{value}");
    }
    text.push_str("Ctrl-C ends it.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(dir: &Path) -> DemoArgs {
        DemoArgs {
            dir: Some(dir.to_owned()),
            port: 2143,
            tls_port: 2993,
        }
    }

    #[test]
    fn the_demo_has_a_valid_configuration_and_is_taken_up_again() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("with blank");
        let service = prepare(&args(&dir)).unwrap();
        assert_eq!(service.config.listen.imap, [SocketAddr::from((HOST, 2143))]);
        let marker = dir.join(MAIL).join("cur/kept");
        std::fs::write(&marker, "x").unwrap();
        let again = prepare(&DemoArgs {
            port: 3143,
            ..args(&dir)
        })
        .unwrap();
        assert_eq!(again.config.listen.imap, [SocketAddr::from((HOST, 3143))]);
        assert!(marker.exists());
        assert!(again.greeting.unwrap().contains("demo:demo"));
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), "x").unwrap();
        let error = prepare(&args(dir.path())).err().unwrap();
        assert!(matches!(error, DemoError::Occupied(_)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_that_no_passwd_file_could_name_are_refused() {
        let base = tempfile::tempdir().unwrap();
        for name in ["a:b", "50%", "line\nend", "it's", "$HOME"] {
            let error = prepare(&args(&base.path().join(name))).err().unwrap();
            assert!(matches!(error, DemoError::Name(_)), "{name}");
        }
    }
}
