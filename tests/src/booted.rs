//! A copy of a Debian root with systemd as its first process, in the tests' own
//! network: what a host is, but for the kernel.

use crate::chroot::{Chroot, shell};
use crate::process::{Finish, Group, eventually};
use std::fs;
use std::io;
use std::process::Command;
use std::time::Duration;

const BOOT: Duration = Duration::from_secs(60);

/// Shut down when dropped.
pub struct Booted {
    /// Dropped before the root that it lives in.
    _machine: Group,
    /// Its first process.
    first: u32,
    chroot: Chroot,
}

impl Booted {
    /// `None`, with a word, where systemd cannot be started in a container.
    pub fn new(chroot: Chroot, what: &str) -> Option<Self> {
        if !container(&chroot)
            .arg("true")
            .finish()
            .is_ok_and(|tried| tried.status.success())
        {
            eprintln!("left out ({what}): systemd-nspawn does not work here");
            return None;
        }
        Some(Self::boot(chroot).expect("boots"))
    }

    fn boot(chroot: Chroot) -> io::Result<Self> {
        let log = fs::File::create(chroot.root().with_file_name("log"))?;
        let mut command = container(&chroot);
        let command = command.arg("--boot").stdout(log.try_clone()?).stderr(log);
        let machine = Group::start(command)?;
        let mut booted = Self {
            first: 0,
            _machine: machine,
            chroot,
        };
        let children = format!("/proc/{0}/task/{0}/children", booted._machine.pid());
        let runs = eventually(BOOT, || {
            let children = fs::read_to_string(&children).ok()?;
            booted.first = children.split_whitespace().next()?.parse().ok()?;
            let said = booted.shell("systemctl is-system-running").ok()?;
            said.contains("running").then_some(())
        });
        runs.ok_or_else(|| {
            let log = fs::read(booted.chroot.root().with_file_name("log"));
            let log = log.unwrap_or_default();
            let failed = booted.shell("systemctl --failed");
            io::Error::other(format!("{failed:?}\n{}", String::from_utf8_lossy(&log)))
        })?;
        Ok(booted)
    }

    pub fn chroot(&self) -> &Chroot {
        &self.chroot
    }

    /// Runs a shell line in it; what it printed, or an error with that.
    pub fn shell(&self, line: &str) -> io::Result<String> {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--all", "--"]);
        shell(command.args(Chroot::ENVIRONMENT).arg("sh"), line)
    }
}

/// Nobody outside is told of it, and it uses the network that is there.
fn container(chroot: &Chroot) -> Command {
    let mut command = Command::new("systemd-nspawn");
    command.arg("--directory").arg(chroot.root()).args([
        "--register=no",
        "--keep-unit",
        "--console=pipe",
        "--quiet",
    ]);
    command
}
