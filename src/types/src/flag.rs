//! Message flags: the five system flags as bits, keywords as validated atoms
//! (RFC 9051 §2.3.2).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{BitAnd, BitOr, Not};
use std::sync::Arc;

/// The system flags of a message. `\Recent` is not among them: it belongs to
/// sessions, not to messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct SystemFlags(u8);

impl SystemFlags {
    pub const NONE: Self = Self(0);
    pub const ANSWERED: Self = Self(1);
    pub const FLAGGED: Self = Self(2);
    pub const DELETED: Self = Self(4);
    pub const SEEN: Self = Self(8);
    pub const DRAFT: Self = Self(16);
    pub const ALL: Self = Self(31);

    /// Names on the wire, in the order in which they are listed to clients.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
    ];

    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Bits beyond the five are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
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

    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// The flag called `name` (with its backslash, any case).
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, n)| n.eq_ignore_ascii_case(name))
            .map(|&(f, _)| f)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(f, _)| self.contains(*f))
            .map(|&(_, n)| n)
    }
}

impl BitOr for SystemFlags {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}

impl BitAnd for SystemFlags {
    type Output = Self;
    fn bitand(self, o: Self) -> Self {
        Self(self.0 & o.0)
    }
}

impl Not for SystemFlags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

impl fmt::Debug for SystemFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The longest keyword taken from a client, in octets.
pub const MAX_KEYWORD_LEN: usize = 255;

/// A keyword (`flag-keyword`): an atom of 1 to [`MAX_KEYWORD_LEN`] octets that
/// does not begin with a backslash. Compared without regard to ASCII case;
/// the spelling of whoever used it first is kept.
#[derive(Clone)]
pub struct Keyword(Arc<str>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeywordError {
    #[error("empty keyword")]
    Empty,
    #[error("keyword longer than {MAX_KEYWORD_LEN} octets")]
    TooLong,
    #[error("character not allowed in a keyword")]
    Character,
}

impl Keyword {
    pub fn new(name: &str) -> Result<Self, KeywordError> {
        if name.is_empty() {
            return Err(KeywordError::Empty);
        }
        if name.len() > MAX_KEYWORD_LEN {
            return Err(KeywordError::TooLong);
        }
        if !name.bytes().all(is_keyword_byte) {
            return Err(KeywordError::Character);
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// ATOM-CHAR of RFC 9051 §9. `]` is legal in a keyword.
fn is_keyword_byte(b: u8) -> bool {
    matches!(b, 0x21..=0x7e) && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\')
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for b in self.0.bytes() {
            state.write_u8(b.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_class_over_all_bytes() {
        for b in 0..=255u8 {
            let expected = b > 0x20 && b < 0x7f && !b"(){%*\"\\".contains(&b);
            assert_eq!(is_keyword_byte(b), expected, "byte {b:#x}");
        }
    }

    #[test]
    fn keywords_compare_without_case_and_keep_their_spelling() {
        let a = Keyword::new("$Label1").unwrap();
        assert_eq!(a, Keyword::new("$label1").unwrap());
        assert_eq!(a.as_str(), "$Label1");
        assert_eq!(Keyword::new("\\Seen"), Err(KeywordError::Character));
        assert_eq!(Keyword::new(""), Err(KeywordError::Empty));
        assert_eq!(Keyword::new(&"x".repeat(256)), Err(KeywordError::TooLong));
    }

    #[test]
    fn system_flags_by_name() {
        assert_eq!(SystemFlags::by_name("\\sEEN"), Some(SystemFlags::SEEN));
        assert_eq!(SystemFlags::by_name("\\Recent"), None);
        let both = SystemFlags::SEEN | SystemFlags::DRAFT;
        assert_eq!(both.names().collect::<Vec<_>>(), ["\\Seen", "\\Draft"]);
        assert_eq!(!both & SystemFlags::SEEN, SystemFlags::NONE);
    }
}
