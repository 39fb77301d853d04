//! Putting right what does not belong in a Maildir: two files with one base
//! name, files that come back after their message was expunged, directories
//! and nameless files among the messages (MAILDIR-FORMATS §2.6, §9.3, §9.4).
//!
//! Nothing is removed that holds mail: what cannot stay gets a new name, and
//! with it a new UID.
//!
//! Dovecot's MOVE keeps file names, so a file may come back to where it was
//! and get its new record a moment later. Only who has the lock of the UID
//! list can tell that from a message that was expunged.

use super::Mailbox;
use super::core::Core;
use super::scan::{Found, Survey};
use crate::error::Error;
use crate::format::UidListLock;
use crate::format::name::{FileName, unique};
use crate::snapshot::Draft;
use roost_os::dir::FileKind;
use roost_os::file;
use roost_types::UnixTime;
use std::io;

/// A second link younger than this may be somebody's rename in two steps.
const LINK_AGE: i64 = 30;

impl Mailbox {
    /// True if anything was changed on disk, so that another look is due.
    /// What cannot be mended is left as it is. `locked`: the caller has the
    /// lock of the UID list.
    pub(super) fn repair(
        &self,
        core: &mut Core,
        survey: &Survey<'_>,
        locked: bool,
    ) -> Result<bool, Error> {
        if self.read_only {
            return Ok(false);
        }
        let mut mended = false;
        for &(uid, found) in &survey.doubles {
            mended |= self.report(
                "second file of a message",
                found,
                self.mend_double(core, uid, found),
            );
        }
        if !survey.reappeared.is_empty() {
            mended |= self.mend_reappeared(core, &survey.reappeared, locked)?;
        }
        for &(found, kind) in &survey.odd_entries {
            mended |= self.report("no message", found, self.put_aside(found, kind));
        }
        Ok(mended)
    }

    fn mend_reappeared(
        &self,
        core: &mut Core,
        reappeared: &[Found<'_>],
        locked: bool,
    ) -> Result<bool, Error> {
        let guard = self.assign.try_lock();
        let tried = match guard {
            Ok(_) if !locked => UidListLock::try_acquire(&self.dir),
            _ => Ok(None),
        };
        // No room or no permission: it stays as it is.
        let Ok(list_lock) = tried else {
            return Ok(false);
        };
        if !locked && list_lock.is_none() {
            core.pending = true;
            return Ok(false);
        }
        self.refresh_list(core)?;
        let shown = core.shown();
        let mut mended = false;
        for &found in reappeared {
            let uid = core.list.uid_of(found.base());
            // Its new record is there by now, or it is no old one at all.
            mended |= uid.is_none_or(|uid| uid.get() > shown)
                || self.report(
                    "expunged message is back",
                    found,
                    self.rebase(found).map(|()| true),
                );
        }
        Ok(mended)
    }

    fn report(&self, what: &str, found: Found<'_>, done: io::Result<bool>) -> bool {
        let name = found.name.escape_ascii();
        let dir = self.sub(found.sub).path().display();
        match &done {
            Ok(true) => log::info!("{dir}/{name}: {what}; mended"),
            Ok(false) => {}
            // Gone meanwhile: all the better.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => log::warn!("{dir}/{name}: {what}: {e}"),
        }
        done.unwrap_or(false)
    }

    fn mend_double(&self, core: &mut Core, uid: u32, found: Found<'_>) -> io::Result<bool> {
        let Some(row) = core.snapshot.hot(uid) else {
            return Ok(false);
        };
        let Some(known) = self.known_location(&core.snapshot, row) else {
            return Ok(false);
        };
        if known.name == found.name && known.sub == found.sub {
            return Ok(false);
        }
        let second = file::stat_at(self.sub(found.sub), found.name)?;
        let first = match file::stat_at(self.sub(known.sub), &known.name) {
            Ok(stat) => stat,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Renamed during the listing: the later name holds.
                let mut draft = Draft::of(&core.snapshot);
                let picture = std::sync::Arc::clone(&core.snapshot);
                self.apply_name(&mut draft, &picture, uid, found);
                self.publish(core, draft);
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        if (first.dev, first.ino) != (second.dev, second.ino) {
            return self.rebase(found).map(|()| true);
        }
        let age = UnixTime::now().0 - second.ctime_sec;
        if second.links < 2 || age <= LINK_AGE {
            return Ok(false);
        }
        self.marks.own.expect(found.sub, found.name);
        file::unlink(self.sub(found.sub), found.name)?;
        Ok(true)
    }

    /// Gives a file a base name of its own; flags and sizes stay.
    fn rebase(&self, found: Found<'_>) -> io::Result<()> {
        let dir = self.sub(found.sub);
        let name = rebased(found.name);
        self.marks.own.expect(found.sub, found.name);
        self.marks.own.expect(found.sub, &name);
        file::rename_noreplace(dir, found.name, dir, &name)
    }

    fn put_aside(&self, found: Found<'_>, kind: FileKind) -> io::Result<bool> {
        let dir = self.sub(found.sub);
        if kind != FileKind::Directory {
            file::rename_noreplace(dir, found.name, &self.new, unique().as_bytes())?;
            return Ok(true);
        }
        if file::remove_dir(dir, found.name).is_ok() {
            return Ok(true);
        }
        let aside = [b"extra-", found.name].concat();
        file::rename_noreplace(dir, found.name, &self.dir, &aside)?;
        Ok(true)
    }
}

/// The name with a fresh unique part; sizes, flags and the rest as before.
pub(super) fn rebased(name: &[u8]) -> Vec<u8> {
    let parsed = FileName::parse(name);
    let base = parsed.base();
    let mut fresh = unique().into_bytes();
    if let Some(size) = parsed.size() {
        fresh.extend_from_slice(format!(",S={size}").as_bytes());
    }
    if let Some(size) = parsed.virtual_size() {
        fresh.extend_from_slice(format!(",W={size}").as_bytes());
    }
    fresh.extend_from_slice(name.get(base.len()..).unwrap_or_default());
    fresh
}
