//! The parameters of RSAES-OAEP (RFC 4055 §4): one hash for the label and for
//! the mask, and an empty label, which is all that is in use.

use crate::der;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm,
};
use cms::cert::x509::der::asn1::{Any, ContextSpecific, Null, ObjectIdentifier};
use cms::cert::x509::der::{self as library, Decode, Encode, Reader, SliceReader, TagNumber};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;

const ID_RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const ID_MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Oaep {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Oaep {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// What the key in a certificate asks for; without a wish SHA-256
    /// (RFC 8551 §2.3). `None`: something else than these.
    pub fn from_parameters(parameters: Option<&Any>) -> Option<Self> {
        let Some(parameters) = parameters else {
            return Some(Self::Sha256);
        };
        let encoded = parameters.to_der().ok()?;
        let mut reader = SliceReader::new(&encoded).ok()?;
        let (hash, mask) = reader.sequence(fields).ok()?;
        let hash = Self::by_hash(hash.as_ref())?;
        match mask {
            None => (hash == Self::Sha1).then_some(hash),
            Some(mask) if mask.oid == ID_MGF1 => {
                let of: AlgorithmIdentifierOwned = mask.parameters?.decode_as().ok()?;
                (Self::by_hash(Some(&of))? == hash).then_some(hash)
            }
            Some(_) => None,
        }
    }

    fn by_hash(hash: Option<&AlgorithmIdentifierOwned>) -> Option<Self> {
        let Some(hash) = hash else {
            return Some(Self::Sha1);
        };
        Self::ALL.into_iter().find(|one| one.hash() == hash.oid)
    }

    fn hash(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => ObjectIdentifier::new_unwrap("1.3.14.3.2.26"),
            Self::Sha256 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
            Self::Sha384 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
            Self::Sha512 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        }
    }

    pub fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha384 => &OAEP_SHA384_MGF1SHA384,
            Self::Sha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }

    /// How a message says that its key is encrypted so (RFC 3560 §2.1).
    pub fn identifier(self) -> library::Result<AlgorithmIdentifierOwned> {
        let parameters = match self {
            // All of them are the defaults, which DER leaves out.
            Self::Sha1 => der::element(der::SEQUENCE, &[]),
            _ => {
                let hash = self.hash().to_der()?;
                let hash = der::element(der::SEQUENCE, &[&hash, &Null.to_der()?]);
                let mask = der::element(der::SEQUENCE, &[&ID_MGF1.to_der()?, &hash]);
                let fields = [
                    der::element(der::context(0), &[&hash]),
                    der::element(der::context(1), &[&mask]),
                ];
                der::element(der::SEQUENCE, &[&fields[0], &fields[1]])
            }
        };
        Ok(AlgorithmIdentifierOwned {
            oid: ID_RSAES_OAEP,
            parameters: Some(Any::from_der(&parameters)?),
        })
    }
}

type Algorithm = Option<AlgorithmIdentifierOwned>;

/// `RSAES-OAEP-params`; a label (`[2]`) is not read over, so it is an error.
fn fields<'a>(reader: &mut impl Reader<'a>) -> library::Result<(Algorithm, Algorithm)> {
    let hash = ContextSpecific::decode_explicit(reader, TagNumber::N0)?;
    let mask = ContextSpecific::decode_explicit(reader, TagNumber::N1)?;
    Ok((hash.map(|h| h.value), mask.map(|m| m.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_lead_back() {
        for oaep in Oaep::ALL {
            let identifier = oaep.identifier().unwrap();
            let parameters = identifier.parameters.as_ref();
            assert_eq!(Oaep::from_parameters(parameters), Some(oaep));
        }
        assert_eq!(Oaep::from_parameters(None), Some(Oaep::Sha256));
        assert_eq!(Oaep::from_parameters(Some(&Any::null())), None);
    }

    #[test]
    fn hashes_must_be_the_same() {
        let sha256 = Oaep::Sha256.identifier().unwrap().to_der().unwrap();
        let hash = Oaep::Sha256.hash().to_der().unwrap();
        let other = Oaep::Sha512.hash().to_der().unwrap();
        let at = sha256.windows(hash.len()).position(|w| w == hash).unwrap();
        let mut mixed = sha256;
        mixed[at..at + hash.len()].copy_from_slice(&other);
        let mixed = AlgorithmIdentifierOwned::from_der(&mixed).unwrap();
        assert_eq!(Oaep::from_parameters(mixed.parameters.as_ref()), None);
    }
}
