//! Gate and auth, auth and supervisor.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use roost_os::UserId;
use roost_os::identity::Credentials;
use roost_types::{LogLevel, QuotaLimits, SessionId};

use super::common::{Endpoints, Mechanism, TlsInfo};
use crate::codec::Bytes;
use crate::secret::Secret;
use crate::wire::{wire_choice, wire_enum, wire_messages, wire_struct};

wire_struct! {
    /// What binds a login to its TLS connection (RFC 5929, RFC 9266).
    pub struct ChannelBinding {
        /// `tls-server-end-point`: the hash of the server's certificate.
        pub server_end_point: Option<Bytes>,
        /// `tls-exporter`; `None` where TLS 1.2 has no extended master secret.
        pub exporter: Option<Bytes>,
    }
}

wire_struct! {
    /// The TLS layer of the connection that logs in.
    pub struct AuthTls {
        pub info: TlsInfo,
        pub binding: ChannelBinding,
    }
}

wire_enum! {
    /// How the client means to prove who it is. Whether clear-text methods
    /// are allowed here the gate has decided already.
    pub enum AuthMethod {
        /// The LOGIN command.
        Login = 1 { user: Secret, password: Secret },
        /// AUTHENTICATE; `initial` is the decoded initial response.
        Sasl = 2 { mechanism: Mechanism, initial: Option<Secret> },
    }
}

impl AuthMethod {
    /// For logs: `LOGIN` is the command, SASL LOGIN reads `AUTH=LOGIN`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Login { .. } => "LOGIN",
            Self::Sasl {
                mechanism: Mechanism::Login,
                ..
            } => "AUTH=LOGIN",
            Self::Sasl { mechanism, .. } => mechanism.name(),
        }
    }
}

wire_struct! {
    /// The begin of an attempt; one at a time for each session.
    pub struct AuthStart {
        pub session: SessionId,
        pub method: AuthMethod,
        pub endpoints: Endpoints,
        pub tls: Option<AuthTls>,
        /// True where PLUS is offered on this connection, so that a client
        /// that says it is not can be found out (RFC 5802 §6, flag `y`).
        pub plus_offered: bool,
    }
}

wire_struct! {
    /// A decoded continuation line of the client.
    pub struct AuthResponse {
        pub session: SessionId,
        pub data: Secret,
    }
}

wire_messages! {
    pub enum GateToAuth {
        Start(AuthStart) = 1,
        Response(AuthResponse) = 2,
        /// The client sent `*` or is gone; no outcome is expected any more.
        Cancel(SessionId) = 3,
    }
}

wire_struct! {
    pub struct AuthChallenge {
        pub session: SessionId,
        /// Not yet base64.
        pub data: Bytes,
    }
}

wire_choice! {
    /// Why a login fails, as far as the client may know.
    pub enum AuthFailure {
        /// Unknown account or wrong password (`[AUTHENTICATIONFAILED]`).
        Credentials = 1,
        /// Known, but may not use IMAP (`[CONTACTADMIN]`).
        NotAllowed = 2,
        /// The password has expired (`[EXPIRED]`).
        Expired = 3,
        /// The back end does not answer (`[UNAVAILABLE]`).
        Unavailable = 4,
        /// Too many failures of this account or address (`[LIMIT]`).
        TooMany = 5,
        /// The client's response is malformed (`BAD`).
        Malformed = 6,
        /// Known, but not who it wants to act as (`[AUTHORIZATIONFAILED]`).
        OtherIdentity = 7,
    }
}

wire_struct! {
    pub struct AuthOutcome {
        pub session: SessionId,
        pub result: AuthResult,
    }
}

wire_enum! {
    pub enum AuthResult {
        /// The supervisor has the grant already.
        Granted = 1 {},
        /// Any delay has passed before this is sent.
        Failed = 2 { reason: AuthFailure },
        /// The account is on another host (RFC 2221); its password was not
        /// looked at.
        Elsewhere = 3 { user: String, host: String },
    }
}

wire_messages! {
    pub enum AuthToGate {
        Continue(AuthChallenge) = 1,
        Outcome(AuthOutcome) = 2,
    }
}

wire_choice! {
    /// Who reads what a session shows.
    pub enum Reader {
        /// The account's owner.
        Owner = 1,
        /// Somebody else: a master, or who looks after the server.
        Other = 2,
        /// A program, which shows nobody anything.
        Nobody = 3,
    }
}

wire_struct! {
    /// Who a session has proved to be.
    pub struct Grant {
        pub session: SessionId,
        /// The canonical account name.
        pub account: String,
        pub credentials: Credentials,
        pub home: PathBuf,
        /// From the passwd-file (`userdb_mail=maildir:…`), not yet expanded.
        pub maildir: Option<String>,
        /// From there too.
        pub quota: Option<QuotaLimits>,
        /// For logs, see [`AuthMethod::name`].
        pub method: String,
        pub reader: Reader,
    }
}

wire_enum! {
    /// Where passwords are checked.
    pub enum AuthBackend {
        Pam = 1 { service: String },
        PasswdFile = 2 { path: PathBuf },
    }
}

wire_enum! {
    /// What a login name stands for.
    pub enum Route {
        /// This account of the server.
        Account = 1 { name: String },
        /// One of another server.
        Elsewhere = 2 { user: String, host: String },
    }
}

wire_struct! {
    /// What counts where a line of the account file leaves it out.
    pub struct AccountDefaults {
        /// A number or a name.
        pub uid: Option<String>,
        pub gid: Option<String>,
        /// With variables.
        pub home: Option<String>,
    }
}

wire_struct! {
    /// All that auth is told of the configuration.
    pub struct AuthSetup {
        pub log_level: LogLevel,
        /// Asked in this order.
        pub backends: Vec<AuthBackend>,
        pub defaults: AccountDefaults,
        /// An account file of those who may log in as any account.
        pub master_file: Option<PathBuf>,
        /// A PAM conversation that takes longer is ended.
        pub pam_timeout: Duration,
        /// A PAM session is opened and closed again at each login.
        pub pam_session: bool,
        /// Appended to names without one, by the local address of the
        /// connection; else the default.
        pub domains: Vec<(IpAddr, String)>,
        pub default_domain: Option<String>,
        /// By login name, as given or with the domain that was added.
        pub router: Vec<(String, Route)>,
        /// ASCII letters of login names are made small.
        pub lowercase_names: bool,
        pub minimum_uid: u32,
        /// Empty: everybody.
        pub allow_users: Vec<String>,
        pub deny_users: Vec<String>,
        /// Empty: everybody.
        pub allow_groups: Vec<String>,
        /// The least time before a failure is answered; grows.
        pub failure_delay: Duration,
        /// For one account, and for one address.
        pub max_failures_per_minute: u32,
    }
}

wire_struct! {
    /// Asks about accounts that nobody has to prove: whose mail a session
    /// names, and what groups the session's own account is in.
    pub struct Lookup {
        pub request: u64,
        /// As a client wrote it; a name without a domain is of the asker's.
        pub owner: Option<String>,
        /// The canonical name of who asks; none: the server itself.
        pub asker: Option<String>,
        /// Where the asker's client connected to, for its domain.
        pub local: IpAddr,
    }
}

wire_struct! {
    pub struct Found {
        pub request: u64,
        pub owner: Owner,
        /// The asker's groups by name; empty where there is no owner.
        pub groups: Vec<String>,
    }
}

wire_enum! {
    /// Whose mail it is.
    pub enum Owner {
        Account = 1 {
            /// The canonical name.
            account: String,
            credentials: Credentials,
            home: PathBuf,
            /// As in [`Grant`].
            maildir: Option<String>,
            /// As in [`Grant`].
            quota: Option<QuotaLimits>,
        },
        /// No such account, or one whose mail is not served.
        Nobody = 2 {},
        /// Accounts cannot be looked up now.
        Unknown = 3 {},
    }
}

wire_struct! {
    /// A local program wants a session of an account; who it is, the kernel has
    /// told.
    pub struct Claim {
        /// Of the session that it is to become.
        pub session: SessionId,
        pub uid: UserId,
        /// As it was written; none: the account of that uid.
        pub name: Option<String>,
        /// It looks after the server: any account whose mail is served will do,
        /// also one that nobody may log in as.
        pub any: bool,
        /// There is a client that shows somebody what the session says.
        pub client: bool,
    }
}

wire_choice! {
    /// Why there is no session for a local program.
    pub enum NoSession {
        NoSuchAccount = 1,
        /// The account is not the program's, or may not use IMAP.
        NotAllowed = 2,
        /// It has as many connections as it may have.
        TooMany = 3,
        /// Something does not answer; it may later.
        Unavailable = 4,
        /// The program's own account is on another host now.
        Elsewhere = 5,
    }
}

wire_struct! {
    pub struct Claimed {
        pub session: SessionId,
        pub result: ClaimResult,
    }
}

wire_enum! {
    pub enum ClaimResult {
        Granted = 1 { grant: Grant },
        Refused = 2 { reason: NoSession },
    }
}

wire_struct! {
    /// A password that an administrator tries.
    pub struct Trial {
        /// For logs; no session comes of it.
        pub session: SessionId,
        pub user: Secret,
        pub password: Secret,
    }
}

wire_struct! {
    pub struct Tried {
        pub session: SessionId,
        pub result: TrialResult,
    }
}

wire_enum! {
    /// What a login with it would have come to.
    pub enum TrialResult {
        /// By its canonical name.
        Proved = 1 { account: String },
        Failed = 2 { reason: AuthFailure },
        /// Nothing: the account is this user's on this other host.
        Elsewhere = 3 { user: String, host: String },
    }
}

wire_messages! {
    pub enum SupervisorToAuth {
        Setup(AuthSetup) = 0,
        /// A new connection to the gate, which takes the place of the old one.
        GatePeer = 1 [|_| 1],
        /// End.
        Shutdown = 2,
        Lookup(Lookup) = 3,
        Claim(Claim) = 4,
        Try(Trial) = 5,
    }
}

wire_messages! {
    pub enum AuthToSupervisor {
        /// The setup is in force.
        Ready = 1,
        /// The setup cannot be used; after a reload the old one stays.
        SetupRejected(String) = 2,
        Grant(Grant) = 3,
        Found(Found) = 4,
        Claimed(Claimed) = 5,
        Tried(Tried) = 6,
    }
}
