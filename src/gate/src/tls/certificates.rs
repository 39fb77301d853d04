//! Certificates by the name that the client asks for (SNI).

use std::collections::HashMap;
use std::sync::Arc;

use roost_ipc::Certificate;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::TlsError;

/// Those of one setup. The first serves clients that name none of the others.
#[derive(Debug)]
pub(super) struct Certificates {
    default: Arc<CertifiedKey>,
    /// Lower case.
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// What `*.domain` stands for: one label before the key here.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    pub(super) fn new(list: &[Certificate], provider: &CryptoProvider) -> Result<Self, TlsError> {
        let mut exact = HashMap::new();
        let mut wildcard = HashMap::new();
        let mut default = None;
        for (at, certificate) in list.iter().enumerate() {
            let key = Arc::new(certified(at + 1, certificate, provider)?);
            default.get_or_insert_with(|| Arc::clone(&key));
            for name in &certificate.names {
                let name = name.to_ascii_lowercase();
                let (names, name) = match name.strip_prefix("*.") {
                    Some(domain) => (&mut wildcard, domain),
                    None => (&mut exact, name.as_str()),
                };
                // As elsewhere, the first one named wins.
                names
                    .entry(name.to_owned())
                    .or_insert_with(|| Arc::clone(&key));
            }
        }
        Ok(Self {
            default: default.ok_or(TlsError::NoCertificate)?,
            exact,
            wildcard,
        })
    }

    fn find(&self, server_name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = server_name else {
            return &self.default;
        };
        let name = name.to_ascii_lowercase();
        self.exact
            .get(&name)
            .or_else(|| self.wildcard.get(name.split_once('.')?.1))
            .unwrap_or(&self.default)
    }

    /// The server's own certificate for a connection that asked for this name.
    pub(super) fn leaf(&self, server_name: Option<&str>) -> Option<&CertificateDer<'static>> {
        self.find(server_name).cert.first()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.find(hello.server_name())))
    }
}

/// Chain and key from PEM, checked against each other.
fn certified(
    number: usize,
    from: &Certificate,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = rustls_pemfile::certs(&mut from.chain.0.as_slice())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Chain(number))?;
    if chain.is_empty() {
        return Err(TlsError::Chain(number));
    }
    let key: PrivateKeyDer<'static> = rustls_pemfile::private_key(&mut from.key.expose())
        .ok()
        .flatten()
        .ok_or(TlsError::Key(number))?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|_| TlsError::Key(number))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch(number)),
        Err(_) => Err(TlsError::Chain(number)),
    }
}
