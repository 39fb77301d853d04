//! The numbers of IMAP, each a type of its own so that none is taken for
//! another (RFC 9051 §2.3.1).

use std::fmt;
use std::num::NonZeroU32;

macro_rules! nonzero_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32);

        impl $name {
            pub const MIN: $name = $name(NonZeroU32::MIN);
            pub const MAX: $name = $name(NonZeroU32::MAX);

            /// `None` for 0, which the RFC keeps out of every such number.
            pub const fn new(n: u32) -> Option<Self> {
                match NonZeroU32::new(n) {
                    Some(n) => Some(Self(n)),
                    None => None,
                }
            }

            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The following number, `None` behind the last one.
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<NonZeroU32> for $name {
            fn from(n: NonZeroU32) -> Self {
                Self(n)
            }
        }

        impl TryFrom<u32> for $name {
            type Error = std::num::TryFromIntError;
            fn try_from(n: u32) -> Result<Self, Self::Error> {
                NonZeroU32::try_from(n).map(Self)
            }
        }
    };
}

nonzero_id! {
    /// A message's unique identifier in its mailbox: strictly rising, never
    /// used again under one UIDVALIDITY (RFC 9051 §2.3.1.1).
    Uid
}
nonzero_id! {
    /// A message's place in one session's view, 1 to EXISTS
    /// (RFC 9051 §2.3.1.2).
    SeqNum
}
nonzero_id! {
    /// The value that tells a client whether the UIDs it knows still hold.
    UidValidity
}

/// A modification sequence, 0 to 2^63-1 (RFC 7162 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ModSeq(pub u64);

/// The number a session carries in log lines and monitors (`IMAP-nnnnn`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IMAP-{:05}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_uid_and_the_last_has_no_next() {
        assert_eq!(Uid::new(0), None);
        assert_eq!(Uid::MAX.next(), None);
        assert_eq!(Uid::MIN.next(), Uid::new(2));
    }

    #[test]
    fn session_tags_have_five_digits_or_more() {
        assert_eq!(SessionId(7).to_string(), "IMAP-00007");
        assert_eq!(SessionId(123_456).to_string(), "IMAP-123456");
    }
}
