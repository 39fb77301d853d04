//! Arguments of FETCH (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 3516, RFC 7162).

use super::partial::PartialRange;
use roost_types::{ModSeq, SequenceSet};
use std::num::NonZeroU32;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchArgs {
    pub uid: bool,
    pub set: SequenceSet,
    /// Macros expanded, without doubles, in the client's order.
    pub items: Vec<FetchItem>,
    pub modifiers: FetchModifiers,
}

/// `fetch-modifiers` (RFC 4466 §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FetchModifiers {
    /// Only messages with a higher MODSEQ (RFC 7162 §3.1.4.1).
    pub changed_since: Option<ModSeq>,
    /// What has been expunged since as well (RFC 7162 §3.2.6); only with UIDs
    /// and `changed_since`.
    pub vanished: bool,
    /// Only messages at these places of the set (RFC 9394 §3.3); only with
    /// UIDs. Counts before `changed_since` does.
    pub partial: Option<PartialRange>,
}

/// A `fetch-att`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchItem {
    Uid,
    Flags,
    InternalDate,
    Rfc822Size,
    /// RFC 7162 §3.1.4.2.
    ModSeq,
    Envelope,
    /// `BODY`: the structure without extension data.
    Body,
    BodyStructure,
    /// `RFC822`: as `BODY[]`, under its old name.
    Rfc822,
    /// `RFC822.HEADER`: as `BODY.PEEK[HEADER]`.
    Rfc822Header,
    /// `RFC822.TEXT`: as `BODY[TEXT]`.
    Rfc822Text,
    /// `BODY[…]` and `BODY.PEEK[…]`.
    Section {
        section: Section,
        partial: Option<Partial>,
        peek: bool,
    },
    /// `BINARY[…]` and `BINARY.PEEK[…]`.
    Binary {
        part: SectionPart,
        partial: Option<Partial>,
        peek: bool,
    },
    BinarySize {
        part: SectionPart,
    },
    /// RFC 8970; `lazy` if nothing shall be done for it now.
    Preview {
        lazy: bool,
    },
    /// RFC 8514.
    SaveDate,
    /// RFC 8474 §5.3.
    EmailId,
    ThreadId,
}

/// A `section-part`: empty means the whole message.
pub type SectionPart = Vec<NonZeroU32>;

/// A `section-spec`; both fields empty for `[]`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Section {
    pub part: SectionPart,
    pub text: Option<SectionText>,
}

/// A `section-text`; `Mime` only behind a part number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SectionText {
    Header,
    HeaderFields {
        /// `HEADER.FIELDS.NOT`.
        not: bool,
        /// As the client spelled them: they are echoed.
        names: Vec<Vec<u8>>,
    },
    Text,
    Mime,
}

/// `<offset.length>`, both in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    pub offset: u64,
    /// At least 1.
    pub length: u64,
}

impl FetchItem {
    /// Whether fetching the item sets `\Seen` (RFC 9051 §6.4.5).
    pub fn sets_seen(&self) -> bool {
        match self {
            Self::Section { peek, .. } | Self::Binary { peek, .. } => !peek,
            Self::Rfc822 | Self::Rfc822Text => true,
            Self::Uid
            | Self::Flags
            | Self::InternalDate
            | Self::Rfc822Size
            | Self::ModSeq
            | Self::Envelope
            | Self::Body
            | Self::BodyStructure
            | Self::Rfc822Header
            | Self::BinarySize { .. }
            | Self::Preview { .. }
            | Self::SaveDate
            | Self::EmailId
            | Self::ThreadId => false,
        }
    }
}
