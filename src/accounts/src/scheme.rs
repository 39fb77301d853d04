//! The names of password schemes, for who reads account files without checking
//! passwords.

/// Those that the authenticator checks, in capitals.
pub const SCHEMES: [&str; 14] = [
    "PLAIN",
    "CLEARTEXT",
    "CLEAR",
    "CRYPT",
    "SHA512-CRYPT",
    "SHA256-CRYPT",
    "BLF-CRYPT",
    "ARGON2ID",
    "ARGON2I",
    "SCRAM-SHA-256",
    "SHA256",
    "SSHA256",
    "SHA512",
    "SSHA512",
];

/// The scheme that a password's field names: `{SCHEME}` or `{SCHEME.encoding}`.
pub fn scheme_of(field: &str) -> Option<&str> {
    let (label, _) = field.strip_prefix('{')?.split_once('}')?;
    Some(label.rsplit_once('.').map_or(label, |(scheme, _)| scheme))
}

/// Whether the authenticator checks passwords of this scheme.
pub fn knows_scheme(scheme: &str) -> bool {
    SCHEMES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
}
