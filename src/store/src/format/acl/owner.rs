//! Whose list it is: that says what names mean in it which have no domain.
//!
//! Accounts of the default domain may have names with it or without, as the
//! account file or the system has them; in lists both forms are one. Names of
//! accounts themselves are whole: two that differ are two accounts, and only
//! one of them is the owner.

use super::Identifier;
use super::identifier::domain_of;

/// The owner of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner<'a> {
    /// The account's name.
    pub account: &'a str,
    /// Of accounts whose names have none; never empty.
    pub default_domain: Option<&'a str>,
}

/// Where there is no default domain.
impl<'a> From<&'a str> for Owner<'a> {
    fn from(account: &'a str) -> Self {
        Self {
            account,
            default_domain: None,
        }
    }
}

impl<'a> Owner<'a> {
    /// The domain of his neighbours.
    pub(super) fn domain(self) -> Option<&'a str> {
        self.domain_of(self.account)
    }

    /// The domain of an account.
    pub(super) fn domain_of<'b>(self, account: &'b str) -> Option<&'b str>
    where
        'a: 'b,
    {
        domain_of(account).or(self.default_domain)
    }

    /// Whether a name in the list means an account; one without a domain is of
    /// the owner's.
    pub(super) fn means(self, listed: &str, account: &str) -> bool {
        let listed_domain = domain_of(listed).or(self.domain());
        same(
            (local(listed), listed_domain),
            (local(account), self.domain_of(account)),
        )
    }

    /// Whether two entries are about one account, or are the same.
    pub(super) fn are_one(self, one: &Identifier, other: &Identifier) -> bool {
        let whole = |name| (local(name), domain_of(name).or(self.domain()));
        match (one, other) {
            (Identifier::User(one), Identifier::User(other)) => same(whole(one), whole(other)),
            _ => one == other,
        }
    }
}

type Whole<'a> = (&'a str, Option<&'a str>);

/// Whether two names with their domains are the same.
pub(super) fn same((a, a_domain): Whole<'_>, (b, b_domain): Whole<'_>) -> bool {
    a == b
        && match (a_domain, b_domain) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.is_none() && b.is_none(),
        }
}

pub(super) fn local(name: &str) -> &str {
    name.rsplit_once('@').map_or(name, |(local, _)| local)
}
