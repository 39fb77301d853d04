//! A copy of a Debian root that may be changed: written things lie in memory
//! and go away with it.

use crate::process::{Finish, Group, in_namespace};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const DEVICES: [&str; 4] = ["null", "zero", "random", "urandom"];

pub struct Chroot {
    scratch: tempfile::TempDir,
}

impl Chroot {
    /// `None`, with a word, where there is no root to copy or none is allowed.
    pub fn new(what: &str) -> Option<Self> {
        let lower = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/debian");
        if !in_namespace(what) {
            return None;
        }
        if !lower.join("etc/debian_version").exists() {
            eprintln!("left out ({what}): contrib/make-root has not made a Debian root");
            return None;
        }
        let lower = lower.canonicalize().expect("root");
        Some(Self::over(&lower).expect("chroot"))
    }

    fn over(lower: &Path) -> io::Result<Self> {
        let chroot = Self {
            scratch: tempfile::tempdir()?,
        };
        let scratch = chroot.scratch.path();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        mount(&["-t", "tmpfs", "tmpfs", &text(scratch.into())])?;
        for name in ["root", "upper", "work"] {
            fs::create_dir(scratch.join(name))?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            text(scratch.join("upper")),
            text(scratch.join("work"))
        );
        let root = chroot.root();
        mount(&[
            "-t",
            "overlay",
            "overlay",
            "-o",
            &options,
            &text(root.clone()),
        ])?;
        mount(&["-t", "proc", "proc", &text(root.join("proc"))])?;
        for device in DEVICES {
            let place = root.join("dev").join(device);
            if !place.exists() {
                fs::write(&place, "")?;
            }
            mount(&["--bind", &format!("/dev/{device}"), &text(place)])?;
        }
        Ok(chroot)
    }

    pub fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    /// Has the program behind it run with nothing of our environment.
    pub(crate) const ENVIRONMENT: [&str; 5] = [
        "/usr/bin/env",
        "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL=C.UTF-8",
        "DEBIAN_FRONTEND=noninteractive",
    ];

    /// To run in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("chroot");
        command
            .arg(self.root())
            .args(Self::ENVIRONMENT)
            .arg(program);
        command
    }

    /// Runs a shell line in it; what it printed, or an error with that.
    pub fn shell(&self, line: &str) -> io::Result<String> {
        shell(&mut self.command("sh"), line)
    }

    /// Ends with what is returned.
    pub fn start(&self, program: &str, log: &Path) -> io::Result<Group> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        Group::start(self.command(program).stdout(log.try_clone()?).stderr(log))
    }

    /// Every path in it but those below the folders that are left out.
    pub fn paths(&self, without: &[&str]) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        walk(&self.root(), Path::new("/"), without, &mut found);
        found
    }
}

/// Has the shell that `command` starts run a line.
pub(crate) fn shell(command: &mut Command, line: &str) -> io::Result<String> {
    let output = command.args(["-ec", line]).finish()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(io::Error::other(format!(
            "{line}: {}\n{text}",
            output.status
        ))),
    }
}

fn walk(dir: &Path, inside: &Path, without: &[&str], found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = inside.join(entry.file_name());
        if without.iter().any(|w| name == Path::new(w)) {
            continue;
        }
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&entry.path(), &name, without, found);
        }
        found.insert(name);
    }
}

impl Drop for Chroot {
    fn drop(&mut self) {
        for device in DEVICES {
            unmount(&self.root().join("dev").join(device));
        }
        unmount(&self.root().join("proc"));
        unmount(&self.root());
        unmount(self.scratch.path());
    }
}

fn mount(args: &[&str]) -> io::Result<()> {
    let output = Command::new("mount").args(args).finish()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "mount {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// At once for the namespace, when nobody uses it any more for the rest.
fn unmount(path: &Path) {
    let _ = Command::new("umount").arg("-l").arg(path).finish();
}
