use super::*;
use roost_ipc::{Certificate, Secret};

pub fn certificate(subject: &str, names: &[&str]) -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec![subject.to_owned()]).unwrap();
    Certificate {
        names: names.iter().map(|&n| n.to_owned()).collect(),
        chain: Bytes(made.cert.pem().into_bytes()),
        key: Secret::new(made.signing_key.serialize_pem().into_bytes()),
    }
}

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// A client that looks at nothing: what it is shown is looked at by the test.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn client_config(versions: &[&'static SupportedProtocolVersion], alpn: &[&[u8]]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|a| a.to_vec()).collect();
    config
}

type Ends = (
    client::TlsStream<tokio::io::DuplexStream>,
    server::TlsStream<tokio::io::DuplexStream>,
);

async fn connect(tls: &Tls, config: Arc<ClientConfig>, name: &str) -> std::io::Result<Ends> {
    let (a, b) = duplex(64 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (client, server) = tokio::join!(
        TlsConnector::from(config).connect(name, a),
        TlsAcceptor::from(tls.config()).accept(b)
    );
    Ok((client?, server?))
}

fn tls(certificates: Vec<Certificate>, min_version: TlsVersion) -> Tls {
    let setup = TlsSetup {
        min_version,
        certificates,
    };
    Tls::new(&setup, &TlsMemory::new().unwrap()).unwrap()
}

fn leaf(pem: &Bytes) -> CertificateDer<'static> {
    rustls_pemfile::certs(&mut pem.0.as_slice())
        .next()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn certificates_go_by_name_and_the_first_serves_the_rest() {
    let list = vec![
        certificate("one.example", &[]),
        certificate("two.example", &["two.example", "Other.Example"]),
        certificate("wild.example", &["*.wild.example"]),
    ];
    let shown: Vec<_> = list.iter().map(|c| leaf(&c.chain)).collect();
    let tls = tls(list, TlsVersion::V1_2);
    for (name, expected) in [
        ("one.example", 0),
        ("two.example", 1),
        ("other.example", 1),
        ("a.wild.example", 2),
        ("a.b.wild.example", 0),
        ("wild.example", 0),
        ("192.0.2.1", 0),
    ] {
        let config = Arc::new(client_config(&BOTH, &[b"imap"]));
        let (client, server) = connect(&tls, config, name).await.unwrap();
        let got = client.get_ref().1.peer_certificates().unwrap();
        assert_eq!(got[0], shown[expected], "{name}");
        let facts = tls.for_auth(server.get_ref().1);
        let end_point = facts.binding.server_end_point.unwrap();
        assert_eq!(
            end_point.0,
            Sha256::digest(&shown[expected]).to_vec(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn both_ends_export_the_same_binding_in_tls_1_3_only() {
    let tls = tls(vec![certificate("x.example", &[])], TlsVersion::V1_2);
    let config = Arc::new(client_config(&NEWEST, &[]));
    let (client, server) = connect(&tls, config, "x.example").await.unwrap();
    let facts = tls.for_auth(server.get_ref().1);
    let theirs = client
        .get_ref()
        .1
        .export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b""))
        .unwrap();
    assert_eq!(facts.binding.exporter, Some(Bytes(theirs)));
    assert_eq!(facts.info.version, "TLSv1.3");

    let config = Arc::new(client_config(&[&version::TLS12], &[]));
    let (_client, server) = connect(&tls, config, "x.example").await.unwrap();
    let facts = tls.for_auth(server.get_ref().1);
    assert_eq!(
        (facts.binding.exporter, facts.info.version.as_str()),
        (None, "TLSv1.2")
    );
}

#[tokio::test]
async fn versions_and_protocols_that_do_not_fit_are_refused() {
    let list = || vec![certificate("x.example", &[])];
    let only13 = tls(list(), TlsVersion::V1_3);
    let config = Arc::new(client_config(&[&version::TLS12], &[]));
    assert!(connect(&only13, config, "x.example").await.is_err());
    let both = tls(list(), TlsVersion::V1_2);
    for (alpn, fits) in [
        (&[][..], true),
        (&[&b"imap"[..]], true),
        (&[b"http/1.1"], false),
    ] {
        let config = Arc::new(client_config(&BOTH, alpn));
        assert_eq!(
            connect(&both, config, "x.example").await.is_ok(),
            fits,
            "{alpn:?}"
        );
    }
}

#[tokio::test]
async fn sessions_are_resumed_over_a_reload() {
    let memory = TlsMemory::new().unwrap();
    let setup = TlsSetup {
        min_version: TlsVersion::V1_2,
        certificates: vec![certificate("x.example", &[])],
    };
    for versions in [&NEWEST[..], &[&version::TLS12][..]] {
        let config = Arc::new(client_config(versions, &[]));
        for expected in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
            let tls = Tls::new(&setup, &memory).unwrap();
            let (mut client, mut server) = connect(&tls, Arc::clone(&config), "x.example")
                .await
                .unwrap();
            let kind = server.get_ref().1.handshake_kind();
            assert_eq!(kind, Some(expected));
            // Tickets of TLS 1.3 come with the first data.
            server.write_all(b"x").await.unwrap();
            server.flush().await.unwrap();
            client.read_u8().await.unwrap();
        }
    }
}

#[test]
fn useless_certificates_are_refused_by_number() {
    let memory = TlsMemory::new().unwrap();
    let good = || certificate("x.example", &[]);
    let refused = |change: fn(&mut Certificate)| {
        let mut second = good();
        change(&mut second);
        let setup = TlsSetup {
            min_version: TlsVersion::V1_2,
            certificates: vec![good(), second],
        };
        Tls::new(&setup, &memory).err()
    };
    assert!(refused(|_| {}).is_none());
    assert!(matches!(
        refused(|c| c.chain.0.clear()),
        Some(TlsError::Chain(2))
    ));
    assert!(matches!(
        refused(|c| c.key = Secret::new(b"none".to_vec())),
        Some(TlsError::Key(2))
    ));
    assert!(matches!(
        refused(|c| c.key = certificate("y.example", &[]).key),
        Some(TlsError::Mismatch(2))
    ));
    let none = TlsSetup {
        min_version: TlsVersion::V1_2,
        certificates: Vec::new(),
    };
    assert!(matches!(
        Tls::new(&none, &memory).err(),
        Some(TlsError::NoCertificate)
    ));
}
