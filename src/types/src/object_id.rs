//! Identifiers of mailboxes and messages that outlive names and UIDs
//! (RFC 8474).

use std::fmt;

/// An identifier as a server of ours makes them: 128 bits, written as 32
/// lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 16]);

/// Characters of an [`ObjectId`].
pub const OBJECT_ID_LEN: usize = 32;

impl ObjectId {
    /// From exactly what [`ObjectId::text`] gives; identifiers are
    /// case-sensitive (RFC 8474 §7), so capitals are none of ours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        Self::from_hex(text)
    }

    /// From 32 hexadecimal digits in any case.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        if text.len() != OBJECT_ID_LEN {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16)?;
                *byte = *byte << 4 | value as u8;
            }
        }
        Some(Self(bytes))
    }

    /// The digits.
    pub fn text(self) -> [u8; OBJECT_ID_LEN] {
        let digit = |n: u8| match n {
            0..=9 => b'0' + n,
            _ => b'a' + n - 10,
        };
        let mut text = [0; OBJECT_ID_LEN];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = digit(byte >> 4);
                *low = digit(byte & 15);
            }
        }
        text
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_32_lowercase_digits_are_one() {
        let text = b"29e1501e9c78026bb57b000083ecc375";
        let id = ObjectId::parse(text).unwrap();
        assert_eq!(id.to_string().as_bytes(), text);
        for bad in [
            &b""[..],
            b"29e1501e9c78026bb57b000083ecc37",
            b"29e1501e9c78026bb57b000083ecc3755",
            b"29e1501e9c78026bb57b000083ecc37g",
            b"29E1501E9C78026BB57B000083ECC375",
        ] {
            assert_eq!(ObjectId::parse(bad), None);
        }
        assert_eq!(ObjectId::from_hex(&text.to_ascii_uppercase()), Some(id));
    }

    proptest! {
        #[test]
        fn texts_come_back(bytes in any::<[u8; 16]>()) {
            let id = ObjectId(bytes);
            prop_assert_eq!(ObjectId::parse(&id.text()), Some(id));
            prop_assert_eq!(id.to_string().into_bytes(), id.text().to_vec());
        }
    }
}
