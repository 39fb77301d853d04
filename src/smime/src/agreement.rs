//! Elliptic curves: the key of the message is wrapped with one that a fresh
//! key pair and the certificate's key agree on (RFC 5652 §6.2.2, RFC 5753
//! §3.1).

use crate::certificate::CertificateError;
use crate::der;
use crate::sealer::SealError;
use aws_lc_rs::agreement::{self, Algorithm, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use aws_lc_rs::rand::SystemRandom;
use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::der::asn1::{Any, BitString, ObjectIdentifier, OctetString};
use cms::cert::x509::der::{Decode, Encode};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::CmsVersion;
use cms::enveloped_data::{
    KeyAgreeRecipientIdentifier, KeyAgreeRecipientInfo, OriginatorIdentifierOrKey,
    OriginatorPublicKey, RecipientEncryptedKey, RecipientInfo,
};
use zeroize::Zeroizing;

/// dhSinglePass-stdDH-sha256kdf-scheme (RFC 5753 §7.1.4).
const SCHEME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.1.11.1");
/// id-aes256-wrap, which has no parameters (RFC 3565 §2.3.2).
const WRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.45");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Bits of the key that others are wrapped with.
const WRAPPING_BITS: u32 = 256;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// By its name in a certificate (RFC 5480 §2.1.1.1).
    pub fn by_oid(oid: ObjectIdentifier) -> Option<Self> {
        const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
        const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
        const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
        match oid {
            P256 => Some(Self::P256),
            P384 => Some(Self::P384),
            P521 => Some(Self::P521),
            _ => None,
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::P256 => &agreement::ECDH_P256,
            Self::P384 => &agreement::ECDH_P384,
            Self::P521 => &agreement::ECDH_P521,
        }
    }

    /// Whether `point` is one of the curve.
    pub fn check(self, point: &[u8]) -> Result<(), CertificateError> {
        let agreed = self.agree(point, |_| Ok(()));
        agreed.map(drop).map_err(|_| CertificateError::Unsupported)
    }

    /// Makes a key pair and agrees with the key `point`; the new public key
    /// and what `derive` makes of the shared secret.
    fn agree<T>(
        self,
        point: &[u8],
        derive: impl FnOnce(&[u8]) -> Result<T, SealError>,
    ) -> Result<(Vec<u8>, T), SealError> {
        let own = EphemeralPrivateKey::generate(self.algorithm(), &SystemRandom::new())?;
        let public = own.compute_public_key()?.as_ref().to_vec();
        let peer = UnparsedPublicKey::new(self.algorithm(), point);
        let derived = agreement::agree_ephemeral(own, peer, SealError::Crypto, derive)?;
        Ok((public, derived))
    }

    /// The key of the message, for the holder of the key `point`.
    pub fn recipient_info(
        self,
        id: &IssuerAndSerialNumber,
        point: &[u8],
        key: &[u8],
    ) -> Result<RecipientInfo, SealError> {
        let wrap = plain(WRAP).to_der()?;
        let (public, wrapping) = self.agree(point, |secret| Ok(derived(secret, &wrap)))?;
        let mut room = vec![0; key.len() + 8];
        let wrapped = AesKek::new(&AES_256, &wrapping)?.wrap(key, &mut room)?;
        Ok(RecipientInfo::Kari(KeyAgreeRecipientInfo {
            version: CmsVersion::V3,
            originator: OriginatorIdentifierOrKey::OriginatorKey(OriginatorPublicKey {
                algorithm: plain(EC_PUBLIC_KEY),
                public_key: BitString::from_bytes(&public)?,
            }),
            ukm: None,
            key_enc_alg: AlgorithmIdentifierOwned {
                oid: SCHEME,
                parameters: Some(Any::from_der(&wrap)?),
            },
            recipient_enc_keys: vec![RecipientEncryptedKey {
                rid: KeyAgreeRecipientIdentifier::IssuerAndSerialNumber(id.clone()),
                enc_key: OctetString::new(&*wrapped)?,
            }],
        }))
    }
}

/// An algorithm without parameters.
fn plain(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid,
        parameters: None,
    }
}

/// The wrapping key: one round of the function of ANSI X9.63 (SEC 1 §3.6.1)
/// over the secret and `ECC-CMS-SharedInfo` (RFC 5753 §7.2).
fn derived(secret: &[u8], wrap: &[u8]) -> Zeroizing<Vec<u8>> {
    let bits = der::element(der::OCTET_STRING, &[&WRAPPING_BITS.to_be_bytes()]);
    let bits = der::element(der::context(2), &[&bits]);
    let info = der::element(der::SEQUENCE, &[wrap, &bits]);
    let mut hash = Context::new(&SHA256);
    hash.update(secret);
    hash.update(&1_u32.to_be_bytes());
    hash.update(&info);
    Zeroizing::new(hash.finish().as_ref().to_vec())
}
