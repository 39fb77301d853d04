//! Arguments of GETMETADATA and SETMETADATA (RFC 5464).

use std::fmt;

/// The longest entry name taken, in octets.
pub const MAX_ENTRY_NAME: usize = 1024;

/// Who sees an annotation (RFC 5464 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryScope {
    /// `/private`
    Private,
    /// `/shared`
    Shared,
}

impl EntryScope {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Private => "/private/",
            Self::Shared => "/shared/",
        }
    }
}

/// The name of an annotation, in small letters, since names are alike in any
/// case (RFC 5464 §3.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryName {
    scope: EntryScope,
    /// What stands behind `/private/` or `/shared/`; never empty.
    rest: Box<str>,
}

impl EntryName {
    /// `None` for what the RFC does not allow as a name.
    pub fn new(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
        let allowed = |b: u8| b > b' ' && b < 0x7f && b != b'*' && b != b'%';
        let (scope, rest) = [EntryScope::Private, EntryScope::Shared]
            .into_iter()
            .find_map(|scope| Some((scope, text.strip_prefix(scope.prefix())?)))?;
        let fits = text.len() <= MAX_ENTRY_NAME && text.bytes().all(allowed);
        // Below `vendor` stand the vendor and at least one name of its own.
        let vendor = rest == "vendor"
            || (rest.strip_prefix("vendor/")).is_some_and(|below| !below.contains('/'));
        (fits && !vendor && !rest.split('/').any(str::is_empty)).then(|| Self {
            scope,
            rest: rest.into(),
        })
    }

    pub fn scope(&self) -> EntryScope {
        self.scope
    }

    /// The name without its scope (`comment`).
    pub fn rest(&self) -> &str {
        &self.rest
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.scope.prefix(), self.rest)
    }
}

/// What GETMETADATA asks for. With a depth, names above entries may be asked
/// for that are none themselves (`/private`, `/shared/vendor`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryPath {
    pub scope: EntryScope,
    /// In small letters; empty for the scope itself.
    pub rest: Box<str>,
}

impl EntryPath {
    /// `None` for what cannot be part of a name.
    pub fn new(text: &[u8]) -> Option<Self> {
        if let Some(name) = EntryName::new(text) {
            let EntryName { scope, rest } = name;
            return Some(Self { scope, rest });
        }
        // Whatever would be a name with more behind it.
        let below = [text, b"/x/x"].concat();
        let EntryName { scope, rest } = EntryName::new(&below)?;
        let rest = match &*rest {
            "x/x" => "",
            longer => longer.strip_suffix("/x/x")?,
        };
        Some(Self {
            scope,
            rest: rest.into(),
        })
    }

    /// Whether an entry is this one or at most `depth` levels below it.
    pub fn covers(&self, scope: EntryScope, name: &str, depth: Depth) -> bool {
        if scope != self.scope {
            return false;
        }
        let below = match &*self.rest {
            "" => name,
            rest => match name.strip_prefix(rest) {
                Some("") => return true,
                Some(below) => match below.strip_prefix('/') {
                    Some(below) => below,
                    None => return false,
                },
                None => return false,
            },
        };
        match depth {
            Depth::Zero => false,
            Depth::One => !below.contains('/'),
            Depth::Infinity => true,
        }
    }
}

/// How far below the names asked for entries are wanted (RFC 5464 §4.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Depth {
    #[default]
    Zero,
    One,
    Infinity,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetMetadataArgs {
    /// Empty for the server's own annotations.
    pub mailbox: Vec<u8>,
    pub entries: Vec<EntryPath>,
    /// Larger values are not sent, in octets.
    pub max_size: Option<u64>,
    pub depth: Depth,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetMetadataArgs {
    /// Empty for the server's own annotations.
    pub mailbox: Vec<u8>,
    /// `None` removes an entry.
    pub values: Vec<(EntryName, Option<Vec<u8>>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        EntryName::new(text.as_bytes()).map(|n| n.to_string())
    }

    #[test]
    fn names_are_checked_and_made_small() {
        let comment = Some("/shared/comment".to_string());
        assert_eq!(name("/Shared/COMMENT"), comment);
        assert!(name("/private/vendor/roost/alias").is_some());
        for bad in [
            "",
            "/",
            "/shared",
            "/shared/",
            "/shared//a",
            "/shared/a/",
            "/other/a",
            "/shared/a*",
            "/shared/%",
            "/shared/é",
            "/shared/a b",
            "/shared/a\tb",
            "/shared/vendor",
            "/shared/vendor/x",
            "shared/a",
        ] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        let long = format!("/shared/{}", "x".repeat(MAX_ENTRY_NAME));
        assert_eq!(name(&long), None);
    }

    #[test]
    fn paths_cover_what_is_below_them() {
        let covers = |path: &str, name: &str, depth| {
            let name = EntryName::new(name.as_bytes()).unwrap();
            let path = EntryPath::new(path.as_bytes()).unwrap();
            path.covers(name.scope(), name.rest(), depth)
        };
        assert!(covers("/shared/a", "/shared/a", Depth::Zero));
        assert!(!covers("/shared/a", "/shared/ab", Depth::Infinity));
        assert!(!covers("/shared/a", "/private/a", Depth::Infinity));
        assert!(!covers("/shared/a", "/shared/a/b", Depth::Zero));
        assert!(covers("/shared/a", "/shared/a/b", Depth::One));
        assert!(!covers("/shared/a", "/shared/a/b/c", Depth::One));
        assert!(covers("/shared/a", "/shared/a/b/c", Depth::Infinity));
        assert!(covers("/shared", "/shared/vendor/x/y", Depth::Infinity));
        assert!(covers("/shared", "/shared/comment", Depth::One));
        assert!(!covers("/shared", "/shared/comment", Depth::Zero));
        assert!(covers(
            "/private/vendor",
            "/private/vendor/x/y",
            Depth::Infinity
        ));
        assert!(covers(
            "/private/vendor/x",
            "/private/vendor/x/y",
            Depth::One
        ));
        assert!(EntryPath::new(b"/nothing").is_none());
        assert!(EntryPath::new(b"/shared/").is_none());
    }
}
