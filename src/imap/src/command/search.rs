//! Arguments of SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5032, RFC 8514,
//! RFC 9394, RFC 7162 §3.1.5).

use super::partial::PartialRange;
use roost_types::{Keyword, ModSeq, SequenceSet, SystemFlags};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchArgs {
    pub uid: bool,
    /// `None` without RETURN: IMAP4rev1's SEARCH response is wanted, unless
    /// IMAP4rev2 is enabled.
    pub returns: Option<SearchReturn>,
    /// As the client spelled it; strings are in this charset.
    pub charset: Option<String>,
    /// [`SearchKey::And`] unless there is one key only.
    pub key: SearchKey,
}

/// `search-return-opts`; `RETURN ()` means ALL (RFC 4731 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
    pub save: bool,
    /// Never beside `all` (RFC 9394 §3.1).
    pub partial: Option<PartialRange>,
}

/// A `search-key`. Days count from 1970-01-01 without regard to time zones;
/// texts are raw octets in the command's charset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchKey {
    All,
    /// At least two keys, all of which must match.
    And(Vec<SearchKey>),
    /// At least two keys, one of which must match: a chain of ORs is one list.
    Or(Vec<SearchKey>),
    Not(Box<SearchKey>),
    /// Message sequence numbers (or `$`).
    Sequence(SequenceSet),
    Uid(SequenceSet),
    /// ANSWERED, DELETED, DRAFT, FLAGGED, SEEN: one flag.
    Flag(SystemFlags),
    /// UNANSWERED and so on.
    NotFlag(SystemFlags),
    Keyword(Keyword),
    NotKeyword(Keyword),
    /// `RECENT`, `OLD` (not recent) and `NEW` (recent and unseen) of RFC 3501.
    Recent,
    Old,
    New,
    Bcc(Vec<u8>),
    Cc(Vec<u8>),
    From(Vec<u8>),
    Subject(Vec<u8>),
    To(Vec<u8>),
    Body(Vec<u8>),
    Text(Vec<u8>),
    /// An empty `value` matches any message that has the field.
    Header {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// Of the internal date: on an earlier day, on the day, on it or later.
    Before(i64),
    On(i64),
    Since(i64),
    /// The same of the Date header field.
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    /// The same of the save date (RFC 8514 §4.3).
    SavedBefore(i64),
    SavedOn(i64),
    SavedSince(i64),
    SaveDateSupported,
    /// Internal date so many seconds ago or more, or less (RFC 5032 §2).
    Older(u32),
    Younger(u32),
    /// RFC822.SIZE greater than, or less than, so many octets.
    Larger(u64),
    Smaller(u64),
    /// RFC 8474 §6; case counts.
    EmailId(Vec<u8>),
    ThreadId(Vec<u8>),
    /// A MODSEQ not below this.
    ModSeq(ModSeq),
}

impl SearchKey {
    /// Whether `is` holds for the key or one below it.
    pub fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self)
            || match self {
                Self::And(keys) | Self::Or(keys) => keys.iter().any(|k| k.any(is)),
                Self::Not(key) => key.any(is),
                _ => false,
            }
    }

    /// Whether the key, or one below it, compares text in the charset.
    pub fn has_text(&self) -> bool {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().any(Self::has_text),
            Self::Not(key) => key.has_text(),
            Self::Bcc(_)
            | Self::Cc(_)
            | Self::From(_)
            | Self::Subject(_)
            | Self::To(_)
            | Self::Body(_)
            | Self::Text(_)
            | Self::Header { .. } => true,
            Self::All
            | Self::Sequence(_)
            | Self::Uid(_)
            | Self::Flag(_)
            | Self::NotFlag(_)
            | Self::Keyword(_)
            | Self::NotKeyword(_)
            | Self::Recent
            | Self::Old
            | Self::New
            | Self::Before(_)
            | Self::On(_)
            | Self::Since(_)
            | Self::SentBefore(_)
            | Self::SentOn(_)
            | Self::SentSince(_)
            | Self::SavedBefore(_)
            | Self::SavedOn(_)
            | Self::SavedSince(_)
            | Self::SaveDateSupported
            | Self::Older(_)
            | Self::Younger(_)
            | Self::Larger(_)
            | Self::Smaller(_)
            | Self::EmailId(_)
            | Self::ThreadId(_)
            | Self::ModSeq(_) => false,
        }
    }
}
