use super::Guid;
use std::fmt;
use std::io;

impl Guid {
    /// A new one that no other mailbox has.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// From 32 hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 32 {
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
}

impl fmt::Display for Guid {
    /// 32 lowercase hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_32_digits_are_a_guid() {
        assert_eq!(Guid::parse(b"29e1501e9c78026bb57b000083ecc37"), None);
        assert_eq!(Guid::parse(b"29e1501e9c78026bb57b000083ecc37x"), None);
        assert_ne!(Guid::generate().unwrap(), Guid::generate().unwrap());
    }

    proptest! {
        #[test]
        fn guids_come_back(bytes in any::<[u8; 16]>()) {
            let guid = Guid(bytes);
            prop_assert_eq!(Guid::parse(guid.to_string().as_bytes()), Some(guid));
        }
    }
}
