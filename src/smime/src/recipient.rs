//! Whom messages are encrypted for.

use crate::agreement::Curve;
use crate::certificate::{self, CertificateError};
use crate::pem;
use crate::sealer::SealError;
use crate::transport::RsaKey;
use cms::cert::IssuerAndSerialNumber;
use cms::enveloped_data::RecipientInfo;
use roost_types::UnixTime;

/// The holder of a certificate.
#[derive(Debug)]
pub struct Recipient {
    pub(crate) id: IssuerAndSerialNumber,
    pub(crate) key: Key,
    pub(crate) certificate: Box<[u8]>,
}

#[derive(Debug)]
pub(crate) enum Key {
    Rsa(RsaKey),
    /// With the point of the curve that is the key.
    Ec(Curve, Box<[u8]>),
}

impl Recipient {
    /// The holder of a certificate in DER. `now` decides whether it is valid.
    pub fn from_der(der: &[u8], now: UnixTime) -> Result<Self, CertificateError> {
        certificate::recipient(der, now)
    }

    /// The holder of the first certificate in a PEM file that messages can be
    /// encrypted for; if there is none, what is wrong with the first.
    pub fn from_pem(text: &[u8], now: UnixTime) -> Result<Self, CertificateError> {
        let mut first = None;
        for der in pem::certificates(text) {
            let der = der.ok_or(CertificateError::Undecodable);
            match der.and_then(|der| Self::from_der(&der, now)) {
                Ok(recipient) => return Ok(recipient),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(CertificateError::Undecodable))
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The key of a message, for this recipient alone.
    pub(crate) fn info(&self, key: &[u8]) -> Result<RecipientInfo, SealError> {
        match &self.key {
            Key::Rsa(rsa) => rsa.recipient_info(&self.id, key),
            Key::Ec(curve, point) => curve.recipient_info(&self.id, point, key),
        }
    }
}
