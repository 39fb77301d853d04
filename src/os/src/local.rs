//! Sockets with a place in the file system, where other programs of this host
//! reach us. Packets keep their borders, as on pairs (see [`crate::fdpass`]).

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect as nix_connect,
    listen as nix_listen, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// Connections that may wait to be accepted.
const WAITING: i32 = 64;

fn new() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    Ok(socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        flags,
        None,
    )?)
}

/// Listens at `path`, with these permission bits. A socket that nobody listens
/// at any more is replaced; one in use is `AddrInUse`.
pub fn listen(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    remove_dead(path)?;
    let socket = new()?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    nix_listen(&socket, Backlog::new(WAITING)?)?;
    Ok(socket)
}

fn remove_dead(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => {}
    }
    match connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(e) => Err(e),
    }
}

/// The next connection to a listening socket.
pub fn accept(listener: impl AsFd) -> io::Result<OwnedFd> {
    let fd = accept4(listener.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else
    // knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// From now on a blocking send to `socket` fails after `patience`.
pub fn limit_sending(socket: impl AsFd, patience: Duration) -> io::Result<()> {
    let limit = TimeVal::milliseconds(i64::try_from(patience.as_millis()).unwrap_or(i64::MAX));
    setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    Ok(())
}

/// Connects to who listens at `path`.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let socket = new()?;
    nix_connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fdpass;
    use crate::identity::{current_user, peer_credentials};

    #[test]
    fn both_ends_talk_and_know_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = listen(&path, 0o600).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let client = connect(&path).unwrap();
        let server = accept(&listener).unwrap();
        fdpass::send(&client, b"hello", &[]).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(fdpass::recv(&server, &mut buffer).unwrap().len, 5);
        assert_eq!(peer_credentials(&server).unwrap().uid, current_user());
    }

    #[test]
    fn only_what_nobody_uses_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let first = listen(&path, 0o600).unwrap();
        let taken = listen(&path, 0o600).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(listen(&path, 0o600).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "mine").unwrap();
        assert!(listen(&path, 0o600).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }
}
