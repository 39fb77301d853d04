//! What the load generator needs of the machine, and what the table tells
//! about it.

use crate::error::{Error, Result};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use std::fs;
use std::path::Path;

/// CPU time of this process so far.
pub fn cpu_seconds() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |u| {
        let micros = u.user_time().num_microseconds() + u.system_time().num_microseconds();
        micros as f64 / 1e6
    })
}

/// As many descriptors as thousands of connections take, here and in servers.
pub fn raise_limits() {
    const WANTED: u64 = 65_536;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    let top = hard.max(WANTED);
    if setrlimit(Resource::RLIMIT_NOFILE, top, top).is_err() {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// A setting of the kernel that goes back to what it was.
pub struct Raised {
    file: &'static str,
    before: String,
}

impl Raised {
    pub fn to(file: &'static str, value: &str) -> Result<Self> {
        let before = fs::read_to_string(file)?;
        fs::write(file, value)?;
        Ok(Self { file, before })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Err(e) = fs::write(self.file, &self.before) {
            eprintln!("{} is not {} again: {e}", self.file, self.before.trim());
        }
    }
}

/// Octets that processes can have without anything being written out.
pub fn memory_available() -> u64 {
    meminfo("MemAvailable:") << 10
}

/// KiB behind `name`.
fn meminfo(name: &str) -> u64 {
    fs::read_to_string("/proc/meminfo")
        .unwrap_or_default()
        .lines()
        .find_map(|l| {
            l.strip_prefix(name)?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

/// A certificate for all servers, made once.
pub fn certificate(dir: &Path) -> Result<()> {
    let file = dir.join("certificate.pem");
    if file.exists() {
        return Ok(());
    }
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .map_err(|e| Error(e.to_string()))?;
    fs::write(dir.join("key.pem"), made.signing_key.serialize_pem())?;
    fs::write(file, made.cert.pem())?;
    Ok(())
}

/// Cores, memory, kernel and file system, in words.
pub fn description(dir: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |p: &str| fs::read_to_string(p).unwrap_or_default();
    let memory = meminfo("MemTotal:");
    let release = read("/proc/sys/kernel/osrelease");
    let kernel: String = release
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    format!(
        "{cores} cores, {} GiB of memory, Linux {kernel}, {}, {}",
        (memory + (1 << 19)) >> 20,
        file_system(dir),
        dovecot_version()
    )
}

fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|l| {
            let mut words = l.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(at, _)| dir.starts_with(at))
        .max_by_key(|(at, _)| at.len())
        .map_or_else(String::new, |(_, kind)| kind.to_owned())
}

fn dovecot_version() -> String {
    let said = std::process::Command::new("/usr/sbin/dovecot")
        .arg("--version")
        .output();
    let text = said.map_or_else(
        |_| String::new(),
        |o| String::from_utf8_lossy(&o.stdout).into_owned(),
    );
    format!(
        "Dovecot {}",
        text.split_whitespace().next().unwrap_or("none")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_setting_goes_back() {
        let file = std::env::temp_dir().join(format!("roost-bench-{}", std::process::id()));
        fs::write(&file, "128\n").unwrap();
        let path: &'static str = Box::leak(file.to_string_lossy().into_owned().into_boxed_str());
        let raised = Raised::to(path, "20000").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "20000");
        drop(raised);
        assert_eq!(fs::read_to_string(path).unwrap(), "128\n");
        fs::remove_file(path).unwrap();
    }
}
