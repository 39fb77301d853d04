//! Local programs (`roostctl`) and the server, over the control socket.
//!
//! One request for each connection. The supervisor looks at who is at the
//! other end, and hands what concerns a user's mail, with the connection, to
//! the worker of that user, which answers itself.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use roost_os::UserId;
use roost_types::{QuotaLimits, SessionId};

use super::auth::{NoSession, TrialResult};
use super::worker::Shares;
use crate::secret::Secret;
use crate::wire::{wire_choice, wire_enum, wire_messages, wire_struct};

wire_choice! {
    /// What to do with an account's mailboxes.
    pub enum Task {
        /// Compare Maildir, sidecars and index.
        Check = 1,
        /// The same, and mend what can be mended without loss.
        Fix = 2,
        /// Build the index anew.
        Reindex = 3,
        /// Tell or change rights.
        Acl = 4,
        /// Say what is used of the quota.
        Quota = 5,
        /// The same, counted anew.
        Recount = 6,
        /// Tell or change what is said of mailboxes.
        Property = 7,
    }
}

wire_struct! {
    pub struct Maintenance {
        pub task: Task,
        /// Whose mail it is; others than root may name themselves only.
        pub uid: UserId,
        pub maildir: PathBuf,
        /// Names with `/` between the levels; all mailboxes if empty.
        pub mailboxes: Vec<String>,
        /// With [`Task::Acl`]: what to do with their rights.
        pub acl: Option<AclWork>,
        /// With [`Task::Property`]: what to do.
        pub property: Option<PropertyWork>,
    }
}

wire_choice! {
    /// What is said of a mailbox beside its messages.
    pub enum Property {
        Class = 1,
        Lock = 2,
        Alias = 3,
    }
}

wire_struct! {
    /// What to do with a property of mailboxes.
    pub struct PropertyWork {
        pub property: Property,
        /// None: tell it.
        pub change: Option<PropertyChange>,
    }
}

wire_struct! {
    pub struct PropertyChange {
        /// None: take it away. What a lock has does not matter.
        pub value: Option<String>,
    }
}

wire_struct! {
    /// A mailbox that has the property.
    pub struct PropertyEntry {
        pub mailbox: String,
        /// Empty for a lock.
        pub value: String,
    }
}

wire_choice! {
    pub enum AclAct {
        List = 1,
        Set = 2,
        Delete = 3,
        /// Tell what somebody may do.
        Rights = 4,
        /// Tell who is shown any mailbox of the account.
        Shares = 5,
    }
}

wire_struct! {
    /// What to do with the rights to mailboxes.
    pub struct AclWork {
        pub act: AclAct,
        /// Whose entry with its `-`, or which account may do something.
        pub who: String,
        /// Letters, to be added or removed where `+` or `-` stands before.
        pub rights: String,
        /// The groups of the account.
        pub groups: Vec<String>,
    }
}

wire_struct! {
    /// An entry of a mailbox's list, or what somebody may do.
    pub struct AclEntry {
        /// None: of the account.
        pub mailbox: Option<String>,
        pub identifier: String,
        pub rights: String,
    }
}

wire_struct! {
    /// Something that disagrees.
    pub struct Finding {
        /// None: of the account as a whole.
        pub mailbox: Option<String>,
        /// The file or folder that is wrong.
        pub file: String,
        pub text: String,
        pub mended: bool,
    }
}

wire_struct! {
    /// A mailbox whose index is new.
    pub struct Indexed {
        pub mailbox: String,
        pub messages: u32,
    }
}

wire_struct! {
    /// What an account with limits holds.
    pub struct QuotaUsed {
        pub limits: QuotaLimits,
        pub octets: u64,
        pub messages: u64,
    }
}

wire_struct! {
    /// A client's connection, as people are shown it.
    pub struct SessionRow {
        pub session: SessionId,
        /// Unspecified: there is no network between, the client is a program of
        /// this host.
        pub address: IpAddr,
        /// None before login.
        pub tls: Option<bool>,
        /// The same.
        pub account: Option<String>,
        /// Since it was accepted; since the login where that is over.
        pub connected: Duration,
        /// The operation under way by its name, else the state.
        pub status: String,
        /// How long the operation has been going on.
        pub running: Option<Duration>,
        /// The client sees mailboxes of all classes.
        pub show_all: bool,
    }
}

wire_struct! {
    /// How often a command was carried out, and how long that took.
    pub struct CommandStats {
        /// Its place in the table of commands.
        pub command: u8,
        /// All of them together, in microseconds.
        pub micros: u64,
        /// How many are in each class of [`roost_types::latency_class`].
        pub classes: Vec<u64>,
    }
}

wire_struct! {
    /// What the server does, and has done since it was started.
    pub struct ServerStats {
        pub uptime: Duration,
        /// Connections now.
        pub active: u64,
        /// Commands under way, IDLE left out.
        pub jobs: u64,
        /// Connections taken so far.
        pub total: u64,
        /// Octets from clients, what TLS adds left out.
        pub bytes_in: u64,
        pub bytes_out: u64,
        pub login_failures: u64,
        /// Connections that were too many.
        pub rejected: u64,
        pub commands: Vec<CommandStats>,
    }
}

wire_choice! {
    /// Whom an alert is for.
    pub enum AlertKind {
        /// One account; it goes once it has been shown.
        Account = 1,
        /// All accounts of a domain; shown once in each session.
        Domain = 2,
        /// Everybody; likewise.
        Server = 3,
    }
}

impl AlertKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Domain => "domain",
            Self::Server => "server",
        }
    }
}

wire_struct! {
    pub struct PostAlert {
        pub kind: AlertKind,
        /// The account or the domain; empty for all.
        pub name: String,
        pub text: String,
    }
}

wire_struct! {
    /// An alert that is there.
    pub struct AlertRow {
        pub id: u64,
        pub kind: AlertKind,
        pub name: String,
        /// Seconds since 1970.
        pub posted: u64,
        pub text: String,
    }
}

wire_struct! {
    pub struct Trace {
        /// By any of its names.
        pub account: String,
        pub on: bool,
    }
}

wire_enum! {
    /// Whose connections.
    pub enum Target {
        Session = 1 { session: SessionId },
        /// By any of its names.
        Account = 2 { account: String },
    }
}

wire_struct! {
    /// What a client would log in with.
    pub struct Attempted {
        pub user: Secret,
        pub password: Secret,
    }
}

wire_struct! {
    /// A session that a local program wants.
    pub struct Wish {
        /// The account as it was written; none: of who asks.
        pub name: Option<String>,
        /// For a client that shows somebody what the session says: a tunnel.
        pub client: bool,
    }
}

wire_messages! {
    pub enum ControlRequest {
        Maintain(Maintenance) = 1,
        /// What an account shares, as its folders have it; for root.
        Share(Shares) = 2,
        /// All accounts are about to be told anew; for root.
        ForgetShares = 3,
        /// Tell all connections; others than administrators hear of those
        /// that their own worker has.
        Who = 4,
        /// End these connections; the same for others than administrators.
        Kick(Target) = 5,
        /// Begin a session. Only administrators may name an account whose uid
        /// is not their own.
        Open(Wish) = 6,
        /// Try a password, as a login does; for administrators.
        Test(Attempted) = 7,
        /// Tell the statistics; for administrators.
        Stats = 20,
        /// Show clients a text; for administrators, as the next two.
        PostAlert(PostAlert) = 21,
        ListAlerts = 22,
        /// Show it to nobody any more.
        RemoveAlert(u64) = 23,
        /// Log the protocol of an account's sessions, or no more; for
        /// administrators, as the next.
        Trace(Trace) = 24,
        ListTraced = 25,
    }
}

wire_messages! {
    pub enum ControlReply {
        Finding(Finding) = 1,
        Indexed(Indexed) = 2,
        /// All is done; nothing follows.
        Done = 3,
        /// No session has the account open: who asked can do it alone.
        NotServed = 4,
        /// Not for who asked.
        Refused = 5,
        /// It went wrong, for this reason.
        Failed(String) = 6,
        /// One of the mailboxes is not there.
        NoSuchMailbox = 7,
        /// Others have asked for as much as is done at once.
        Busy = 8,
        Acl(AclEntry) = 9,
        /// Nothing comes where nothing is limited.
        Quota(QuotaUsed) = 10,
        Property(PropertyEntry) = 11,
        Sessions(Vec<SessionRow>) = 12,
        /// So many connections were told to end.
        Kicked(u32) = 13,
        /// With the client's end of the session's connection, which begins with
        /// a greeting.
        Opened = 14 [|_| 1],
        NotOpened(NoSession) = 15,
        Tested(TrialResult) = 16,
        Stats(ServerStats) = 20,
        /// It has this number.
        AlertPosted(u64) = 21,
        Alerts(Vec<AlertRow>) = 22,
        /// There is no such thing.
        Missing = 23,
        /// These accounts.
        Traced(Vec<String>) = 24,
    }
}
