//! PLAIN (RFC 4616 §2): `[authzid] NUL authcid NUL passwd`.

use zeroize::Zeroizing;

use super::{Credentials, SaslError};

/// Reads the one message of the mechanism.
pub fn parse(message: &[u8]) -> Result<Credentials, SaslError> {
    let mut fields = message.split(|&b| b == 0);
    let (Some(authzid), Some(user), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslError::Malformed);
    };
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| SaslError::Malformed);
    let (authzid, user) = (text(authzid)?, text(user)?);
    if user.is_empty() || password.is_empty() {
        return Err(SaslError::Malformed);
    }
    Ok(Credentials {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_vec()),
        authzid: (!authzid.is_empty() && authzid != user).then(|| authzid.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4616 §4.
    #[test]
    fn rfc_examples() {
        let c = parse(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!(
            (c.user.as_str(), c.password.as_slice()),
            ("tim", &b"tanstaaftanstaaf"[..])
        );
        assert_eq!(c.authzid, None);
        let c = parse(b"Ursel\0Kurt\0xipj3plmq").unwrap();
        assert_eq!(c.authzid.as_deref(), Some("Ursel"));
        assert_eq!(parse(b"Kurt\0Kurt\0xipj3plmq").unwrap().authzid, None);
    }

    #[test]
    fn malformed_messages() {
        for bad in [
            &b""[..],
            b"\0",
            b"\0a",
            b"\0a\0",
            b"\0\0b",
            b"\0a\0b\0",
            b"\0a\0b\0c",
            b"\0\xff\0b",
            b"\xff\0a\0b",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
