//! What several roles speak of.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use roost_os::identity::Credentials;
use roost_os::{GroupId, UserId};
use roost_types::{
    DirectoryEncoding, Fsync, IpNet, LogLevel, LogStyle, QuotaLimits, SessionId, SpecialUse,
};

use crate::codec::{DecodeError, EncodeError, Reader, Wire, Writer};
use crate::wire::{wire_choice, wire_octets, wire_struct};

wire_octets!(LogLevel { Failures = 1, Major = 2, Problems = 3, LowLevel = 4, AllInfo = 5, });
wire_octets!(LogStyle { Roost = 1, Dovecot = 2, Courier = 3, });
wire_octets!(Fsync { Always = 1, Optimized = 2, Never = 3, });
wire_octets!(DirectoryEncoding { Mutf7 = 1, Utf8 = 2, Detect = 3, });
wire_octets!(SpecialUse {
    All = 1,
    Archive = 2,
    Drafts = 3,
    Flagged = 4,
    Important = 5,
    Junk = 6,
    Sent = 7,
    Trash = 8,
});

wire_choice! {
    /// A SASL mechanism that AUTHENTICATE can offer.
    pub enum Mechanism {
        Plain = 1,
        Login = 2,
        ScramSha256 = 3,
        ScramSha256Plus = 4,
    }
}

impl Mechanism {
    /// The SASL name, as CAPABILITY and AUTHENTICATE have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// By SASL name, any case.
    pub fn by_name(name: &str) -> Option<Self> {
        let same = |m: &Self| m.name().eq_ignore_ascii_case(name);
        Self::ALL.iter().copied().find(same)
    }

    /// True when the password itself goes over the line.
    pub fn is_clear_text(self) -> bool {
        match self {
            Self::Plain | Self::Login => true,
            Self::ScramSha256 | Self::ScramSha256Plus => false,
        }
    }
}

wire_struct! {
    /// Consecutive session numbers that the gate may give out.
    pub struct SessionBlock {
        pub first: SessionId,
        pub count: u32,
    }
}

impl SessionBlock {
    pub fn contains(&self, session: SessionId) -> bool {
        session
            .0
            .checked_sub(self.first.0)
            .is_some_and(|n| n < u64::from(self.count))
    }
}

wire_struct! {
    /// Both ends of a client's connection.
    pub struct Endpoints {
        pub remote: SocketAddr,
        pub local: SocketAddr,
    }
}

wire_struct! {
    /// The TLS layer of a connection, for logs.
    pub struct TlsInfo {
        /// `TLSv1.3`
        pub version: String,
        /// The cipher suite's IANA name.
        pub cipher: String,
    }
}

impl Wire for IpNet {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.address().put(out)?;
        self.prefix().put(out)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (address, prefix) = (IpAddr::take(input)?, u8::take(input)?);
        IpNet::new(address, prefix).ok_or(DecodeError::Range)
    }
}

impl Wire for Credentials {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.uid.put(out)?;
        self.gid.put(out)?;
        self.groups.put(out)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            uid: UserId::take(input)?,
            gid: GroupId::take(input)?,
            groups: Vec::take(input)?,
        })
    }
}

impl Wire for QuotaLimits {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.storage.put(out)?;
        self.messages.put(out)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            storage: u64::take(input)?,
            messages: u64::take(input)?,
        })
    }
}

wire_struct! {
    /// How a role gives its privileges up after its first setup; `None` of
    /// both when Roost runs without root.
    pub struct Confinement {
        /// Entered before the user is changed.
        pub chroot: Option<PathBuf>,
        pub credentials: Option<Credentials>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_values() {
        for &mechanism in Mechanism::ALL {
            let small = mechanism.name().to_lowercase();
            assert_eq!(Mechanism::by_name(&small), Some(mechanism));
        }
    }

    #[test]
    fn blocks_hold_their_numbers_alone() {
        let block = SessionBlock {
            first: SessionId(10),
            count: 2,
        };
        let held: Vec<_> = (8..14).filter(|&n| block.contains(SessionId(n))).collect();
        assert_eq!(held, [10, 11]);
    }
}
