//! STORE: changing flags and keywords.
//!
//! A change is relative to the flags that a message has at that moment, in
//! the file's own name: where another program has renamed it meanwhile, its
//! name is read anew and the change applied to that. Letters that are not ours
//! stay.
//!
//! The lock of the UID list is held meanwhile, because Dovecot lists `cur`
//! under it and would miss files renamed beside its listing, and give them new
//! UIDs. But nobody waits long for that alone.

mod change;

pub use change::{FlagChange, FlagMode, Within};

use super::copy::{missing_of, rows_of};
use super::core::Core;
use super::keywords::key_of;
use super::own::Sub;
use super::{Mailbox, lock};
use crate::error::Error;
use crate::format::UidListLock;
use crate::format::extra_keywords::Change;
use crate::format::name::{Letters, write_with_flags};
use crate::options::Fsync;
use crate::quota::Change as QuotaChange;
use crate::snapshot::keywords::SetKey;
use crate::snapshot::{Draft, HotRow, IN_NEW, ODD_NAME, Snapshot};
use change::Edit;
use roost_os::file;
use roost_types::{Keyword, SystemFlags, Uid, UidSet};
use std::io;
use std::sync::{Arc, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

/// Messages changed before others get their turn.
const BATCH: usize = 512;
/// How often a file is looked for that others keep renaming.
const TRIES: usize = 32;
/// How long one call waits for the lock, in all, when it could do without.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(5);

#[derive(Clone, Debug)]
pub struct FlagOutcome {
    /// The picture with the change in it.
    pub snapshot: Arc<Snapshot>,
    /// Asked for but gone.
    pub missing: UidSet,
    /// Left as they are because of `unchanged_since`.
    pub modified: UidSet,
}

/// What has been done so far.
#[derive(Default)]
struct Progress {
    /// Messages refused because of `unchanged_since`.
    modified: UidSet,
    touched: [bool; 2],
    /// Messages whose files have other names than known.
    moved: Vec<Uid>,
    extras: Vec<Change>,
}

impl Mailbox {
    /// Changes flags of the messages in `uids`, each by its flags at that
    /// moment. UIDs that are not there are reported, not an error. On an error
    /// the messages before the one that failed are changed.
    pub fn store_flags(
        &self,
        uids: &UidSet,
        change: &FlagChange<'_>,
    ) -> Result<FlagOutcome, Error> {
        self.check_exists()?;
        let picture = self.snapshot();
        let targets: Vec<Uid> = rows_of(&picture, uids)
            .filter_map(|row| Uid::new(row.uid))
            .collect();
        let mut patience = PATIENCE;
        let mut modified = UidSet::new();
        let mut accounting = self.accounting_of_flags(&picture, &targets, change)?;
        for batch in targets.chunks(BATCH) {
            // Let go of between batches: others want to append and deliver.
            let (_guard, mut list_lock) = self.lock_for_flags(change, &mut patience)?;
            let mut core = self.core();
            let weight = accounting.as_mut().filter(|change| change.is_kept());
            let held = list_lock.as_mut();
            self.store_batch(&mut core, held, batch, change, &mut modified, weight)?;
        }
        let snapshot = self.snapshot();
        let mut missing = missing_of(&picture, uids);
        for &uid in targets.iter().filter(|u| snapshot.hot(u.get()).is_none()) {
            missing.insert(uid);
        }
        Ok(FlagOutcome {
            snapshot,
            missing,
            modified,
        })
    }

    /// Where `\Deleted` decides whether a message counts. For those that begin
    /// to count again there has to be room.
    fn accounting_of_flags(
        &self,
        picture: &Snapshot,
        targets: &[Uid],
        change: &FlagChange<'_>,
    ) -> Result<Option<QuotaChange<'_>>, Error> {
        let deleted_after =
            |old| (change.mode.system(old, change.system)).contains(SystemFlags::DELETED);
        let decides = deleted_after(SystemFlags::NONE) == deleted_after(SystemFlags::DELETED);
        if self.quota.options().count_trash || !decides || !self.counts() {
            return Ok(None);
        }
        if !deleted_after(SystemFlags::NONE) {
            self.quota.check(|| self.weigh_deleted(picture, targets))?;
        }
        Ok(Some(self.accounting()))
    }

    /// The lock of the UID list: waited for where the change needs it, else
    /// only as long as patience lasts. The guard outlives the lock.
    fn lock_for_flags(
        &self,
        change: &FlagChange<'_>,
        patience: &mut Duration,
    ) -> Result<(Option<MutexGuard<'_, ()>>, Option<UidListLock>), Error> {
        if self.needs_list_lock(change) {
            let guard = lock(&self.assign);
            return Ok((Some(guard), Some(self.lock_list()?)));
        }
        loop {
            if let Ok(guard) = self.assign.try_lock() {
                match UidListLock::try_acquire(&self.dir) {
                    Ok(Some(list_lock)) => return Ok((Some(guard), Some(list_lock))),
                    Ok(None) => {}
                    // No room, no permission: renaming may work all the same.
                    Err(_) => return Ok((None, None)),
                }
            }
            if patience.is_zero() {
                return Ok((None, None));
            }
            let wait = RETRY.min(*patience);
            sleep(wait);
            *patience -= wait;
        }
    }

    /// Keywords that have no letter yet, or that the sidecar holds, are
    /// written under the lock of the UID list.
    fn needs_list_lock(&self, change: &FlagChange<'_>) -> bool {
        let core = self.core();
        let table = core.snapshot.table();
        let lettered = |k: &Keyword| {
            table
                .letter_of(k)
                .is_some_and(|i| core.letters.index_of(k) == Some(i))
        };
        match change.mode {
            FlagMode::Add => !change.keywords.iter().all(lettered),
            FlagMode::Remove => change.keywords.iter().any(|k| table.extra_of(k).is_some()),
            FlagMode::Replace | FlagMode::ReplaceOf(_) => {
                !change.keywords.iter().all(lettered) || table.has_extras()
            }
        }
    }

    fn store_batch(
        &self,
        core: &mut Core,
        mut list_lock: Option<&mut UidListLock>,
        batch: &[Uid],
        change: &FlagChange<'_>,
        modified: &mut UidSet,
        mut weight: Option<&mut QuotaChange<'_>>,
    ) -> Result<(), Error> {
        let mut left = batch.to_vec();
        for _ in 0..TRIES {
            let held = list_lock.as_deref_mut();
            let before = Arc::clone(&core.snapshot);
            let done = self.with_own_changes(core, |core| {
                self.store_known(core, held, &left, change, modified)
            })?;
            if let Some(weight) = &mut weight {
                weight.add(self.weigh_flags(&before, &core.snapshot, &left));
            }
            let moved = done?;
            if moved.is_empty() {
                return Ok(());
            }
            core.known = None;
            self.refresh_core(core, list_lock.as_deref_mut())?;
            left = moved;
        }
        Err(Error::io(
            self.cur.path(),
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                "files are being renamed all the time",
            ),
        ))
    }

    /// Changes files by their known names; returns those that have others.
    fn store_known(
        &self,
        core: &mut Core,
        list_lock: Option<&mut UidListLock>,
        uids: &[Uid],
        change: &FlagChange<'_>,
        modified: &mut UidSet,
    ) -> Result<Vec<Uid>, Error> {
        let picture = Arc::clone(&core.snapshot);
        let mut draft = Draft::of(&picture);
        let mut list_lock = list_lock;
        if let Some(list_lock) = list_lock.as_deref_mut()
            && change.mode != FlagMode::Remove
        {
            self.define_keywords(core, &mut draft, list_lock, change.keywords)?;
        }
        let edit = Edit {
            mode: change.mode,
            system: change.system,
            keywords: key_of(draft.table(), change.keywords),
        };
        let mut progress = Progress::default();
        let mut result = Ok(());
        for &uid in uids {
            let Some(row) = picture.hot(uid.get()) else {
                continue;
            };
            if change
                .unchanged_since
                .is_some_and(|since| row.modseq > since.0)
            {
                progress.modified.insert(uid);
                continue;
            }
            result = self.store_one(&picture, &mut draft, row, &edit, &mut progress);
            if result.is_err() {
                break;
            }
        }
        if let Some(list_lock) = list_lock
            && !progress.extras.is_empty()
        {
            let saved = core
                .extra
                .change(list_lock, self.options.fsync, &progress.extras);
            if saved.is_err() {
                take_back(&progress.extras, &edit, &picture, &mut draft);
            }
            result = result.and(saved.map_err(Error::from));
        }
        if self.options.fsync == Fsync::Always {
            result = result.and(self.sync_touched(progress.touched));
        }
        self.publish(core, draft);
        modified.extend_set(&progress.modified);
        result.map(|()| progress.moved)
    }

    fn store_one(
        &self,
        picture: &Snapshot,
        draft: &mut Draft,
        row: &HotRow,
        edit: &Edit,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let Some(uid) = Uid::new(row.uid) else {
            return Ok(());
        };
        let old = draft.table().key_of(row.keywords);
        let (flags, key) = (edit.flags(row.flags), edit.keys(&old));
        if flags == row.flags && key == old {
            return Ok(());
        }
        let Some(keywords) = draft.intern(&key) else {
            return Err(Error::Limit("sets of keywords of a mailbox"));
        };
        if (flags, key.letters) != (row.flags, old.letters) {
            let Some(odd) = self.rename_for_flags(picture, row, flags, key.letters, progress)?
            else {
                progress.moved.push(uid);
                return Ok(());
            };
            draft.update(row.uid, |r| {
                r.set(IN_NEW, false);
                r.set(ODD_NAME, odd);
            });
        }
        draft.set_flags(row.uid, flags, keywords);
        note_extras(draft, &old, &key, uid, &mut progress.extras);
        Ok(())
    }

    /// Renames a file so that its name tells these flags, and says whether
    /// the name is an odd one; `None` if it is not where it was.
    fn rename_for_flags(
        &self,
        picture: &Snapshot,
        row: &HotRow,
        flags: SystemFlags,
        letters: Letters,
        progress: &mut Progress,
    ) -> Result<Option<bool>, Error> {
        let Some(from) = self.known_location(picture, row) else {
            return Ok(None);
        };
        let mut to = super::resolve::Location {
            sub: Sub::Cur,
            name: Vec::with_capacity(from.name.len() + 8),
        };
        write_with_flags(&mut to.name, &from.name, flags, letters);
        if from != to {
            self.marks.own.expect(from.sub, &from.name);
            self.marks.own.expect(to.sub, &to.name);
            let dir = self.sub(from.sub);
            if let Err(e) = file::rename_noreplace(dir, &from.name, &self.cur, &to.name) {
                self.marks.own.take(from.sub, &from.name);
                self.marks.own.take(to.sub, &to.name);
                return match e.kind() {
                    // A second file of that name is mended by the next look.
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => Ok(None),
                    _ => Err(Error::io(dir.path(), e)),
                };
            }
            progress.touched[usize::from(from.sub == Sub::Cur)] = true;
            progress.touched[1] = true;
        }
        Ok(Some(self.note_name(
            row.uid,
            to.found(),
            Some(row.keywords),
        )))
    }
}

/// The sidecar has not learnt it: the messages have the keywords that it knows
/// of, and what their names tell.
fn take_back(changes: &[Change], edit: &Edit, picture: &Snapshot, draft: &mut Draft) {
    for row in changes.iter().flat_map(|c| rows_of(picture, &c.uids)) {
        let mut key = draft.table().key_of(row.keywords);
        key.letters = edit.keys(&key).letters;
        let keywords = draft.intern(&key).unwrap_or(row.keywords);
        draft.set_flags(row.uid, edit.flags(row.flags), keywords);
    }
}

/// Notes what the sidecar has to learn.
fn note_extras(draft: &Draft, old: &SetKey, new: &SetKey, uid: Uid, changes: &mut Vec<Change>) {
    let mut note = |index: u16, set: bool| {
        let Some(keyword) = draft.table().extra(index) else {
            return;
        };
        match changes
            .iter_mut()
            .find(|c| c.set == set && c.keyword == *keyword)
        {
            Some(change) => change.uids.insert(uid),
            None => changes.push(Change {
                keyword: keyword.clone(),
                set,
                uids: UidSet::range(uid, uid),
            }),
        }
    };
    for &index in new.extras.iter().filter(|&&i| !old.has_extra(i)) {
        note(index, true);
    }
    for &index in old.extras.iter().filter(|&&i| !new.has_extra(i)) {
        note(index, false);
    }
}
