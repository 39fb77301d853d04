//! What a site can choose about its sessions.

use crate::tally::Tally;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// RFC 9585 §4 wants some 10 to 15 seconds.
const RUNNING_INTERVAL: Duration = Duration::from_secs(10);

/// Two inotify watches each.
const MAX_NOTIFY: usize = 10_000;

/// Settings of a session; they stay as they are until it ends.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Between the levels of mailbox names on the wire.
    pub separator: char,
    /// Before every own name but INBOX on the wire; empty, or ending in the
    /// separator (`INBOX.` on Courier's sites).
    pub prefix: String,
    /// The largest message that APPEND takes, in octets.
    pub max_message_size: u64,
    /// So many commands that were answered BAD end the session; 0: never.
    pub max_bad_commands: u32,
    /// So many mailboxes at most are watched for one session (NOTIFY).
    pub max_notify: usize,
    /// LIST shows mailboxes that are for something else than mail.
    pub sees_non_mail: bool,
    /// Messages with `$Hidden` are shown to those alone who administrate their
    /// mailbox.
    pub hide_hidden: bool,
    /// How to reach the administrator, as a URI (RFC 5464 §6.2.2).
    pub admin: Option<String>,
    /// A note about the server (RFC 5464 §6.2.1).
    pub comment: Option<String>,
    /// A command that has had nothing to say for so long says how far it is;
    /// `None`: never.
    pub running_interval: Option<Duration>,
    /// Where users' certificates are, as `ACCOUNT.pem`, who have none in their
    /// home.
    pub certificate_dir: Option<PathBuf>,
    /// There is an account `public`, whose mailboxes are a namespace.
    pub public: bool,
    /// Who reads mailboxes of others has a `\Seen` of his own there, whatever
    /// rights he has to the owner's.
    pub own_seen: bool,
    /// Hears who may see mailboxes of the account.
    pub shares: Option<SharesHook>,
    /// Where what clients' sessions do is counted.
    pub tally: Arc<Tally>,
}

/// To be told, whenever rights on a mailbox of an account may have changed:
/// the account's canonical name, and all the identifiers that some mailbox of
/// it gives the right to be seen (`l`), as SETACL has them (`anyone`, `bob`,
/// `#sales`), without doubles and without negative ones; none when nothing is
/// shared any more. Only a hint of where to look: it does not wait, and the
/// same again does no harm.
#[derive(Clone)]
pub struct SharesHook(Arc<Tell>);

type Tell = dyn Fn(&str, Vec<String>) + Send + Sync;

impl SharesHook {
    pub fn new(tell: impl Fn(&str, Vec<String>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub fn changed(&self, account: &str, identifiers: Vec<String>) {
        (self.0)(account, identifiers);
    }
}

impl fmt::Debug for SharesHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharesHook")
    }
}

impl Settings {
    /// APPENDLIMIT (RFC 7889): the largest message that APPEND takes, where
    /// there is such a limit and its number has 32 bits.
    pub fn append_limit(&self) -> Option<u64> {
        let limit = self.max_message_size;
        (1..=u64::from(u32::MAX)).contains(&limit).then_some(limit)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            separator: '/',
            prefix: String::new(),
            max_message_size: 1 << 30,
            max_bad_commands: 20,
            max_notify: MAX_NOTIFY,
            sees_non_mail: false,
            hide_hidden: false,
            admin: None,
            comment: None,
            running_interval: Some(RUNNING_INTERVAL),
            certificate_dir: None,
            public: false,
            own_seen: false,
            shares: None,
            tally: Arc::default(),
        }
    }
}
