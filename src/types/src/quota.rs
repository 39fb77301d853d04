//! How much an account may hold.

/// Limits of an account; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct QuotaLimits {
    /// Octets of all messages as they are stored.
    pub storage: u64,
    pub messages: u64,
}

impl QuotaLimits {
    /// Nothing is limited.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}
