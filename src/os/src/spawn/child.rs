//! Watching over a child, and ending it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A started child. Dropping it neither ends nor reaps it.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    status: Option<ExitStatus>,
}

impl Child {
    pub(super) fn new(pid: libc::pid_t) -> Self {
        Self { pid, status: None }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Reaps the child if it has ended; asks again after each `SIGCHLD`.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.reap(libc::WNOHANG)
    }

    /// Waits for the child to end.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        match self.reap(0)? {
            Some(status) => Ok(status),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn reap(&mut self, options: libc::c_int) -> io::Result<Option<ExitStatus>> {
        if self.status.is_some() {
            return Ok(self.status);
        }
        let mut raw = 0;
        loop {
            // SAFETY: writes one integer, on our stack.
            match unsafe { libc::waitpid(self.pid, &raw mut raw, options) } {
                0 => return Ok(None),
                -1 => match io::Error::last_os_error() {
                    e if e.kind() == io::ErrorKind::Interrupted => {}
                    e => return Err(e),
                },
                _ => {
                    self.status = Some(ExitStatus::from_raw(raw));
                    return Ok(self.status);
                }
            }
        }
    }

    /// Asks the child to end (`SIGTERM`).
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(libc::SIGTERM)
    }

    /// Ends the child (`SIGKILL`).
    pub fn kill(&self) -> io::Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// A child that has been reaped gets nothing: its number may be another's.
    fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        // SAFETY: takes two numbers; the child is not reaped, so the number
        // is still its own.
        match unsafe { libc::kill(self.pid, signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
