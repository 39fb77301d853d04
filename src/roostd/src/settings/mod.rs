//! From the configuration to what each role is told. Everything that can be
//! wrong (certificates, users, files) is found here, all at once, so that a
//! reload either takes a configuration as a whole or leaves the old one.

mod privilege;
mod scram;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use roost_accounts::{Defaults, Id};
use roost_config::{
    Backend, CertificatePair, Cleartext, Config, ConfigError, LogTarget, Route, TemplateError,
    TlsVersion,
};
use roost_ipc as ipc;
use roost_types::{LogLevel, UnixTime};

pub use privilege::Privilege;

use crate::certs::{self, Files};
use crate::logger::{self, DEV_LOG, Target};

/// Names the syslog socket for tests and unusual systems.
pub const LOG_SOCKET_VARIABLE: &str = "ROOST_LOG_SOCKET";

/// What is needed of one configuration while it is in force.
pub struct Settings {
    pub config: Config,
    pub gate: ipc::GateSetup,
    pub auth: ipc::AuthSetup,
    pub worker: ipc::WorkerSetup,
    pub listeners: Vec<ipc::Listener>,
    pub max_connections_per_user: u32,
    certificates: Vec<Files>,
}

/// Where an account's mail is, and what differs for it.
pub struct Place {
    pub maildir: PathBuf,
    pub index_dir: Option<PathBuf>,
    pub max_message_size: Option<u64>,
    pub sees_non_mail: Option<bool>,
    pub quota: ipc::Quota,
}

impl Settings {
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn new(config: Config, privilege: &Privilege) -> Result<Self, Vec<String>> {
        let hostname = hostname(&config);
        let (tls, certificates) = tls(&config, &hostname)?;
        let limits = &config.limits;
        Ok(Self {
            gate: ipc::GateSetup {
                log_level: config.server.log_level,
                log_style: config.server.log_style,
                confinement: privilege.gate_confinement(),
                greeting_host: config.server.greeting_host.then(|| hostname.clone()),
                greeting_version: config.server.greeting_version,
                // Filled in when it is sent, with their descriptors.
                listeners: Vec::new(),
                sessions: None,
                tls: Some(tls),
                cleartext_always: config.auth.cleartext == Cleartext::Always,
                trusted_networks: config.auth.trusted_networks.clone(),
                proxies: config.listen.proxy_protocol_from.clone(),
                mechanisms: mechanisms(&config),
                limits: ipc::GateLimits {
                    max_connections: limits.max_connections,
                    max_connections_per_ip: limits.max_connections_per_ip,
                    login_timeout: limits.login_timeout,
                    max_bad_commands: limits.max_bad_commands,
                },
            },
            auth: auth(&config),
            worker: worker(&config, hostname),
            listeners: listeners(&config),
            max_connections_per_user: limits.max_connections_per_user,
            certificates,
            config,
        })
    }

    /// The files whose changes matter.
    pub fn certificate_files(&self) -> impl Iterator<Item = &Path> {
        self.certificates
            .iter()
            .flat_map(|files| [files.certificate.as_path(), files.key.as_path()])
    }

    /// What the configuration says of the account that was let in.
    pub fn place_of(&self, grant: &ipc::Grant) -> Result<Place, TemplateError> {
        let own = self.config.users.get(&grant.account);
        let (account, home, told) = (&grant.account, &grant.home, grant.maildir.as_deref());
        Ok(Place {
            index_dir: self.config.index_dir_of(account, home)?,
            maildir: self.config.maildir_of(account, home, told)?,
            max_message_size: own.and_then(|own| own.max_message_size),
            sees_non_mail: own.and_then(|own| own.imap_sees_non_mail),
            quota: ipc::Quota {
                limits: self.config.quota_of(account, grant.quota),
                max_mailboxes: self.config.max_mailboxes_of(account),
                inbox_only: self.config.inbox_only_of(account),
                count_trash: self.config.quota.count_trash,
                alert_percent: self.config.quota.alert_percent,
            },
        })
    }
}

/// Where the log goes.
pub fn log_target(config: &Config) -> Target {
    let server = &config.server;
    let of_style = || server.log_style.ident().to_owned();
    let ident = server.syslog_ident.clone().unwrap_or_else(of_style);
    match &config.server.log_target {
        LogTarget::Stderr => Target::Stderr { ident },
        LogTarget::File { path, .. } => Target::File {
            ident,
            path: path.clone(),
        },
        LogTarget::Syslog => Target::Syslog {
            ident,
            facility: config.server.syslog_facility.0,
            socket: std::env::var_os(LOG_SOCKET_VARIABLE)
                .map_or_else(|| DEV_LOG.into(), PathBuf::from),
        },
    }
}

pub fn log_level(config: &Config) -> LogLevel {
    config.server.log_level
}

/// Why the log file of the configuration at `path` cannot be one.
pub fn log_fault(path: &Path, config: &Config) -> Option<String> {
    let LogTarget::File { path: log, line } = &config.server.log_target else {
        return None;
    };
    let error = logger::file::check(log).err()?;
    let fault = ConfigError {
        file: path.to_owned(),
        line: Some(*line),
        message: format!("log_path: {}: {error}", log.display()),
    };
    Some(fault.to_string())
}

/// Finds what is wrong beyond the text of the file `path`, and makes nothing;
/// one line for each fault.
pub fn check(path: &Path, config: &Config) -> Vec<String> {
    let certificates = pairs(config)
        .filter_map(|(_, files)| certs::load(&files).err())
        .map(|error| error.to_string());
    let user = Privilege::of_process(&config.server.user, &config.server.chroot_dir).err();
    (log_fault(path, config).into_iter())
        .chain(certificates)
        .chain(user.map(|error| error.to_string()))
        .collect()
}

/// What works for root at a prompt and not in the packaged service.
pub fn warnings(config: &Config) -> Vec<String> {
    let pairs = pairs(config).flat_map(|(_, files)| [files.certificate, files.key]);
    let accounts = [&config.auth.passwd_file, &config.auth.master_passwd_file];
    let mut files: Vec<PathBuf> = pairs.collect();
    files.dedup();
    files.extend(accounts.into_iter().flatten().cloned());
    if !roost_os::identity::is_root() {
        return Vec::new();
    }
    let complaints = files
        .iter()
        .map(|path| roost_os::plain_root::complaint(path));
    complaints.flatten().collect()
}

fn hostname(config: &Config) -> String {
    config.server.hostname.clone().unwrap_or_else(|| {
        roost_os::identity::hostname().unwrap_or_else(|_| "localhost".to_owned())
    })
}

/// The pairs that the configuration names, the default first, and the server
/// names that they are for.
fn pairs(config: &Config) -> impl Iterator<Item = (Vec<String>, Files)> + '_ {
    let files = |pair: &CertificatePair| Files {
        certificate: pair.certificate.clone(),
        key: pair.key.clone(),
    };
    let default = config.tls.pair.as_ref().map(|pair| (vec![], files(pair)));
    let named = config.tls.by_name.iter();
    default
        .into_iter()
        .chain(named.map(move |(name, pair)| (vec![name.clone()], files(pair))))
}

fn tls(config: &Config, hostname: &str) -> Result<(ipc::TlsSetup, Vec<Files>), Vec<String>> {
    let mut errors = Vec::new();
    let mut wanted = Vec::new();
    if config.tls.pair.is_none() {
        match self_signed(&config.tls.state_dir, hostname) {
            Ok(files) => wanted.push((vec![], files)),
            Err(error) => errors.push(error),
        }
    }
    wanted.extend(pairs(config));
    let mut certificates = Vec::new();
    let mut all_files = Vec::new();
    for (names, files) in wanted {
        match certs::load(&files) {
            Ok(pair) => certificates.push(ipc::Certificate {
                names,
                chain: ipc::Bytes(pair.certificate),
                key: ipc::Secret::new(pair.key),
            }),
            Err(error) => errors.push(error.to_string()),
        }
        all_files.push(files);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let min_version = match config.tls.min_version {
        TlsVersion::V1_2 => ipc::TlsVersion::V1_2,
        TlsVersion::V1_3 => ipc::TlsVersion::V1_3,
    };
    let setup = ipc::TlsSetup {
        min_version,
        certificates,
    };
    Ok((setup, all_files))
}

fn self_signed(state_dir: &Path, hostname: &str) -> Result<Files, String> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(state_dir)
        .map_err(|error| format!("{}: {error}", state_dir.display()))?;
    let (files, new) = certs::self_signed(state_dir, hostname, UnixTime::now())
        .map_err(|error| error.to_string())?;
    if new {
        log::warn!(
            "a self-signed certificate for {hostname} was made: {}",
            files.certificate.display()
        );
    }
    Ok(files)
}

fn mechanisms(config: &Config) -> Vec<ipc::Mechanism> {
    let mut mechanisms = vec![ipc::Mechanism::Plain, ipc::Mechanism::Login];
    let passwd_file = config
        .auth
        .passwd_file
        .as_deref()
        .filter(|_| config.auth.backends.contains(&Backend::PasswdFile));
    // A file that cannot be read is auth's to complain about.
    if passwd_file.is_some_and(|path| scram::is_possible(path).unwrap_or(false)) {
        mechanisms.push(ipc::Mechanism::ScramSha256);
        mechanisms.push(ipc::Mechanism::ScramSha256Plus);
    }
    mechanisms
}

fn account_defaults(defaults: &Defaults) -> ipc::AccountDefaults {
    let text = |id: &Id| match id {
        Id::Number(number) => number.to_string(),
        Id::Name(name) => name.clone(),
    };
    ipc::AccountDefaults {
        uid: defaults.uid.as_ref().map(text),
        gid: defaults.gid.as_ref().map(text),
        home: defaults.home.as_ref().map(ToString::to_string),
    }
}

fn auth(config: &Config) -> ipc::AuthSetup {
    let auth = &config.auth;
    let backends = auth.backends.iter().filter_map(|backend| match backend {
        Backend::Pam => Some(ipc::AuthBackend::Pam {
            service: auth.pam_service.clone(),
        }),
        Backend::PasswdFile => auth
            .passwd_file
            .clone()
            .map(|path| ipc::AuthBackend::PasswdFile { path }),
    });
    ipc::AuthSetup {
        log_level: config.server.log_level,
        backends: backends.collect(),
        defaults: account_defaults(&auth.defaults),
        master_file: auth.master_passwd_file.clone(),
        pam_timeout: auth.pam_timeout,
        pam_session: auth.pam_session,
        domains: config
            .domains
            .iter()
            .map(|(address, domain)| (*address, domain.clone()))
            .collect(),
        default_domain: config.server.default_domain.clone(),
        router: config
            .router
            .iter()
            .map(|(name, route)| (name.clone(), told_route(route)))
            .collect(),
        lowercase_names: auth.lowercase_names,
        minimum_uid: auth.minimum_uid,
        allow_users: auth.allow_users.clone(),
        deny_users: auth.deny_users.clone(),
        allow_groups: auth.allow_groups.clone(),
        failure_delay: auth.failure_delay,
        max_failures_per_minute: auth.max_failures_per_minute,
    }
}

fn told_route(route: &Route) -> ipc::Route {
    match route.clone() {
        Route::Account(name) => ipc::Route::Account { name },
        Route::Elsewhere { user, host } => ipc::Route::Elsewhere { user, host },
    }
}

fn worker(config: &Config, hostname: String) -> ipc::WorkerSetup {
    let (mail, limits) = (&config.mail, &config.limits);
    ipc::WorkerSetup {
        log_level: config.server.log_level,
        hostname,
        admin: told(&config.server.admin),
        comment: told(&config.server.comment),
        mail: ipc::MailSetup {
            separator: mail.separator,
            prefix: mail.prefix.clone(),
            directory_encoding: mail.directory_encoding,
            fsync: mail.fsync,
            special_use: mail.special_use.clone(),
            initial_subscriptions: mail.initial_subscriptions.clone(),
            sees_non_mail: mail.imap_sees_non_mail,
            own_seen: mail.own_seen,
            hide_hidden: mail.hide_hidden_from_others,
            mark_media: mail.mark_media,
            inotify: mail.inotify,
            // Auth says it when it is up.
            public: false,
            poll_interval: mail.poll_interval,
            certificate_dir: config.smime.certificate_dir.clone(),
            default_domain: config.server.default_domain.clone(),
        },
        limits: ipc::WorkerLimits {
            max_message_size: limits.max_message_size,
            idle_timeout: limits.idle_timeout,
            max_bad_commands: limits.max_bad_commands,
            running_interval: limits.running_interval.unwrap_or_default(),
            worker_idle: limits.worker_idle,
        },
    }
}

fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// One for each address; an address in both lists is an error of the
/// configuration that binding it would show.
fn listeners(config: &Config) -> Vec<ipc::Listener> {
    // No connections at all: nothing is listened on.
    if config.limits.max_connections == 0 {
        return Vec::new();
    }
    let of = |addresses: &[std::net::SocketAddr], tls| {
        addresses
            .iter()
            .map(move |&address| ipc::Listener { address, tls })
            .collect::<Vec<_>>()
    };
    let mut listeners = of(&config.listen.imap, false);
    listeners.extend(of(&config.listen.imaps, true));
    listeners
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_os::identity::Credentials;
    use roost_os::{GroupId, UserId};
    use roost_types::SessionId;

    fn settings(dir: &Path, text: &str) -> Result<Settings, Vec<String>> {
        let text = format!("[tls]\nstate_dir = {}\n{text}", dir.display());
        let config = Config::parse(text.as_bytes(), Path::new("test.conf")).unwrap();
        Settings::new(config, &Privilege::Caller(UserId(1000)))
    }

    fn grant(account: &str, maildir: Option<&str>) -> ipc::Grant {
        ipc::Grant {
            session: SessionId(1),
            account: account.into(),
            credentials: Credentials {
                uid: UserId(1000),
                gid: GroupId(1000),
                groups: vec![],
            },
            home: "/home/joe".into(),
            maildir: maildir.map(str::to_owned),
            quota: None,
            method: "PLAIN".into(),
            reader: ipc::Reader::Owner,
        }
    }

    #[test]
    fn what_is_nearer_to_the_account_says_where_its_mail_is() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[mail]\nmaildir = /m/%u\n[user ann]\nmaildir = /ann\nmax_message_size = 2K\n\
            quota_storage = 3K\n";
        let settings = settings(dir.path(), text).unwrap();
        let place = |account, maildir| settings.place_of(&grant(account, maildir));
        assert_eq!(place("joe", None).unwrap().maildir, Path::new("/m/joe"));
        let own = place("joe", Some("maildir:~/own")).unwrap();
        assert_eq!(own.maildir, Path::new("/home/joe/own"));
        let ann = place("ann", Some("maildir:~/own")).unwrap();
        assert_eq!(ann.maildir, Path::new("/ann"));
        assert_eq!(ann.max_message_size, Some(2048));
        assert_eq!(ann.quota.limits.map(|l| l.storage), Some(3072));
        assert_eq!(place("joe", None).unwrap().quota.limits, None);
        assert!(place("../joe", None).is_err());
    }

    #[test]
    fn no_connections_means_no_listeners() {
        let dir = tempfile::tempdir().unwrap();
        let on = settings(dir.path(), "[listen]\nimap = 127.0.0.1:143\nimaps =\n").unwrap();
        assert_eq!(on.listeners.len(), 1);
        let off = settings(dir.path(), "[limits]\nmax_connections = 0\n").unwrap();
        assert!(off.listeners.is_empty());
    }

    #[test]
    fn scram_is_offered_where_an_account_can_use_it() {
        let dir = tempfile::tempdir().unwrap();
        let passwd = dir.path().join("passwd");
        let text = format!(
            "[auth]\nbackend = passwd-file\npasswd_file = {}\n",
            passwd.display()
        );
        std::fs::write(&passwd, "a:{PLAIN}x:1000:1000::/h::\n").unwrap();
        let with = settings(dir.path(), &text).unwrap().gate.mechanisms;
        assert!(with.contains(&ipc::Mechanism::ScramSha256Plus));
        std::fs::write(&passwd, "a:{BLF-CRYPT}x:1000:1000::/h::\n").unwrap();
        let without = settings(dir.path(), &text).unwrap().gate.mechanisms;
        assert_eq!(without, [ipc::Mechanism::Plain, ipc::Mechanism::Login]);
    }

    #[test]
    fn every_bad_certificate_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "certificate = /no/a\nkey = /no/a\n[tls x.example]\ncertificate = /no/b\nkey = /no/b\n";
        let errors = settings(dir.path(), text).err().unwrap();
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
