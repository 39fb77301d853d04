//! SASLprep (RFC 4013) for passwords.

use std::borrow::Cow;

use zeroize::Zeroizing;

/// The longest password that is looked at, in octets. Crypt hashes take time
/// in proportion to it.
pub const MAX_PASSWORD_LEN: usize = 1024;

/// A prepared password; `None` for one that is no UTF-8 or prohibited.
pub fn password(raw: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(raw).ok()?;
    match stringprep::saslprep(text).ok()? {
        Cow::Borrowed(same) => Some(Zeroizing::new(same.to_owned())),
        Cow::Owned(changed) => Some(Zeroizing::new(changed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4013 §3.
    #[test]
    fn rfc_examples() {
        let prepared = |text: &str| password(text.as_bytes()).map(|p| p.to_string());
        assert_eq!(prepared("I\u{AD}X").as_deref(), Some("IX"));
        assert_eq!(prepared("user").as_deref(), Some("user"));
        assert_eq!(prepared("USER").as_deref(), Some("USER"));
        assert_eq!(prepared("\u{AA}").as_deref(), Some("a"));
        assert_eq!(prepared("\u{2168}").as_deref(), Some("IX"));
        assert_eq!(prepared("\u{7}"), None);
        assert_eq!(prepared("\u{627}1"), None);
    }

    #[test]
    fn passwords_are_prepared_where_they_can_be() {
        assert_eq!(password(b"a b").unwrap().as_str(), "a b");
        assert_eq!(password("m\u{B2}".as_bytes()).unwrap().as_str(), "m2");
        assert!(password(b"\xff").is_none());
    }
}
