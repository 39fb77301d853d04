//! The configuration as plain data.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roost_accounts::{Defaults, PathTemplate};
use roost_types::{DirectoryEncoding, Fsync, IpNet, LogLevel, LogStyle, SpecialUse};

use crate::error::ConfigError;
use crate::shown::{self, Setting};
use crate::{resolve, sample};

/// The whole configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub server: Server,
    pub listen: Listen,
    pub tls: Tls,
    pub auth: Auth,
    pub mail: Mail,
    pub limits: Limits,
    pub quota: Quota,
    pub smime: Smime,
    /// The domain of names without one, by the local address of the
    /// connection.
    pub domains: BTreeMap<IpAddr, String>,
    /// By login name, as [`LoginName::full`](roost_accounts::LoginName::full)
    /// has it where no domain is added.
    pub router: BTreeMap<String, Route>,
    /// By account name.
    pub users: BTreeMap<String, UserOverrides>,
}

impl Config {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of lines.
    pub fn load(path: &Path) -> Result<Self, Vec<ConfigError>> {
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&bytes, path),
            Err(e) => Err(vec![ConfigError {
                file: path.to_owned(),
                line: None,
                message: e.to_string(),
            }]),
        }
    }

    /// Checks the contents of a file; `path` is only named in errors.
    pub fn parse(contents: &[u8], path: &Path) -> Result<Self, Vec<ConfigError>> {
        resolve::resolve(contents, path)
    }

    /// The configuration of an empty file.
    pub fn builtin() -> Self {
        resolve::defaults()
    }

    /// Every key with what it is set to by a file without errors, and where.
    pub fn settings(contents: &[u8]) -> Vec<Setting> {
        shown::settings(contents)
    }

    /// A file that lists every key with its default and what it does.
    pub fn sample() -> String {
        sample::sample()
    }
}

/// `[server]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// `None`: the kernel's name of the host.
    pub hostname: Option<String>,
    /// Whom the gate runs as, when Roost is started as root.
    pub user: String,
    /// An empty directory that the gate takes for its root.
    pub chroot_dir: PathBuf,
    /// Where the role executables are; `None`: beside `roostd`.
    pub libexec_dir: Option<PathBuf>,
    /// Where local programs reach the server; `None`: nowhere.
    pub control_socket: Option<PathBuf>,
    pub log_level: LogLevel,
    pub log_style: LogStyle,
    pub log_target: LogTarget,
    pub syslog_facility: Facility,
    /// `None`: as [`LogStyle::ident`] has it.
    pub syslog_ident: Option<String>,
    pub default_domain: Option<String>,
    pub greeting_version: bool,
    pub greeting_host: bool,
    /// RFC 5464 §6.2; empty: none.
    pub admin: String,
    /// The same.
    pub comment: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogTarget {
    Syslog,
    File {
        path: PathBuf,
        /// Where the configuration says so.
        line: usize,
    },
    Stderr,
}

/// A syslog facility by its number (RFC 5424 §6.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facility(pub u8);

/// `[listen]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// Clear text and STARTTLS.
    pub imap: Vec<SocketAddr>,
    /// TLS from the first byte.
    pub imaps: Vec<SocketAddr>,
    /// Who begins connections with a PROXY header.
    pub proxy_protocol_from: Vec<IpNet>,
}

/// Where `[router]` sends a login name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// To this account, which is sent nowhere else.
    Account(String),
    /// To another host.
    Elsewhere { user: String, host: String },
}

/// `[tls]` and `[tls NAME]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// `None`: the self-signed pair in `state_dir`, made if it is missing.
    pub pair: Option<CertificatePair>,
    pub min_version: TlsVersion,
    pub state_dir: PathBuf,
    /// Further certificates by the server name (SNI) they are for.
    pub by_name: BTreeMap<String, CertificatePair>,
}

/// PEM files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificatePair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

/// `[auth]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Auth {
    /// Asked in this order; not empty.
    pub backends: Vec<Backend>,
    pub pam_service: String,
    /// Set whenever `backends` names it.
    pub passwd_file: Option<PathBuf>,
    /// What its lines leave out.
    pub defaults: Defaults,
    /// Who may log in as any account.
    pub master_passwd_file: Option<PathBuf>,
    pub cleartext: Cleartext,
    pub trusted_networks: Vec<IpNet>,
    pub minimum_uid: u32,
    /// Empty: everybody.
    pub allow_users: Vec<String>,
    pub deny_users: Vec<String>,
    /// Empty: everybody.
    pub allow_groups: Vec<String>,
    pub pam_timeout: Duration,
    /// Whether a PAM session is opened and closed at each login.
    pub pam_session: bool,
    pub failure_delay: Duration,
    pub max_failures_per_minute: u32,
    pub lowercase_names: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    Pam,
    PasswdFile,
}

/// When passwords may go over the line as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cleartext {
    /// Under TLS, and from trusted networks.
    TlsOnly,
    Always,
}

/// `[mail]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    pub maildir: PathTemplate,
    /// `None`: in the Maildir.
    pub index_dir: Option<PathTemplate>,
    /// `/` or `.`
    pub separator: char,
    /// Empty, or ends in the separator.
    pub prefix: String,
    pub directory_encoding: DirectoryEncoding,
    pub fsync: Fsync,
    /// Names as on the wire, without `prefix`.
    pub initial_subscriptions: Vec<String>,
    /// Names as on the wire, without `prefix`; each use and each name once.
    pub special_use: Vec<(SpecialUse, String)>,
    /// LIST shows mailboxes of other classes than mail.
    pub imap_sees_non_mail: bool,
    /// `shared_seen = each`: who reads mailboxes of others has an own `\Seen`.
    pub own_seen: bool,
    /// Messages with `$Hidden` are shown to who administrates their mailbox.
    pub hide_hidden_from_others: bool,
    /// New messages with sound or video get `$Media`.
    pub mark_media: bool,
    pub inotify: bool,
    pub poll_interval: Duration,
}

/// `[limits]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// 0 refuses all.
    pub max_connections: u32,
    /// 0: no limit.
    pub max_connections_per_ip: u32,
    /// 0: no limit.
    pub max_connections_per_user: u32,
    /// Octets.
    pub max_message_size: u64,
    /// 0: no limit.
    pub max_mailboxes: u32,
    /// Other mailboxes than INBOX are not there.
    pub inbox_only: bool,
    pub idle_timeout: Duration,
    pub login_timeout: Duration,
    pub max_bad_commands: u32,
    /// How long a command may be silent; `None`: for ever.
    pub running_interval: Option<Duration>,
    /// How long a worker without a session stays.
    pub worker_idle: Duration,
    /// How long sessions may take to end when Roost is stopped.
    pub shutdown_grace: Duration,
}

/// `[smime]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Smime {
    pub certificate_dir: Option<PathBuf>,
}

/// `[quota]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Octets; 0: nothing is set.
    pub storage: u64,
    /// 0: nothing is set.
    pub messages: u32,
    /// Whether mail in Trash, and mail with `\Deleted`, counts.
    pub count_trash: bool,
    pub alert_percent: u32,
}

/// `[user NAME]`: what differs for one account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserOverrides {
    pub maildir: Option<PathTemplate>,
    pub imap_sees_non_mail: Option<bool>,
    pub max_message_size: Option<u64>,
    pub max_mailboxes: Option<u32>,
    pub inbox_only: Option<bool>,
    pub quota_storage: Option<u64>,
    pub quota_messages: Option<u32>,
}
