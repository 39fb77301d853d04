//! Mailbox names, free of any separator: what stands between the levels is a
//! matter of the wire (`separator`) and of the disk (always `.`).

use std::fmt;

/// Limits of a name; Dovecot's are the same.
pub const MAX_NAME_LEN: usize = 4096;
/// A level becomes part of one directory name.
pub const MAX_COMPONENT_LEN: usize = 255;
pub const MAX_LEVELS: usize = 64;

/// A mailbox name as a path of one or more non-empty levels of Unicode text.
///
/// Levels may hold any character but NUL and the other control characters;
/// dots and slashes included. A first level that reads INBOX in any case is
/// stored as `INBOX` (RFC 9051 §5.1). Ordering puts children right behind
/// their parent.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(Box<str>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    #[error("empty mailbox name or level")]
    Empty,
    #[error("mailbox name too long")]
    TooLong,
    #[error("control character in mailbox name")]
    Control,
}

// Sorts below every character a level can hold.
const JOIN: char = '\0';

impl MailboxName {
    /// The mailbox that every account has.
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    pub fn from_levels<'a>(levels: impl IntoIterator<Item = &'a str>) -> Result<Self, NameError> {
        let mut name = String::new();
        for (i, level) in levels.into_iter().enumerate() {
            if level.is_empty() {
                return Err(NameError::Empty);
            }
            if level.chars().any(char::is_control) {
                return Err(NameError::Control);
            }
            if i >= MAX_LEVELS || level.len() > MAX_COMPONENT_LEN {
                return Err(NameError::TooLong);
            }
            if i == 0 && level.eq_ignore_ascii_case("INBOX") {
                name.push_str("INBOX");
                continue;
            }
            if i > 0 {
                name.push(JOIN);
            }
            name.push_str(level);
        }
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME_LEN {
            return Err(NameError::TooLong);
        }
        Ok(Self(name.into()))
    }

    /// Splits `text` at `separator`.
    pub fn parse(text: &str, separator: char) -> Result<Self, NameError> {
        Self::from_levels(text.split(separator))
    }

    pub fn levels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split(JOIN)
    }

    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name above, `None` at the top level.
    pub fn parent(&self) -> Option<Self> {
        self.0.rfind(JOIN).map(|at| Self(self.0[..at].into()))
    }

    /// The last level.
    pub fn leaf(&self) -> &str {
        self.levels().next_back().unwrap_or(&self.0)
    }

    pub fn child(&self, level: &str) -> Result<Self, NameError> {
        Self::from_levels(self.levels().chain([level]))
    }

    /// True for names anywhere below `self`, not for `self`.
    pub fn is_ancestor_of(&self, other: &Self) -> bool {
        other
            .0
            .strip_prefix(&*self.0)
            .is_some_and(|rest| rest.starts_with(JOIN))
    }

    /// The same place below `to` that this name has below `from`; `None`
    /// unless it is `from` or below it.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Result<Self, NameError>> {
        if self == from {
            return Some(Ok(to.clone()));
        }
        from.is_ancestor_of(self).then(|| {
            let below = self.levels().skip(from.levels().count());
            Self::from_levels(to.levels().chain(below))
        })
    }

    /// Joined by `separator`; a level that holds the separator itself cannot
    /// be told apart, so see that none does.
    pub fn join(&self, separator: char) -> String {
        let mut text = String::with_capacity(self.0.len());
        for (i, level) in self.levels().enumerate() {
            if i > 0 {
                text.push(separator);
            }
            text.push_str(level);
        }
        text
    }
}

impl fmt::Display for MailboxName {
    /// For logs; levels joined by `/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join('/'))
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.levels()).finish()
    }
}

/// The special use of a mailbox (RFC 6154, RFC 8457).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Important,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    pub const ALL: [Self; 8] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// The attribute on the wire, backslash included.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// By its attribute, any case, with the backslash.
    pub fn by_attribute(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|u| u.attribute().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text, '/').unwrap()
    }

    #[test]
    fn inbox_is_one_name_in_any_case_and_only_on_top() {
        assert!(name("inBox").is_inbox());
        assert_eq!(name("inbox/a").join('.'), "INBOX.a");
        assert_eq!(name("a/inbox").join('/'), "a/inbox");
        assert!(!name("Inboxes").is_inbox());
    }

    #[test]
    fn levels_hold_dots_and_slashes() {
        let n = MailboxName::from_levels(["a/b", "c.d"]).unwrap();
        assert_eq!(n.levels().collect::<Vec<_>>(), ["a/b", "c.d"]);
        assert_eq!(n.leaf(), "c.d");
        assert_eq!(n.parent().unwrap().join('.'), "a/b");
        assert_eq!(n.parent().unwrap().parent(), None);
    }

    #[test]
    fn what_no_name_may_be() {
        assert_eq!(MailboxName::parse("", '/'), Err(NameError::Empty));
        assert_eq!(MailboxName::parse("a//b", '/'), Err(NameError::Empty));
        assert_eq!(MailboxName::parse("a/", '/'), Err(NameError::Empty));
        assert_eq!(MailboxName::parse("a\0b", '/'), Err(NameError::Control));
        assert_eq!(
            MailboxName::parse(&"x".repeat(256), '/'),
            Err(NameError::TooLong)
        );
        assert_eq!(
            MailboxName::parse(&["x"; 65].join("/"), '/'),
            Err(NameError::TooLong)
        );
    }

    #[test]
    fn moving_takes_children_along() {
        let (from, to) = (name("a/b"), name("z"));
        assert_eq!(name("a/b").moved(&from, &to), Some(Ok(name("z"))));
        assert_eq!(name("a/b/c").moved(&from, &to), Some(Ok(name("z/c"))));
        assert_eq!(name("a/bc").moved(&from, &to), None);
    }

    #[test]
    fn children_sort_right_behind_their_parent() {
        let mut names = [name("a b"), name("a/x"), name("a"), name("a!")];
        names.sort();
        assert_eq!(names, [name("a"), name("a/x"), name("a b"), name("a!")]);
    }

    #[test]
    fn special_uses_by_attribute() {
        for u in SpecialUse::ALL {
            let small = u.attribute().to_lowercase();
            assert_eq!(SpecialUse::by_attribute(&small), Some(u));
        }
    }
}
