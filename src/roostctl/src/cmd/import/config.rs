//! `roostctl import config`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use super::proposal::Proposal;
use super::{courier, dovecot, host};
use crate::args::Common;
use crate::out::print;
use crate::{Failure, exit};

/// Where Courier's files are.
const COURIER: &str = "/etc/courier";
/// Octets of a configuration; Dovecot's whole one has some 30,000.
const MAX_TEXT: u64 = 4 << 20;

pub fn run(common: &Common, from: Option<&Path>, output: Option<&Path>) -> Result<u8, Failure> {
    let mut proposal = propose(from)?;
    host::look(&mut proposal);
    let text = proposal.text()?;
    match output {
        Some(path) => {
            write_new(path, &text)?;
            proposal.report(common.json);
        }
        None if common.json => proposal.report(true),
        None => print(&text),
    }
    Ok(if proposal.loses() {
        exit::DATAERR
    } else {
        exit::OK
    })
}

fn propose(from: Option<&Path>) -> Result<Proposal, Failure> {
    match from {
        Some(path) if path.is_dir() => courier::propose(path),
        Some(path) => {
            let failed = |e| Failure::new(exit::NOINPUT, format!("{}: {e}", path.display()));
            let size = fs::metadata(path).map_err(failed)?.len();
            if size > MAX_TEXT {
                let text = format!("{}: too large to be a configuration", path.display());
                return Err(Failure::new(exit::DATAERR, text));
            }
            let text = String::from_utf8_lossy(&fs::read(path).map_err(failed)?).into_owned();
            dovecot::propose(&text, &path.display().to_string())
        }
        None => match of_doveconf()? {
            Some(text) => dovecot::propose(&text, "doveconf -nP"),
            None if Path::new(COURIER).join("imapd").exists() => {
                courier::propose(Path::new(COURIER))
            }
            None => {
                let text = "neither doveconf nor Courier's files are here: name them with --from";
                Err(Failure::new(exit::NOINPUT, text))
            }
        },
    }
}

/// What the host's Dovecot says; `None` where there is none.
fn of_doveconf() -> Result<Option<String>, Failure> {
    let output = match Command::new("doveconf").arg("-nP").output() {
        Ok(output) => output,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::new(exit::OSERR, format!("doveconf: {e}"))),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(exit::CONFIG, said.trim_end()));
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// What is there already is not overwritten.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |e| Failure::new(exit::IOERR, format!("{}: {e}", path.display()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}
