//! Bytes that must not linger: passwords and private keys.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes, wiped when dropped and never shown by `Debug`.
///
/// Made from a `Vec` whose memory it takes over, so no copy stays behind;
/// compared in a time that depends on the lengths alone.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves: every use is a place to look at.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let differ = self
            .0
            .iter()
            .zip(other.0.iter())
            .fold(0, |d, (a, b)| d | (a ^ b));
        self.0.len() == other.0.len() && std::hint::black_box(differ) == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_compare_and_are_not_shown() {
        let a = Secret::from(b"hunter2".as_slice());
        assert_eq!(a, Secret::new(b"hunter2".to_vec()));
        assert_ne!(a, Secret::new(b"hunter3".to_vec()));
        assert_ne!(a, Secret::new(b"hunter".to_vec()));
        assert_ne!(a, Secret::default());
        assert_eq!(format!("{a:?}"), "Secret(..)");
    }
}
