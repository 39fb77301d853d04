//! From a message to its file, also when somebody has renamed it meanwhile.

use super::Mailbox;
use super::core::Core;
use super::lock;
use super::own::Sub;
use super::scan::Found;
use crate::error::Error;
use crate::format::Dir;
use crate::format::name::write_with_flags;
use crate::snapshot::{HotRow, IN_NEW, ODD_NAME, Snapshot};
use roost_os::file;
use roost_types::SystemFlags;

/// Where a message's file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Location {
    pub sub: Sub,
    pub name: Vec<u8>,
}

impl Location {
    pub fn found(&self) -> Found<'_> {
        Found {
            name: &self.name,
            sub: self.sub,
        }
    }
}

impl Mailbox {
    pub(super) fn sub(&self, sub: Sub) -> &Dir {
        match sub {
            Sub::New => &self.new,
            Sub::Cur => &self.cur,
        }
    }

    /// The file's name as the picture has it. Needs no lock but a short one
    /// for names that are odd.
    pub(super) fn known_location(&self, picture: &Snapshot, row: &HotRow) -> Option<Location> {
        let sub = if row.is(IN_NEW) { Sub::New } else { Sub::Cur };
        if row.is(ODD_NAME)
            && let Some(name) = lock(&self.odd).get(&row.uid)
        {
            let name = name.to_vec();
            return Some(Location { sub, name });
        }
        let cold = picture.cold(row.uid)?;
        let base = cold.base();
        let mut name = Vec::with_capacity(base.len() + 12);
        match sub {
            Sub::New => name.extend_from_slice(base),
            Sub::Cur => {
                let letters = picture.table().letters_of(row.keywords);
                write_with_flags(&mut name, base, row.flags, letters);
            }
        }
        Some(Location { sub, name })
    }

    /// Looks directly for a message under its known name and the names that
    /// usual programs give it.
    pub(super) fn probe(&self, picture: &Snapshot, row: &HotRow) -> Option<Location> {
        let known = self.known_location(picture, row)?;
        if self.is_there(&known) {
            return Some(known);
        }
        let cold = picture.cold(row.uid)?;
        let base = cold.base();
        let bare = |sub| Location {
            sub,
            name: base.to_vec(),
        };
        let letters = picture.table().letters_of(row.keywords);
        let with = |flags| {
            let mut name = Vec::with_capacity(known.name.len() + 2);
            let from = if known.name.starts_with(base) {
                &known.name
            } else {
                base
            };
            write_with_flags(&mut name, from, flags, letters);
            Location {
                sub: Sub::Cur,
                name,
            }
        };
        let all = 0..=SystemFlags::ALL.bits();
        let mut variants: Vec<Location> = all.map(SystemFlags::from_bits).map(with).collect();
        variants.extend([bare(Sub::New), bare(Sub::Cur)]);
        variants.into_iter().find(|l| self.is_there(l))
    }

    fn is_there(&self, location: &Location) -> bool {
        // Whatever keeps us from looking is no proof of absence.
        !matches!(
            file::stat_at(self.sub(location.sub), &location.name),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound
        )
    }

    /// Brings the picture up to date because a file was not found under its
    /// name. True if the message is still there.
    pub(super) fn look_again(&self, core: &mut Core, uid: u32) -> Result<bool, Error> {
        core.known = None;
        self.refresh_core(core, None)?;
        Ok(core.snapshot.hot(uid).is_some())
    }
}
