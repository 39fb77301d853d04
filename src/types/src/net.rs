//! Ranges of addresses (`192.0.2.0/24`), as settings name trusted hosts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that share the first `prefix` bits. IPv4-mapped IPv6
/// addresses count as the IPv4 addresses they stand for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an address or ADDRESS/BITS")]
pub struct IpNetError;

impl IpNet {
    /// `None` when `prefix` is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (bits, width) = bits_of(address);
        if prefix > width {
            return None;
        }
        let masked = bits & mask(prefix, width);
        let address = match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(masked).ok()?.into()),
            IpAddr::V6(_) => IpAddr::V6(masked.into()),
        };
        Some(Self { address, prefix })
    }

    /// The first address of the range.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits all addresses of the range share.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, width) = bits_of(address.to_canonical());
        let (own, own_width) = bits_of(self.address);
        width == own_width && (bits ^ own) & mask(self.prefix, width) == 0
    }
}

/// The address as a number, and how many bits it has.
fn bits_of(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(a) => (u32::from(a).into(), 32),
        IpAddr::V6(a) => (a.into(), 128),
    }
}

fn mask(prefix: u8, width: u8) -> u128 {
    let host_bits = u32::from(width.saturating_sub(prefix));
    u128::MAX.checked_shl(host_bits).unwrap_or(0)
}

impl FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, IpNetError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| IpNetError)?;
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| IpNetError)?
            }
            Some(_) => return Err(IpNetError),
            None => bits_of(address).1,
        };
        Self::new(address, prefix).ok_or(IpNetError)
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(net: &str, address: &str) -> bool {
        net.parse::<IpNet>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn ranges() {
        assert!(holds("127.0.0.0/8", "127.255.0.1"));
        assert!(!holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("192.0.2.7", "192.0.2.7"));
        assert!(!holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("192.0.2.0/24", "::ffff:192.0.2.9"));
    }

    #[test]
    fn host_bits_are_cleared_and_nonsense_refused() {
        assert_eq!(
            "10.1.2.3/8".parse::<IpNet>().unwrap().to_string(),
            "10.0.0.0/8"
        );
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "host",
            "1.2.3.4/a",
        ] {
            assert!(bad.parse::<IpNet>().is_err(), "{bad}");
        }
    }
}
