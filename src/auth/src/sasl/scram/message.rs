//! The grammar of SCRAM messages (RFC 5802 §7).

use crate::sasl::SaslError;

/// The longest nonce taken from a client, in octets.
const MAX_NONCE_LEN: usize = 256;

/// `gs2-cbind-flag`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gs2Flag<'a> {
    /// `n`: the client cannot bind.
    None,
    /// `y`: it can, but thinks the server cannot.
    Unoffered,
    /// `p=cb-name`
    Bound(&'a str),
}

/// `gs2-header`.
pub(super) struct Gs2Header<'a> {
    pub flag: Gs2Flag<'a>,
    pub authzid: Option<&'a str>,
    /// As it stands, both commas included.
    pub text: &'a str,
}

impl<'a> Gs2Header<'a> {
    /// Splits a client-first message into header and bare message.
    pub fn parse(message: &'a str) -> Result<(Self, &'a str), SaslError> {
        let (flag, rest) = message.split_once(',').ok_or(SaslError::Malformed)?;
        let (authzid, bare) = rest.split_once(',').ok_or(SaslError::Malformed)?;
        let flag = match flag {
            "n" => Gs2Flag::None,
            "y" => Gs2Flag::Unoffered,
            _ => Gs2Flag::Bound(flag.strip_prefix("p=").ok_or(SaslError::Malformed)?),
        };
        let authzid = match authzid {
            "" => None,
            _ => Some(authzid.strip_prefix("a=").ok_or(SaslError::Malformed)?),
        };
        let text = message
            .get(..message.len() - bare.len())
            .ok_or(SaslError::Malformed)?;
        Ok((
            Self {
                flag,
                authzid,
                text,
            },
            bare,
        ))
    }
}

/// The `x=value` parts of a message, in order.
pub(super) struct Attributes<'a> {
    parts: std::iter::Peekable<std::str::Split<'a, char>>,
}

impl<'a> Attributes<'a> {
    pub fn new(message: &'a str) -> Self {
        Self {
            parts: message.split(',').peekable(),
        }
    }

    /// The name of the next attribute.
    pub fn peek(&mut self) -> Option<char> {
        self.parts.peek()?.chars().next()
    }

    /// The value of the next attribute, which must be `name`.
    pub fn expect(&mut self, name: char) -> Result<&'a str, SaslError> {
        self.parts
            .next()
            .and_then(|part| part.strip_prefix(name)?.strip_prefix('='))
            .ok_or(SaslError::Malformed)
    }
}

/// `saslname`: `=2C` is a comma, `=3D` an equals sign.
pub(super) fn saslname(text: &str) -> Result<String, SaslError> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        name.push_str(before);
        let (decoded, after) = if let Some(after) = after.strip_prefix("2C") {
            (',', after)
        } else if let Some(after) = after.strip_prefix("3D") {
            ('=', after)
        } else {
            return Err(SaslError::Malformed);
        };
        name.push(decoded);
        rest = after;
    }
    name.push_str(rest);
    if name.is_empty() || name.contains('\0') {
        return Err(SaslError::Malformed);
    }
    Ok(name)
}

/// `c-nonce`: printable ASCII but the comma.
pub(super) fn nonce(text: &str) -> Result<&str, SaslError> {
    let printable = text.bytes().all(|b| matches!(b, 0x21..=0x7e));
    if text.is_empty() || text.len() > MAX_NONCE_LEN || !printable {
        return Err(SaslError::Malformed);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unquoted() {
        assert_eq!(saslname("a=2Cb=3Dc").unwrap(), "a,b=c");
        for bad in ["", "a=", "a=2", "a=2c", "=41"] {
            assert!(saslname(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers() {
        let (h, bare) = Gs2Header::parse("p=tls-exporter,a=x,n=u,r=1").unwrap();
        assert_eq!(h.flag, Gs2Flag::Bound("tls-exporter"));
        assert_eq!(
            (h.authzid, h.text, bare),
            (Some("x"), "p=tls-exporter,a=x,", "n=u,r=1")
        );
        for bad in ["n", "n,", "z,,n=u", "n,x,n=u", "p,,n=u"] {
            assert!(Gs2Header::parse(bad).is_err(), "{bad}");
        }
    }
}
