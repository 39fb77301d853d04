//! What a site can choose about its Maildirs.

use roost_types::{MailboxName, QuotaLimits, SpecialUse};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

/// What an answer waits for (`fsync` setting).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fsync {
    /// Files, directories and flag renames are on disk.
    Always,
    /// As `Always`, without waiting for flag renames.
    #[default]
    Optimized,
    /// Nothing is waited for.
    Never,
}

/// How mailbox names become directory names (MAILDIR-FORMATS §1.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// Modified UTF-7, as Dovecot and Courier before 5.
    Mutf7,
    /// Raw UTF-8, as Courier since 5.
    Utf8,
    /// Whatever the account has already; modified UTF-7 in a new one.
    #[default]
    Detect,
}

/// Settings of a whole [`crate::Store`].
#[derive(Clone, Debug)]
pub struct Options {
    pub fsync: Fsync,
    /// Whether the kernel is asked to tell of changes; it cannot on NFS.
    pub inotify: bool,
    /// How often the stamps of open mailboxes are compared where inotify does
    /// not work.
    pub poll_interval: Duration,
    /// How long a change waits for another program's lock.
    pub lock_timeout: Duration,
    /// Largest message that APPEND takes, in octets as they arrive.
    pub max_message_size: u64,
    /// Which new messages get `$Media`; none: nobody looks at them.
    pub has_media: Option<Judge>,
    /// Of accounts whose names have none.
    pub default_domain: Option<Box<str>>,
}

/// Reads a message, of lines that end in LF or CRLF, as far as need be.
pub type Judge = fn(&mut dyn Read) -> io::Result<bool>;

impl Default for Options {
    fn default() -> Self {
        Self {
            fsync: Fsync::default(),
            inotify: true,
            poll_interval: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(30),
            max_message_size: 1 << 30,
            has_media: None,
            default_domain: None,
        }
    }
}

/// Settings that may differ from account to account.
#[derive(Clone, Debug, Default)]
pub struct AccountOptions {
    pub directory_encoding: Encoding,
    /// Names that have a special use unless the mailbox carries one of its own
    /// or another mailbox has been given that use by CREATE.
    pub special_use_names: Vec<(SpecialUse, MailboxName)>,
    /// Subscriptions of an account whose Maildir is made by us.
    pub initial_subscriptions: Vec<MailboxName>,
    /// The folder of this account's indexes; none: one in the Maildir.
    pub index_dir: Option<PathBuf>,
    pub quota: QuotaOptions,
}

/// What an account may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaOptions {
    /// None: what its `maildirsize` says.
    pub limits: Option<QuotaLimits>,
    /// 0: no limit.
    pub max_mailboxes: u32,
    /// Other mailboxes than INBOX are not there, whatever the Maildir has.
    pub inbox_only: bool,
    /// Whether messages in Trash, and those with `\Deleted`, count.
    pub count_trash: bool,
    /// Of a limit, from which on clients are told.
    pub alert_percent: u32,
}

impl Default for QuotaOptions {
    fn default() -> Self {
        Self {
            limits: None,
            max_mailboxes: 0,
            inbox_only: false,
            count_trash: true,
            alert_percent: 80,
        }
    }
}
