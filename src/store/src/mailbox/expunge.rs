//! Removing messages: EXPUNGE, and the sources of MOVE.
//!
//! The file goes, then the directory is synced, then the picture drops the
//! row. Lines of the UID list stay until it is compacted.

use super::Mailbox;
use super::copy::rows_of;
use super::core::Core;
use super::own::Sub;
use crate::error::Error;
use crate::format::maildirsize::Sum;
use crate::snapshot::{Draft, HotRow};
use roost_os::{dir, file};
use roost_types::{SystemFlags, Uid, UidSet};
use std::io;
use std::sync::Arc;

/// Files removed before others get their turn. Each batch waits for the disk
/// once, which takes as long as removing hundreds of files.
const BATCH: usize = 4096;
/// How often a file is looked for that others keep renaming.
const TRIES: usize = 5;

/// A removal under way.
struct Removing {
    only_deleted: bool,
    removed: UidSet,
    touched: [bool; 2],
    /// Of what is removed, where somebody keeps sums.
    weight: Option<Sum>,
}

/// What became of one file.
enum Removal {
    Removed(Sub),
    /// It has another name now.
    Moved,
}

impl Mailbox {
    /// Removes the messages that have `\Deleted` now, of all or of `uids`;
    /// says which it removed.
    pub fn expunge(&self, uids: Option<&UidSet>) -> Result<UidSet, Error> {
        let picture = self.refresh()?;
        let all = UidSet::range(Uid::MIN, Uid::MAX);
        let targets: UidSet = rows_of(&picture, uids.unwrap_or(&all))
            .filter(|row| row.flags.contains(SystemFlags::DELETED))
            .filter_map(|row| Uid::new(row.uid))
            .collect();
        self.remove_files(&targets, true)
    }

    /// Removes messages whatever their flags: copies that are to be undone.
    pub fn remove(&self, uids: &UidSet) -> Result<UidSet, Error> {
        self.remove_files(uids, false)
    }

    /// Removes messages, with `only_deleted` those that still have `\Deleted`
    /// when it is their turn.
    pub(super) fn remove_files(&self, uids: &UidSet, only_deleted: bool) -> Result<UidSet, Error> {
        let targets: Vec<Uid> = uids.iter().collect();
        let mut accounting = self.accounting();
        let weighs = accounting.is_kept() && self.counts();
        let mut removing = Removing {
            only_deleted,
            removed: UidSet::new(),
            touched: [false; 2],
            weight: weighs.then_some(Sum::ZERO),
        };
        let mut result = Ok(());
        for batch in targets.chunks(BATCH) {
            let mut core = self.core();
            result = self.remove_batch(&mut core, batch, &mut removing);
            if result.is_err() {
                break;
            }
        }
        accounting.remove(removing.weight.unwrap_or(Sum::ZERO));
        drop(accounting);
        if let Ok(mut core) = self.core.try_lock() {
            self.tidy_lists(&mut core);
        }
        result.map(|()| removing.removed)
    }

    fn remove_batch(
        &self,
        core: &mut Core,
        batch: &[Uid],
        removing: &mut Removing,
    ) -> Result<(), Error> {
        let mut left: Vec<Uid> = batch.to_vec();
        for _ in 0..TRIES {
            let moved =
                self.with_own_changes(core, |core| self.remove_known(core, &left, removing))??;
            if moved.is_empty() {
                return Ok(());
            }
            core.known = None;
            self.refresh_core(core, None)?;
            left = moved;
        }
        Ok(())
    }

    /// Removes files by their known names; returns those that have others.
    fn remove_known(
        &self,
        core: &mut Core,
        uids: &[Uid],
        removing: &mut Removing,
    ) -> Result<Vec<Uid>, Error> {
        let picture = Arc::clone(&core.snapshot);
        let mut gone = UidSet::new();
        let mut moved = Vec::new();
        let mut result = Ok(());
        for &uid in uids {
            let Some(row) = picture.hot(uid.get()) else {
                continue;
            };
            if removing.only_deleted && !row.flags.contains(SystemFlags::DELETED) {
                continue;
            }
            match self.remove_one(core, row, &mut removing.weight) {
                Ok(Removal::Removed(sub)) => {
                    removing.touched[usize::from(sub == Sub::Cur)] = true;
                    gone.insert(uid);
                }
                Ok(Removal::Moved) => moved.push(uid),
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        let synced = self.sync_touched(removing.touched);
        let mut draft = Draft::of(&picture);
        self.drop_rows(&mut draft, &gone);
        self.publish(core, draft);
        removing.removed.extend_set(&gone);
        result.and(synced).map(|()| moved)
    }

    fn remove_one(
        &self,
        core: &Core,
        row: &HotRow,
        weight: &mut Option<Sum>,
    ) -> Result<Removal, Error> {
        let Some(location) = self.known_location(&core.snapshot, row) else {
            return Ok(Removal::Moved);
        };
        let from = self.sub(location.sub);
        let weighed = weight.map(|_| self.weigh_row(&core.snapshot, row, &location));
        self.marks.own.expect(location.sub, &location.name);
        match file::unlink(from, &location.name) {
            Ok(()) => {
                if let (Some(weight), Some(weighed)) = (weight, weighed) {
                    *weight = weight.plus(weighed);
                }
                Ok(Removal::Removed(location.sub))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.marks.own.take(location.sub, &location.name);
                Ok(Removal::Moved)
            }
            Err(e) => {
                self.marks.own.take(location.sub, &location.name);
                Err(Error::io(from.path(), e))
            }
        }
    }

    pub(super) fn sync_touched(&self, touched: [bool; 2]) -> Result<(), Error> {
        if !self.waits_for_sync() {
            return Ok(());
        }
        for (touched, sub) in touched.into_iter().zip([Sub::New, Sub::Cur]) {
            if touched {
                let sub = self.sub(sub);
                dir::sync(sub).map_err(|e| Error::io(sub.path(), e))?;
            }
        }
        Ok(())
    }
}
