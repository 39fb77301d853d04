//! The PROXY protocol (haproxy's `proxy-protocol.txt`, versions 1 and 2): the
//! first octets of a connection from a trusted proxy say whose it is.
//!
//! Nothing behind the header is read, for that may be a TLS handshake. Only
//! addresses that the configuration names are believed; from all others such a
//! line is a command that does not exist.

pub mod awaited;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use roost_ipc::Endpoints;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a proxy may take for its header, which it sends at once.
pub const TIMEOUT: Duration = Duration::from_secs(5);

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const V1_BEGIN: &[u8] = b"PROXY ";
/// The longest header of version 1, its line end included (§2.1).
const V1_LONGEST: usize = 107;
/// Octets behind the fixed part of version 2: addresses, and what else proxies
/// tell.
const V2_LONGEST: usize = 4096;

/// What a header says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Header {
    /// Whose connection it is, and where the client connected to.
    Of(Endpoints),
    /// The proxy's own, as for its health checks.
    Own,
    /// Somebody's whose address the proxy does not say.
    Nobodys,
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("no PROXY header")]
    Missing,
    #[error("malformed PROXY header")]
    Malformed,
    #[error("PROXY header too long")]
    TooLong,
    #[error("PROXY header: {0}")]
    Io(#[from] io::Error),
}

/// Reads the header and nothing behind it.
pub async fn read(input: &mut (impl AsyncRead + Unpin)) -> Result<Header, Fault> {
    // No header is shorter.
    let mut begin = [0; SIGNATURE.len()];
    input.read_exact(&mut begin).await?;
    if begin == SIGNATURE {
        let mut fixed = [0; 4];
        input.read_exact(&mut fixed).await?;
        let [command, family, high, low] = fixed;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > V2_LONGEST {
            return Err(Fault::TooLong);
        }
        let mut rest = vec![0; length];
        input.read_exact(&mut rest).await?;
        return binary(command, family, &rest).ok_or(Fault::Malformed);
    }
    if !begin.starts_with(V1_BEGIN) {
        return Err(Fault::Missing);
    }
    let mut line = begin.to_vec();
    while !line.ends_with(b"\n") {
        if line.len() >= V1_LONGEST {
            return Err(Fault::TooLong);
        }
        line.push(input.read_u8().await?);
    }
    text(&line).ok_or(Fault::Malformed)
}

/// Version 1: a line of text, its end included.
fn text(line: &[u8]) -> Option<Header> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ');
    if words.next()? != "PROXY" {
        return None;
    }
    let family = words.next()?;
    if family == "UNKNOWN" {
        // What stands behind it is to be ignored.
        return Some(Header::Nobodys);
    }
    let [from, to, from_port, to_port] = [(); 4].map(|()| words.next());
    if words.next().is_some() {
        return None;
    }
    let address = |word: &str| match family {
        "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    Some(Header::Of(Endpoints {
        remote: SocketAddr::new(address(from?)?, port(from_port?)?),
        local: SocketAddr::new(address(to?)?, port(to_port?)?),
    }))
}

/// Digits alone, without leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word == "0" || !word.starts_with(['0', '+']);
    plain.then(|| word.parse().ok()).flatten()
}

/// Version 2 behind its signature and length; what stands behind the addresses
/// is passed over.
fn binary(command: u8, family: u8, rest: &[u8]) -> Option<Header> {
    match command {
        0x20 => return Some(Header::Own),
        0x21 => {}
        _ => return None,
    }
    let of = |from: IpAddr, to: IpAddr, ports: &[u8; 4]| {
        let [a, b, c, d] = *ports;
        Header::Of(Endpoints {
            remote: SocketAddr::new(from, u16::from_be_bytes([a, b])),
            local: SocketAddr::new(to, u16::from_be_bytes([c, d])),
        })
    };
    match family {
        // Streams over IPv4 and IPv6.
        0x11 => {
            let (from, rest) = rest.split_first_chunk::<4>()?;
            let (to, rest) = rest.split_first_chunk::<4>()?;
            Some(of((*from).into(), (*to).into(), rest.first_chunk()?))
        }
        0x21 => {
            let (from, rest) = rest.split_first_chunk::<16>()?;
            let (to, rest) = rest.split_first_chunk::<16>()?;
            Some(of((*from).into(), (*to).into(), rest.first_chunk()?))
        }
        // Unspecified, or a Unix socket: nobody's address.
        0x00 | 0x31 => Some(Header::Nobodys),
        _ => None,
    }
}

/// The address of whoever has none: of no trusted network that leaves out
/// anybody, and never the proxy's, whose trust is not a stranger's.
pub fn nobody(proxy: SocketAddr) -> SocketAddr {
    let ip = match proxy.ip().to_canonical() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests;
