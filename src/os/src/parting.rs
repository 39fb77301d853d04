//! Closing what others could send descriptors to.
//!
//! With a local socket the kernel closes the descriptors in it that nobody has
//! received, and with them it may wait: for a connection that nobody reads as
//! long as its `SO_LINGER` says, which whoever sent it has chosen. Only what
//! ends does not wait (socket(7): "when the socket is closed as part of exit(2),
//! it always lingers in the background"). So a thread takes copies with it, in
//! a descriptor table of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::thread;

/// What it does needs hardly any.
const STACK: usize = 64 << 10;

/// Closes `descriptors`. Waits for another thread to take them over, and for
/// nothing that they hold.
///
/// # Errors
/// When there can be no such thread: then they are closed by the caller, and
/// that may wait.
pub fn close(descriptors: Vec<OwnedFd>) -> io::Result<()> {
    let (tell, told) = mpsc::sync_channel(1);
    let (leave, left) = mpsc::channel::<()>();
    thread::Builder::new()
        .name("parting".into())
        .stack_size(STACK)
        .spawn(move || {
            let _ = tell.send(own_table());
            // Until the caller's are closed: then these are the last.
            let _ = left.recv();
        })?;
    let taken = told
        .recv()
        .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
    drop(descriptors);
    drop(leave);
    taken
}

/// Copies the descriptors of the process for the calling thread alone.
fn own_table() -> io::Result<()> {
    let last = libc::c_uint::MAX;
    // SAFETY: takes numbers only. Nothing has the one number that is to be
    // closed, and the other threads keep the table that they have.
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, last, last, libc::CLOSE_RANGE_UNSHARE) };
    if done == 0 {
        return Ok(());
    }
    // Before Linux 5.9; containers may forbid this one.
    // SAFETY: as above.
    match unsafe { libc::unshare(libc::CLONE_FILES) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fdpass;
    use nix::sys::socket::{setsockopt, sockopt};
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    /// A connection whose closing waits until its other end is read.
    fn lingering() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 3600,
        };
        setsockopt(&near, sockopt::Linger, &linger).unwrap();
        near.set_nonblocking(true).unwrap();
        while (&near).write(&[0; 1 << 16]).is_ok() {}
        (near, far)
    }

    fn read_all(mut far: &TcpStream) -> io::Result<()> {
        let mut buffer = [0; 1 << 16];
        while far.read(&mut buffer)? > 0 {}
        Ok(())
    }

    #[test]
    fn what_a_socket_holds_is_closed_without_a_wait() {
        let (near, far) = lingering();
        let (ours, theirs) = fdpass::seqpacket_pair().unwrap();
        // One inside another as well.
        let (inner, outer) = fdpass::seqpacket_pair().unwrap();
        fdpass::send(&inner, b"x", &[near.as_fd()]).unwrap();
        fdpass::send(&theirs, b"x", &[near.as_fd(), outer.as_fd()]).unwrap();
        drop((near, inner, outer, theirs));
        let waited = Arc::new(AtomicBool::new(false));
        let (done, is_done) = mpsc::channel();
        let rescue = thread::spawn({
            let (waited, far) = (Arc::clone(&waited), far.try_clone().unwrap());
            move || {
                if is_done.recv_timeout(Duration::from_secs(20)).is_err() {
                    waited.store(true, Ordering::SeqCst);
                    read_all(&far).unwrap();
                }
            }
        });
        close(vec![ours]).unwrap();
        done.send(()).unwrap();
        rescue.join().unwrap();
        assert!(!waited.load(Ordering::SeqCst));
        // And it is closed: its other end comes to the end.
        far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        match read_all(&far) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    #[test]
    fn the_other_threads_keep_what_they_have() {
        let (a, b) = fdpass::seqpacket_pair().unwrap();
        let (c, d) = fdpass::seqpacket_pair().unwrap();
        close(vec![a]).unwrap();
        assert_eq!(fdpass::recv(&b, &mut [0; 4]).unwrap().len, 0);
        fdpass::send(&c, b"x", &[]).unwrap();
        assert_eq!(fdpass::recv(&d, &mut [0; 4]).unwrap().len, 1);
    }
}
