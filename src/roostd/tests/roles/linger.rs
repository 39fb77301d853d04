//! What a local user can send along with a packet to make whoever closes it
//! wait.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

/// A connection whose closing waits until somebody reads its other end, which
/// happens if the test has come no further after this time.
pub struct Lingering {
    /// None where nobody but others has it.
    near: Option<TcpStream>,
    done: Sender<()>,
    rescue: JoinHandle<bool>,
}

const RESCUE: Duration = Duration::from_secs(20);
/// More than it takes to close what others have too.
const CLOSING: Duration = Duration::from_secs(1);

impl Lingering {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 3600,
        };
        setsockopt(&near, sockopt::Linger, &linger).unwrap();
        near.set_nonblocking(true).unwrap();
        while (&near).write(&[0; 1 << 16]).is_ok() {}
        let (done, is_done) = mpsc::channel();
        let rescue = thread::spawn(move || {
            let late = is_done.recv_timeout(RESCUE).is_err();
            let mut buffer = [0; 1 << 16];
            while late && far.read(&mut buffer).is_ok_and(|len| len > 0) {}
            late
        });
        Self {
            near: Some(near),
            done,
            rescue,
        }
    }

    /// To be sent along.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.near.as_ref().unwrap().as_fd()
    }

    /// From now on whoever has been sent it has the last one. Where that is
    /// closed already, ours is the last, and nobody waits for it here.
    pub fn leave(&mut self) {
        let near = self.near.take();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            drop(near);
            let _ = tell.send(());
        });
        let _ = told.recv_timeout(CLOSING);
    }

    /// Whether all that came before was done while nobody read.
    pub fn was_unread(self) -> bool {
        let _ = self.done.send(());
        !self.rescue.join().unwrap()
    }
}
