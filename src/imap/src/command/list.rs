//! Arguments of LIST and STATUS (RFC 9051 §6.3.9 and §6.3.11, RFC 5258,
//! RFC 5819, RFC 6154).

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListArgs {
    pub reference: Vec<u8>,
    pub patterns: Vec<Vec<u8>>,
    pub select: ListSelect,
    pub returns: ListReturn,
    /// One of the forms of RFC 5258 §1 was used: an empty pattern then asks
    /// for nothing, instead of for the separator.
    pub extended: bool,
}

/// Selection options.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListSelect {
    pub subscribed: bool,
    pub remote: bool,
    /// Only together with `subscribed` or `special_use`.
    pub recursive_match: bool,
    pub special_use: bool,
    /// Told among the attributes, as CommuniGate Pro has it.
    pub tell: ListTell,
}

/// What else LIST may tell of a mailbox, beyond the RFCs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListTell {
    /// What the mailbox is for, where that is not mail.
    pub class: bool,
    pub unseen: bool,
    pub internal_size: bool,
}

impl ListTell {
    pub fn any(self) -> bool {
        self.class || self.unseen || self.internal_size
    }

    /// What is in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            class: self.class || other.class,
            unseen: self.unseen || other.unseen,
            internal_size: self.internal_size || other.internal_size,
        }
    }
}

/// Return options.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListReturn {
    pub subscribed: bool,
    pub children: bool,
    pub special_use: bool,
    /// RFC 8440.
    pub my_rights: bool,
    /// Told as extended items (RFC 5258 §6).
    pub tell: ListTell,
    /// RFC 5819.
    pub status: Option<StatusItems>,
}

/// A `status-att`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    /// RFC 9208 §4.1.4.
    DeletedStorage,
    Size,
    /// RFC 7889.
    AppendLimit,
    /// RFC 8474 §4.3.
    MailboxId,
    /// RFC 7162 §3.1.7.
    HighestModSeq,
    /// What the mailbox takes as it is stored, in octets.
    InternalSize,
    /// INTERNALDATE of the oldest message.
    Oldest,
    /// Messages with `$Media` that have not been seen.
    UnseenMedia,
}

impl StatusItem {
    /// In the order in which they are answered.
    pub const ALL: [Self; 14] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::DeletedStorage,
        Self::Size,
        Self::AppendLimit,
        Self::MailboxId,
        Self::HighestModSeq,
        Self::Oldest,
        Self::InternalSize,
        Self::UnseenMedia,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::DeletedStorage => "DELETED-STORAGE",
            Self::Size => "SIZE",
            Self::AppendLimit => "APPENDLIMIT",
            Self::MailboxId => "MAILBOXID",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::InternalSize => "INTERNALSIZE",
            Self::Oldest => "OLDEST",
            Self::UnseenMedia => "UNSEENMEDIA",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of STATUS items.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatusItems(u16);

impl StatusItems {
    pub fn insert(&mut self, item: StatusItem) {
        self.0 |= item.bit();
    }

    pub fn contains(self, item: StatusItem) -> bool {
        self.0 & item.bit() != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`StatusItem::ALL`].
    pub fn iter(self) -> impl Iterator<Item = StatusItem> {
        StatusItem::ALL
            .into_iter()
            .filter(move |&i| self.contains(i))
    }
}

impl FromIterator<StatusItem> for StatusItems {
    fn from_iter<I: IntoIterator<Item = StatusItem>>(iter: I) -> Self {
        let mut items = Self::default();
        for item in iter {
            items.insert(item);
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_item_has_a_bit_of_its_own() {
        for item in StatusItem::ALL {
            let only: StatusItems = [item].into_iter().collect();
            assert_eq!(only.iter().collect::<Vec<_>>(), [item]);
        }
        let all: StatusItems = StatusItem::ALL.into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), StatusItem::ALL);
        assert!(StatusItems::default().is_empty());
    }
}
