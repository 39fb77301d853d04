//! What somebody may do with a mailbox (RFC 4314 §2.1).

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u16);

impl Rights {
    pub const NONE: Self = Self(0);
    /// `l`: the mailbox is seen in lists.
    pub const LOOKUP: Self = Self(1);
    /// `r`: it can be selected.
    pub const READ: Self = Self(1 << 1);
    /// `s`: `\Seen` can be changed.
    pub const SEEN: Self = Self(1 << 2);
    /// `w`: flags other than `\Seen` and `\Deleted` can be changed.
    pub const WRITE: Self = Self(1 << 3);
    /// `i`: messages can be brought in.
    pub const INSERT: Self = Self(1 << 4);
    /// `p`: mail can be sent to it; nothing in IMAP needs it.
    pub const POST: Self = Self(1 << 5);
    /// `k`: mailboxes can be made below it.
    pub const CREATE: Self = Self(1 << 6);
    /// `x`: it can be deleted and renamed.
    pub const DELETE: Self = Self(1 << 7);
    /// `t`: `\Deleted` can be changed.
    pub const MARK_DELETED: Self = Self(1 << 8);
    /// `e`: messages can be expunged.
    pub const EXPUNGE: Self = Self(1 << 9);
    /// `a`: rights can be given and taken.
    pub const ADMIN: Self = Self(1 << 10);
    pub const ALL: Self = Self((1 << 11) - 1);

    /// Letters on the wire and on disk, in the order in which they are told.
    const LETTERS: [(Self, char); 11] = [
        (Self::LOOKUP, 'l'),
        (Self::READ, 'r'),
        (Self::WRITE, 'w'),
        (Self::SEEN, 's'),
        (Self::MARK_DELETED, 't'),
        (Self::INSERT, 'i'),
        (Self::POST, 'p'),
        (Self::EXPUNGE, 'e'),
        (Self::CREATE, 'k'),
        (Self::DELETE, 'x'),
        (Self::ADMIN, 'a'),
    ];

    /// The right that `letter` stands for.
    pub fn by_letter(letter: char) -> Option<Self> {
        let known = Self::LETTERS.iter().find(|&&(_, l)| l == letter);
        known.map(|&(right, _)| right)
    }

    /// The rights of a string of letters; `None` where one is unknown.
    pub fn parse(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |all, letter| {
            Some(all | Self::by_letter(letter)?)
        })
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each right by itself, in the order of the letters.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        let all = Self::LETTERS.into_iter().map(|(right, _)| right);
        all.filter(move |&right| self.contains(right))
    }
}

impl BitOr for Rights {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}

impl BitAnd for Rights {
    type Output = Self;
    fn bitand(self, o: Self) -> Self {
        Self(self.0 & o.0)
    }
}

impl Sub for Rights {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self(self.0 & !o.0)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::LETTERS
            .iter()
            .filter(|(right, _)| self.contains(*right))
            .try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lead_there_and_back() {
        assert_eq!(Rights::ALL.to_string(), "lrwstipekxa");
        assert_eq!(Rights::parse("lrwstipekxa"), Some(Rights::ALL));
        assert_eq!(Rights::parse(""), Some(Rights::NONE));
        assert_eq!(Rights::parse("lz"), None);
        assert_eq!(Rights::parse("L"), None);
        let some = Rights::LOOKUP | Rights::ADMIN;
        assert_eq!((Rights::ALL - some).to_string(), "rwstipekx");
        assert_eq!(some.iter().count(), 2);
    }
}
