//! What comes out opens with another implementation.

use super::{Holder, P256, RSA};
use crate::certificate::recipient;
use crate::{Recipient, Sealed, oaep};
use cms::cert::x509::Certificate;
use cms::cert::x509::der::asn1::{Any, ObjectIdentifier};
use cms::cert::x509::der::{Decode, Encode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roost_types::UnixTime;
use std::io::Read;
use std::sync::Arc;

const MESSAGE: &str = "Received: from a by b\r\nFrom: Ann <ann@example.com>\r\n\
    Subject: =?utf-8?q?H=C3=A9?=\r\n over two lines\r\nContent-Type: text/plain; charset=utf-8\r\n\
    \r\nH\u{e9}llo\r\n.\r\nFrom here on\r\nno end of line";

fn seal(recipient: Recipient, message: &[u8]) -> Vec<u8> {
    let size = message.len() as u64;
    let mut sealed = Sealed::new(Arc::new(recipient), message, size).unwrap();
    let mut out = Vec::new();
    sealed.read_to_end(&mut out).unwrap();
    assert_eq!(sealed.size(), out.len() as u64);
    out
}

fn opens(holder: &Holder, message: &[u8]) -> Vec<u8> {
    let recipient = Recipient::from_der(&holder.der(), UnixTime::now()).unwrap();
    let sealed = seal(recipient, message);
    assert_eq!(holder.decrypt(&sealed), message);
    sealed
}

#[test]
fn rsa_of_all_sizes() {
    for key in ["rsa:2048", "rsa:3072", "rsa:4096"] {
        opens(&Holder::new(&["-newkey", key]), MESSAGE.as_bytes());
    }
}

#[test]
fn elliptic_curves() {
    for curve in ["P-256", "P-384", "P-521"] {
        let curve = format!("ec_paramgen_curve:{curve}");
        let holder = Holder::new(&["-newkey", "ec", "-pkeyopt", &curve]);
        opens(&holder, MESSAGE.as_bytes());
    }
}

/// A certificate whose key is for OAEP, which openssl does not make.
fn for_oaep(holder: &Holder, parameters: Option<Any>) -> Vec<u8> {
    let mut certificate = Certificate::from_der(&holder.der()).unwrap();
    let algorithm = &mut certificate
        .tbs_certificate
        .subject_public_key_info
        .algorithm;
    algorithm.oid = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
    algorithm.parameters = parameters;
    certificate.to_der().unwrap()
}

#[test]
fn oaep_where_the_key_is_for_it() {
    use oaep::Oaep;
    let holder = Holder::new(RSA);
    let parameters = |oaep: Oaep| oaep.identifier().unwrap().parameters;
    for (parameters, hash) in [
        (None, "sha256"),
        (parameters(Oaep::Sha1), "sha1"),
        (parameters(Oaep::Sha256), "sha256"),
        (parameters(Oaep::Sha512), "sha512"),
    ] {
        let der = for_oaep(&holder, parameters);
        let recipient = recipient(&der, UnixTime::now()).unwrap();
        let sealed = seal(recipient, MESSAGE.as_bytes());
        assert_eq!(holder.decrypt(&sealed), MESSAGE.as_bytes());
        let shown = holder.openssl("cms -cmsout -print -noout -in message".split(' '));
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("rsaesOaep"), "{shown}");
        assert!(hash == "sha1" || shown.contains(hash), "{shown}");
    }
}

#[test]
fn the_structure_is_what_mail_readers_want() {
    for (key, kind, version) in [(RSA, "d.ktri", 0), (P256, "d.kari", 2)] {
        let holder = Holder::new(key);
        opens(&holder, MESSAGE.as_bytes());
        let shown = holder.openssl("cms -cmsout -print -noout -in message".split(' '));
        let shown = String::from_utf8(shown).unwrap();
        for expected in [
            "contentType: pkcs7-envelopedData",
            &format!("version: {version}"),
            kind,
            "issuerAndSerialNumber",
            "O=Roost, CN=Ann",
            "contentType: pkcs7-data",
            "algorithm: aes-256-cbc",
        ] {
            assert!(shown.contains(expected), "no {expected} in {shown}");
        }
    }
}

/// Also what is no message; its pieces, too, end anywhere.
#[test]
fn any_octets_open() {
    let holder = Holder::new(P256);
    let octets = prop::collection::vec(prop::sample::select(b"a: \r\n\0\xff".to_vec()), 0..300);
    let mut runner = TestRunner::new(Config::with_cases(20));
    runner
        .run(&octets, |octets| {
            opens(&holder, &octets);
            Ok(())
        })
        .unwrap();
}

/// More than a length of the library's own can be (256 MiB) is not tried, but
/// more than it holds in its buffers.
#[test]
fn large_messages_open() {
    let mut message = MESSAGE.as_bytes().to_vec();
    message.extend(b"all work and no play\r\n".repeat(100_000));
    opens(&Holder::new(RSA), &message);
}
