//! The demo's password, stored so that PLAIN, LOGIN and SCRAM-SHA-256 can all
//! check it and none can read it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// RFC 7677 §4 wants at least this many.
const ITERATIONS: u32 = 4096;
const SALT_LEN: usize = 16;

/// `{SCRAM-SHA-256}iterations,salt,stored key,server key`, as Dovecot writes
/// it.
pub fn scram_sha_256(password: &str) -> Option<String> {
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt).ok()?;
    with_salt(password, &salt)
}

fn with_salt(password: &str, salt: &[u8]) -> Option<String> {
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, ITERATIONS);
    let stored = Sha256::digest(hmac(&salted, b"Client Key")?);
    let server = hmac(&salted, b"Server Key")?;
    Some(format!(
        "{{SCRAM-SHA-256}}{ITERATIONS},{},{},{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    ))
}

/// RFC 5802 §3.
fn hmac(key: &[u8], text: &[u8]) -> Option<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677_verifies() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let stored = with_salt("pencil", &salt).unwrap();
        let server_key = stored.rsplit(',').next().unwrap();
        let server_key = STANDARD.decode(server_key).unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac(&server_key, message.as_bytes()).unwrap();
        assert_eq!(
            STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn salts_differ() {
        assert_ne!(scram_sha_256("demo"), scram_sha_256("demo"));
    }
}
