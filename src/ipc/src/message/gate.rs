//! Supervisor and gate.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use roost_types::{IpNet, LogLevel, LogStyle, SessionId};

use super::common::{Confinement, Endpoints, Mechanism, SessionBlock, TlsInfo};
use crate::codec::Bytes;
use crate::secret::Secret;
use crate::wire::{wire_choice, wire_messages, wire_struct};

wire_choice! {
    pub enum TlsVersion {
        V1_2 = 12,
        V1_3 = 13,
    }
}

wire_struct! {
    /// A certificate chain and its key, both PEM.
    pub struct Certificate {
        /// The server names (SNI) it is for, as exact names or `*.domain`;
        /// the first certificate serves all others too.
        pub names: Vec<String>,
        pub chain: Bytes,
        pub key: Secret,
    }
}

wire_struct! {
    pub struct TlsSetup {
        pub min_version: TlsVersion,
        /// Never empty; the first is the default.
        pub certificates: Vec<Certificate>,
    }
}

wire_struct! {
    /// A listening socket; its descriptor goes with the setup.
    pub struct Listener {
        pub address: SocketAddr,
        /// TLS from the first byte (port 993).
        pub tls: bool,
    }
}

wire_struct! {
    pub struct GateLimits {
        /// Connections at once, those handed over included; 0 refuses all.
        pub max_connections: u32,
        /// 0: no limit.
        pub max_connections_per_ip: u32,
        /// From accept, or the last failed login, to a successful one.
        pub login_timeout: Duration,
        /// Wrong commands before the connection is ended.
        pub max_bad_commands: u32,
    }
}

wire_struct! {
    /// All that the gate is told of the configuration. After a reload it
    /// comes again: certificates and limits then hold for new connections,
    /// listeners are those of this message and no others.
    pub struct GateSetup {
        pub log_level: LogLevel,
        pub log_style: LogStyle,
        /// Applied once, after the first setup.
        pub confinement: Confinement,
        /// The host in the greeting, if it is shown.
        pub greeting_host: Option<String>,
        /// Whether the greeting shows the version.
        pub greeting_version: bool,
        /// In the order of the descriptors that go with this message.
        pub listeners: Vec<Listener>,
        pub tls: Option<TlsSetup>,
        /// Clear-text login without TLS from anywhere.
        pub cleartext_always: bool,
        /// Clear-text login without TLS from here.
        pub trusted_networks: Vec<IpNet>,
        /// Connections from here begin with a PROXY header.
        pub proxies: Vec<IpNet>,
        /// What AUTHENTICATE offers.
        pub mechanisms: Vec<Mechanism>,
        pub limits: GateLimits,
        /// The first numbers for sessions; only in the first setup.
        pub sessions: Option<SessionBlock>,
    }
}

wire_struct! {
    /// A connection that has been granted a login, for its worker. One
    /// descriptor: the client's socket, or the gate's relay of it.
    pub struct Handover {
        pub session: SessionId,
        /// Of the LOGIN or AUTHENTICATE command that is to be answered.
        pub tag: String,
        /// What the client sent behind that command already.
        pub leftover: Bytes,
        pub endpoints: Endpoints,
        pub tls: Option<TlsInfo>,
    }
}

wire_choice! {
    /// Why a login that was granted comes to nothing.
    pub enum Refusal {
        /// No grant for this session: a fault or an attack.
        NoGrant = 1,
        /// `max_connections_per_user` (`[LIMIT]`).
        TooManyConnections = 2,
        /// No worker could be started or it has died (`[UNAVAILABLE]`).
        Unavailable = 3,
        /// Roost is being stopped (`[UNAVAILABLE]`).
        ShuttingDown = 4,
        /// The account of a link has no Maildir; never told to the gate.
        NoMail = 5,
    }
}

wire_struct! {
    pub struct HandoverFailure {
        pub session: SessionId,
        pub reason: Refusal,
    }
}

wire_struct! {
    /// A connection before login.
    pub struct Stranger {
        pub session: SessionId,
        pub address: IpAddr,
        /// Since it was accepted.
        pub connected: Duration,
    }
}

wire_struct! {
    /// A part of the answer to [`SupervisorToGate::Who`].
    pub struct Strangers {
        pub request: u64,
        pub strangers: Vec<Stranger>,
        /// Nothing follows.
        pub last: bool,
    }
}

wire_struct! {
    /// The answer to [`SupervisorToGate::Stats`]: what has happened since the
    /// answer before.
    pub struct GateStats {
        pub request: u64,
        /// Connections before login, now.
        pub strangers: u64,
        pub accepted: u64,
        /// Connections that were too many.
        pub rejected: u64,
        pub login_failures: u64,
        /// Before login, what TLS adds left out.
        pub bytes_in: u64,
        pub bytes_out: u64,
    }
}

wire_messages! {
    pub enum SupervisorToGate {
        /// With one descriptor for each listener.
        Setup(GateSetup) = 0 [|m| match m {
            Self::Setup(setup) => setup.listeners.len(),
            _ => 0,
        }],
        /// A new connection to auth, which takes the place of the old one.
        AuthPeer = 1 [|_| 1],
        /// More session numbers, as asked for.
        Sessions(SessionBlock) = 2,
        /// The worker has the connection: close the descriptor that was kept,
        /// without shutdown.
        HandoverDone(SessionId) = 3,
        /// Answer the client `NO` and close.
        HandoverFailed(HandoverFailure) = 4,
        /// A session that was handed over has ended and counts no more.
        SessionEnded(SessionId) = 5,
        /// End this connection, whatever its state.
        Kick(SessionId) = 6,
        /// Say BYE to those not logged in, let relays run dry for at most
        /// this long, end.
        Shutdown(Duration) = 7,
        /// Tell the connections before login, under this number.
        Who(u64) = 8,
        /// Tell what was counted, under this number.
        Stats(u64) = 20,
    }
}

wire_messages! {
    pub enum GateToSupervisor {
        /// The setup is in force, privileges are given up.
        Ready = 1,
        /// The setup cannot be used; after a reload the old one stays.
        SetupRejected(String) = 2,
        /// With the client's descriptor.
        Handover(Handover) = 3 [|_| 1],
        /// Few session numbers are left.
        MoreSessions = 4,
        /// The connection to auth is gone; a new one is wanted.
        AuthLost = 5,
        Strangers(Strangers) = 6,
        Stats(GateStats) = 20,
    }
}
