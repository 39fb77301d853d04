//! COPY and MOVE.
//!
//! Files are linked or renamed straight from one mailbox into the other, in
//! the destination's commit: one call to the kernel for each message. A file
//! that is moved is in one of the two at every moment, and a crash before its
//! UID record leaves it as a new delivery.
//!
//! Where that does not work (somebody renames files just now, other devices,
//! other permissions, a mailbox moved into itself) they are linked or copied
//! into the destination's `tmp/` first, without any lock, and then committed
//! like appended ones; of a message that is moved the source goes only when
//! the destination's UID record is on disk.

use super::commit::{Incoming, Origin};
use super::flags::Within;
use super::repair::rebased;
use super::resolve::Location;
use super::{Mailbox, lock};
use crate::error::Error;
use crate::format::maildirsize::Sum;
use crate::format::name::{FileName, unique};
use crate::snapshot::{Draft, HotRow, Snapshot};
use roost_os::file;
use roost_types::{Uid, UidSet, UidValidity};
use std::io;
use std::sync::{Arc, TryLockError};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyMode {
    Copy,
    Move,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyOutcome {
    /// Of the destination.
    pub uid_validity: UidValidity,
    /// Old and new UIDs, in the order of the old ones. Empty when a COPY
    /// found some missing.
    pub pairs: Vec<(Uid, Uid)>,
    /// Asked for but gone.
    pub missing: UidSet,
}

impl Mailbox {
    /// Copies or moves messages into `to`, which may be this mailbox. COPY is
    /// all or nothing: with any message missing, none is copied. MOVE moves
    /// those that are there.
    pub fn copy(
        self: &Arc<Self>,
        uids: &UidSet,
        to: &Arc<Mailbox>,
        mode: CopyMode,
    ) -> Result<CopyOutcome, Error> {
        self.copy_within(uids, to, mode, Within::ALL)
    }

    /// The same, with no other flags than these.
    pub fn copy_within(
        self: &Arc<Self>,
        uids: &UidSet,
        to: &Arc<Mailbox>,
        mode: CopyMode,
        within: Within,
    ) -> Result<CopyOutcome, Error> {
        self.check_exists()?;
        to.check_exists()?;
        if mode == CopyMode::Move && self.read_only {
            let path = self.cur.path().to_path_buf();
            return Err(Error::Permission { path });
        }
        let direct = match mode {
            CopyMode::Copy => self.link_directly(uids, to, within)?,
            CopyMode::Move => self.move_directly(uids, to, within)?,
        };
        if let Some(done) = direct {
            return Ok(done);
        }
        let picture = self.snapshot();
        let mut missing = missing_of(&picture, uids);
        let mut sources = Vec::new();
        let mut incoming = Vec::new();
        for row in rows_of(&picture, uids) {
            let Some(uid) = Uid::new(row.uid) else {
                continue;
            };
            match self.link_to(&picture, row, to)? {
                Some(mut message) => {
                    message.keep(within);
                    sources.push(uid);
                    incoming.push(message);
                }
                None => {
                    // Or was it the destination that is gone?
                    to.stamps()?;
                    missing.insert(uid);
                }
            }
        }
        if mode == CopyMode::Copy && !missing.is_empty() {
            let uid_validity = to.snapshot().uid_validity();
            let pairs = Vec::new();
            return Ok(CopyOutcome {
                uid_validity,
                pairs,
                missing,
            });
        }
        match mode {
            CopyMode::Copy => to.check_room(&incoming, Sum::ZERO)?,
            CopyMode::Move => self.check_move(to, &incoming)?,
        }
        let (uid_validity, new) = to.commit(incoming)?;
        let pairs: Vec<(Uid, Uid)> = sources.iter().copied().zip(new).collect();
        if mode == CopyMode::Move {
            self.remove_files(&sources.into_iter().collect(), false)?;
        }
        Ok(CopyOutcome {
            uid_validity,
            pairs,
            missing,
        })
    }

    /// COPY by links from mailbox to mailbox. `None`: it has to be done the
    /// other way.
    fn link_directly(
        self: &Arc<Self>,
        uids: &UidSet,
        to: &Arc<Mailbox>,
        within: Within,
    ) -> Result<Option<CopyOutcome>, Error> {
        let picture = self.snapshot();
        if !self.links_fit(to) || !missing_of(&picture, uids).is_empty() {
            return Ok(None);
        }
        let Some((sources, mut incoming)) = self.take_along(&picture, uids, to, CopyMode::Copy)
        else {
            return Ok(None);
        };
        incoming.iter_mut().for_each(|m| m.keep(within));
        to.check_room(&incoming, Sum::ZERO)?;
        match to.commit(incoming) {
            Ok((uid_validity, new)) => Ok(Some(CopyOutcome {
                uid_validity,
                pairs: sources.into_iter().zip(new).collect(),
                missing: UidSet::new(),
            })),
            Err(e) if is_about_files(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// MOVE by renames from mailbox to mailbox. `None`: nothing was done, and
    /// it has to be done the other way.
    fn move_directly(
        self: &Arc<Self>,
        uids: &UidSet,
        to: &Arc<Mailbox>,
        within: Within,
    ) -> Result<Option<CopyOutcome>, Error> {
        if Arc::ptr_eq(self, to) || !self.links_fit(to) {
            return Ok(None);
        }
        if !self.counts() {
            // Before anything is held: it may have to be counted.
            match self.take_along(&self.snapshot(), uids, to, CopyMode::Move) {
                Some((_, incoming)) => self.check_move(to, &incoming)?,
                None => return Ok(None),
            }
        }
        let mut change = to.accounting();
        let guard = lock(&to.assign);
        let mut list_lock = to.lock_list()?;
        let mut there = to.core();
        let mut here = match self.core.try_lock() {
            Ok(core) => core,
            Err(TryLockError::Poisoned(core)) => core.into_inner(),
            // Its holder may be waiting for what we have.
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        let picture = Arc::clone(&here.snapshot);
        let Some((sources, mut incoming)) = self.take_along(&picture, uids, to, CopyMode::Move)
        else {
            return Ok(None);
        };
        if sources.is_empty() {
            return Ok(None);
        }
        incoming.iter_mut().for_each(|m| m.keep(within));
        let weight = match change.is_kept() {
            true => self.weigh_move(to, &incoming),
            false => Sum::ZERO,
        };
        let done = self.with_own_changes(&mut here, |here| {
            let committed = to.commit_held(&mut there, &mut list_lock, &mut incoming)?;
            let mut draft = Draft::of(&picture);
            self.drop_rows(&mut draft, &sources.iter().copied().collect());
            self.publish(here, draft);
            Ok(committed)
        })?;
        drop((there, list_lock, guard));
        self.tidy_lists(&mut here);
        match done {
            Ok((uid_validity, new)) => {
                change.add(weight);
                Ok(Some(CopyOutcome {
                    uid_validity,
                    pairs: sources.into_iter().zip(new).collect(),
                    missing: missing_of(&picture, uids),
                }))
            }
            Err(e) if is_about_files(&e) && incoming.iter().all(|m| !m.moved) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// What is to be brought to `to`, each with its name as `picture` has it;
    /// `None` if a name is not known.
    fn take_along(
        self: &Arc<Self>,
        picture: &Snapshot,
        uids: &UidSet,
        to: &Arc<Mailbox>,
        mode: CopyMode,
    ) -> Option<(Vec<Uid>, Vec<Incoming>)> {
        let mut sources = Vec::new();
        let mut incoming = Vec::new();
        for row in rows_of(picture, uids) {
            let uid = Uid::new(row.uid)?;
            let from = self.known_location(picture, row)?;
            let name = from.name.clone();
            let origin = Origin::Message(Arc::clone(self), from, mode);
            incoming.push(describe(picture, row, &name, to, origin));
            sources.push(uid);
        }
        Some((sources, incoming))
    }

    /// A link to the message in the `tmp` of `to`; `None` if it is gone.
    fn link_to(
        &self,
        picture: &Snapshot,
        row: &HotRow,
        to: &Arc<Mailbox>,
    ) -> Result<Option<Incoming>, Error> {
        let linked = self.with_location(picture, row, |location| {
            let temporary = unique();
            let from = self.sub(location.sub);
            if !self.links_fit(to) {
                return self.duplicate(location, to);
            }
            match file::link(from, &location.name, &to.tmp, temporary.as_bytes()) {
                Ok(()) => Ok((temporary, location.name.clone())),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Err(e),
                // Other devices, no links, too many links, or not allowed.
                Err(e) if is_full(&e) => Err(e),
                Err(_) => self.duplicate(location, to),
            }
        })?;
        let Some((temporary, name)) = linked else {
            return Ok(None);
        };
        // As it is now, a change by another session meanwhile included.
        let newest = self.snapshot();
        let row = newest.hot(row.uid).unwrap_or(row);
        let origin = Origin::Temporary(temporary);
        Ok(Some(describe(&newest, row, &name, to, origin)))
    }

    /// A file linked into another mailbox keeps its mode and group, so both
    /// mailboxes must want the same.
    fn links_fit(&self, to: &Mailbox) -> bool {
        (self.perm.file_mode, self.perm.group) == (to.perm.file_mode, to.perm.group)
    }

    /// Copies a file octet by octet, its time of last change included.
    fn duplicate(&self, location: &Location, to: &Arc<Mailbox>) -> io::Result<(String, Vec<u8>)> {
        let mut from = file::open(self.sub(location.sub), &location.name)?;
        let stat = file::stat(&from)?;
        if !stat.is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (temporary, mut file) = to.create_temporary().map_err(|e| match e {
            Error::Io { source, .. } => source,
            Error::DiskFull { .. } => io::ErrorKind::StorageFull.into(),
            _ => io::ErrorKind::PermissionDenied.into(),
        })?;
        let copied = io::copy(&mut from, &mut file)
            .and_then(|_| file::set_mtime(&file, stat.mtime_sec, stat.mtime_nsec))
            .and_then(|()| {
                if to.waits_for_sync() {
                    file.sync_all()
                } else {
                    Ok(())
                }
            });
        match copied {
            Ok(()) => Ok((temporary, location.name.clone())),
            Err(e) => {
                // The error that stopped us is the one worth reporting.
                let _ = file::unlink(&to.tmp, temporary.as_bytes());
                Err(e)
            }
        }
    }
}

/// A message on its way to `to`: the one in `row`, called `name` until now.
fn describe(
    picture: &Snapshot,
    row: &HotRow,
    name: &[u8],
    to: &Arc<Mailbox>,
    origin: Origin,
) -> Incoming {
    let cold = picture.cold(row.uid);
    let base = FileName::parse(name).base();
    let guid = cold.as_ref().and_then(|c| c.guid());
    let info = name.get(base.len()..).unwrap_or_default();
    let foreign = info.strip_prefix(b":2,").is_none_or(|letters| {
        letters
            .iter()
            .any(|b| !matches!(b, b'D' | b'F' | b'R' | b'S' | b'T' | b'a'..=b'z'))
    });
    Incoming {
        mailbox: Arc::clone(to),
        origin,
        // A name of its own: one that comes back to where it was would
        // mean two messages to those who remember the first. Of the info
        // part only what we do not write ourselves has to be carried over.
        name: rebased(if foreign { name } else { base }),
        guid: Some(guid.unwrap_or(base).to_vec()),
        flags: row.flags,
        keywords: picture.keyword_names(row.keywords).to_vec(),
        stored: cold.as_ref().and_then(|c| c.stored()),
        size: cold.as_ref().and_then(|c| c.size()),
        moved: false,
    }
}

/// What another way of doing it may be spared.
fn is_about_files(e: &Error) -> bool {
    matches!(
        e,
        Error::Io { .. } | Error::Permission { .. } | Error::AlreadyExists
    )
}

fn is_full(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The rows of the UIDs that a picture has.
pub(super) fn rows_of<'a>(
    picture: &'a Snapshot,
    uids: &'a UidSet,
) -> impl Iterator<Item = &'a HotRow> + 'a {
    uids.ranges()
        .flat_map(|(a, b)| picture.hot_range(a.get(), b.get()))
}

/// The UIDs that a picture does not have.
pub(super) fn missing_of(picture: &Snapshot, uids: &UidSet) -> UidSet {
    let mut missing = UidSet::new();
    let mut add = |from: u32, to: u32| {
        if let (Some(a), Some(b)) = (Uid::new(from), Uid::new(to))
            && a <= b
        {
            missing.insert_range(a, b);
        }
    };
    for (first, last) in uids.ranges() {
        let mut next = first.get();
        for row in picture.hot_range(first.get(), last.get()) {
            if row.uid > next {
                add(next, row.uid - 1);
            }
            next = row.uid.saturating_add(1);
        }
        if next <= last.get() && picture.hot(last.get()).is_none() {
            add(next, last.get());
        }
    }
    missing
}
