//! RSA: the key of the message is encrypted with that of the certificate
//! (RFC 5652 §6.2.1), with PKCS #1 v1.5 padding (RFC 3370 §4.2.1) or, where
//! the certificate asks for it, with OAEP (RFC 3560).

use crate::certificate::CertificateError;
use crate::der;
use crate::oaep::Oaep;
use crate::sealer::SealError;
use aws_lc_rs::rsa::{OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::der::asn1::{Any, ObjectIdentifier, OctetString, UintRef};
use cms::cert::x509::der::{Decode, Reader, SliceReader};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::CmsVersion;
use cms::enveloped_data::{KeyTransRecipientInfo, RecipientIdentifier, RecipientInfo};
use std::fmt;

/// Octets of the shortest modulus (RFC 8551 §2.3).
const MIN_MODULUS: usize = 256;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// An algorithm identifier of rsaEncryption, as keys have it.
const RSA_ALGORITHM: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
const BIT_STRING: u8 = 0x03;

pub enum RsaKey {
    Pkcs1(Pkcs1PublicEncryptingKey),
    Oaep(OaepPublicEncryptingKey, Oaep),
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs1(_) => "Pkcs1",
            Self::Oaep(..) => "Oaep",
        })
    }
}

impl RsaKey {
    /// `bits`: an `RSAPublicKey` (RFC 8017 A.1.1).
    pub fn pkcs1(bits: &[u8]) -> Result<Self, CertificateError> {
        let key = Pkcs1PublicEncryptingKey::new(public_key(bits)?);
        key.map(Self::Pkcs1)
            .map_err(|_| CertificateError::Unsupported)
    }

    pub fn oaep(bits: &[u8], parameters: Option<&Any>) -> Result<Self, CertificateError> {
        let oaep = Oaep::from_parameters(parameters).ok_or(CertificateError::Unsupported)?;
        let key = OaepPublicEncryptingKey::new(public_key(bits)?);
        key.map(|key| Self::Oaep(key, oaep))
            .map_err(|_| CertificateError::Unsupported)
    }

    pub fn recipient_info(
        &self,
        id: &IssuerAndSerialNumber,
        key: &[u8],
    ) -> Result<RecipientInfo, SealError> {
        let (key_enc_alg, encrypted) = match self {
            Self::Pkcs1(rsa) => {
                let mut room = vec![0; rsa.ciphertext_size()];
                let encrypted = rsa.encrypt(key, &mut room)?.to_vec();
                let algorithm = AlgorithmIdentifierOwned {
                    oid: RSA_ENCRYPTION,
                    parameters: Some(Any::null()),
                };
                (algorithm, encrypted)
            }
            Self::Oaep(rsa, oaep) => {
                let mut room = vec![0; rsa.ciphertext_size()];
                let encrypted = rsa.encrypt(oaep.algorithm(), key, &mut room, None)?;
                (oaep.identifier()?, encrypted.to_vec())
            }
        };
        Ok(RecipientInfo::Ktri(KeyTransRecipientInfo {
            version: CmsVersion::V0,
            rid: RecipientIdentifier::IssuerAndSerialNumber(id.clone()),
            key_enc_alg,
            enc_key: OctetString::new(encrypted)?,
        }))
    }
}

fn public_key(bits: &[u8]) -> Result<PublicEncryptingKey, CertificateError> {
    if modulus_len(bits).ok_or(CertificateError::Unsupported)? < MIN_MODULUS {
        return Err(CertificateError::Weak);
    }
    let string = der::element(BIT_STRING, &[&[0], bits]);
    let spki = der::element(der::SEQUENCE, &[&RSA_ALGORITHM, &string]);
    PublicEncryptingKey::from_der(&spki).map_err(|_| CertificateError::Unsupported)
}

fn modulus_len(bits: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(bits).ok()?;
    let sequence = reader.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        Ok(modulus.as_bytes().len())
    });
    sequence.ok()
}
