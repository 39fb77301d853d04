//! `tls-server-end-point` (RFC 5929 §4.1): the hash of the certificate, with
//! the hash function of its own signature.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Signature algorithms by their OID's octets, and the hash to take. MD5 and
/// SHA-1 are replaced by SHA-256; Ed25519 and PSS leave it undefined.
const SHA256: [&[u8]; 4] = [
    // 1.2.840.113549.1.1.11, .5, .4: RSA with SHA-256, SHA-1, MD5
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04",
    // 1.2.840.10045.4.3.2: ECDSA
    b"\x2a\x86\x48\xce\x3d\x04\x03\x02",
];
const SHA384: [&[u8]; 2] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x03",
];
const SHA512: [&[u8]; 2] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x04",
];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The binding data; `None` where the certificate's kind has none.
pub(super) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let der = certificate.as_ref();
    let oid = signature_oid(der)?;
    if SHA256.contains(&oid) {
        Some(Sha256::digest(der).to_vec())
    } else if SHA384.contains(&oid) {
        Some(Sha384::digest(der).to_vec())
    } else if SHA512.contains(&oid) {
        Some(Sha512::digest(der).to_vec())
    } else {
        None
    }
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE {
/// algorithm OBJECT IDENTIFIER, … }, … }` (RFC 5280 §4.1).
fn signature_oid(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    Some(element(algorithm, OBJECT_IDENTIFIER)?.0)
}

/// The contents of the first element, which has tag `tag`, and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = octets.iter().fold(0, |n, &b| n << 8 | usize::from(b));
            (len, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_any_length() {
        assert_eq!(element(b"\x30\x02ab-", 0x30), Some((&b"ab"[..], &b"-"[..])));
        let long = [&b"\x30\x82\x01\x00"[..], &[7; 256], b"x"].concat();
        assert_eq!(
            element(&long, 0x30).map(|(e, r)| (e.len(), r)),
            Some((256, &b"x"[..]))
        );
        for broken in [
            &b""[..],
            b"\x30",
            b"\x30\x05ab",
            b"\x30\x80ab",
            b"\x31\x00",
            b"\x30\x82\x01",
        ] {
            assert_eq!(element(broken, 0x30), None, "{broken:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn broken_certificates_have_no_binding_and_do_no_harm(
            der in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            // Lengths that lie, in front of whatever.
            for prefix in [&b""[..], b"\x30\x82", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff"] {
                let all = [prefix, &der].concat();
                proptest::prop_assert_eq!(end_point(&all.into()), None);
            }
        }
    }
}
