//! What a FETCH needs of each message.

use super::binary::Binary;
use super::body::Body;
use crate::facts::Wants;
use roost_imap::command::{FetchItem, Section, SectionText};

/// How much of a message must be read; each includes those before it.
/// `Structure` is for those who look into parts, and do without facts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Need {
    Nothing,
    Header,
    /// Octets by their place in the message.
    Octets,
    Structure,
}

/// An item, ready to be answered for any message.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    ModSeq,
    Envelope,
    Structure { extended: bool },
    Preview { lazy: bool },
    Body(Body),
    Binary(Binary),
    BinarySize(Binary),
    SaveDate,
    EmailId,
    ThreadId,
}

impl Item {
    fn new(item: FetchItem) -> Self {
        let old = |name, text| {
            let section = Section {
                part: Vec::new(),
                text,
            };
            Self::Body(Body::new(Some(name), &section, None))
        };
        match item {
            FetchItem::Uid => Self::Uid,
            FetchItem::Flags => Self::Flags,
            FetchItem::InternalDate => Self::InternalDate,
            FetchItem::Rfc822Size => Self::Size,
            FetchItem::ModSeq => Self::ModSeq,
            FetchItem::Envelope => Self::Envelope,
            FetchItem::Body => Self::Structure { extended: false },
            FetchItem::BodyStructure => Self::Structure { extended: true },
            FetchItem::Rfc822 => old("RFC822", None),
            FetchItem::Rfc822Header => old("RFC822.HEADER", Some(SectionText::Header)),
            FetchItem::Rfc822Text => old("RFC822.TEXT", Some(SectionText::Text)),
            FetchItem::Section {
                section, partial, ..
            } => Self::Body(Body::new(None, &section, partial)),
            FetchItem::Binary { part, partial, .. } => Self::Binary(Binary::new(part, partial)),
            FetchItem::Preview { lazy } => Self::Preview { lazy },
            FetchItem::BinarySize { part } => Self::BinarySize(Binary::new(part, None)),
            FetchItem::SaveDate => Self::SaveDate,
            FetchItem::EmailId => Self::EmailId,
            FetchItem::ThreadId => Self::ThreadId,
        }
    }

    /// What of the file must be read if facts do not do.
    fn need(&self) -> Need {
        match self {
            Self::Uid
            | Self::Flags
            | Self::InternalDate
            | Self::Size
            | Self::SaveDate
            | Self::EmailId
            | Self::ThreadId
            | Self::ModSeq
            | Self::Envelope
            | Self::Structure { .. }
            | Self::Preview { .. } => Need::Nothing,
            Self::Binary(_) | Self::BinarySize(_) => Need::Octets,
            Self::Body(body) => body.need(),
        }
    }

    /// Whether nothing but columns and facts is ever needed.
    fn is_quick(&self) -> bool {
        match self {
            Self::Uid
            | Self::Flags
            | Self::InternalDate
            | Self::Size
            | Self::ModSeq
            | Self::Envelope
            | Self::Structure { .. } => true,
            Self::Body(body) => body.is_fields(),
            Self::Preview { .. }
            | Self::Binary(_)
            | Self::BinarySize(_)
            | Self::SaveDate
            | Self::EmailId
            | Self::ThreadId => false,
        }
    }

    /// Whether the item is answered out of facts, and which.
    fn wants(&self) -> Option<Wants> {
        match self {
            Self::Uid
            | Self::Flags
            | Self::InternalDate
            | Self::Size
            | Self::ModSeq
            | Self::SaveDate
            | Self::EmailId
            | Self::ThreadId => None,
            Self::Preview { lazy: true } => None,
            Self::Envelope => Some(Wants::ENVELOPE),
            Self::Preview { lazy: false } => Some(Wants::PREVIEW),
            Self::Structure { .. } | Self::Binary(_) | Self::BinarySize(_) => {
                Some(Wants::STRUCTURE)
            }
            Self::Body(body) => body.wants(),
        }
    }
}

/// The items of a command and what follows from them.
pub(super) struct Plan {
    items: Vec<Item>,
    need: Need,
    wants: Option<Wants>,
    sets_seen: bool,
    quick: bool,
    pub asks: Asks,
}

/// Items that the client may get without having asked for them.
#[derive(Clone, Copy)]
pub(super) struct Asks {
    pub uid: bool,
    pub flags: bool,
    pub modseq: bool,
}

impl Plan {
    pub fn new(items: Vec<FetchItem>, uid: bool) -> Self {
        let sets_seen = items.iter().any(FetchItem::sets_seen);
        let mut items: Vec<Item> = items.into_iter().map(Item::new).collect();
        // The UID first, where clients look for it.
        if uid && let Some(at) = items.iter().position(|i| *i == Item::Uid) {
            let item = items.remove(at);
            items.insert(0, item);
        }
        let need = items.iter().map(Item::need).max().unwrap_or(Need::Nothing);
        let wants = items.iter().filter_map(Item::wants).reduce(Wants::and);
        let sized = items.contains(&Item::Size);
        let wants = wants.map(|wants| Wants {
            size: sized,
            ..wants
        });
        let asks = Asks {
            uid: items.contains(&Item::Uid),
            flags: items.contains(&Item::Flags),
            modseq: items.contains(&Item::ModSeq),
        };
        Self {
            need,
            wants,
            quick: !sets_seen && items.iter().all(Item::is_quick),
            items,
            sets_seen,
            asks,
        }
    }

    pub fn items(&self) -> &[Item] {
        &self.items
    }

    pub fn need(&self) -> Need {
        self.need
    }

    /// Most messages can be answered without a file.
    pub fn is_quick(&self) -> bool {
        self.quick
    }

    /// Facts are looked at for every message.
    pub fn uses_facts(&self) -> bool {
        self.wants.is_some()
    }

    /// What facts are to hold.
    pub fn wants(&self) -> Wants {
        let size = Wants {
            size: true,
            ..Wants::default()
        };
        self.wants.unwrap_or(size)
    }

    pub fn sets_seen(&self) -> bool {
        self.sets_seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_imap::{Command, parse};

    fn plan(items: &str) -> Plan {
        let request = parse(format!("a FETCH 1 {items}").as_bytes()).unwrap();
        match request.command {
            Command::Fetch(args) => Plan::new(args.items, args.uid),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_more_is_read_than_needed() {
        for (items, need) in [
            ("(FLAGS UID MODSEQ INTERNALDATE RFC822.SIZE)", Need::Nothing),
            ("(SAVEDATE EMAILID THREADID)", Need::Nothing),
            ("FAST", Need::Nothing),
            ("ALL", Need::Nothing),
            ("(UID BODY.PEEK[HEADER.FIELDS (From)])", Need::Header),
            ("RFC822.HEADER", Need::Header),
            ("BODY[]<0.4096>", Need::Octets),
            ("(ENVELOPE BODY[]<0.4096>)", Need::Octets),
            ("BODY[]<0.99999999>", Need::Octets),
            ("BODY[]", Need::Octets),
            ("BODYSTRUCTURE", Need::Nothing),
            ("FULL", Need::Nothing),
            ("BODY[1.HEADER]", Need::Octets),
            ("BINARY.SIZE[1]", Need::Octets),
        ] {
            assert_eq!(plan(items).need(), need, "{items}");
        }
    }

    #[test]
    fn only_reading_bodies_sets_seen() {
        for items in [
            "BODY[]",
            "BODY[HEADER]",
            "BINARY[1]",
            "RFC822",
            "RFC822.TEXT",
        ] {
            assert!(plan(items).sets_seen(), "{items}");
        }
        for items in [
            "BODY.PEEK[]",
            "BINARY.PEEK[1]",
            "RFC822.HEADER",
            "FULL",
            "BINARY.SIZE[1]",
        ] {
            assert!(!plan(items).sets_seen(), "{items}");
        }
    }
}
