//! An entry as people name it, and what may be done with it.

use super::subject::NEVER_LOST;
use super::{Acl, Identifier, Owner};
use roost_types::Rights;
use std::fmt;

/// What a change does with the rights that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Replace,
    Add,
    Remove,
}

impl Mode {
    /// A change as people write it: letters, behind `+` or `-` where those
    /// that there are count. `None` for what is no letter of a right.
    pub fn parse(text: &str) -> Option<(Self, Rights)> {
        let (mode, letters) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(letters), _) => (Self::Add, letters),
            (_, Some(letters)) => (Self::Remove, letters),
            _ => (Self::Replace, text),
        };
        Some((mode, Rights::parse(letters)?))
    }
}

/// Whose rights are given or taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub negative: bool,
    pub identifier: Identifier,
    owner: bool,
}

/// What cannot be an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadEntry {
    #[error("Not an identifier")]
    Identifier,
    #[error("The owner has all rights; set those of -owner to take some away")]
    OwnerHasAll,
    #[error("The owner cannot lose the rights l and a")]
    OwnerKeeps,
}

impl Entry {
    /// In a list of `owner`'s.
    pub fn new(negative: bool, identifier: Identifier, owner: Owner<'_>) -> Self {
        let is_owner = match &identifier {
            Identifier::Owner => true,
            Identifier::User(name) => owner.means(name, owner.account),
            _ => false,
        };
        Self {
            negative,
            identifier,
            owner: is_owner,
        }
    }

    /// From an identifier with its `-`, made canonical for a list of
    /// `owner`'s.
    pub fn parse(text: &str, owner: Owner<'_>) -> Result<Self, BadEntry> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let identifier = Identifier::parse(text, owner).map_err(|_| BadEntry::Identifier)?;
        Ok(Self::new(negative, identifier, owner))
    }

    /// It is about the owner.
    pub fn is_owners(&self) -> bool {
        self.owner
    }

    /// The rights that it has whatever is set, and those that can be set.
    pub fn range(&self) -> (Rights, Rights) {
        match (self.owner, self.negative) {
            (false, _) => (Rights::NONE, Rights::ALL),
            (true, false) => (Rights::ALL, Rights::NONE),
            (true, true) => {
                let free = NEVER_LOST.into_iter().fold(Rights::ALL, |all, r| all - r);
                (Rights::NONE, free)
            }
        }
    }

    /// Whether there is something to do for a change.
    pub(crate) fn accepts(&self, mode: Mode, rights: Rights) -> Result<bool, BadEntry> {
        let (always, free) = self.range();
        if !always.is_empty() {
            return match (mode, rights) {
                (Mode::Add, _) | (Mode::Replace, Rights::ALL) => Ok(false),
                (Mode::Remove, Rights::NONE) => Ok(false),
                _ => Err(BadEntry::OwnerHasAll),
            };
        }
        match free.contains(rights) || mode == Mode::Remove {
            true => Ok(true),
            false => Err(BadEntry::OwnerKeeps),
        }
    }
}

/// As people write it.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.identifier)
    }
}

impl Acl {
    /// False where there are too many entries.
    pub(crate) fn apply(
        &mut self,
        entry: &Entry,
        owner: Owner<'_>,
        (mode, rights): (Mode, Rights),
    ) -> bool {
        let identifier = self.unite(entry, owner);
        let had = self.get(entry.negative, &identifier);
        let now = match mode {
            Mode::Replace => rights,
            Mode::Add => had | rights,
            Mode::Remove => had - rights,
        };
        self.set(entry.negative, &identifier, now)
    }

    pub(crate) fn delete(&mut self, entry: &Entry, owner: Owner<'_>) {
        let identifier = self.unite(entry, owner);
        self.remove(entry.negative, &identifier);
    }

    /// What the list has of an account under several forms of its name becomes
    /// one entry; says whose that is. A form that another program has written
    /// stays, for it may know no other.
    fn unite(&mut self, entry: &Entry, owner: Owner<'_>) -> Identifier {
        let side = self.side(entry.negative);
        let forms = side
            .keys()
            .filter(|id| owner.are_one(id, &entry.identifier));
        let mut forms: Vec<Identifier> = forms.cloned().collect();
        let kept = forms.iter().position(|id| *id == entry.identifier);
        if forms.is_empty() {
            return entry.identifier.clone();
        }
        let kept = forms.swap_remove(kept.unwrap_or(0));
        for form in forms {
            if let Some(granted) = side.remove(&form) {
                side.entry(kept.clone()).or_default().add(granted);
            }
        }
        kept
    }
}
