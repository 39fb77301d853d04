//! The words every layer of Roost shares.
//!
//! This crate sits at the bottom: it knows no I/O, no wire syntax beyond the
//! notations that several layers need (modified UTF-7, UID sets), and imports
//! no other member of the workspace. Its types cannot hold what the field
//! forbids: no UID 0, no empty mailbox name component, no unsorted set.

#![forbid(unsafe_code)]

pub mod flag;
pub mod id;
pub mod latency;
pub mod mailbox;
pub mod net;
pub mod object_id;
pub mod quota;
pub mod rights;
pub mod set;
pub mod settings;
pub mod time;
pub mod utf7;

pub use flag::{Keyword, KeywordError, MAX_KEYWORD_LEN, SystemFlags};
pub use id::{ModSeq, SeqNum, SessionId, Uid, UidValidity};
pub use latency::{LATENCY_BOUNDS, LATENCY_CLASSES, latency_class};
pub use mailbox::{MailboxName, NameError, SpecialUse};
pub use net::{IpNet, IpNetError};
pub use object_id::ObjectId;
pub use quota::QuotaLimits;
pub use rights::Rights;
pub use set::{IdSet, SeqSet, SequenceSet, SetBound, UidSet};
pub use settings::{DirectoryEncoding, Fsync, LogLevel, LogStyle};
pub use time::UnixTime;
