//! `EnvelopedData` (RFC 5652 §6.1) in DER as a stream, with AES-256 in CBC
//! mode, which all mail readers know (RFC 8551 §2.7).

use crate::der;
use crate::recipient::Recipient;
use crate::sealer::SealError;
use aws_lc_rs::cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use cms::cert::x509::der::Encode;
use cms::cert::x509::der::asn1::ObjectIdentifier;
use cms::enveloped_data::{RecipientInfo, RecipientInfos};
use zeroize::Zeroizing;

const ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

const BLOCK: usize = 16;
/// Octets encrypted in one call.
const PIECE: usize = 16 << 10;

/// What stands before the encrypted octets, and what encrypts them.
pub struct Envelope {
    cipher: StreamingEncryptingKey,
    room: Box<[u8]>,
}

impl Envelope {
    /// For `size` octets; also the beginning of the structure and how long all
    /// of it will be.
    pub fn new(recipient: &Recipient, size: u64) -> Result<(Self, Vec<u8>, u64), SealError> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = [0; BLOCK];
        rand::fill(&mut *key)?;
        rand::fill(&mut iv)?;
        let head = head(&recipient.info(&*key)?, &iv, encrypted_size(size))?;
        let total = head.len() as u64 + encrypted_size(size);
        let cipher = StreamingEncryptingKey::less_safe_cbc_pkcs7(
            UnboundCipherKey::new(&AES_256, &*key)?,
            EncryptionContext::Iv128(FixedLength::from(iv)),
        )?;
        let room = vec![0; PIECE + BLOCK].into();
        Ok((Self { cipher, room }, head, total))
    }

    /// Encrypts octets; `take` gets what comes of them.
    pub fn write(&mut self, plain: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), SealError> {
        for piece in plain.chunks(PIECE) {
            let update = self.cipher.update(piece, &mut self.room)?;
            take(update.written());
        }
        Ok(())
    }

    pub fn finish(mut self, mut take: impl FnMut(&[u8])) -> Result<(), SealError> {
        let (_, update) = self.cipher.finish(&mut self.room)?;
        take(update.written());
        Ok(())
    }
}

/// With padding, of which there is always some (RFC 5652 §6.3).
fn encrypted_size(size: u64) -> u64 {
    (size / BLOCK as u64 + 1) * BLOCK as u64
}

/// Everything up to the `encrypted` octets.
fn head(info: &RecipientInfo, iv: &[u8], encrypted: u64) -> Result<Vec<u8>, SealError> {
    let version: u8 = match info {
        RecipientInfo::Ktri(_) => 0,
        _ => 2,
    };
    let version = der::element(der::INTEGER, &[&[version]]);
    let recipients = RecipientInfos::try_from(vec![info.clone()])?.to_der()?;
    let iv = der::element(der::OCTET_STRING, &[iv]);
    let algorithm = der::element(der::SEQUENCE, &[&AES_256_CBC.to_der()?, &iv]);
    // From the inside outwards, each with what it still lacks behind it.
    let octets = der::header(der::context_primitive(0), encrypted);
    let content = around(
        der::SEQUENCE,
        &[&DATA.to_der()?, &algorithm, &octets],
        encrypted,
    );
    let enveloped = around(der::SEQUENCE, &[&version, &recipients, &content], encrypted);
    let tagged = around(der::context(0), &[&enveloped], encrypted);
    let outside = [&*ENVELOPED_DATA.to_der()?, &*tagged];
    Ok(around(der::SEQUENCE, &outside, encrypted))
}

/// An element whose last `missing` octets come later.
fn around(tag: u8, parts: &[&[u8]], missing: u64) -> Vec<u8> {
    let len: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = der::header(tag, len as u64 + missing);
    parts.iter().for_each(|p| out.extend_from_slice(p));
    out
}
