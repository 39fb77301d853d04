//! Section by section: from values to the parts of the [`Config`](crate::Config), and what
//! must fit together in each.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use roost_accounts::{Defaults, Id, PathTemplate};
use roost_types::{DirectoryEncoding, Fsync, LogLevel, LogStyle, SpecialUse};

use super::Values;
use crate::keys::{Kind, Section};
use crate::model::{
    Auth, Backend, CertificatePair, Cleartext, Facility, Limits, Listen, LogTarget, Mail, Quota,
    Server, Smime, Tls, TlsVersion, UserOverrides,
};
use crate::value;

impl Values {
    pub(super) fn server(&mut self) -> Server {
        let s = Section::Server;
        let level = self.read(s, "log_level", value::choice);
        let style = self.read(s, "log_style", value::choice);
        let facility = self.read(s, "syslog_facility", value::choice);
        Server {
            hostname: self.read(s, "hostname", value::domain),
            user: self.read(s, "user", value::word),
            chroot_dir: self.read(s, "chroot_dir", value::path),
            libexec_dir: self.read(s, "libexec_dir", value::optional_path),
            control_socket: self.read(s, "control_socket", value::optional_path),
            log_level: LogLevel::by_name(level).unwrap_or(LogLevel::Problems),
            log_style: LogStyle::by_name(style).unwrap_or(LogStyle::Roost),
            log_target: self.log_target(),
            syslog_facility: Facility(value::facility(facility)),
            syslog_ident: self.read(s, "syslog_ident", value::optional_word),
            default_domain: self.read(s, "default_domain", value::domain),
            greeting_version: self.read(s, "greeting_version", value::boolean),
            greeting_host: self.read(s, "greeting_host", value::boolean),
            admin: self.read(s, "admin", value::uri),
            comment: self.read(s, "comment", value::text),
        }
    }

    fn log_target(&mut self) -> LogTarget {
        let s = Section::Server;
        let path = self.read(s, "log_path", value::path);
        match self.read(s, "log_target", value::choice) {
            "stderr" => LogTarget::Stderr,
            "file" => {
                let line = match self.line(s, "log_path") {
                    0 => self.line(s, "log_target"),
                    line => line,
                };
                LogTarget::File { path, line }
            }
            _ => LogTarget::Syslog,
        }
    }

    pub(super) fn listen(&mut self) -> Listen {
        let s = Section::Listen;
        let imap = self.read(s, "imap", value::addresses);
        let imaps = self.read(s, "imaps", value::addresses);
        // Port 0 stands for a different free port each time.
        let fixed = |a: &&SocketAddr| a.port() != 0;
        let all: Vec<_> = imap.iter().chain(&imaps).filter(fixed).collect();
        if let Some(address) = value::twice(&all) {
            let message = format!("{address} stands there twice");
            self.error(s, "imaps", &message);
        }
        if imap.is_empty() && imaps.is_empty() {
            self.error(s, "imap", "neither this nor `imaps` has an address");
        }
        let proxy_protocol_from = self.read(s, "proxy_protocol_from", value::networks);
        if proxy_protocol_from.iter().any(|net| net.prefix() == 0) {
            let message = "/0 is everybody, who could then name any address";
            self.error(s, "proxy_protocol_from", message);
        }
        Listen {
            imap,
            imaps,
            proxy_protocol_from,
        }
    }

    pub(super) fn tls(&mut self) -> Tls {
        let s = Section::Tls;
        let certificate = self.read(s, "certificate", value::optional_path);
        let key = self.read(s, "key", value::optional_path);
        let pair = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(CertificatePair { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                self.error(s, "certificate", "`key` is missing");
                None
            }
            (None, Some(_)) => {
                self.error(s, "key", "`certificate` is missing");
                None
            }
        };
        Tls {
            pair,
            min_version: match self.read(s, "min_version", value::choice) {
                "1.3" => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
            state_dir: self.read(s, "state_dir", value::path),
            by_name: self.tls_names(),
        }
    }

    fn tls_names(&mut self) -> BTreeMap<String, CertificatePair> {
        let mut by_name = BTreeMap::new();
        for (place, line) in self.names(Section::TlsName) {
            let certificate = self.read_named(&place, "certificate", value::path);
            let key = self.read_named(&place, "key", value::path);
            if let (Some(certificate), Some(key)) = (certificate, key) {
                by_name.insert(place.1, CertificatePair { certificate, key });
                continue;
            }
            for name in ["certificate", "key"] {
                if !self.known.contains_key(&(place.clone(), name)) {
                    self.errors
                        .push((line, format!("[tls {}]: `{name}` is missing", place.1)));
                }
            }
        }
        by_name
    }

    pub(super) fn auth(&mut self) -> Auth {
        let s = Section::Auth;
        let backends: Vec<_> = self
            .read(s, "backend", value::choices)
            .into_iter()
            .map(|name| {
                if name == "pam" {
                    Backend::Pam
                } else {
                    Backend::PasswdFile
                }
            })
            .collect();
        let passwd_file = self.read(s, "passwd_file", value::optional_path);
        if backends.contains(&Backend::PasswdFile) && passwd_file.is_none() {
            self.error(s, "backend", "passwd-file needs `passwd_file`");
        }
        Auth {
            backends,
            pam_service: self.read(s, "pam_service", value::word),
            passwd_file,
            defaults: self.account_defaults(),
            master_passwd_file: self.read(s, "master_passwd_file", value::optional_path),
            cleartext: match self.read(s, "cleartext", value::choice) {
                "always" => Cleartext::Always,
                _ => Cleartext::TlsOnly,
            },
            trusted_networks: self.read(s, "trusted_networks", value::networks),
            minimum_uid: self.read(s, "minimum_uid", value::integer),
            allow_users: self.read(s, "allow_users", value::words),
            deny_users: self.read(s, "deny_users", value::words),
            allow_groups: self.read(s, "allow_groups", value::words),
            pam_timeout: self.read(s, "pam_timeout", value::duration),
            pam_session: self.read(s, "pam_session", value::boolean),
            failure_delay: self.read(s, "failure_delay", value::duration),
            max_failures_per_minute: self.read(s, "max_failures_per_minute", value::integer),
            lowercase_names: self.read(s, "lowercase_names", value::boolean),
        }
    }

    fn account_defaults(&mut self) -> Defaults {
        let s = Section::Auth;
        let id = |text: Option<String>| text.as_deref().and_then(Id::parse);
        Defaults {
            uid: id(self.read(s, "mail_uid", value::optional_word)),
            gid: id(self.read(s, "mail_gid", value::optional_word)),
            home: self.read(s, "mail_home", value::optional_home),
        }
    }

    /// No account may be shown another one's mail.
    pub(super) fn homes(&mut self, auth: &Auth, mail: &Mail) {
        let home = auth.defaults.home.as_ref();
        if home.is_none_or(PathTemplate::names_account) {
            return;
        }
        let mut paths = std::iter::once(&mail.maildir).chain(&mail.index_dir);
        if paths.any(|path| path.needs_home() && !path.names_account()) {
            let text = "all accounts would have the same mail or index: %u or %n is missing";
            self.error(Section::Auth, "mail_home", text);
        }
    }

    pub(super) fn mail(&mut self) -> Mail {
        let s = Section::Mail;
        let separator = match self.read(s, "separator", value::choice) {
            "." => '.',
            _ => '/',
        };
        let encoding = self.read(s, "directory_encoding", value::choice);
        let fsync = self.read(s, "fsync", value::choice);
        let maildir = self.read(s, "maildir", |text, kind| {
            value::maildir(text, kind).map(Some)
        });
        Mail {
            maildir: maildir.unwrap_or_else(PathTemplate::in_home),
            index_dir: self.read(s, "index_dir", value::optional_maildir),
            separator,
            prefix: self.prefix(separator),
            directory_encoding: DirectoryEncoding::by_name(encoding)
                .unwrap_or(DirectoryEncoding::Detect),
            fsync: Fsync::by_name(fsync).unwrap_or(Fsync::Optimized),
            initial_subscriptions: self.initial_subscriptions(separator),
            special_use: self.special_use(separator),
            imap_sees_non_mail: self.read(s, "imap_sees_non_mail", value::boolean),
            own_seen: self.read(s, "shared_seen", value::choice) == "each",
            hide_hidden_from_others: self.read(s, "hide_hidden_from_others", value::boolean),
            mark_media: self.read(s, "mark_media", value::boolean),
            inotify: self.read(s, "inotify", value::boolean),
            poll_interval: self.read(s, "poll_interval", value::duration),
        }
    }

    fn prefix(&mut self, separator: char) -> String {
        let prefix = self.read(Section::Mail, "prefix", value::text);
        let name = prefix.strip_suffix(separator);
        let good =
            prefix.is_empty() || name.is_some_and(|n| value::check_mailbox(n, separator).is_ok());
        if !good {
            let message = format!("a name that ends in `{separator}` expected, or nothing");
            self.error(Section::Mail, "prefix", &message);
        }
        prefix
    }

    fn initial_subscriptions(&mut self, separator: char) -> Vec<String> {
        let key = "initial_subscriptions";
        let names = self.read(Section::Mail, key, value::mailbox_names);
        for name in &names {
            if let Err(e) = value::check_mailbox(name, separator) {
                self.error(Section::Mail, key, &e);
            }
        }
        names
    }

    fn special_use(&mut self, separator: char) -> Vec<(SpecialUse, String)> {
        let mut all: Vec<(SpecialUse, String)> = Vec::new();
        for using in SpecialUse::ALL {
            let key = special_use_key(using);
            let name = self.read(Section::Mail, key, value::text);
            if name.is_empty() {
                continue;
            }
            if let Err(e) = value::check_mailbox(&name, separator) {
                self.error(Section::Mail, key, &e);
            } else if let Some((other, _)) = all.iter().find(|(_, n)| *n == name) {
                let message = format!("`{name}` is `{}` already", special_use_key(*other));
                self.error(Section::Mail, key, &message);
            } else {
                all.push((using, name));
            }
        }
        all
    }

    pub(super) fn limits(&mut self) -> Limits {
        let s = Section::Limits;
        Limits {
            max_connections: self.read(s, "max_connections", value::integer),
            max_connections_per_ip: self.read(s, "max_connections_per_ip", value::integer),
            max_connections_per_user: self.read(s, "max_connections_per_user", value::integer),
            max_message_size: self.read(s, "max_message_size", value::size),
            max_mailboxes: self.read(s, "max_mailboxes", value::integer),
            inbox_only: self.read(s, "inbox_only", value::boolean),
            idle_timeout: self.read(s, "idle_timeout", value::duration),
            login_timeout: self.read(s, "login_timeout", value::duration),
            max_bad_commands: self.read(s, "max_bad_commands", value::integer),
            running_interval: self.read(s, "running_interval", value::optional_duration),
            worker_idle: self.read(s, "worker_idle", value::duration),
            shutdown_grace: self.read(s, "shutdown_grace", value::duration),
        }
    }

    pub(super) fn quota(&mut self) -> Quota {
        let s = Section::Quota;
        Quota {
            storage: self.read(s, "storage", value::size),
            messages: self.read(s, "messages", value::integer),
            count_trash: self.read(s, "count_trash", value::boolean),
            alert_percent: self.read(s, "alert_percent", value::integer),
        }
    }

    pub(super) fn smime(&mut self) -> Smime {
        Smime {
            certificate_dir: self.read(Section::Smime, "certificate_dir", value::optional_path),
        }
    }

    pub(super) fn domains(&mut self) -> BTreeMap<IpAddr, String> {
        let mut domains = BTreeMap::new();
        for entry in std::mem::take(&mut self.domains) {
            let address = entry.key.parse::<IpAddr>();
            let domain = value::domain(&entry.value, Kind::Domain);
            let message = match (address, domain) {
                (Ok(address), Ok(Some(domain))) => {
                    match domains.insert(address.to_canonical(), domain) {
                        None => continue,
                        Some(_) => format!("{address} is set already"),
                    }
                }
                (Err(_), _) => format!("`{}` is not an address", entry.key),
                (_, Ok(None)) => "a domain expected".to_owned(),
                (_, Err(e)) => e,
            };
            self.errors.push((entry.line, message));
        }
        domains
    }

    pub(super) fn users(&mut self) -> BTreeMap<String, UserOverrides> {
        let mut users = BTreeMap::new();
        for (place, _) in self.names(Section::User) {
            let overrides = UserOverrides {
                maildir: self.read_named(&place, "maildir", value::maildir),
                imap_sees_non_mail: self.read_named(&place, "imap_sees_non_mail", value::boolean),
                max_message_size: self.read_named(&place, "max_message_size", value::size),
                max_mailboxes: self.read_named(&place, "max_mailboxes", value::integer),
                inbox_only: self.read_named(&place, "inbox_only", value::boolean),
                quota_storage: self.read_named(&place, "quota_storage", value::size),
                quota_messages: self.read_named(&place, "quota_messages", value::integer),
            };
            users.insert(place.1, overrides);
        }
        users
    }
}

fn special_use_key(using: SpecialUse) -> &'static str {
    match using {
        SpecialUse::All => "all",
        SpecialUse::Archive => "archive",
        SpecialUse::Drafts => "drafts",
        SpecialUse::Flagged => "flagged",
        SpecialUse::Important => "important",
        SpecialUse::Junk => "junk",
        SpecialUse::Sent => "sent",
        SpecialUse::Trash => "trash",
    }
}
