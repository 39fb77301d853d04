//! Packets with descriptors over local sockets.
//!
//! `SOCK_SEQPACKET` keeps messages apart and tells when the peer is gone.
//! Received descriptors become [`OwnedFd`] before anything else can fail, so
//! none leaks, and carry close-on-exec from their first moment.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

/// The most descriptors that one packet may carry.
pub const MAX_DESCRIPTORS: usize = 64;

/// Room for the control data of [`MAX_DESCRIPTORS`], aligned for its headers.
#[repr(C, align(8))]
struct ControlBuffer([u8; CONTROL_LEN]);
// A header is 16 octets on 64-bit hosts; the slack covers any alignment.
const CONTROL_LEN: usize = 64 + MAX_DESCRIPTORS * size_of::<RawFd>();

/// What [`recv`] took from the socket.
#[derive(Debug)]
pub struct Received {
    /// Octets put into the buffer; 0 means that the peer has closed.
    pub len: usize,
    pub descriptors: Vec<OwnedFd>,
}

/// A connected pair that keeps packet borders.
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SockType::SeqPacket)
}

/// A connected pair that is a plain byte stream, as a client's connection is.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SockType::Stream)
}

/// A stream pair for much data: each end may be `octets` ahead of the other.
/// Without privileges the kernel's limit for everybody holds.
pub fn wide_stream_pair(octets: usize) -> io::Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{setsockopt, sockopt};
    let (left, right) = pair(SockType::Stream)?;
    for end in [&left, &right] {
        if setsockopt(end, sockopt::SndBufForce, &octets).is_err() {
            setsockopt(end, sockopt::SndBuf, &octets)?;
        }
    }
    Ok((left, right))
}

fn pair(kind: SockType) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    Ok(socketpair(AddressFamily::Unix, kind, None, flags)?)
}

/// Sets or clears `O_NONBLOCK`.
pub fn set_nonblocking(fd: impl AsFd, on: bool) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let fd = fd.as_fd();
    let mut flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_NONBLOCK, on);
    fcntl(fd, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// `SO_PASSRIGHTS`, on all but PA-RISC and SPARC.
const PASS_RIGHTS: libc::c_int = 83;

/// Has the kernel refuse to send descriptors to this socket, or to those
/// accepted from it; false before Linux 6.16, which cannot.
pub fn refuse_descriptors(socket: impl AsFd) -> bool {
    let no: libc::c_int = 0;
    // SAFETY: reads the one number, which outlives the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            PASS_RIGHTS,
            (&raw const no).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    done == 0
}

/// Sends one packet. `data` must not be empty, for an empty packet reads like
/// the end of the connection. No `SIGPIPE` is raised.
pub fn send(socket: impl AsFd, data: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if data.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut control = ControlBuffer([0; CONTROL_LEN]);
    let mut iov = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    // SAFETY: all-zero is a valid msghdr (null pointers with length 0).
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    if !descriptors.is_empty() {
        put_descriptors(&mut message, &mut control, descriptors);
    }
    loop {
        // SAFETY: `message` points to `iov` and `control`, which outlive the
        // call; sendmsg only reads through them.
        let n = unsafe {
            libc::sendmsg(
                socket.as_fd().as_raw_fd(),
                &raw const message,
                libc::MSG_NOSIGNAL,
            )
        };
        match usize::try_from(n) {
            Ok(n) if n == data.len() => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
        }
    }
}

fn put_descriptors(
    message: &mut libc::msghdr,
    control: &mut ControlBuffer,
    descriptors: &[BorrowedFd<'_>],
) {
    // At most MAX_DESCRIPTORS * 4, so it fits in any integer.
    let payload = size_of::<RawFd>() * descriptors.len();
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
    let (space, len) = unsafe {
        (
            libc::CMSG_SPACE(payload as u32),
            libc::CMSG_LEN(payload as u32),
        )
    };
    message.msg_controllen = space as _;
    // SAFETY: msg_control points to CONTROL_LEN zeroed octets, aligned for
    // cmsghdr and at least `space` long, so the first header and its data
    // for up to MAX_DESCRIPTORS numbers lie inside it.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = len as _;
        let mut data = libc::CMSG_DATA(header).cast::<RawFd>();
        for fd in descriptors {
            data.write_unaligned(fd.as_raw_fd());
            data = data.add(1);
        }
    }
}

/// Receives one packet. A packet longer than `buffer`, or descriptors that the
/// kernel had to drop (`EMFILE`), are `InvalidData`; those that did arrive are
/// closed.
pub fn recv(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = ControlBuffer([0; CONTROL_LEN]);
    // SAFETY: all-zero is a valid msghdr (null pointers with length 0).
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL_LEN as _;
    let len = recv_into(socket, buffer, &mut message, libc::MSG_CMSG_CLOEXEC)?;
    let descriptors = take_descriptors(&message);
    if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "packet or its descriptors truncated",
        ));
    }
    Ok(Received { len, descriptors })
}

/// Receives one packet that carries nothing. One with descriptors is
/// `InvalidData` and stays where it is: the kernel would close them within this
/// call, which may take as long as whoever sent them wants
/// ([`crate::parting`]). `socket` must have no other reader.
pub fn recv_plain(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    if peek(&socket)? == Next::Loaded {
        return refused("descriptors where there may be none");
    }
    // SAFETY: all-zero is a valid msghdr (null pointers with length 0).
    let mut message: libc::msghdr = unsafe { zeroed() };
    let len = recv_into(&socket, buffer, &mut message, 0)?;
    if message.msg_flags & libc::MSG_TRUNC != 0 {
        return refused("packet too long");
    }
    Ok(len)
}

/// The kind of what would be received next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A packet, or the end of the connection.
    Plain,
    /// A packet with descriptors.
    Loaded,
}

/// Tells what is next, and leaves it where it is.
pub fn peek(socket: impl AsFd) -> io::Result<Next> {
    // SAFETY: all-zero is a valid msghdr (null pointers with length 0).
    let mut message: libc::msghdr = unsafe { zeroed() };
    recv_into(socket, &mut [0], &mut message, libc::MSG_PEEK)?;
    // There was no room for any.
    Ok(match message.msg_flags & libc::MSG_CTRUNC {
        0 => Next::Plain,
        _ => Next::Loaded,
    })
}

/// `message` may have room for control data, which must stay valid.
fn recv_into(
    socket: impl AsFd,
    buffer: &mut [u8],
    message: &mut libc::msghdr,
    how: libc::c_int,
) -> io::Result<usize> {
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    let received = loop {
        // SAFETY: `message` points to `iov` (the caller's buffer) and to
        // the control data that the caller keeps, both writable for the
        // lengths given.
        let n = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut *message, how) };
        match usize::try_from(n) {
            Ok(n) => break Ok(n),
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => break Err(e),
            },
        }
    };
    message.msg_iov = std::ptr::null_mut();
    message.msg_iovlen = 0;
    received
}

fn take_descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut out = Vec::new();
    // SAFETY: `message` was filled by recvmsg, so msg_control and
    // msg_controllen describe well-formed headers inside the control buffer;
    // each SCM_RIGHTS number is a descriptor that the kernel has just made
    // for this process and nobody else owns.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let payload =
                    ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for i in 0..payload / size_of::<RawFd>() {
                    out.push(OwnedFd::from_raw_fd(data.add(i).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::fs::File;
    use std::io::{Read, Write};

    #[test]
    fn packets_keep_their_borders_and_the_end_is_seen() {
        let (a, b) = seqpacket_pair().unwrap();
        send(&a, b"one", &[]).unwrap();
        send(&a, b"two!", &[]).unwrap();
        drop(a);
        let mut buf = [0; 16];
        assert_eq!(recv(&b, &mut buf).unwrap().len, 3);
        assert_eq!(recv(&b, &mut buf).unwrap().len, 4);
        assert_eq!(&buf[..4], b"two!");
        assert_eq!(recv(&b, &mut buf).unwrap().len, 0);
    }

    #[test]
    fn descriptors_arrive_in_order_with_close_on_exec() {
        let (a, b) = seqpacket_pair().unwrap();
        let pairs: Vec<_> = (0..MAX_DESCRIPTORS)
            .map(|_| stream_pair().unwrap())
            .collect();
        let sent: Vec<_> = pairs.iter().map(|p| p.0.as_fd()).collect();
        send(&a, b"x", &sent).unwrap();
        let got = recv(&b, &mut [0; 4]).unwrap();
        assert_eq!(got.descriptors.len(), MAX_DESCRIPTORS);
        for (i, (fd, pair)) in got.descriptors.into_iter().zip(pairs).enumerate() {
            let flags = FdFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFD).unwrap());
            assert!(flags.contains(FdFlag::FD_CLOEXEC));
            File::from(fd)
                .write_all(&[u8::try_from(i).unwrap()])
                .unwrap();
            let mut byte = [0];
            File::from(pair.1).read_exact(&mut byte).unwrap();
            assert_eq!(usize::from(byte[0]), i);
        }
    }

    #[test]
    fn too_many_descriptors_and_empty_packets_are_refused() {
        let (a, _b) = seqpacket_pair().unwrap();
        let many = vec![a.as_fd(); MAX_DESCRIPTORS + 1];
        assert!(send(&a, b"x", &many).is_err());
        assert!(send(&a, b"", &[]).is_err());
    }

    #[test]
    fn a_packet_longer_than_the_buffer_is_an_error() {
        let (a, b) = seqpacket_pair().unwrap();
        let (c, d) = stream_pair().unwrap();
        send(&a, b"too long", &[c.as_fd()]).unwrap();
        drop(c);
        let error = recv(&b, &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        // The descriptor that came along is closed: its peer reads the end.
        assert_eq!(File::from(d).read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn who_wants_no_descriptors_gets_none_where_the_kernel_can() {
        let (a, b) = seqpacket_pair().unwrap();
        let refuses = refuse_descriptors(&b);
        assert_eq!(send(&a, b"x", &[a.as_fd()]).is_err(), refuses);
        send(&a, b"x", &[]).unwrap();
        send(&b, b"x", &[a.as_fd()]).unwrap();
    }

    #[test]
    fn a_packet_that_may_carry_nothing_stays_if_it_does() {
        let (a, b) = seqpacket_pair().unwrap();
        let (c, d) = stream_pair().unwrap();
        let mut buffer = [0; 4];
        send(&a, b"one", &[]).unwrap();
        send(&a, b"long!", &[]).unwrap();
        send(&a, b"x", &[c.as_fd()]).unwrap();
        drop(c);
        assert_eq!(recv_plain(&b, &mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], b"one");
        for _ in 0..3 {
            let error = recv_plain(&b, &mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        // It was not closed on the way.
        set_nonblocking(&d, true).unwrap();
        let error = File::from(d).read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(recv(&b, &mut buffer).unwrap().descriptors.len(), 1);
        drop(a);
        assert_eq!(recv_plain(&b, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn nonblocking_sockets_say_so() {
        let (a, _b) = seqpacket_pair().unwrap();
        set_nonblocking(&a, true).unwrap();
        let error = recv(&a, &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_closed_peer_is_an_error_and_no_signal() {
        let (a, b) = seqpacket_pair().unwrap();
        drop(b);
        let error = send(&a, b"x", &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
