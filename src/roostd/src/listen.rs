//! The listening sockets. The supervisor alone binds them, for only it may
//! use ports below 1024; the gate gets them as descriptors. After a reload
//! the sockets of addresses that stayed are kept, so that no client is
//! refused in between. Sockets that systemd has opened for us are taken where
//! their address is configured; they stay open while Roost is started anew.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use roost_ipc::Listener;
use roost_os::{fdpass, spawn};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
pub struct BindError {
    pub address: SocketAddr,
    pub error: io::Error,
}

/// Open sockets and whether TLS is spoken there from the start.
#[derive(Debug, Default)]
pub struct Listeners {
    open: BTreeMap<SocketAddr, (bool, TcpListener)>,
    /// From systemd (sd_listen_fds(3)), used or not.
    given: Arc<BTreeMap<SocketAddr, TcpListener>>,
}

impl Listeners {
    /// None yet, but with what systemd has opened. To be called first of all,
    /// before the process opens anything itself.
    ///
    /// # Errors
    /// Where a descriptor is no TCP socket, or there are too many.
    pub fn inherited() -> io::Result<Self> {
        let mut given = BTreeMap::new();
        for number in sd_notify::listen_fds()? {
            let number = u8::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
            let socket = spawn::inherited(number)?;
            if !roost_os::net::is_listener(&socket)? {
                let text = format!("descriptor {number} of systemd's is no listening TCP socket");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            let socket = TcpListener::from(socket);
            fdpass::set_nonblocking(&socket, true)?;
            given.insert(socket.local_addr()?, socket);
        }
        Ok(Self {
            open: BTreeMap::new(),
            given: Arc::new(given),
        })
    }

    /// Where systemd listens and nobody answers.
    pub fn unused(&self) -> Vec<SocketAddr> {
        let unused = self.given.keys().filter(|a| !self.open.contains_key(a));
        unused.copied().collect()
    }

    /// Sockets for `wanted`, with those of `self` where the address is the
    /// same.
    ///
    /// # Errors
    /// Every address that could not be bound; `self` is as before, so that a
    /// failed reload changes nothing.
    pub fn with(&self, wanted: &[Listener]) -> Result<Self, Vec<BindError>> {
        let mut sockets = BTreeMap::new();
        let mut errors = Vec::new();
        for listener in wanted {
            let address = listener.address;
            let open = self.open.get(&address).map(|(_, socket)| socket);
            let socket = match open.or_else(|| self.given.get(&address)) {
                Some(socket) => socket.try_clone(),
                None => roost_os::net::listen(address),
            };
            match socket {
                Ok(socket) => {
                    sockets.insert(address, (listener.tls, socket));
                }
                Err(error) => errors.push(BindError { address, error }),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                open: sockets,
                given: Arc::clone(&self.given),
            })
        } else {
            Err(errors)
        }
    }

    /// What the gate is told, and the descriptors that go along.
    pub fn for_gate(&self) -> io::Result<(Vec<Listener>, Vec<OwnedFd>)> {
        let mut listeners = Vec::new();
        let mut descriptors = Vec::new();
        for (&address, (tls, socket)) in &self.open {
            listeners.push(Listener { address, tls: *tls });
            descriptors.push(socket.as_fd().try_clone_to_owned()?);
        }
        Ok((listeners, descriptors))
    }

    /// For the log: `127.0.0.1:143, 127.0.0.1:993 (TLS)`.
    pub fn describe(&self) -> String {
        let names: Vec<String> = self
            .open
            .iter()
            .map(|(address, (tls, _))| match tls {
                true => format!("{address} (TLS)"),
                false => address.to_string(),
            })
            .collect();
        if names.is_empty() {
            return "no address".into();
        }
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_port() -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    }

    #[test]
    fn sockets_of_addresses_that_stay_are_kept() {
        let (a, b) = (free_port(), free_port());
        let listener = |address, tls| Listener { address, tls };
        let first = Listeners::default().with(&[listener(a, false)]).unwrap();
        let second = first
            .with(&[listener(a, true), listener(b, false)])
            .unwrap();
        drop(first);
        let (listeners, descriptors) = second.for_gate().unwrap();
        assert_eq!(descriptors.len(), 2);
        assert!(listeners.contains(&listener(a, true)));
        // Nobody else can have the address meanwhile.
        assert!(TcpListener::bind(a).is_err());
        let third = second.with(&[listener(b, false)]).unwrap();
        drop((second, descriptors));
        assert!(TcpListener::bind(a).is_ok());
        assert_eq!(third.describe(), b.to_string());
    }

    #[test]
    fn a_given_socket_is_taken_and_stays_when_the_address_goes() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (a, b) = (socket.local_addr().unwrap(), free_port());
        let given = Listeners {
            open: BTreeMap::new(),
            given: Arc::new(BTreeMap::from([(a, socket)])),
        };
        assert_eq!(given.unused(), [a]);
        let listener = |address| Listener {
            address,
            tls: false,
        };
        let both = given.with(&[listener(a), listener(b)]).unwrap();
        assert!(both.unused().is_empty());
        assert_eq!(both.for_gate().unwrap().1.len(), 2);
        let without = both.with(&[listener(b)]).unwrap();
        drop((given, both));
        assert_eq!(without.unused(), [a]);
        assert!(without.with(&[listener(a)]).is_ok());
    }

    #[test]
    fn every_taken_address_is_named() {
        let taken = [
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        ];
        let wanted = taken.each_ref().map(|socket| Listener {
            address: socket.local_addr().unwrap(),
            tls: false,
        });
        let errors = Listeners::default().with(&wanted).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].address, wanted[0].address);
    }
}
