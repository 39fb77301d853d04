//! Listening sockets.
//!
//! The standard library leaves IPv6 sockets open to IPv4 as well, so that
//! `0.0.0.0:143` and `[::]:143` together would fail with "address in use".
//! Here each address stands for its own family only.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen as start_listening,
    setsockopt, socket, sockopt,
};

/// The kernel cuts this down to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// A non-blocking TCP listener on `address` alone (port 0: any free port).
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    start_listening(&fd, Backlog::new(BACKLOG)?)?;
    Ok(TcpListener::from(fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_share_a_port() {
        let four = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = four.local_addr().unwrap().port();
        match listen(SocketAddr::new("::".parse().unwrap(), port)) {
            Ok(six) => assert_eq!(six.local_addr().unwrap().port(), port),
            // Hosts without IPv6.
            Err(e) => assert_eq!(e.raw_os_error(), Some(libc::EAFNOSUPPORT)),
        }
        let again = listen(four.local_addr().unwrap()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }
}
