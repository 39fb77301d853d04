//! Any message at all, for the tests.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use roost_os::identity::Credentials;
use roost_os::{GroupId, UserId};
use roost_types::{
    DirectoryEncoding, Fsync, IpNet, LogLevel, LogStyle, QuotaLimits, SessionId, SpecialUse,
};

use super::*;
use crate::log::LogRecord;
use crate::secret::Secret;

/// Values of the type, all of them reachable.
pub(crate) trait Any: Sized + std::fmt::Debug + 'static {
    fn any() -> BoxedStrategy<Self>;
}

fn any_of<T: Any>() -> BoxedStrategy<T> {
    T::any()
}

macro_rules! any_plain {
    ($($type:ty),*) => {$(
        impl Any for $type {
            fn any() -> BoxedStrategy<Self> {
                any::<$type>().boxed()
            }
        }
    )*};
}
any_plain!(bool, u8, u32, u64, char, IpAddr);

macro_rules! any_choice {
    ($($type:ty),*) => {$(
        impl Any for $type {
            fn any() -> BoxedStrategy<Self> {
                select(<$type>::ALL.to_vec()).boxed()
            }
        }
    )*};
}
any_choice!(
    LogLevel,
    LogStyle,
    Mechanism,
    TlsVersion,
    Refusal,
    AuthFailure,
    NoSession,
    EndReason,
    ForeignResult,
    Task,
    Property,
    AclAct,
    AlertKind,
    Reader
);
any_choice!(Fsync, DirectoryEncoding, SpecialUse);

macro_rules! any_mapped {
    ($($type:ty: $strategy:expr;)*) => {$(
        impl Any for $type {
            fn any() -> BoxedStrategy<Self> {
                $strategy.boxed()
            }
        }
    )*};
}
any_mapped! {
    String: ".{0,12}";
    Secret: vec(any::<u8>(), 0..20).prop_map(Secret::new);
    Bytes: vec(any::<u8>(), 0..20).prop_map(Bytes);
    PathBuf: "[^\0]{0,12}".prop_map(PathBuf::from);
    Duration: (any::<u64>(), 0..1_000_000_000u32).prop_map(|(s, n)| Duration::new(s, n));
    UserId: any::<u32>().prop_map(UserId);
    GroupId: any::<u32>().prop_map(GroupId);
    SessionId: any::<u64>().prop_map(SessionId);
    SocketAddr: any::<SocketAddr>().prop_map(|a| SocketAddr::new(a.ip(), a.port()));
    IpNet: (any::<IpAddr>(), 0..=128u8)
        .prop_map(|(a, n)| IpNet::new(a, if a.is_ipv4() { n % 33 } else { n }).unwrap());
}

impl<T: Any + Clone> Any for Option<T> {
    fn any() -> BoxedStrategy<Self> {
        option::of(T::any()).boxed()
    }
}

impl<T: Any> Any for Vec<T> {
    fn any() -> BoxedStrategy<Self> {
        vec(T::any(), 0..4).boxed()
    }
}

impl<A: Any, B: Any> Any for (A, B) {
    fn any() -> BoxedStrategy<Self> {
        (A::any(), B::any()).boxed()
    }
}

/// The strategy for a field; the name is there for the macro's repetition.
fn field<T: Any>(_name: &str) -> BoxedStrategy<T> {
    T::any()
}

/// The fields in groups, for strategies come in tuples of limited length.
macro_rules! any_struct {
    ($($type:ident { $(($($field:ident),*)),* })*) => {$(
        impl Any for $type {
            fn any() -> BoxedStrategy<Self> {
                ($(($(field(stringify!($field)),)*),)*)
                    .prop_map(|($(($($field,)*),)*)| Self { $($($field,)*)* })
                    .boxed()
            }
        }
    )*};
}
any_struct! {
    Credentials { (uid, gid, groups) }
    SessionBlock { (first, count) }
    Endpoints { (remote, local) }
    TlsInfo { (version, cipher) }
    Confinement { (chroot, credentials) }
    Certificate { (names, chain, key) }
    TlsSetup { (min_version, certificates) }
    Listener { (address, tls) }
    GateLimits { (max_connections, max_connections_per_ip, login_timeout, max_bad_commands) }
    GateSetup {
        (log_level, log_style, confinement, greeting_host, greeting_version, listeners, tls),
        (cleartext_always, trusted_networks, proxies, mechanisms, limits, sessions)
    }
    Handover { (session, tag, leftover, endpoints, tls) }
    HandoverFailure { (session, reason) }
    ChannelBinding { (server_end_point, exporter) }
    AuthTls { (info, binding) }
    AuthStart { (session, method, endpoints, tls, plus_offered) }
    AuthResponse { (session, data) }
    AuthChallenge { (session, data) }
    AuthOutcome { (session, result) }
    QuotaLimits { (storage, messages) }
    Quota { (limits, max_mailboxes, inbox_only, count_trash, alert_percent) }
    Grant { (session, account, credentials, home, maildir, quota, method, reader) }
    AccountDefaults { (uid, gid, home) }
    AuthSetup {
        (log_level, backends, defaults, master_file, pam_timeout, pam_session, domains, default_domain, router, lowercase_names),
        (minimum_uid, allow_users, deny_users, allow_groups, failure_delay),
        (max_failures_per_minute)
    }
    MailSetup {
        (separator, prefix, directory_encoding, fsync),
        (special_use, initial_subscriptions, sees_non_mail, own_seen, hide_hidden, inotify, public, poll_interval),
        (certificate_dir, mark_media, default_domain)
    }
    WorkerLimits {
        (max_message_size, idle_timeout, max_bad_commands, running_interval, worker_idle)
    }
    WorkerSetup { (log_level, hostname, admin, comment, mail, limits) }
    Session {
        (session, account, home, maildir, index_dir, tag, leftover),
        (endpoints, tls, method, max_message_size, sees_non_mail, quota, asker),
        (traced)
    }
    Asker { (account, groups, shown, alias) }
    OpenForeign { (request, session, shown, alias) }
    ForeignOpened { (request, result) }
    Shares { (account, identifiers) }
    SharesWanted { (request, session) }
    SharesFound { (request, owners) }
    Lookup { (request, owner, asker, local) }
    Found { (request, owner, groups) }
    Claim { (session, uid, name, any, client) }
    Wish { (name, client) }
    Claimed { (session, result) }
    Trial { (session, user, password) }
    Tried { (session, result) }
    Attempted { (user, password) }
    SessionCounts { (bytes_in, bytes_out, deleted, expunged, header_count, header_bytes, body_count, body_bytes) }
    SessionEnd { (session, reason, counts) }
    SessionRefusal { (session, reason) }
    Maintenance { (task, uid, maildir, mailboxes, acl, property) }
    PropertyWork { (property, change) }
    PropertyChange { (value) }
    PropertyEntry { (mailbox, value) }
    AclWork { (act, who, rights, groups) }
    AclEntry { (mailbox, identifier, rights) }
    Finding { (mailbox, file, text, mended) }
    Indexed { (mailbox, messages) }
    QuotaUsed { (limits, octets, messages) }
    SessionRow { (session, address, tls, account), (connected, status, running, show_all) }
    Stranger { (session, address, connected) }
    Strangers { (request, strangers, last) }
    Doing { (session, status, running, show_all) }
    Doings { (request, doings, last) }
    PostAlert { (kind, name, text) }
    AlertRow { (id, kind, name, posted, text) }
    Alert { (id, text, confirm) }
    Alerts { (sessions, alerts) }
    Alerted { (session, alerts) }
    Trace { (account, on) }
    Traced { (sessions, on) }
    CommandStats { (command, micros, classes) }
    ServerStats {
        (uptime, active, jobs, total, bytes_in, bytes_out, login_failures, rejected),
        (commands)
    }
    GateStats { (request, strangers, accepted, rejected, login_failures, bytes_in, bytes_out) }
    WorkerStats { (request, jobs, bytes_in, bytes_out, commands) }
}

/// Variants that hold one value or none, from constructors.
macro_rules! any_enum {
    ($($type:ident { $($strategy:expr,)* })*) => {$(
        impl Any for $type {
            fn any() -> BoxedStrategy<Self> {
                prop_oneof![$($strategy),*].boxed()
            }
        }
    )*};
}
any_enum! {
    AuthMethod {
        (Secret::any(), Secret::any()).prop_map(|(user, password)| Self::Login { user, password }),
        <(Mechanism, Option<Secret>)>::any()
            .prop_map(|(mechanism, initial)| Self::Sasl { mechanism, initial }),
    }
    AuthResult {
        Just(Self::Granted {}),
        AuthFailure::any().prop_map(|reason| Self::Failed { reason }),
        <(String, String)>::any().prop_map(|(user, host)| Self::Elsewhere { user, host }),
    }
    Route {
        String::any().prop_map(|name| Self::Account { name }),
        <(String, String)>::any().prop_map(|(user, host)| Self::Elsewhere { user, host }),
    }
    Owner {
        <(String, Credentials)>::any().prop_flat_map(|(account, credentials)| {
            let rest = <(PathBuf, (Option<String>, Option<QuotaLimits>))>::any();
            rest.prop_map(move |(home, (maildir, quota))| Self::Account {
                account: account.clone(),
                credentials: credentials.clone(),
                home,
                maildir,
                quota,
            })
        }),
        Just(Self::Nobody {}),
        Just(Self::Unknown {}),
    }
    TrialResult {
        String::any().prop_map(|account| Self::Proved { account }),
        AuthFailure::any().prop_map(|reason| Self::Failed { reason }),
        any_of().prop_map(|(user, host)| Self::Elsewhere { user, host }),
    }
    ClaimResult {
        Grant::any().prop_map(|grant| Self::Granted { grant }),
        NoSession::any().prop_map(|reason| Self::Refused { reason }),
    }
    AuthBackend {
        String::any().prop_map(|service| Self::Pam { service }),
        PathBuf::any().prop_map(|path| Self::PasswdFile { path }),
    }
    Target {
        SessionId::any().prop_map(|session| Self::Session { session }),
        String::any().prop_map(|account| Self::Account { account }),
    }
    SupervisorToGate {
        any_of().prop_map(Self::Setup),
        Just(Self::AuthPeer),
        any_of().prop_map(Self::Sessions),
        any_of().prop_map(Self::HandoverDone),
        any_of().prop_map(Self::HandoverFailed),
        any_of().prop_map(Self::SessionEnded),
        any_of().prop_map(Self::Kick),
        any_of().prop_map(Self::Shutdown),
        any_of().prop_map(Self::Who),
        any_of().prop_map(Self::Stats),
    }
    GateToSupervisor {
        Just(Self::Ready),
        any_of().prop_map(Self::SetupRejected),
        any_of().prop_map(Self::Handover),
        Just(Self::MoreSessions),
        Just(Self::AuthLost),
        any_of().prop_map(Self::Strangers),
        any_of().prop_map(Self::Stats),
    }
    GateToAuth {
        any_of().prop_map(Self::Start),
        any_of().prop_map(Self::Response),
        any_of().prop_map(Self::Cancel),
    }
    AuthToGate {
        any_of().prop_map(Self::Continue),
        any_of().prop_map(Self::Outcome),
    }
    SupervisorToAuth {
        any_of().prop_map(Self::Setup),
        Just(Self::GatePeer),
        Just(Self::Shutdown),
        any_of().prop_map(Self::Lookup),
        any_of().prop_map(Self::Claim),
        any_of().prop_map(Self::Try),
    }
    AuthToSupervisor {
        Just(Self::Ready),
        any_of().prop_map(Self::SetupRejected),
        any_of().prop_map(Self::Grant),
        any_of().prop_map(Self::Found),
        any_of().prop_map(Self::Claimed),
        any_of().prop_map(Self::Tried),
    }
    SupervisorToWorker {
        any_of().prop_map(Self::Setup),
        any_of().prop_map(Self::Session),
        any_of().prop_map(Self::Kick),
        any_of().prop_map(Self::Shutdown),
        Just(Self::Stop),
        any_of().prop_map(Self::Maintain),
        any_of().prop_map(Self::ForeignOpened),
        any_of().prop_map(Self::SharesFound),
        any_of().prop_map(Self::Who),
        any_of().prop_map(Self::Stats),
        any_of().prop_map(Self::Alerts),
        any_of().prop_map(Self::Traced),
    }
    ControlRequest {
        any_of().prop_map(Self::Maintain),
        any_of().prop_map(Self::Share),
        Just(Self::ForgetShares),
        Just(Self::Who),
        any_of().prop_map(Self::Kick),
        any_of().prop_map(Self::Open),
        any_of().prop_map(Self::Test),
        Just(Self::Stats),
        any_of().prop_map(Self::PostAlert),
        Just(Self::ListAlerts),
        any_of().prop_map(Self::RemoveAlert),
        any_of().prop_map(Self::Trace),
        Just(Self::ListTraced),
    }
    ControlReply {
        any_of().prop_map(Self::Finding),
        any_of().prop_map(Self::Indexed),
        any_of().prop_map(Self::Acl),
        Just(Self::Done),
        Just(Self::NotServed),
        Just(Self::Refused),
        any_of().prop_map(Self::Failed),
        Just(Self::NoSuchMailbox),
        any_of().prop_map(Self::Quota),
        any_of().prop_map(Self::Property),
        any_of().prop_map(Self::Sessions),
        any_of().prop_map(Self::Kicked),
        Just(Self::Opened),
        any_of().prop_map(Self::NotOpened),
        any_of().prop_map(Self::Tested),
        any_of().prop_map(Self::Stats),
        any_of().prop_map(Self::AlertPosted),
        any_of().prop_map(Self::Alerts),
        Just(Self::Missing),
        any_of().prop_map(Self::Traced),
    }
    WorkerToSupervisor {
        Just(Self::Ready),
        any_of().prop_map(Self::SetupRejected),
        any_of().prop_map(Self::SessionStarted),
        any_of().prop_map(Self::SessionRefused),
        any_of().prop_map(Self::SessionEnded),
        Just(Self::Idle),
        any_of().prop_map(Self::OpenForeign),
        any_of().prop_map(Self::Shares),
        any_of().prop_map(Self::SharesWanted),
        any_of().prop_map(Self::Doings),
        any_of().prop_map(Self::Stats),
        any_of().prop_map(Self::Alerted),
    }
    LogRecord {
        (LogLevel::any(), <Option<SessionId>>::any(), any::<[bool; 2]>(), "[a-z <>é]{0,20}")
            .prop_map(|(level, session, [whole, traced], text)| Self { level, session, whole, traced, text }),
    }
}
