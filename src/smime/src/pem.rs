//! Certificates in PEM files (RFC 7468), with whatever else stands there: keys
//! and text are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of each certificate; `None` for one that is not base64.
pub fn certificates(text: &[u8]) -> impl Iterator<Item = Option<Vec<u8>>> {
    let mut lines = text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    std::iter::from_fn(move || {
        lines.find(|line| *line == BEGIN.as_bytes())?;
        let body: Vec<u8> = lines
            .by_ref()
            .take_while(|line| *line != END.as_bytes())
            .flatten()
            .copied()
            .collect();
        Some(STANDARD.decode(body).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_among_other_things() {
        let text = "a key\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n\
             -----BEGIN CERTIFICATE-----\r\nYWJj\r\nZGVm\r\n-----END CERTIFICATE-----\r\n\
             -----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----\n";
        let found: Vec<_> = certificates(text.as_bytes()).collect();
        assert_eq!(found, [Some(b"abcdef".to_vec()), None]);
        assert_eq!(certificates(b"").count(), 0);
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----").count(), 1);
    }
}
