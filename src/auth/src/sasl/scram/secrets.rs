//! What a server stores of a password for SCRAM (RFC 5802 §3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// For secrets made on the spot (RFC 7677 §4 has it as the least).
pub const DEFAULT_ITERATIONS: u32 = 4096;
const MIN_ITERATIONS: u32 = 1000;
const MAX_ITERATIONS: u32 = 10_000_000;
const KEY_LEN: usize = 32;
/// The block of SHA-256, in octets.
const BLOCK_LEN: usize = 64;
/// The longest salt read from a file, in octets.
const MAX_SALT_LEN: usize = 256;

type Key = [u8; KEY_LEN];

/// Salt, iteration count, StoredKey and ServerKey.
#[derive(Clone)]
pub struct Secrets {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

impl Secrets {
    /// Dovecot's form: `iterations,salt,StoredKey,ServerKey`, in base64.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(',');
        let iterations: u32 = fields.next()?.parse().ok()?;
        let salt = STANDARD.decode(fields.next()?).ok()?;
        let mut key = || -> Option<Key> { STANDARD.decode(fields.next()?).ok()?.try_into().ok() };
        let (stored_key, server_key) = (key()?, key()?);
        let sane = (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations)
            && !salt.is_empty()
            && salt.len() <= MAX_SALT_LEN
            && fields.next().is_none();
        sane.then_some(Self {
            iterations,
            salt,
            stored_key,
            server_key,
        })
    }

    pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let mut salted: Key =
            pbkdf2::pbkdf2_hmac_array::<Sha256, KEY_LEN>(password, salt, iterations);
        let mut client_key = hmac(&salted, b"Client Key");
        let server_key = hmac(&salted, b"Server Key");
        let stored_key = Sha256::digest(client_key).into();
        salted.zeroize();
        client_key.zeroize();
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key,
            server_key,
        }
    }

    /// Secrets that no password fits; `seed` decides all of them.
    pub fn unmatchable(seed: &[u8], salt_len: usize, iterations: u32) -> Self {
        let mut salt = hmac(seed, b"salt").to_vec();
        salt.resize(salt_len, 0x5a);
        Self {
            iterations,
            salt,
            stored_key: hmac(seed, b"stored key"),
            server_key: hmac(seed, b"server key"),
        }
    }

    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Checks a password in clear.
    pub fn matches(&self, password: &[u8]) -> bool {
        let made = Self::derive(password, &self.salt, self.iterations);
        made.stored_key.ct_eq(&self.stored_key).into()
    }

    /// ClientProof against AuthMessage: `H(proof XOR HMAC(StoredKey, m))` must
    /// be StoredKey again.
    pub(super) fn check_proof(&self, auth_message: &[u8], proof: &[u8]) -> bool {
        let Ok(mut client_key) = Key::try_from(proof) else {
            return false;
        };
        let signature = hmac(&self.stored_key, auth_message);
        for (k, s) in client_key.iter_mut().zip(signature) {
            *k ^= s;
        }
        let hashed: Key = Sha256::digest(client_key).into();
        client_key.zeroize();
        hashed.ct_eq(&self.stored_key).into()
    }

    pub(super) fn server_signature(&self, auth_message: &[u8]) -> Key {
        hmac(&self.server_key, auth_message)
    }
}

/// HMAC-SHA-256.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Key {
    // A key shorter than the block is zero-padded, a longer one hashed
    // (RFC 2104 §2); done here, since the sized constructor cannot fail.
    let mut block = Zeroizing::new([0u8; BLOCK_LEN]);
    let digest: Key;
    let short = if key.len() <= BLOCK_LEN {
        key
    } else {
        digest = Sha256::digest(key).into();
        &digest
    };
    for (to, from) in block.iter_mut().zip(short) {
        *to = *from;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 §4.2 and §4.7.
    #[test]
    fn hmac_vectors() {
        let hex = |bytes: Key| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac(&[0x0b; 20], b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(hmac(&[0xaa; 131], long)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
