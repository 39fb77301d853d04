//! The table of keys.

/// Where a key stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Section {
    Server,
    Listen,
    Tls,
    /// `[tls NAME]`, once for each server name.
    TlsName,
    Auth,
    Mail,
    Limits,
    Quota,
    Smime,
    /// Its keys are addresses.
    Domains,
    /// Its keys are login names.
    Router,
    /// `[user NAME]`, once for each account.
    User,
}

impl Section {
    pub const ALL: [Self; 12] = [
        Self::Server,
        Self::Listen,
        Self::Tls,
        Self::TlsName,
        Self::Auth,
        Self::Mail,
        Self::Limits,
        Self::Quota,
        Self::Smime,
        Self::Domains,
        Self::Router,
        Self::User,
    ];

    /// The first word of the heading.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Listen => "listen",
            Self::Tls | Self::TlsName => "tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Limits => "limits",
            Self::Quota => "quota",
            Self::Smime => "smime",
            Self::Domains => "domains",
            Self::Router => "router",
            Self::User => "user",
        }
    }

    /// Whether a name follows the word.
    pub const fn is_named(self) -> bool {
        matches!(self, Self::TlsName | Self::User)
    }

    /// What the section is for.
    pub(crate) const fn doc(self) -> &'static str {
        match self {
            Self::Server => "The server as a whole.",
            Self::Listen => "Where clients connect: ADDRESS:PORT, several separated by commas.",
            Self::Tls => "Certificates are PEM files and are read again at SIGHUP.",
            Self::TlsName => "A further certificate, for clients that ask for this name (SNI).",
            Self::Auth => "Who gets in.",
            Self::Mail => "Where mail is and how it is shown.",
            Self::Limits => "What one client may take.",
            Self::Quota => {
                "What an account may hold. The sums stand in maildirsize, as for Courier and Dovecot."
            }
            Self::Smime => "Certificates for COPY, MOVE and APPEND with ENCRYPTED.",
            Self::Domains => {
                "The domain of login names without one, by the server's address that the client connected to."
            }
            Self::Router => {
                "Login names that stand for another account, or have moved to a host that is no domain of this server."
            }
            Self::User => "What differs for one account.",
        }
    }
}

/// What a value may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// `yes` or `no`
    Bool,
    Integer {
        min: u64,
        max: u64,
    },
    /// `500ms`, `15s`, `30m`, `2h`, `1d`; seconds without a unit.
    Duration {
        min_secs: u64,
        max_secs: u64,
        never: bool,
    },
    /// Octets, `K`, `M` or `G` (powers of 1024).
    Size {
        min: u64,
        max: u64,
    },
    Choice(&'static [&'static str]),
    /// Several of a choice, each once.
    Choices(&'static [&'static str]),
    /// An absolute path.
    Path,
    /// An absolute path, or nothing.
    OptionalPath,
    Maildir,
    /// As a Maildir, or nothing.
    OptionalMaildir,
    /// As a Maildir that is in no home, or nothing.
    OptionalHome,
    Addresses,
    Networks,
    /// Words separated by commas or blanks.
    Words,
    /// Separated by commas.
    MailboxNames,
    /// One mailbox name, or nothing.
    MailboxName,
    /// A host or domain name, or nothing.
    Domain,
    /// A URI such as `mailto:…`, or nothing.
    Uri,
    /// One word.
    Word,
    /// One word, or nothing.
    OptionalWord,
    Text,
}

/// One key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Key {
    pub section: Section,
    pub name: &'static str,
    pub kind: Kind,
    /// As it would stand in the file.
    pub default: &'static str,
    pub doc: &'static str,
}

const DAY: u64 = 24 * 3600;
const GIB: u64 = 1 << 30;
/// RFC 9208 §3.1.2 has 63 bits.
const MOST_STORAGE: u64 = i64::MAX as u64;

const fn key(
    section: Section,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        section,
        name,
        kind,
        default,
        doc,
    }
}

const fn duration(min_secs: u64, max_secs: u64) -> Kind {
    Kind::Duration {
        min_secs,
        max_secs,
        never: false,
    }
}

const fn integer(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

/// syslog's facilities; their numbers are in [`crate::value::facility`].
pub(crate) const FACILITIES: &[&str] = &[
    "user", "mail", "daemon", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

use Section::{Auth, Limits, Listen, Mail, Quota, Server, Smime, Tls, TlsName, User};

/// Every key; `[domains]` and `[router]` have addresses and names for keys, and
/// so none here.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key(Server, "hostname", Kind::Domain, "",
        "The host's name in the greeting. Empty: as the system has it."),
    key(Server, "user", Kind::Word, "roost",
        "The user under which connections are taken, when started as root."),
    key(Server, "chroot_dir", Kind::Path, "/run/roost/empty",
        "An empty directory, the only one that the process facing the network can see."),
    key(Server, "libexec_dir", Kind::OptionalPath, "/usr/libexec/roost",
        "Where roost-gate, roost-auth and roost-worker are, if not beside roostd."),
    key(Server, "control_socket", Kind::OptionalPath, "/run/roost/control",
        "Where roostctl reaches the server. Empty: nowhere."),
    key(Server, "log_level", Kind::Choice(&["failures", "major", "problems", "low-level", "all-info"]), "problems",
        "How much is logged: failures, major, problems, low-level or all-info."),
    key(Server, "log_style", Kind::Choice(&["roost", "dovecot", "courier"]), "roost",
        "Whose lines about logins are written, for log filters: roost, dovecot or courier."),
    key(Server, "log_target", Kind::Choice(&["syslog", "file", "stderr"]), "syslog",
        "Where the log goes: syslog, file (log_path) or stderr."),
    key(Server, "log_path", Kind::Path, "/var/log/roost.log",
        "The log file, where log_target = file. Renamed, it is begun anew, without a signal."),
    key(Server, "syslog_facility", Kind::Choice(FACILITIES), "mail",
        "The syslog facility: mail, daemon, auth, authpriv, user, local0 to local7."),
    key(Server, "syslog_ident", Kind::OptionalWord, "",
        "The program's name in the log. Empty: by log_style roost, dovecot or imapd."),
    key(Server, "default_domain", Kind::Domain, "",
        "The domain of login names without one. Empty: they stay without."),
    key(Server, "greeting_version", Kind::Bool, "yes",
        "Whether the greeting tells the version."),
    key(Server, "greeting_host", Kind::Bool, "yes",
        "Whether the greeting tells the host's name."),
    key(Server, "admin", Kind::Uri, "",
        "How clients reach the administrator, as `mailto:postmaster@example.org` (METADATA /shared/admin)."),
    key(Server, "comment", Kind::Text, "",
        "A note that clients may show (METADATA /shared/comment)."),

    key(Listen, "imap", Kind::Addresses, "0.0.0.0:143, [::]:143",
        "Clear text, with STARTTLS."),
    key(Listen, "imaps", Kind::Addresses, "0.0.0.0:993, [::]:993",
        "TLS from the first byte."),
    key(Listen, "proxy_protocol_from", Kind::Networks, "",
        "Proxies (haproxy's send-proxy), whose header is believed: on loopback, that of any local user. Not /0."),

    key(Tls, "certificate", Kind::OptionalPath, "",
        "The certificate with its chain. Empty: a self-signed one is made in state_dir."),
    key(Tls, "key", Kind::OptionalPath, "",
        "The certificate's private key, not encrypted."),
    key(Tls, "min_version", Kind::Choice(&["1.2", "1.3"]), "1.2",
        "The oldest version of TLS that is spoken: 1.2 or 1.3."),
    key(Tls, "state_dir", Kind::Path, "/var/lib/roost",
        "Where the self-signed certificate is kept."),

    key(TlsName, "certificate", Kind::Path, "",
        "The certificate with its chain."),
    key(TlsName, "key", Kind::Path, "",
        "The certificate's private key, not encrypted."),

    key(Auth, "backend", Kind::Choices(&["pam", "passwd-file"]), "pam",
        "Where accounts are: pam, passwd-file, or both in the order in which they are asked."),
    key(Auth, "pam_service", Kind::Word, "roost",
        "The PAM service, a file in /etc/pam.d."),
    key(Auth, "passwd_file", Kind::OptionalPath, "",
        "Accounts in Dovecot's format: user:{SCHEME}hash:uid:gid::home::extra."),
    key(Auth, "mail_uid", Kind::OptionalWord, "",
        "Under which uid accounts run whose line in passwd_file has none: a number or a user, as vmail."),
    key(Auth, "mail_gid", Kind::OptionalWord, "",
        "Their group, in the same way. Empty: that of the user."),
    key(Auth, "mail_home", Kind::OptionalHome, "",
        "Their homes, variables as in maildir: `/srv/mail/%d/%n`. Empty: lines name their homes."),
    key(Auth, "master_passwd_file", Kind::OptionalPath, "",
        "Who may log in as any account, as `account*master`: a passwd-file. Empty: nobody."),
    key(Auth, "cleartext", Kind::Choice(&["tls-only", "always"]), "tls-only",
        "When passwords may go over the line as they are: tls-only or always."),
    key(Auth, "trusted_networks", Kind::Networks, "127.0.0.0/8, ::1/128",
        "Networks from which they may without TLS too."),
    key(Auth, "minimum_uid", integer(0, u32::MAX as u64), "1000",
        "Accounts with a smaller uid do not get in."),
    key(Auth, "allow_users", Kind::Words, "",
        "Only these users get in. Empty: all."),
    key(Auth, "deny_users", Kind::Words, "",
        "These users do not get in."),
    key(Auth, "allow_groups", Kind::Words, "",
        "Only members of these Unix groups get in. Empty: all."),
    key(Auth, "pam_timeout", duration(1, 3600), "30s",
        "How long PAM may take to answer."),
    key(Auth, "pam_session", Kind::Bool, "no",
        "Whether each login opens a PAM session and closes it again: for homes, not for limits."),
    key(Auth, "failure_delay", duration(0, 60), "2s",
        "How long a failed login waits for its answer; grows with each. PAM modules can have more."),
    key(Auth, "max_failures_per_minute", integer(1, 100_000), "10",
        "Failed logins of one account, or from one address, before more are refused."),
    key(Auth, "lowercase_names", Kind::Bool, "yes",
        "Whether capital letters in login names are made small."),

    key(Mail, "maildir", Kind::Maildir, "~/Maildir",
        "The Maildir: ~ or %h is the home, %u the account, %n and %d its name and domain."),
    key(Mail, "index_dir", Kind::OptionalMaildir, "",
        "Where indexes are, variables as in maildir. Empty: in the Maildir. For mail on NFS: a local disk."),
    key(Mail, "separator", Kind::Choice(&["/", "."]), "/",
        "Between the levels of mailbox names: / or . (Courier's)."),
    key(Mail, "prefix", Kind::Text, "",
        "Before all mailbox names but INBOX, such as `INBOX.` on Courier's sites."),
    key(Mail, "directory_encoding", Kind::Choice(&["mutf7", "utf8", "detect"]), "detect",
        "Mailbox names in directories: mutf7 (Dovecot), utf8 (Courier 5), detect."),
    key(Mail, "fsync", Kind::Choice(&["always", "optimized", "never"]), "optimized",
        "What an OK waits for: always all; optimized all but flags; never nothing."),
    key(Mail, "initial_subscriptions", Kind::MailboxNames, "",
        "Mailboxes that a new account is subscribed to, separated by commas."),
    key(Mail, "drafts", Kind::MailboxName, "Drafts",
        "The mailbox shown as \\Drafts. Empty: none."),
    key(Mail, "sent", Kind::MailboxName, "Sent",
        "The mailbox shown as \\Sent."),
    key(Mail, "trash", Kind::MailboxName, "Trash",
        "The mailbox shown as \\Trash."),
    key(Mail, "junk", Kind::MailboxName, "Junk",
        "The mailbox shown as \\Junk."),
    key(Mail, "archive", Kind::MailboxName, "Archive",
        "The mailbox shown as \\Archive."),
    key(Mail, "all", Kind::MailboxName, "",
        "The mailbox shown as \\All."),
    key(Mail, "flagged", Kind::MailboxName, "",
        "The mailbox shown as \\Flagged."),
    key(Mail, "important", Kind::MailboxName, "",
        "The mailbox shown as \\Important."),
    key(Mail, "imap_sees_non_mail", Kind::Bool, "no",
        "Whether LIST shows mailboxes of a class other than mail, as for contacts."),
    key(Mail, "shared_seen", Kind::Choice(&["owner", "each"]), "owner",
        "Whose \\Seen readers of other accounts' mailboxes see and set. each: everybody has his own."),
    key(Mail, "hide_hidden_from_others", Kind::Bool, "no",
        "Whether messages with $Hidden are shown only to those who have the right a to their mailbox."),
    key(Mail, "mark_media", Kind::Bool, "no",
        "Whether new messages with sound or video get $Media. Each is read for that (4M at most), and moved to cur."),
    key(Mail, "inotify", Kind::Bool, "yes",
        "Changes by other programs are told by the kernel. no: where it cannot, as on NFS."),
    key(Mail, "poll_interval", duration(1, 3600), "2s",
        "How often mailboxes are looked at where inotify does not serve."),

    key(Limits, "max_connections", integer(0, 1_000_000), "10000",
        "Connections at once. 0: none are taken."),
    key(Limits, "max_connections_per_ip", integer(0, 1_000_000), "100",
        "Connections at once from one address (IPv6: from one /64). 0: no limit."),
    key(Limits, "max_connections_per_user", integer(0, 1_000_000), "50",
        "Sessions at once of one account. 0: no limit."),
    key(Limits, "max_message_size", Kind::Size { min: 1024, max: 4 * GIB - 1 }, "100M",
        "The largest message that a client may store."),
    key(Limits, "max_mailboxes", integer(0, 1_000_000), "0",
        "Mailboxes that an account may have, aliases included. 0: no limit."),
    key(Limits, "inbox_only", Kind::Bool, "no",
        "An account has INBOX and no other mailbox: those of its Maildir are not shown."),
    key(Limits, "idle_timeout", duration(1, 30 * DAY), "30m",
        "A session without a command for so long is ended; RFC 9051 wants 30m or more."),
    key(Limits, "login_timeout", duration(1, DAY), "3m",
        "How long a client may take to log in."),
    key(Limits, "max_bad_commands", integer(1, 1_000_000), "20",
        "Wrong commands in a row before a connection is ended."),
    key(Limits, "running_interval", Kind::Duration { min_secs: 1, max_secs: DAY, never: true }, "10s",
        "A command that has said nothing for so long tells how far it is; or never."),
    key(Limits, "worker_idle", duration(0, DAY), "1m",
        "How long a user's process stays after the last session."),
    key(Limits, "shutdown_grace", duration(0, 600), "5s",
        "How long sessions may take to end when Roost is stopped."),

    key(Quota, "storage", Kind::Size { min: 0, max: MOST_STORAGE }, "0",
        "What all messages of an account may take. 0: no limit but one that maildirsize has."),
    key(Quota, "messages", integer(0, u32::MAX as u64), "0",
        "Messages that an account may have, in the same way."),
    key(Quota, "count_trash", Kind::Bool, "yes",
        "no: mail in Trash, or marked as deleted, does not count (a Courier built without trashquota)."),
    key(Quota, "alert_percent", integer(1, 100), "80",
        "From so much of a limit on, clients are told that it is near."),

    key(Smime, "certificate_dir", Kind::OptionalPath, "",
        "Where ACCOUNT.pem is, for accounts without ~/.roost/smime.pem."),

    key(User, "maildir", Kind::Maildir, "",
        "As in [mail]."),
    key(User, "imap_sees_non_mail", Kind::Bool, "",
        "As in [mail]."),
    key(User, "max_message_size", Kind::Size { min: 1024, max: 4 * GIB - 1 }, "",
        "As in [limits]."),
    key(User, "max_mailboxes", integer(0, 1_000_000), "",
        "As in [limits]."),
    key(User, "inbox_only", Kind::Bool, "",
        "As in [limits]."),
    key(User, "quota_storage", Kind::Size { min: 0, max: MOST_STORAGE }, "",
        "As storage in [quota]; 0: no limit at all."),
    key(User, "quota_messages", integer(0, u32::MAX as u64), "",
        "As messages in [quota]; 0: no limit at all."),
];
