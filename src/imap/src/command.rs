//! Commands as data, and the table of facts about them.
//!
//! Strings stay the raw octets the client meant (quoting and literals undone):
//! what a mailbox name is depends on the session's separator and on whether
//! names are modified UTF-7 or UTF-8, and search strings have a charset.

mod acl;
mod facts;
mod fetch;
mod list;
mod metadata;
mod notify;
mod partial;
mod qresync;
mod search;
mod sort;

pub use acl::{AclCommand, RightsMode};
pub use facts::{CommandKind, Facts, State, States};
pub use fetch::{FetchArgs, FetchItem, FetchModifiers, Partial, Section, SectionPart, SectionText};
pub use list::{ListArgs, ListReturn, ListSelect, ListTell, StatusItem, StatusItems};
pub use metadata::{Depth, EntryName, EntryPath, EntryScope, GetMetadataArgs, SetMetadataArgs};
pub use notify::{Events, Filter, NotifyArgs, NotifyGroup, NotifySelected, NotifySet};
pub use partial::PartialRange;
pub use qresync::{KnownMessages, QResync};
pub use search::{SearchArgs, SearchKey, SearchReturn};
pub use sort::{SortArgs, SortCriterion, SortKey, ThreadAlgorithm, ThreadArgs};

use crate::chars::is_tag;
use roost_types::{Keyword, ModSeq, SequenceSet, SetBound, SpecialUse, SystemFlags, UnixTime};
use std::fmt;
use zeroize::Zeroizing;

/// The longest tag taken from a client, in octets.
pub const MAX_TAG_LEN: usize = 255;

/// The tag of a command (RFC 9051 `tag`), 1 to [`MAX_TAG_LEN`] octets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tag(Box<str>);

impl Tag {
    /// `None` when `bytes` is no tag.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() > MAX_TAG_LEN || !bytes.iter().all(|&b| is_tag(b)) {
            return None;
        }
        std::str::from_utf8(bytes).ok().map(|t| Self(t.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client may not see in a log: wiped when dropped, not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<Vec<u8>>);

impl Hidden {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

/// A command with its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub tag: Tag,
    pub command: Command,
}

/// Every command but APPEND and REPLACE, whose message literals never are in
/// memory as a whole: see [`crate::frame::Frame::AppendStart`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    Capability,
    Noop,
    Logout,
    /// RFC 2971; empty for `ID NIL`.
    Id(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Starttls,
    Authenticate(AuthenticateArgs),
    Login {
        user: Vec<u8>,
        password: Hidden,
    },
    /// RFC 4978: the name of the mechanism in capitals, a known one or not.
    Compress(String),
    /// Capability names in capitals, known ones or not.
    Enable(Vec<String>),
    Select(SelectArgs),
    Create(CreateArgs),
    Delete {
        mailbox: Vec<u8>,
    },
    Rename {
        from: Vec<u8>,
        to: Vec<u8>,
    },
    Subscribe {
        mailbox: Vec<u8>,
    },
    Unsubscribe {
        mailbox: Vec<u8>,
    },
    List(ListArgs),
    /// RFC 3501 §6.3.9.
    Lsub {
        reference: Vec<u8>,
        pattern: Vec<u8>,
    },
    Namespace,
    Acl(AclCommand),
    Status {
        mailbox: Vec<u8>,
        items: StatusItems,
    },
    GetQuota {
        root: Vec<u8>,
    },
    GetQuotaRoot {
        mailbox: Vec<u8>,
    },
    /// Resources in capitals, known ones or not, and their limits.
    SetQuota {
        root: Vec<u8>,
        limits: Vec<(String, u64)>,
    },
    GetMetadata(GetMetadataArgs),
    SetMetadata(SetMetadataArgs),
    Idle,
    Notify(NotifyArgs),
    Check,
    Close,
    Unselect,
    Expunge,
    UidExpunge(SequenceSet),
    Search(SearchArgs),
    Sort(SortArgs),
    Thread(ThreadArgs),
    Fetch(FetchArgs),
    Store(StoreArgs),
    Copy(CopyArgs),
    Move(CopyArgs),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthenticateArgs {
    /// SASL mechanism in capitals.
    pub mechanism: String,
    /// The decoded initial response; empty for `=` (RFC 4959).
    pub initial: Option<Hidden>,
}

/// SELECT and EXAMINE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SelectArgs {
    pub mailbox: Vec<u8>,
    pub examine: bool,
    pub params: Vec<SelectParam>,
}

/// A `select-param` (RFC 4466 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SelectParam {
    /// RFC 7162 §3.1.8.
    CondStore,
    /// RFC 7162 §3.2.5.
    QResync(QResync),
    /// One that no offered extension defines: the answer is BAD.
    Unknown(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateArgs {
    pub mailbox: Vec<u8>,
    /// `USE (…)` (RFC 6154 §3).
    pub uses: Vec<UseAttribute>,
    /// `CLASS "…"`: what the mailbox is for; empty for mail.
    pub class: Option<Vec<u8>>,
}

/// A use a client wants for a new mailbox; one that the server does not know
/// is answered `NO [USEATTR]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UseAttribute {
    Known(SpecialUse),
    Unknown(String),
}

/// Flags given by a client. `\Recent` is dropped: no client can set it
/// (RFC 3501 §2.3.2), yet some send back every flag they were shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    pub system: SystemFlags,
    /// Without doubles.
    pub keywords: Vec<Keyword>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreMode {
    Replace,
    Add,
    Remove,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreArgs {
    pub uid: bool,
    pub set: SequenceSet,
    /// Messages that have changed later stay as they are (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
    pub mode: StoreMode,
    pub silent: bool,
    pub flags: Flags,
}

/// COPY and MOVE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyArgs {
    pub uid: bool,
    pub set: SequenceSet,
    pub mailbox: Vec<u8>,
    pub encrypted: Option<Encrypted>,
}

/// Messages are to be stored encrypted, and for whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Encrypted {
    /// The client's user.
    Own,
    /// The holder of a certificate: what should be its DER, never empty.
    Certificate(Vec<u8>),
}

/// What stands before one message literal of an APPEND.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendMessage {
    pub flags: Flags,
    pub date: Option<UnixTime>,
    /// Octets in the literal.
    pub size: u64,
    /// True for `{n}`: the client waits for a continuation before it sends.
    pub sync: bool,
    /// True for `~{n}`: NUL octets may come.
    pub literal8: bool,
}

/// The message that a REPLACE takes away (RFC 8508 §5): a message sequence
/// number, or with `uid` a UID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    pub uid: bool,
    pub message: SetBound,
}

impl Command {
    pub fn kind(&self) -> CommandKind {
        use CommandKind as K;
        let pick = |uid, with_uid, without| if uid { with_uid } else { without };
        match self {
            Self::Capability => K::Capability,
            Self::Noop => K::Noop,
            Self::Logout => K::Logout,
            Self::Id(_) => K::Id,
            Self::Starttls => K::Starttls,
            Self::Authenticate(_) => K::Authenticate,
            Self::Login { .. } => K::Login,
            Self::Enable(_) => K::Enable,
            Self::Compress(_) => K::Compress,
            Self::Select(args) => pick(args.examine, K::Examine, K::Select),
            Self::Create(_) => K::Create,
            Self::Delete { .. } => K::Delete,
            Self::Rename { .. } => K::Rename,
            Self::Subscribe { .. } => K::Subscribe,
            Self::Unsubscribe { .. } => K::Unsubscribe,
            Self::List(_) => K::List,
            Self::Lsub { .. } => K::Lsub,
            Self::Namespace => K::Namespace,
            Self::Acl(AclCommand::Get { .. }) => K::GetAcl,
            Self::Acl(AclCommand::Set { .. }) => K::SetAcl,
            Self::Acl(AclCommand::Delete { .. }) => K::DeleteAcl,
            Self::Acl(AclCommand::List { .. }) => K::ListRights,
            Self::Acl(AclCommand::My { .. }) => K::MyRights,
            Self::Status { .. } => K::Status,
            Self::GetQuota { .. } => K::GetQuota,
            Self::GetQuotaRoot { .. } => K::GetQuotaRoot,
            Self::SetQuota { .. } => K::SetQuota,
            Self::GetMetadata(_) => K::GetMetadata,
            Self::SetMetadata(_) => K::SetMetadata,
            Self::Idle => K::Idle,
            Self::Notify(_) => K::Notify,
            Self::Check => K::Check,
            Self::Close => K::Close,
            Self::Unselect => K::Unselect,
            Self::Expunge => K::Expunge,
            Self::UidExpunge(_) => K::UidExpunge,
            Self::Search(args) => pick(args.uid, K::UidSearch, K::Search),
            Self::Sort(args) => pick(args.uid, K::UidSort, K::Sort),
            Self::Thread(args) => pick(args.uid, K::UidThread, K::Thread),
            Self::Fetch(args) => pick(args.uid, K::UidFetch, K::Fetch),
            Self::Store(args) => pick(args.uid, K::UidStore, K::Store),
            Self::Copy(args) => pick(args.uid, K::UidCopy, K::Copy),
            Self::Move(args) => pick(args.uid, K::UidMove, K::Move),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_checked() {
        assert_eq!(Tag::new(b"a1]").unwrap().as_str(), "a1]");
        assert_eq!(Tag::new(b""), None);
        assert_eq!(Tag::new(b"a+"), None);
        assert_eq!(Tag::new(b"*"), None);
        assert_eq!(Tag::new("é".as_bytes()), None);
        assert!(Tag::new(&[b'x'; MAX_TAG_LEN]).is_some());
        assert!(Tag::new(&[b'x'; MAX_TAG_LEN + 1]).is_none());
    }

    #[test]
    fn passwords_do_not_show() {
        let shown = format!("{:?}", Hidden::new(b"secret".to_vec()));
        assert!(!shown.contains("secret"));
    }
}
