//! What somebody may do.

use super::identifier::domain_of;
use super::owner::{local, same};
use super::{Acl, Identifier, Owner};
use roost_types::Rights;

/// What the owner has whatever his list says.
pub(super) const NEVER_LOST: [Rights; 2] = [Rights::LOOKUP, Rights::ADMIN];

/// Somebody who wants to use a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject<'a> {
    /// The account whose mailbox it is.
    pub owner: Owner<'a>,
    /// Who asks; `None` for the owner.
    pub asker: Option<(&'a str, &'a [String])>,
}

impl Subject<'_> {
    /// The owner, under whatever name he comes. Names of accounts are whole:
    /// one without a domain is another account than one with any.
    pub fn is_owner(&self) -> bool {
        let whole = |name| (local(name), domain_of(name));
        (self.asker).is_none_or(|(name, _)| same(whole(self.owner.account), whole(name)))
    }

    /// Whether the asker, who is not the owner, is in a group.
    fn is_in(&self, group: &str, (name, groups): (&str, &[String])) -> bool {
        if groups.iter().any(|g| g == group) {
            return true;
        }
        group.rsplit_once('@').is_some_and(|(group, domain)| {
            let own = self.owner.domain_of(name).unwrap_or_default();
            domain.eq_ignore_ascii_case(own) && groups.iter().any(|g| g == group)
        })
    }

    fn matches(&self, identifier: &Identifier) -> bool {
        let Some(asker) = self.asker.filter(|_| !self.is_owner()) else {
            // Who takes rights from everybody does not mean himself.
            return match identifier {
                Identifier::Owner => true,
                Identifier::User(name) => self.owner.means(name, self.owner.account),
                _ => false,
            };
        };
        match identifier {
            Identifier::Anyone | Identifier::Authenticated => true,
            Identifier::Owner => false,
            Identifier::User(name) => self.owner.means(name, asker.0),
            Identifier::Group(name) | Identifier::GroupOverride(name) => {
                match identifier.whole_domain() {
                    Some(domain) => {
                        let own = self.owner.domain_of(asker.0).unwrap_or_default();
                        let domain = Some(domain).filter(|d| !d.is_empty());
                        let domain = domain.or(self.owner.domain()).unwrap_or_default();
                        domain.eq_ignore_ascii_case(own)
                    }
                    None => self.is_in(name, asker),
                }
            }
        }
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
    pub(crate) fn may_give(&self, owner: Owner<'_>, account: &str, rights: Rights) -> bool {
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
