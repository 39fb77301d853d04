//! TLS: certificates by name, and what a connection can be bound to.
//!
//! Each setup makes its own configuration; session tickets and the session
//! cache outlive it, so that a reload costs no client a full handshake.

mod binding;
mod certificates;

use std::sync::Arc;

use roost_ipc::{AuthTls, Bytes, ChannelBinding, TlsInfo, TlsSetup, TlsVersion};
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use certificates::Certificates;

/// RFC 9266 §4.2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
const EXPORTER_LEN: usize = 32;
/// ALPN name of IMAP (RFC 7301's registry).
const ALPN: &[u8] = b"imap";
/// TLS 1.2 sessions remembered for resumption.
const SESSION_CACHE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("certificate {0}: not PEM, or without a certificate")]
    Chain(usize),
    #[error("certificate {0}: no usable private key in PEM (keys must not be encrypted)")]
    Key(usize),
    #[error("certificate {0}: key and certificate do not belong together")]
    Mismatch(usize),
    #[error("no certificate")]
    NoCertificate,
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// What outlives a setup.
pub struct TlsMemory {
    tickets: Arc<dyn ProducesTickets>,
    sessions: Arc<dyn StoresServerSessions>,
}

impl TlsMemory {
    pub fn new() -> Result<Self, TlsError> {
        Ok(Self {
            tickets: rustls::crypto::aws_lc_rs::Ticketer::new()?,
            sessions: ServerSessionMemoryCache::new(SESSION_CACHE),
        })
    }
}

/// The TLS side of one setup.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Tls {
    pub fn new(setup: &TlsSetup, memory: &TlsMemory) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let certificates = Arc::new(Certificates::new(&setup.certificates, &provider)?);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(setup.min_version))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.ticketer = Arc::clone(&memory.tickets);
        config.session_storage = Arc::clone(&memory.sessions);
        Ok(Self {
            config: Arc::new(config),
            certificates,
        })
    }

    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// For logs.
    pub fn info(connection: &ServerConnection) -> TlsInfo {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS",
        };
        let suite = connection.negotiated_cipher_suite();
        TlsInfo {
            version: version.to_owned(),
            cipher: suite
                .and_then(|s| s.suite().as_str())
                .unwrap_or("unknown")
                .to_owned(),
        }
    }

    /// What a login over `connection` can be bound to.
    pub fn for_auth(&self, connection: &ServerConnection) -> AuthTls {
        let leaf = self.certificates.leaf(connection.server_name());
        AuthTls {
            info: Self::info(connection),
            binding: ChannelBinding {
                server_end_point: leaf.and_then(|c| binding::end_point(c)).map(Bytes),
                exporter: exporter(connection).map(Bytes),
            },
        }
    }
}

static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static NEWEST: [&SupportedProtocolVersion; 1] = [&version::TLS13];

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        TlsVersion::V1_2 => &BOTH,
        TlsVersion::V1_3 => &NEWEST,
    }
}

/// Only in TLS 1.3 is the exporter bound to the handshake in any case
/// (RFC 9266 §3).
fn exporter(connection: &ServerConnection) -> Option<Vec<u8>> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    let out = vec![0; EXPORTER_LEN];
    connection
        .export_keying_material(out, EXPORTER_LABEL, Some(b""))
        .ok()
}

#[cfg(test)]
pub mod tests;
