//! Login names: `name`, `name@domain` and `name%domain`.
//!
//! Everything behind this module sees one spelling only: prepared, lower case,
//! of allowed characters, local part and domain apart (SASLprep, RFC 4013, then
//! what both Unix and the account file can hold).

use std::borrow::Cow;

/// The longest login name, in octets.
pub const MAX_NAME_LEN: usize = 255;

/// The domains a name without one may belong to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Domains<'a> {
    /// Of the local address that the client connected to.
    pub local: Option<&'a str>,
    pub default: Option<&'a str>,
}

/// A login name in its one spelling.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LoginName {
    local: String,
    domain: Option<String>,
    /// The domain is this host's own (or there is none): the local part may
    /// name a Unix account.
    own: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    #[error("empty login name")]
    Empty,
    #[error("login name too long")]
    TooLong,
    #[error("character not allowed in a login name")]
    Character,
}

impl LoginName {
    /// `lowercase` is about the local part; domains know no case.
    pub fn parse(raw: &str, domains: Domains<'_>, lowercase: bool) -> Result<Self, NameError> {
        if raw.len() > MAX_NAME_LEN {
            return Err(NameError::TooLong);
        }
        if raw.is_empty() {
            return Err(NameError::Empty);
        }
        let prepared = stringprep::saslprep(raw).map_err(|_| NameError::Character)?;
        if prepared.is_empty() {
            return Err(NameError::Character);
        }
        if prepared.len() > MAX_NAME_LEN {
            return Err(NameError::TooLong);
        }
        if !prepared.bytes().all(is_allowed) {
            return Err(NameError::Character);
        }
        let (local, domain) = split(&prepared);
        let local = if lowercase {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        };
        if local.is_empty() {
            return Err(NameError::Empty);
        }
        if !local.bytes().all(is_local) || local.starts_with(['.', '-']) {
            return Err(NameError::Character);
        }
        Ok(Self::new(local.into_owned(), domain, domains))
    }

    fn new(local: String, domain: Option<&str>, domains: Domains<'_>) -> Self {
        let domain = domain.filter(|d| !d.is_empty());
        let is = |other: Option<&str>| {
            other.is_some_and(|o| domain.is_some_and(|d| d.eq_ignore_ascii_case(o)))
        };
        let own = domain.is_none() || is(domains.local) || is(domains.default);
        let domain = domain
            .or(domains.local)
            .or(domains.default)
            .filter(|d| !d.is_empty());
        Self {
            local,
            domain: domain.map(str::to_ascii_lowercase),
            own,
        }
    }

    /// The Unix account that the name may stand for.
    pub fn unix_account(&self) -> Option<&str> {
        self.own.then_some(&self.local)
    }

    pub fn local(&self) -> &str {
        &self.local
    }

    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// With its domain where there is one.
    pub fn full(&self) -> String {
        match &self.domain {
            Some(domain) => format!("{}@{domain}", self.local),
            None => self.local.clone(),
        }
    }

    /// The keys under which an account file may hold the name, best first.
    pub fn keys(&self) -> impl Iterator<Item = String> + '_ {
        let bare = (self.own && self.domain.is_some()).then(|| self.local.clone());
        std::iter::once(self.full()).chain(bare)
    }
}

/// `name@domain`, or the older `name%domain`.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('@').or_else(|| name.rsplit_once('%')) {
        Some((local, domain)) => (local, Some(domain)),
        None => (name, None),
    }
}

fn is_allowed(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b".-_@%+".contains(&b)
}

fn is_local(b: u8) -> bool {
    is_allowed(b) && b != b'@' && b != b'%'
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Domains<'_> = Domains {
        local: None,
        default: Some("Example.org"),
    };

    fn full(raw: &str) -> String {
        LoginName::parse(raw, HOME, true).unwrap().full()
    }

    #[test]
    fn all_forms_have_one_spelling() {
        for raw in [
            "alice",
            "ALICE",
            "alice@example.org",
            "alice%EXAMPLE.org",
            "alice@",
        ] {
            let name = LoginName::parse(raw, HOME, true).unwrap();
            assert_eq!(name.full(), "alice@example.org", "{raw}");
            assert_eq!(name.unix_account(), Some("alice"), "{raw}");
        }
        assert_eq!(full("\u{FF21}lice"), "alice@example.org");
    }

    #[test]
    fn the_domain_of_the_local_address_goes_before_the_default() {
        let domains = Domains {
            local: Some("two.example"),
            default: Some("one.example"),
        };
        let name = LoginName::parse("bob", domains, true).unwrap();
        assert_eq!(name.full(), "bob@two.example");
        assert_eq!(name.keys().collect::<Vec<_>>(), ["bob@two.example", "bob"]);
        let other = LoginName::parse("bob@one.example", domains, true).unwrap();
        assert_eq!(other.unix_account(), Some("bob"));
    }

    #[test]
    fn a_strange_domain_is_no_unix_account() {
        let name = LoginName::parse("bob@elsewhere.example", HOME, true).unwrap();
        assert_eq!(name.unix_account(), None);
        assert_eq!(name.keys().collect::<Vec<_>>(), ["bob@elsewhere.example"]);
    }

    #[test]
    fn case_of_the_local_part_can_count() {
        let name = LoginName::parse("Bob@EXAMPLE.org", HOME, false).unwrap();
        assert_eq!(name.full(), "Bob@example.org");
        assert_eq!(name.unix_account(), Some("Bob"));
    }

    #[test]
    fn characters_over_all_of_ascii() {
        for b in 1..128u8 {
            let raw = format!("a{}b", char::from(b));
            let ok = b.is_ascii_alphanumeric() || b"._-@%+".contains(&b);
            assert_eq!(LoginName::parse(&raw, HOME, true).is_ok(), ok, "{raw:?}");
        }
        for raw in ["a/b", "a@b@c", "a%b@c", "@x", "%x", "", "-a", ".a", "é"] {
            assert!(LoginName::parse(raw, HOME, true).is_err(), "{raw}");
        }
        assert!(LoginName::parse(&"a".repeat(255), HOME, true).is_ok());
        assert_eq!(
            LoginName::parse(&"a".repeat(256), HOME, true),
            Err(NameError::TooLong)
        );
    }
}
