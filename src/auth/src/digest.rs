//! Hashes without any cost, as LDAP has them: SHA256, SHA512, and with a salt
//! behind the digest SSHA256 and SSHA512.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::scheme::unhex;

/// Which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    long: bool,
    salted: bool,
}

impl Shape {
    /// By the scheme's name in capitals.
    pub fn of(scheme: &str) -> Option<Self> {
        let (long, salted) = match scheme {
            "SHA256" => (false, false),
            "SSHA256" => (false, true),
            "SHA512" => (true, false),
            "SSHA512" => (true, true),
            _ => return None,
        };
        Some(Self { long, salted })
    }

    fn length(self) -> usize {
        if self.long { 64 } else { 32 }
    }
}

/// A digest of a password with what follows it.
pub struct Digest {
    long: bool,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

impl Digest {
    /// `decoded`: `data` is the octets themselves; else base64 or, where its
    /// length fits, hexadecimal, as Dovecot tells them apart.
    pub fn parse(shape: Shape, decoded: bool, data: &[u8]) -> Option<Self> {
        let length = shape.length();
        let octets = match decoded {
            true => data.to_vec(),
            false => {
                let text = std::str::from_utf8(data).ok()?;
                match !shape.salted && text.len() == 2 * length {
                    true => unhex(text)?,
                    false => STANDARD.decode(text).ok()?,
                }
            }
        };
        let (digest, salt) = octets.split_at_checked(length)?;
        if salt.is_empty() == shape.salted {
            return None;
        }
        Some(Self {
            long: shape.long,
            digest: digest.to_vec(),
            salt: salt.to_vec(),
        })
    }

    pub fn matches(&self, password: &[u8]) -> bool {
        let made = match self.long {
            false => Sha256::new()
                .chain_update(password)
                .chain_update(&self.salt)
                .finalize()
                .to_vec(),
            true => Sha512::new()
                .chain_update(password)
                .chain_update(&self.salt)
                .finalize()
                .to_vec(),
        };
        made.ct_eq(&self.digest).into()
    }
}
