//! The child's side: what it was given, and whose child it is.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::MAX_INHERITED;

/// Has this process get `SIGTERM` when the thread that started it ends. Call
/// it again after every change of identity, which clears it; `parent` is the
/// parent at the start, so that one that is gone already is noticed.
pub fn die_with_parent(parent: i32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
    if parent_pid() == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// The process that started this one.
pub fn parent_pid() -> i32 {
    nix::unistd::getppid().as_raw()
}

/// Takes the descriptor that the parent put at `number` (3 and up), once.
///
/// # Errors
/// `NotFound` when it is not open, taken already, or out of range.
pub fn inherited(number: u8) -> io::Result<OwnedFd> {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    let range = 3..3 + MAX_INHERITED;
    if !range.contains(&usize::from(number)) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let bit = 1 << number;
    if TAKEN.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the number is given out once (TAKEN). Callers do so first thing
    // in main, before the process opens anything that could have got it.
    let fd = unsafe {
        if libc::fcntl(RawFd::from(number), libc::F_GETFD) == -1 {
            return Err(io::ErrorKind::NotFound.into());
        }
        OwnedFd::from_raw_fd(RawFd::from(number))
    };
    fcntl(fd.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(fd)
}
