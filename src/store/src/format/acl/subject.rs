//! What somebody may do.

use super::identifier::domain_of;
use super::{Acl, Identifier};
use roost_types::Rights;

/// What the owner has whatever his list says.
pub(super) const NEVER_LOST: [Rights; 2] = [Rights::LOOKUP, Rights::ADMIN];

/// Somebody who wants to use a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject<'a> {
    /// The account whose mailbox it is.
    pub owner: &'a str,
    /// Who asks; `None` for the owner.
    pub asker: Option<(&'a str, &'a [String])>,
}

impl Subject<'_> {
    /// The owner, under whatever name he comes. Names of accounts are whole:
    /// one without a domain is another account than one with any.
    pub fn is_owner(&self) -> bool {
        self.asker.is_none_or(|(name, _)| same(self.owner, name))
    }

    /// Whether a name in the list of `owner` means an account; one without a
    /// domain is of the owner's.
    pub(super) fn means(owner: &str, listed: &str, account: &str) -> bool {
        match (domain_of(listed), domain_of(owner)) {
            (None, Some(domain)) => account
                .rsplit_once('@')
                .is_some_and(|(local, d)| local == listed && d.eq_ignore_ascii_case(domain)),
            _ => same(listed, account),
        }
    }

    /// Whether the asker, who is not the owner, is in a group.
    fn is_in(&self, group: &str, (name, groups): (&str, &[String])) -> bool {
        if groups.iter().any(|g| g == group) {
            return true;
        }
        group.rsplit_once('@').is_some_and(|(group, domain)| {
            let own = domain_of(name).unwrap_or_default();
            domain.eq_ignore_ascii_case(own) && groups.iter().any(|g| g == group)
        })
    }

    fn matches(&self, identifier: &Identifier) -> bool {
        let Some(asker) = self.asker.filter(|_| !self.is_owner()) else {
            // Who takes rights from everybody does not mean himself.
            return match identifier {
                Identifier::Owner => true,
                Identifier::User(name) => Self::means(self.owner, name, self.owner),
                _ => false,
            };
        };
        match identifier {
            Identifier::Anyone | Identifier::Authenticated => true,
            Identifier::Owner => false,
            Identifier::User(name) => Self::means(self.owner, name, asker.0),
            Identifier::Group(name) | Identifier::GroupOverride(name) => {
                match identifier.whole_domain() {
                    Some(domain) => {
                        let own = domain_of(asker.0).unwrap_or_default();
                        let domain = Some(domain).filter(|d| !d.is_empty());
                        let domain = domain.or(domain_of(self.owner)).unwrap_or_default();
                        domain.eq_ignore_ascii_case(own)
                    }
                    None => self.is_in(name, asker),
                }
            }
        }
    }
}

/// Whether two whole names are one account's.
fn same(one: &str, other: &str) -> bool {
    let parts = |name| match str::rsplit_once(name, '@') {
        Some((local, domain)) => (local, Some(domain)),
        None => (name, None),
    };
    let ((a, a_domain), (b, b_domain)) = (parts(one), parts(other));
    a == b
        && match (a_domain, b_domain) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.is_none() && b.is_none(),
        }
}

impl Acl {
    /// What `subject` may do: the union of what matching entries give, less
    /// what matching negative ones take. The owner has everything to begin
    /// with, and keeps `l` and `a`.
    pub fn rights(&self, subject: &Subject<'_>) -> Rights {
        let union = |side: &std::collections::BTreeMap<Identifier, super::Granted>| {
            let matching = side.iter().filter(|(id, _)| subject.matches(id));
            matching.fold(Rights::NONE, |all, (_, g)| all | g.rights)
        };
        let taken = union(&self.negative);
        if subject.is_owner() {
            return NEVER_LOST
                .into_iter()
                .fold(Rights::ALL - taken, |all, r| all | r);
        }
        if self.withheld {
            return Rights::NONE;
        }
        self.overridden(subject)
            .unwrap_or_else(|| union(&self.positive))
            - taken
    }

    /// Whether `account` might have one of `rights`, were it in every group.
    pub(crate) fn may_give(&self, owner: &str, account: &str, rights: Rights) -> bool {
        let subject = Subject {
            owner,
            asker: Some((account, &[])),
        };
        self.positive.iter().any(|(id, granted)| {
            let group = matches!(id, Identifier::Group(_) | Identifier::GroupOverride(_));
            granted.rights.intersects(rights) && (group || subject.matches(id))
        })
    }

    /// The rights of groups that stand in the place of all other entries.
    fn overridden(&self, subject: &Subject<'_>) -> Option<Rights> {
        let overrides = self
            .positive
            .iter()
            .filter(|(id, _)| matches!(id, Identifier::GroupOverride(_)) && subject.matches(id));
        overrides
            .map(|(_, granted)| granted.rights)
            .reduce(|all, rights| all | rights)
    }
}
