//! Supervisor and worker.
//!
//! A worker that has no session left for a while says [`WorkerToSupervisor::Idle`].
//! The supervisor answers [`SupervisorToWorker::Stop`] only if every session it
//! ever sent there has ended, and sends nothing behind it: a session on its
//! way is never lost. Without that answer the worker stays.

use std::path::PathBuf;
use std::time::Duration;

use roost_types::{DirectoryEncoding, Fsync, LogLevel, QuotaLimits, SessionId, SpecialUse};

use super::common::{Endpoints, TlsInfo};
use super::control::{CommandStats, Maintenance};
use super::gate::Refusal;
use crate::codec::Bytes;
use crate::wire::{wire_choice, wire_messages, wire_struct};

wire_struct! {
    pub struct MailSetup {
        /// `/` or `.`
        pub separator: char,
        /// Before every own name on the wire; empty or ending in the separator.
        pub prefix: String,
        pub directory_encoding: DirectoryEncoding,
        pub fsync: Fsync,
        /// Names that get a special use when they have none of their own.
        pub special_use: Vec<(SpecialUse, String)>,
        /// Wire names, for accounts that have no subscriptions yet.
        pub initial_subscriptions: Vec<String>,
        /// LIST shows mailboxes of other classes than mail.
        pub sees_non_mail: bool,
        /// Who reads mailboxes of others has a `\Seen` of his own there.
        pub own_seen: bool,
        /// Messages with `$Hidden` are shown to who administrates their mailbox.
        pub hide_hidden: bool,
        /// New messages with sound or video get `$Media`.
        pub mark_media: bool,
        pub inotify: bool,
        /// There is an account `public`.
        pub public: bool,
        /// Between looks at directories where inotify does not serve.
        pub poll_interval: Duration,
        /// Where the certificates of accounts are.
        pub certificate_dir: Option<PathBuf>,
        /// Of accounts whose names have none.
        pub default_domain: Option<String>,
    }
}

wire_struct! {
    pub struct WorkerLimits {
        /// Octets; 0: no limit.
        pub max_message_size: u64,
        /// Without a command, IDLE included.
        pub idle_timeout: Duration,
        pub max_bad_commands: u32,
        /// How long a command may be silent; zero: for ever.
        pub running_interval: Duration,
        /// Without a session before the worker ends.
        pub worker_idle: Duration,
    }
}

wire_struct! {
    /// All that a worker is told of the configuration. After a reload it comes
    /// again and holds for new sessions.
    pub struct WorkerSetup {
        pub log_level: LogLevel,
        pub hostname: String,
        /// How clients reach the administrator, a URI.
        pub admin: Option<String>,
        /// A note for clients.
        pub comment: Option<String>,
        pub mail: MailSetup,
        pub limits: WorkerLimits,
    }
}

wire_struct! {
    /// What an account may hold.
    #[derive(Copy)]
    pub struct Quota {
        /// None: what the Maildir's own file says.
        pub limits: Option<QuotaLimits>,
        /// 0: no limit.
        pub max_mailboxes: u32,
        /// Other mailboxes than INBOX are not there.
        pub inbox_only: bool,
        /// Whether mail that is thrown away counts.
        pub count_trash: bool,
        /// Of a limit, from which on clients are told.
        pub alert_percent: u32,
    }
}

wire_struct! {
    /// Who asks for mailboxes of an account that is not its own.
    pub struct Asker {
        /// The canonical name of its account.
        pub account: String,
        /// The groups that it is in, by name.
        pub groups: Vec<String>,
        /// `~` and the owner, as the asker's client wrote it.
        pub shown: String,
        /// The one mailbox that the link is for goes by another name: that
        /// one, and the mailbox with `/` between its levels.
        pub alias: Option<(String, String)>,
    }
}

wire_struct! {
    /// A client that has logged in, or the end of a link: a session of another
    /// account that asks for this one's mailboxes. One descriptor: its
    /// connection.
    pub struct Session {
        pub session: SessionId,
        pub account: String,
        pub home: PathBuf,
        pub maildir: PathBuf,
        /// Where its indexes are; none: in the Maildir.
        pub index_dir: Option<PathBuf>,
        /// Of the command that is to be answered `OK`; empty: there was none, and
        /// the client is greeted.
        pub tag: String,
        /// What the client sent behind that command already.
        pub leftover: Bytes,
        pub endpoints: Endpoints,
        pub tls: Option<TlsInfo>,
        /// For logs.
        pub method: String,
        /// This account's own limit instead of the setup's.
        pub max_message_size: Option<u64>,
        /// The same.
        pub sees_non_mail: Option<bool>,
        pub quota: Quota,
        /// Of a link; it is not greeted, and `tag` and `leftover` are empty.
        pub asker: Option<Asker>,
        /// Its protocol is logged, whatever the level.
        pub traced: bool,
    }
}

wire_struct! {
    /// A session wants a link to another account.
    pub struct OpenForeign {
        /// The worker's own number, which the answer repeats.
        pub request: u64,
        /// The session that asks; it must be the worker's.
        pub session: SessionId,
        /// `~` and the owner, as the client wrote it.
        pub shown: String,
        /// As [`Asker::alias`].
        pub alias: Option<(String, String)>,
    }
}

wire_choice! {
    /// What becomes of the wish for a link.
    pub enum ForeignResult {
        /// One descriptor: the asker's end of it.
        Opened = 1,
        /// There is no such account, or it has no Maildir.
        NoSuchAccount = 2,
        /// It cannot be looked up, or its worker does not take it.
        Unavailable = 3,
        /// The session or its uid has as many as it may have.
        Limit = 4,
    }
}

wire_struct! {
    pub struct ForeignOpened {
        pub request: u64,
        pub result: ForeignResult,
    }
}

wire_struct! {
    /// Who may see some mailbox of an account: a hint of where to look.
    pub struct Shares {
        /// One that the worker has had a session of.
        pub account: String,
        /// As SETACL has them.
        pub identifiers: Vec<String>,
    }
}

wire_struct! {
    /// A session wants to know who shares mailboxes with it.
    pub struct SharesWanted {
        pub request: u64,
        pub session: SessionId,
    }
}

wire_struct! {
    pub struct SharesFound {
        pub request: u64,
        /// Owners, as the asker would write them; sorted.
        pub owners: Vec<String>,
    }
}

wire_choice! {
    /// How a session came to its end.
    pub enum EndReason {
        Logout = 1,
        /// The client closed the connection.
        Disconnected = 2,
        /// `idle_timeout`
        Timeout = 3,
        /// An administrator ended it.
        Kicked = 4,
        Shutdown = 5,
        /// Too many wrong commands, or the stream could not be followed.
        ProtocolError = 6,
        /// A fault in the worker or of the Maildir.
        ServerError = 7,
    }
}

impl EndReason {
    /// For logs.
    pub fn text(self) -> &'static str {
        match self {
            Self::Logout => "Logged out",
            Self::Disconnected => "Connection closed",
            Self::Timeout => "Inactivity",
            Self::Kicked => "Ended by administrator",
            Self::Shutdown => "Server shutting down",
            Self::ProtocolError => "Too many invalid commands",
            Self::ServerError => "Internal error",
        }
    }
}

wire_struct! {
    /// What a session has done, in the terms of Dovecot's last line about it.
    #[derive(Copy, Default)]
    pub struct SessionCounts {
        /// Octets from the client, as the worker saw them.
        pub bytes_in: u64,
        pub bytes_out: u64,
        /// Messages that got `\\Deleted`.
        pub deleted: u64,
        pub expunged: u64,
        /// Headers sent, and their octets.
        pub header_count: u64,
        pub header_bytes: u64,
        /// Bodies and parts of them sent.
        pub body_count: u64,
        pub body_bytes: u64,
    }
}

wire_struct! {
    pub struct SessionEnd {
        pub session: SessionId,
        pub reason: EndReason,
        pub counts: SessionCounts,
    }
}

wire_struct! {
    pub struct SessionRefusal {
        pub session: SessionId,
        pub reason: Refusal,
    }
}

wire_struct! {
    /// What a session is doing.
    pub struct Doing {
        pub session: SessionId,
        /// As [`SessionRow::status`](super::control::SessionRow::status).
        pub status: String,
        pub running: Option<Duration>,
        pub show_all: bool,
    }
}

wire_struct! {
    /// A part of the answer to [`SupervisorToWorker::Who`].
    pub struct Doings {
        pub request: u64,
        pub doings: Vec<Doing>,
        /// Nothing follows.
        pub last: bool,
    }
}

wire_struct! {
    /// What sessions of clients have done since this was last told.
    pub struct WorkerStats {
        /// Of the question; 0 where nobody has asked.
        pub request: u64,
        /// Commands under way now.
        pub jobs: u64,
        pub bytes_in: u64,
        pub bytes_out: u64,
        pub commands: Vec<CommandStats>,
    }
}

wire_struct! {
    /// A text that a session shows to its client.
    pub struct Alert {
        pub id: u64,
        pub text: String,
        /// The supervisor wants to know when it has been shown.
        pub confirm: bool,
    }
}

wire_struct! {
    /// Alerts for sessions.
    pub struct Alerts {
        pub sessions: Vec<SessionId>,
        pub alerts: Vec<Alert>,
    }
}

wire_struct! {
    /// Alerts that were to be confirmed have been shown.
    pub struct Alerted {
        pub session: SessionId,
        pub alerts: Vec<u64>,
    }
}

wire_struct! {
    /// Whether the protocol of sessions that are there is logged.
    pub struct Traced {
        pub sessions: Vec<SessionId>,
        pub on: bool,
    }
}

wire_messages! {
    pub enum SupervisorToWorker {
        Setup(WorkerSetup) = 0,
        /// With the connection's descriptor.
        Session(Session) = 1 [|_| 1],
        /// End this session with a BYE.
        Kick(SessionId) = 2,
        /// End all sessions with a BYE within this time, then end.
        Shutdown(Duration) = 3,
        /// End: the answer to `Idle`, never sent while a session is left.
        Stop = 4,
        /// With the connection of who asked for it, which is answered there.
        Maintain(Maintenance) = 5 [|_| 1],
        /// With the asker's end where it has been opened.
        ForeignOpened(ForeignOpened) = 6 [|m| usize::from(matches!(
            m, Self::ForeignOpened(ForeignOpened { result: ForeignResult::Opened, .. })
        ))],
        SharesFound(SharesFound) = 7,
        /// Tell what the sessions are doing, under this number.
        Who(u64) = 8,
        /// Tell what was counted, under this number.
        Stats(u64) = 20,
        Alerts(Alerts) = 21,
        Traced(Traced) = 22,
    }
}

wire_messages! {
    pub enum WorkerToSupervisor {
        /// The setup is in force.
        Ready = 1,
        SetupRejected(String) = 2,
        /// The worker has the connection.
        SessionStarted(SessionId) = 3,
        /// The worker cannot serve it and has not written to it.
        SessionRefused(SessionRefusal) = 4,
        SessionEnded(SessionEnd) = 5,
        /// No session for `worker_idle`.
        Idle = 6,
        OpenForeign(OpenForeign) = 7,
        Shares(Shares) = 8,
        SharesWanted(SharesWanted) = 9,
        Doings(Doings) = 10,
        /// When asked, and before `Idle`.
        Stats(WorkerStats) = 20,
        Alerted(Alerted) = 21,
    }
}
