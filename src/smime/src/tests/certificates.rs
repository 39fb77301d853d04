//! Certificates that will not do.

use super::{Holder, P256, RSA};
use crate::{CertificateError, Recipient};
use proptest::prelude::*;
use roost_types::UnixTime;
use std::sync::LazyLock;

fn error(der: &[u8]) -> Option<CertificateError> {
    Recipient::from_der(der, UnixTime::now()).err()
}

fn with_usage(key: &[&str], extension: &str) -> Option<CertificateError> {
    let holder = Holder::with(key, &["-days", "9", "-addext", extension]);
    error(&holder.der())
}

#[test]
fn keys_must_be_for_encryption() {
    let usage = Some(CertificateError::Usage);
    assert_eq!(with_usage(RSA, "keyUsage=digitalSignature"), usage);
    assert_eq!(with_usage(RSA, "keyUsage=keyAgreement"), usage);
    assert_eq!(
        with_usage(RSA, "keyUsage=digitalSignature,keyEncipherment"),
        None
    );
    assert_eq!(with_usage(P256, "keyUsage=keyEncipherment"), usage);
    assert_eq!(with_usage(P256, "keyUsage=keyAgreement"), None);
    assert_eq!(with_usage(P256, "extendedKeyUsage=serverAuth"), usage);
    let for_mail = "extendedKeyUsage=clientAuth,emailProtection";
    assert_eq!(with_usage(P256, for_mail), None);
    assert_eq!(
        with_usage(P256, "extendedKeyUsage=anyExtendedKeyUsage"),
        None
    );
}

#[test]
fn keys_must_be_long_and_known() {
    let of = |key: &[&str]| error(&Holder::new(key).der());
    assert_eq!(of(&["-newkey", "rsa:1024"]), Some(CertificateError::Weak));
    let unsupported = Some(CertificateError::Unsupported);
    assert_eq!(of(&["-newkey", "ed25519"]), unsupported);
    let secp256k1 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"];
    assert_eq!(of(&secp256k1), unsupported);
}

#[test]
fn a_point_must_be_on_its_curve() {
    let mut der = Holder::new(P256).der();
    let point = der.windows(2).position(|w| w == [0, 4]).unwrap();
    der[point + 5] ^= 1;
    assert_eq!(error(&der), Some(CertificateError::Unsupported));
}

#[test]
fn certificates_have_their_time() {
    let holder = Holder::with(P256, &["-days", "2"]);
    let UnixTime(now) = UnixTime::now();
    let at = |days: i64| {
        let time = UnixTime(now + days * 86_400);
        Recipient::from_der(&holder.der(), time).err()
    };
    assert_eq!(at(0), None);
    assert_eq!(at(1), None);
    assert_eq!(at(3), Some(CertificateError::Expired));
    assert_eq!(at(-1), Some(CertificateError::NotYetValid));
    let ever = Recipient::from_der(&holder.der(), UnixTime(-5)).err();
    assert_eq!(ever, Some(CertificateError::NotYetValid));
}

#[test]
fn a_certificate_is_all_there_is() {
    let mut der = Holder::new(P256).der();
    assert_eq!(
        error(&der[..der.len() - 1]),
        Some(CertificateError::Undecodable)
    );
    der.push(0);
    assert_eq!(error(&der), Some(CertificateError::Trailing));
    assert_eq!(error(b""), Some(CertificateError::Undecodable));
    let large = [&[0x30, 0x83, 2, 0, 0][..], &[0; 0x2_0000]].concat();
    assert_eq!(error(&large), Some(CertificateError::Undecodable));
}

#[test]
fn the_first_in_a_file_that_will_do() {
    let signing = Holder::with(
        P256,
        &["-days", "9", "-addext", "keyUsage=digitalSignature"],
    );
    let other = Holder::new(P256);
    let now = UnixTime::now();
    let of = |text: &[u8]| Recipient::from_pem(text, now).map(|r| r.id);
    let both = [signing.pem(), other.pem()].concat();
    assert_eq!(of(&both), of(&other.pem()));
    assert!(of(&both).is_ok());
    assert_eq!(of(&signing.pem()).err(), Some(CertificateError::Usage));
    assert_eq!(of(b"no PEM").err(), Some(CertificateError::Undecodable));
}

static SAMPLES: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [RSA, P256].map(|key| Holder::new(key).der()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever it is, there is an answer, and what is taken serves.
    #[test]
    fn broken_certificates_do_no_harm(
        which in 0usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut der = SAMPLES[which].clone();
        for (at, octet) in changes {
            let at = at.index(der.len());
            der[at] = octet;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        if let Ok(recipient) = Recipient::from_der(&der, UnixTime::now()) {
            // A modulus may have become even, on which RSA itself stumbles.
            let _ = recipient.info(&[7; 32]);
        }
    }

    #[test]
    fn random_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Recipient::from_der(&octets, UnixTime::now()).is_err());
        prop_assert!(Recipient::from_pem(&octets, UnixTime::now()).is_err());
    }
}
