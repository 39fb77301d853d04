//! What a certificate must be like for messages to be encrypted for its
//! holder.

use crate::agreement::Curve;
use crate::recipient::{Key, Recipient};
use crate::transport::RsaKey;
use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::der::asn1::ObjectIdentifier;
use cms::cert::x509::der::{Decode, Reader, SliceReader};
use cms::cert::x509::ext::pkix::{ExtendedKeyUsage, KeyUsage};
use cms::cert::x509::spki::SubjectPublicKeyInfoOwned;
use cms::cert::x509::{Certificate, TbsCertificate};
use roost_types::UnixTime;

/// Octets of a certificate; real ones have 1 to 4 thousand.
pub const MAX_SIZE: usize = 64 << 10;

/// Why nothing can be encrypted for a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("Not a certificate")]
    Undecodable,
    #[error("Unexpected data behind the certificate")]
    Trailing,
    #[error("Certificate is not valid yet")]
    NotYetValid,
    #[error("Certificate has expired")]
    Expired,
    /// RFC 8550 §4.4.2 and §4.4.4.
    #[error("Certificate is not meant for encrypted mail")]
    Usage,
    #[error("Key of the certificate is too short")]
    Weak,
    #[error("Key of the certificate is of no supported kind")]
    Unsupported,
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
/// id-ecPublicKey and id-ecDH (RFC 5480 §2.1).
const EC: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1"),
    ObjectIdentifier::new_unwrap("1.3.132.1.12"),
];

/// Extended key usages that include encrypted mail (RFC 8550 §4.4.4).
const FOR_MAIL: [ObjectIdentifier; 2] = [
    // id-kp-emailProtection, anyExtendedKeyUsage
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
    ObjectIdentifier::new_unwrap("2.5.29.37.0"),
];

pub fn recipient(der: &[u8], now: UnixTime) -> Result<Recipient, CertificateError> {
    let certificate = decode(der)?.tbs_certificate;
    check_validity(&certificate, now)?;
    let key = key(&certificate.subject_public_key_info)?;
    check_usage(&certificate, &key)?;
    Ok(Recipient {
        id: IssuerAndSerialNumber {
            issuer: certificate.issuer,
            serial_number: certificate.serial_number,
        },
        key,
        certificate: der.into(),
    })
}

fn decode(der: &[u8]) -> Result<Certificate, CertificateError> {
    let undecodable = |_| CertificateError::Undecodable;
    if der.len() > MAX_SIZE {
        return Err(CertificateError::Undecodable);
    }
    let mut reader = SliceReader::new(der).map_err(undecodable)?;
    let certificate = Certificate::decode(&mut reader).map_err(undecodable)?;
    match reader.is_finished() {
        true => Ok(certificate),
        false => Err(CertificateError::Trailing),
    }
}

fn check_validity(
    certificate: &TbsCertificate,
    UnixTime(now): UnixTime,
) -> Result<(), CertificateError> {
    let now = u64::try_from(now).unwrap_or(0);
    let validity = certificate.validity;
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotYetValid);
    }
    match now > validity.not_after.to_unix_duration().as_secs() {
        true => Err(CertificateError::Expired),
        false => Ok(()),
    }
}

fn key(spki: &SubjectPublicKeyInfoOwned) -> Result<Key, CertificateError> {
    let algorithm = &spki.algorithm;
    let bits = spki.subject_public_key.as_bytes();
    let bits = bits.ok_or(CertificateError::Unsupported)?;
    match algorithm.oid {
        RSA => RsaKey::pkcs1(bits).map(Key::Rsa),
        RSA_OAEP => RsaKey::oaep(bits, algorithm.parameters.as_ref()).map(Key::Rsa),
        oid if EC.contains(&oid) => {
            let parameters = algorithm.parameters.as_ref();
            let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
            let curve = curve.and_then(Curve::by_oid);
            let curve = curve.ok_or(CertificateError::Unsupported)?;
            curve.check(bits)?;
            Ok(Key::Ec(curve, bits.into()))
        }
        _ => Err(CertificateError::Unsupported),
    }
}

/// A certificate without such an extension is for every use.
fn check_usage(certificate: &TbsCertificate, key: &Key) -> Result<(), CertificateError> {
    let undecodable = |_| CertificateError::Undecodable;
    if let Some((_, usage)) = certificate.get::<KeyUsage>().map_err(undecodable)? {
        let allowed = match key {
            Key::Rsa(_) => usage.key_encipherment(),
            Key::Ec(..) => usage.key_agreement(),
        };
        if !allowed {
            return Err(CertificateError::Usage);
        }
    }
    let extended = certificate.get::<ExtendedKeyUsage>().map_err(undecodable)?;
    match extended {
        Some((_, uses)) if !uses.0.iter().any(|u| FOR_MAIL.contains(u)) => {
            Err(CertificateError::Usage)
        }
        _ => Ok(()),
    }
}
