//! Listening sockets.
//!
//! The standard library leaves IPv6 sockets open to IPv4 as well, so that
//! `0.0.0.0:143` and `[::]:143` together would fail with "address in use".
//! Here each address stands for its own family only.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getsockopt,
    listen as start_listening, setsockopt, socket, sockopt,
};

/// The kernel cuts this down to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

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

/// Whether connections can be accepted from it: a stream socket that listens.
pub fn is_listener(socket: impl AsFd) -> io::Result<bool> {
    let stream = getsockopt(&socket, sockopt::SockType)? == SockType::Stream;
    Ok(stream && getsockopt(&socket, sockopt::AcceptConn)?)
}

/// Sends the acknowledgement of what was received now, should the kernel
/// delay it. Holds for what has come, not for what comes.
///
/// # Errors
/// On anything but a TCP socket.
pub fn acknowledge_now(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: reads one integer, on our stack, of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_QUICKACK,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tcp_acknowledges() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        acknowledge_now(&client).unwrap();
        let (unix, _) = crate::fdpass::stream_pair().unwrap();
        assert!(acknowledge_now(&unix).is_err());
    }

    #[test]
    fn only_listeners_are_taken_for_such() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(is_listener(&listener).unwrap());
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!is_listener(&client).unwrap());
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(!is_listener(&datagrams).unwrap());
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(is_listener(&file).is_err());
    }

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
