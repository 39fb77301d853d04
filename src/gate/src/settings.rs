//! What the supervisor's setup means here.

use std::net::IpAddr;
use std::time::Duration;

use roost_ipc::{GateLimits, GateSetup, LogStyle, Mechanism};
use roost_types::IpNet;

use crate::tls::{Tls, TlsError, TlsMemory};

/// The settings of one setup; a connection keeps those it began with.
pub struct Settings {
    pub log_style: LogStyle,
    pub greeting_host: Option<String>,
    pub greeting_version: bool,
    pub tls: Option<Tls>,
    pub cleartext_always: bool,
    pub trusted_networks: Vec<IpNet>,
    pub proxies: Vec<IpNet>,
    pub mechanisms: Vec<Mechanism>,
    pub limits: GateLimits,
}

impl Settings {
    pub fn new(setup: &GateSetup, memory: &TlsMemory) -> Result<Self, TlsError> {
        let tls = match &setup.tls {
            Some(tls) => Some(Tls::new(tls, memory)?),
            None => None,
        };
        Ok(Self {
            log_style: setup.log_style,
            greeting_host: setup.greeting_host.clone(),
            greeting_version: setup.greeting_version,
            tls,
            cleartext_always: setup.cleartext_always,
            trusted_networks: setup.trusted_networks.clone(),
            proxies: setup.proxies.clone(),
            mechanisms: setup.mechanisms.clone(),
            limits: setup.limits.clone(),
        })
    }

    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_networks.iter().any(|n| n.contains(address))
    }

    /// Whether connections from there begin with a PROXY header.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|n| n.contains(address))
    }

    /// Handshakes get no more time than a login.
    pub fn handshake_timeout(&self) -> Duration {
        self.limits.login_timeout.min(MAX_HANDSHAKE)
    }
}

const MAX_HANDSHAKE: Duration = Duration::from_secs(30);
