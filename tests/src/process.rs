//! Processes that end with their test.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// A process group of a test; ended, at last by SIGKILL, when dropped.
pub struct Group {
    child: Child,
}

impl Group {
    pub fn start(command: &mut Command) -> io::Result<Self> {
        Self::start_on(command, Stdio::null())
    }

    fn start_on(command: &mut Command, input: Stdio) -> io::Result<Self> {
        let child = command.process_group(0).stdin(input).spawn()?;
        Ok(Self { child })
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub fn signal(&self, signal: Signal) {
        let _ = kill(self.pid(), signal);
    }

    /// The exit status once it has ended, within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return None,
            }
        }
    }

    /// Waits until something listens on loopback `port`, at most `limit`; an
    /// error at once when the process has ended, for then it is somebody else.
    pub fn listens(&mut self, port: u16, limit: Duration) -> io::Result<()> {
        let until = Instant::now() + limit;
        loop {
            let answer = TcpStream::connect_timeout(&loopback(port), Duration::from_millis(200));
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it has ended: {status}")));
            }
            match answer {
                Ok(_) => return Ok(()),
                Err(e) if Instant::now() > until => return Err(e),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
        let _ = self.wait(Duration::from_secs(5));
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

const PROGRAM_LIMIT: Duration = Duration::from_secs(120);

/// Programs that are expected to end by themselves.
pub trait Finish {
    /// Runs it to its end with nothing on its standard input. One that takes
    /// longer than two minutes is killed with its group, and the error shows
    /// what it said until then.
    fn finish(&mut self) -> io::Result<Output>;

    /// The same with `input`, which ends then.
    fn finish_on(&mut self, input: &str) -> io::Result<Output>;
}

impl Finish for Command {
    fn finish(&mut self) -> io::Result<Output> {
        run_to_end(self, Stdio::null())
    }

    fn finish_on(&mut self, input: &str) -> io::Result<Output> {
        let mut file = tempfile::tempfile()?;
        file.write_all(input.as_bytes())?;
        file.rewind()?;
        run_to_end(self, file.into())
    }
}

fn run_to_end(command: &mut Command, input: Stdio) -> io::Result<Output> {
    // Files, not pipes: whoever inherits a pipe and lives on would hold up
    // the reading.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let group = Group::start_on(
        command
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?),
        input,
    );
    let status = group?.wait(PROGRAM_LIMIT);
    let mut said = [Vec::new(), Vec::new()];
    for (file, text) in [&mut stdout, &mut stderr].into_iter().zip(&mut said) {
        file.rewind()?;
        file.read_to_end(text)?;
    }
    let [stdout, stderr] = said;
    let Some(status) = status else {
        return Err(io::Error::other(format!(
            "{command:?} does not end\n{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        )));
    };
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// What [`free_port`] gave out: its port is free again until the server that
/// it is meant for has bound it.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
const DRAWS: usize = 1000;

/// A loopback port that nobody has right now, and nobody else in this process
/// gets.
pub fn free_port() -> io::Result<u16> {
    for _ in 0..DRAWS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given.insert(port) {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrNotAvailable.into())
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Repeats `check` until it gives something, at most `limit`.
pub fn eventually<T>(limit: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        if Instant::now() > until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder of the workspace's executables that belong to this test run.
pub fn executables() -> PathBuf {
    let mut dir = std::env::current_exe().expect("own path");
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    dir
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// True inside `tests/in-namespace`, where users, PAM files and peers'
/// settings are the tests' own. Says what is left out where it is not.
pub fn in_namespace(what: &str) -> bool {
    let inside = is_root() && std::env::var_os("ROOST_TEST_NAMESPACE").is_some();
    if !inside {
        eprintln!("left out ({what}): needs root and tests/in-namespace");
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let given: Vec<u16> = (0..500).map(|_| free_port().unwrap()).collect();
        let different: BTreeSet<u16> = given.iter().copied().collect();
        assert_eq!(different.len(), given.len());
    }

    #[test]
    fn a_port_of_somebody_else_is_not_taken_for_that_of_the_ended() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let mut group = Group::start(&mut Command::new("true")).unwrap();
        group.child.wait().unwrap();
        assert!(group.listens(port, Duration::from_secs(5)).is_err());
    }
}
