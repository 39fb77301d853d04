//! What the tests of several modules need.

use std::time::Duration;

use roost_ipc::{
    Certificate, Confinement, GateLimits, GateSetup, LogLevel, LogStyle, Mechanism, TlsSetup,
    TlsVersion,
};

use crate::settings::Settings;
use crate::tls::TlsMemory;
use crate::tls::tests::certificate;

pub fn setup(certificates: Vec<Certificate>) -> GateSetup {
    GateSetup {
        log_level: LogLevel::Problems,
        log_style: LogStyle::Roost,
        confinement: Confinement {
            chroot: None,
            credentials: None,
        },
        greeting_host: Some("mail.example".into()),
        greeting_version: true,
        listeners: Vec::new(),
        tls: Some(TlsSetup {
            min_version: TlsVersion::V1_2,
            certificates,
        }),
        cleartext_always: false,
        trusted_networks: vec!["127.0.0.0/8".parse().unwrap()],
        proxies: Vec::new(),
        mechanisms: Mechanism::ALL.to_vec(),
        limits: GateLimits {
            max_connections: 10,
            max_connections_per_ip: 0,
            login_timeout: Duration::from_secs(20),
            max_bad_commands: 3,
        },
        sessions: None,
    }
}

pub fn settings() -> Settings {
    let setup = setup(vec![certificate("mail.example", &["mail.example"])]);
    Settings::new(&setup, &TlsMemory::new().unwrap()).unwrap()
}
