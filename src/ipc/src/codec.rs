//! The binary form of messages: little-endian numbers, length-limited strings
//! and lists, one octet for the variant of an enum.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use roost_os::{GroupId, UserId};
use roost_types::SessionId;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The longest text, in octets.
pub const MAX_TEXT: usize = 16 * 1024;
/// The longest byte string or secret, in octets; certificates need it.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most elements of a list.
pub const MAX_LIST: usize = 65_536;
/// The largest message but a setup.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The largest setup message: configuration, certificates, keys.
pub const MAX_SETUP: usize = 4 * 1024 * 1024;
/// The variant octet of every setup message.
pub(crate) const SETUP: u8 = 0;

/// Why a packet is not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("message ends too early")]
    Truncated,
    #[error("octets behind the end of the message")]
    Trailing,
    #[error("message, text, or list longer than allowed")]
    TooLong,
    #[error("unknown variant {0}")]
    Variant(u8),
    #[error("text is not UTF-8")]
    Text,
    #[error("value out of range")]
    Range,
    #[error("{got} descriptors where {expected} belong")]
    Descriptors { expected: usize, got: usize },
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("message, text, or list longer than allowed")]
    TooLong,
    #[error("{got} descriptors where {expected} belong")]
    Descriptors { expected: usize, got: usize },
}

/// A message of one direction.
pub trait Message: Sized {
    /// One of its variants is a setup, which may be large.
    const HAS_SETUP: bool;
    /// Appends the binary form.
    fn encode(&self, out: &mut Zeroizing<Vec<u8>>) -> Result<(), EncodeError>;
    /// The whole of `bytes` as one message.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
    /// How many descriptors go with it.
    fn descriptors(&self) -> usize;
}

/// The size limit of a message that begins with `first`.
pub(crate) fn limit<T: Message>(first: u8) -> usize {
    if T::HAS_SETUP && first == SETUP {
        MAX_SETUP
    } else {
        MAX_MESSAGE
    }
}

/// A value inside a message.
pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError>;
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

pub(crate) struct Writer<'a> {
    out: &'a mut Zeroizing<Vec<u8>>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Zeroizing<Vec<u8>>) -> Self {
        Self { out }
    }

    pub(crate) fn octet(&mut self, octet: u8) {
        self.raw(&[octet]);
    }

    /// Grows by copying into fresh memory and wiping the old, for what was
    /// written so far may hold secrets.
    fn raw(&mut self, bytes: &[u8]) {
        let wanted = self.out.len() + bytes.len();
        if wanted > self.out.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity((wanted * 2).max(512)));
            larger.extend_from_slice(self.out);
            std::mem::swap(self.out, &mut larger);
        }
        self.out.extend_from_slice(bytes);
    }

    fn counted(&mut self, bytes: &[u8], limit: usize) -> Result<(), EncodeError> {
        self.count(bytes.len(), limit)?;
        self.raw(bytes);
        Ok(())
    }

    fn count(&mut self, n: usize, limit: usize) -> Result<(), EncodeError> {
        if n > limit {
            return Err(EncodeError::TooLong);
        }
        let n = u32::try_from(n).map_err(|_| EncodeError::TooLong)?;
        self.raw(&n.to_le_bytes());
        Ok(())
    }
}

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn octet(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[b]| b)
    }

    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing)
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn counted(&mut self, limit: usize) -> Result<&'a [u8], DecodeError> {
        let n = self.count(limit)?;
        let (head, rest) = self
            .rest
            .split_at_checked(n)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn count(&mut self, limit: usize) -> Result<usize, DecodeError> {
        let n = u32::from_le_bytes(self.array()?);
        let n = usize::try_from(n).map_err(|_| DecodeError::TooLong)?;
        if n > limit {
            return Err(DecodeError::TooLong);
        }
        Ok(n)
    }
}

macro_rules! wire_number {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
                out.raw(&self.to_le_bytes());
                Ok(())
            }
            fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(<$type>::from_le_bytes(input.array()?))
            }
        }
    )*};
}
wire_number!(u8, u16, u32, u64, i32);

macro_rules! wire_newtype {
    ($($name:ident),*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
                self.0.put(out)
            }
            fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Wire::take(input).map($name)
            }
        }
    )*};
}
wire_newtype!(UserId, GroupId, SessionId);

impl Wire for bool {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.octet(u8::from(*self));
        Ok(())
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.octet()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::Variant(other)),
        }
    }
}

impl Wire for char {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        u32::from(*self).put(out)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        char::from_u32(u32::take(input)?).ok_or(DecodeError::Range)
    }
}

impl Wire for String {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.counted(self.as_bytes(), MAX_TEXT)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = input.counted(MAX_TEXT)?;
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Text)?;
        Ok(text.to_owned())
    }
}

impl Wire for PathBuf {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.counted(self.as_os_str().as_bytes(), MAX_TEXT)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = input.counted(MAX_TEXT)?;
        if bytes.contains(&0) {
            return Err(DecodeError::Range);
        }
        Ok(std::ffi::OsString::from_vec(bytes.to_vec()).into())
    }
}

impl Wire for Secret {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.counted(self.expose(), MAX_BYTES)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Secret::from(input.counted(MAX_BYTES)?))
    }
}

/// Plain bytes; a list of octets in the form of a string.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

impl Wire for Bytes {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.counted(&self.0, MAX_BYTES)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Bytes(input.counted(MAX_BYTES)?.to_vec()))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.is_some().put(out)?;
        self.as_ref().map_or(Ok(()), |value| value.put(out))
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        bool::take(input)?.then(|| T::take(input)).transpose()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.count(self.len(), MAX_LIST)?;
        self.iter().try_for_each(|value| value.put(out))
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Every element takes an octet or more, so a count beyond the rest
        // is false; nothing is reserved for it.
        let n = input.count(MAX_LIST.min(input.rest.len()))?;
        (0..n).map(|_| T::take(input)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.0.put(out)?;
        self.1.put(out)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.as_secs().put(out)?;
        self.subsec_nanos().put(out)
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (seconds, nanos) = (u64::take(input)?, u32::take(input)?);
        if nanos >= 1_000_000_000 {
            return Err(DecodeError::Range);
        }
        Ok(Duration::new(seconds, nanos))
    }
}

impl Wire for IpAddr {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            IpAddr::V4(a) => {
                out.octet(4);
                out.raw(&a.octets());
            }
            IpAddr::V6(a) => {
                out.octet(6);
                out.raw(&a.octets());
            }
        }
        Ok(())
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.octet()? {
            4 => Ok(IpAddr::from(input.array::<4>()?)),
            6 => Ok(IpAddr::from(input.array::<16>()?)),
            other => Err(DecodeError::Variant(other)),
        }
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.ip().put(out)?;
        self.port().put(out)?;
        match self {
            SocketAddr::V4(_) => Ok(()),
            SocketAddr::V6(a) => a.scope_id().put(out),
        }
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (ip, port) = (IpAddr::take(input)?, u16::take(input)?);
        let mut address = SocketAddr::new(ip, port);
        if let SocketAddr::V6(a) = &mut address {
            a.set_scope_id(u32::take(input)?);
        }
        Ok(address)
    }
}
