//! What STORE does to the flags of one message.

use crate::format::name::Letters;
use crate::snapshot::keywords::SetKey;
use roost_types::{Keyword, ModSeq, SystemFlags};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagMode {
    Add,
    Remove,
    Replace,
    /// Replaces these flags and leaves the others as they are.
    ReplaceOf(Within),
}

/// A choice of flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Within {
    pub system: SystemFlags,
    /// All keywords, or none.
    pub keywords: bool,
}

impl Within {
    pub const ALL: Self = Self {
        system: SystemFlags::ALL,
        keywords: true,
    };
}

impl FlagMode {
    /// The system flags that a message with `old` ones has after a change by
    /// `given` ones.
    pub fn system(self, old: SystemFlags, given: SystemFlags) -> SystemFlags {
        match self {
            Self::Add => old | given,
            Self::Remove => old & !given,
            Self::Replace => given,
            Self::ReplaceOf(within) => old & !within.system | given & within.system,
        }
    }

    /// What is done to keywords; `None` where they stay as they are.
    pub fn of_keywords(self) -> Option<Self> {
        match self {
            Self::ReplaceOf(within) => within.keywords.then_some(Self::Replace),
            other => Some(other),
        }
    }
}

/// What STORE does to each message.
#[derive(Clone, Copy, Debug)]
pub struct FlagChange<'a> {
    pub mode: FlagMode,
    pub system: SystemFlags,
    pub keywords: &'a [Keyword],
    /// Messages that were touched after this change stay as they are
    /// (UNCHANGEDSINCE, RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

/// The change with keywords as this mailbox stores them.
pub(super) struct Edit {
    pub mode: FlagMode,
    pub system: SystemFlags,
    pub keywords: SetKey,
}

impl Edit {
    pub fn flags(&self, old: SystemFlags) -> SystemFlags {
        self.mode.system(old, self.system)
    }

    pub fn keys(&self, old: &SetKey) -> SetKey {
        let Some(mode) = self.mode.of_keywords() else {
            return old.clone();
        };
        let (was, is) = (old.letters.bits(), self.keywords.letters.bits());
        let letters = match mode {
            FlagMode::Add => was | is,
            FlagMode::Remove => was & !is,
            FlagMode::Replace | FlagMode::ReplaceOf(_) => is,
        };
        let mut extras: Vec<u16> = match mode {
            FlagMode::Add => old
                .extras
                .iter()
                .chain(&self.keywords.extras)
                .copied()
                .collect(),
            FlagMode::Remove => {
                let stays = |i: &u16| !self.keywords.has_extra(*i);
                old.extras.iter().copied().filter(stays).collect()
            }
            FlagMode::Replace | FlagMode::ReplaceOf(_) => self.keywords.extras.to_vec(),
        };
        extras.sort_unstable();
        extras.dedup();
        SetKey {
            letters: Letters::from_bits(letters),
            extras: extras.into(),
        }
    }
}
