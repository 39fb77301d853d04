//! Password hashes as account files hold them: `{SCHEME}data`, with Dovecot's
//! names and `.b64`/`.hex` suffixes.
//!
//! Checking blocks for as long as the hash is made to cost: call it off the
//! async threads.

use argon2::PasswordVerifier as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::digest::{self, Digest};
use crate::prep;
use crate::sasl::scram::Secrets;

/// A stored password. Not printable; one in clear is wiped when dropped.
pub enum Stored {
    Plain(Zeroizing<Vec<u8>>),
    /// SHA256-CRYPT and SHA512-CRYPT.
    ShaCrypt(String),
    Bcrypt(String),
    Argon2(String),
    Scram(Secrets),
    /// SHA256, SHA512, and with a salt SSHA256, SSHA512.
    Digest(Digest),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SchemeError {
    #[error("no password")]
    Empty,
    #[error("locked password")]
    Locked,
    #[error("unsupported password scheme {0}")]
    Unsupported(String),
    #[error("damaged {0} hash")]
    Damaged(&'static str),
}

impl Stored {
    /// Reads `{SCHEME}data`; without a scheme, a crypt(3) hash.
    pub fn parse(field: &str) -> Result<Self, SchemeError> {
        if field.is_empty() {
            return Err(SchemeError::Empty);
        }
        let Some((label, data)) = field.strip_prefix('{').and_then(|f| f.split_once('}')) else {
            return Self::crypt(field);
        };
        let (scheme, encoding) = match label.rsplit_once('.') {
            Some((scheme, encoding)) => (scheme, Some(encoding)),
            None => (label, None),
        };
        let data = decode(encoding, data, label)?;
        Self::with_scheme(
            &scheme.to_ascii_uppercase(),
            encoding.is_some(),
            data,
            label,
        )
    }

    fn with_scheme(
        scheme: &str,
        encoded: bool,
        data: Zeroizing<Vec<u8>>,
        label: &str,
    ) -> Result<Self, SchemeError> {
        if matches!(scheme, "PLAIN" | "CLEARTEXT" | "CLEAR") {
            if data.is_empty() {
                return Err(SchemeError::Empty);
            }
            return Ok(Self::Plain(data));
        }
        if let Some(shape) = digest::Shape::of(scheme) {
            return Digest::parse(shape, encoded, &data)
                .map(Self::Digest)
                .ok_or(SchemeError::Damaged("SHA"));
        }
        let text = std::str::from_utf8(&data).map_err(|_| SchemeError::Damaged("password"))?;
        match scheme {
            "CRYPT" => Self::crypt(text),
            "SHA512-CRYPT" => Self::sha_crypt(text, "$6$"),
            "SHA256-CRYPT" => Self::sha_crypt(text, "$5$"),
            "BLF-CRYPT" => Self::bcrypt(text),
            "ARGON2ID" => Self::argon2(text, "$argon2id$"),
            "ARGON2I" => Self::argon2(text, "$argon2i$"),
            "SCRAM-SHA-256" => Secrets::parse(text)
                .map(Self::Scram)
                .ok_or(SchemeError::Damaged("SCRAM-SHA-256")),
            _ => Err(SchemeError::Unsupported(label.chars().take(40).collect())),
        }
    }

    /// The method from the hash's own prefix.
    fn crypt(text: &str) -> Result<Self, SchemeError> {
        let known = |prefixes: &[&str]| prefixes.iter().any(|p| text.starts_with(p));
        if known(&["$6$"]) {
            Self::sha_crypt(text, "$6$")
        } else if known(&["$5$"]) {
            Self::sha_crypt(text, "$5$")
        } else if known(&["$2y$", "$2b$", "$2a$"]) {
            Self::bcrypt(text)
        } else if known(&["$argon2id$"]) {
            Self::argon2(text, "$argon2id$")
        } else if known(&["$argon2i$"]) {
            Self::argon2(text, "$argon2i$")
        } else if text.is_empty() || text.starts_with(['*', '!']) || text == "x" {
            Err(SchemeError::Locked)
        } else {
            Err(SchemeError::Unsupported("CRYPT".to_owned()))
        }
    }

    fn sha_crypt(text: &str, prefix: &str) -> Result<Self, SchemeError> {
        let damaged = SchemeError::Damaged("SHA-CRYPT");
        let Some(rest) = text.strip_prefix(prefix) else {
            return Err(damaged);
        };
        let fields = rest.split('$').count();
        let expected = if rest.starts_with("rounds=") { 3 } else { 2 };
        let hash_len = if prefix == "$6$" { 86 } else { 43 };
        let whole = fields == expected && rest.rsplit('$').next().map(str::len) == Some(hash_len);
        if !whole || sha_crypt::PasswordHashRef::new(text).is_err() {
            return Err(damaged);
        }
        Ok(Self::ShaCrypt(text.to_owned()))
    }

    fn bcrypt(text: &str) -> Result<Self, SchemeError> {
        text.parse::<bcrypt::HashParts>()
            .map_err(|_| SchemeError::Damaged("BLF-CRYPT"))?;
        Ok(Self::Bcrypt(text.to_owned()))
    }

    fn argon2(text: &str, prefix: &str) -> Result<Self, SchemeError> {
        let parsed = argon2::PasswordHash::new(text).ok();
        let whole = parsed.is_some_and(|h| h.salt.is_some() && h.hash.is_some());
        if !text.starts_with(prefix) || !whole {
            return Err(SchemeError::Damaged("ARGON2"));
        }
        Ok(Self::Argon2(text.to_owned()))
    }

    /// True when `password`, as it is or as SASLprep changes it, is the one.
    /// Both forms are tried, since hashes made by other programs were made
    /// over the bytes as typed.
    pub fn verify(&self, password: &[u8]) -> bool {
        if password.is_empty() || password.len() > prep::MAX_PASSWORD_LEN {
            return false;
        }
        let prepared = prep::password(password);
        if self.verify_exact(password) {
            return true;
        }
        prepared.is_some_and(|p| p.as_bytes() != password && self.verify_exact(p.as_bytes()))
    }

    fn verify_exact(&self, password: &[u8]) -> bool {
        match self {
            Self::Plain(plain) => plain.as_slice().ct_eq(password).into(),
            Self::ShaCrypt(hash) => sha_crypt::ShaCrypt::SHA512
                .verify_password(password, hash.as_str())
                .is_ok(),
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Argon2(hash) => argon2::Argon2::default()
                .verify_password(password, hash.as_str())
                .is_ok(),
            Self::Scram(secrets) => secrets.matches(password),
            Self::Digest(digest) => digest.matches(password),
        }
    }

    /// The hash that is checked, for nothing, where there is no account to
    /// check.
    pub fn dummy() -> Self {
        // Of no password: the hash part is not the output of anything known.
        Self::ShaCrypt(format!("$6$roostdummysalt00${}", "A".repeat(86)))
    }
}

fn decode(
    encoding: Option<&str>,
    data: &str,
    label: &str,
) -> Result<Zeroizing<Vec<u8>>, SchemeError> {
    let bytes = match encoding {
        None => Some(data.as_bytes().to_vec()),
        Some(e) if e.eq_ignore_ascii_case("b64") || e.eq_ignore_ascii_case("base64") => {
            STANDARD.decode(data).ok()
        }
        Some(e) if e.eq_ignore_ascii_case("hex") => unhex(data),
        Some(_) => return Err(SchemeError::Unsupported(label.chars().take(40).collect())),
    };
    bytes
        .map(Zeroizing::new)
        .ok_or(SchemeError::Damaged("encoded"))
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests;
