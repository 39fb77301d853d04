//! What a mailbox hands to its index, and when.

use super::core::Core;
use super::{Mailbox, lock};
use crate::index::{Index, Rest, Settled};
use crate::snapshot::{Draft, Snapshot};
use roost_os::dir;
use roost_types::Uid;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// Once so large a part of the chunks has learnt something, it is written.
const LEARNT_PART: usize = 8;
/// How soon after a change of ours somebody looks whether others made one too.
const SETTLE: Duration = Duration::from_millis(100);
/// Within this time after a change's stamp inotify has been told of it.
const TOLD: Duration = Duration::from_millis(20);

impl Mailbox {
    /// Into the index before anybody sees it.
    pub(super) fn note_change(&self, core: &mut Core, new: &Snapshot) {
        let renamed = std::mem::take(&mut *lock(&self.renamed));
        if let Some(index) = core.index.as_mut().filter(|_| self.exists()) {
            index.record((&core.snapshot, new), &lock(&self.odd), &renamed);
        }
    }

    /// Writes the index whole, in one go.
    pub(super) fn save(&self, core: &mut Core) {
        let Some(index) = core.index.as_mut().filter(|_| self.exists()) else {
            return;
        };
        let writer = match core.writer.take() {
            Some(writer) => Ok(writer),
            None => index.writer(),
        };
        let odd = lock(&self.odd);
        let history = lock(&self.history);
        let rest = Rest {
            history: &history,
            odd: &odd,
        };
        let written = writer.and_then(|writer| writer.finish(&core.snapshot, &rest));
        match written {
            Ok(written) => {
                let same = (&*core.snapshot, &*core.snapshot);
                if let Err(e) = index.replace(written, same, &odd) {
                    index.fail(&e);
                }
            }
            Err(e) => index.postpone(&e),
        }
    }

    /// What is to be done now and then: memory given back, the index written
    /// anew where that is due. Leaves it for later where somebody is at work.
    pub(crate) fn maintain(self: &Arc<Self>) {
        if let Some(Some(pieces)) = self.pieces.get() {
            pieces.maintain(self.snapshot());
        }
        let Ok(mut core) = self.core.try_lock() else {
            return;
        };
        // Whoever opens it is writing its index.
        if !core.opened || core.writer.is_some() {
            return;
        }
        if !std::mem::take(&mut core.list_used) {
            self.tidy_lists(&mut core);
            core.list.forget_records();
        }
        let due = self.is_due(&mut core);
        let Some(index) = core.index.as_ref().filter(|_| self.exists()) else {
            return;
        };
        index.forget_recent();
        if !due {
            return;
        }
        drop(core);
        let mailbox = Arc::clone(self);
        self.watcher.upkeep().later(move || mailbox.save_aside());
    }

    /// Writes the index while others work on.
    fn save_aside(&self) {
        let Ok(_saving) = self.saving.try_lock() else {
            return;
        };
        let mut core = self.core();
        let picture = Arc::clone(&core.snapshot);
        let (history, odd) = (lock(&self.history).clone(), lock(&self.odd).clone());
        let Some(index) = &mut core.index else { return };
        let writer = match index.writer() {
            Ok(writer) => writer,
            Err(e) => return index.postpone(&e),
        };
        drop(core);
        let rest = Rest {
            history: &history,
            odd: &odd,
        };
        let written = writer.finish(&picture, &rest);
        let mut core = self.core();
        let now = Arc::clone(&core.snapshot);
        let Some(index) = core.index.as_mut().filter(|_| self.exists()) else {
            return;
        };
        match written {
            Ok(written) => {
                if let Err(e) = index.replace(written, (&picture, &now), &lock(&self.odd)) {
                    index.fail(&e);
                }
            }
            Err(e) => index.postpone(&e),
        }
    }

    /// The log has grown, or much was learnt that is not in the index and
    /// takes memory here.
    fn is_due(&self, core: &mut Core) -> bool {
        let before = std::mem::replace(&mut core.learnt, learnt(&core.snapshot));
        let all = core.snapshot.chunks().len();
        // While more is being learnt, it is not the time.
        let ripe = core.learnt == before && core.learnt * LEARNT_PART >= all && before > 0;
        let index = core.index.as_ref();
        index.is_some_and(|i| i.wants_snapshot() || ripe && i.may_write())
    }

    /// Another stamp of our own making: others may have used the same moment.
    pub(super) fn unsettle(&self, core: &mut Core, changed: [bool; 2]) {
        let before = core.settled;
        for (settled, changed) in core.settled.iter_mut().zip(changed) {
            *settled &= !changed;
        }
        if before == [true; 2] && core.settled != before {
            let id = self.watch_id.load(Ordering::Acquire);
            self.watcher.look_after(id, SETTLE);
        }
    }

    /// After inotify has been listened to from the moment `drained` on: makes
    /// sure that nothing hides behind the stamps that are known.
    pub(crate) fn settle(&self, drained: SystemTime) {
        if let Ok(mut core) = self.core.try_lock() {
            self.settle_core(&mut core, drained, self.tick.max(TOLD));
            self.note_settled(&mut core);
        }
    }

    fn settle_core(&self, core: &mut Core, drained: SystemTime, tick: Duration) {
        if core.settled == [true; 2] || !self.is_watched() || self.marks.is_dirty() {
            return;
        }
        // The picture is about to have more.
        if core.unsynced.is_some() {
            return;
        }
        if let (Some(known), Ok(now)) = (core.known, self.stamps())
            && known == now
        {
            let settled = known.settled_at(drained, tick);
            for (old, new) in core.settled.iter_mut().zip(settled) {
                *old |= new;
            }
        }
    }

    /// [`settle`](Self::settle) while there is still somebody to do it.
    fn settle_last(&self, core: &mut Core) {
        if core.settled == [true; 2] || !self.is_watched() {
            return;
        }
        let subs = [&self.new, &self.cur];
        if subs.into_iter().any(|sub| dir::await_changes(sub).is_err()) {
            return;
        }
        let drained = SystemTime::now();
        self.watcher.hear();
        self.settle_core(core, drained, self.tick);
    }

    /// How everything looks, if the picture has all of it for certain.
    fn settled(&self, core: &Core) -> Option<Settled> {
        let quiet = core.opened && !core.racy && !core.pending && core.unsynced.is_none();
        let quiet = quiet && !self.marks.is_dirty();
        let quiet = quiet && !core.letters.has_lost() && !self.has_unread();
        // What was made up for damage is not how the disk looks.
        let quiet = quiet && !core.index.as_ref().is_some_and(Index::has_lost);
        let known = core.known.filter(|_| quiet && core.settled == [true; 2])?;
        Some(Settled {
            new: known.new,
            cur: known.cur,
            list: core.list.stamp()?,
            letters: core.letters.stamp(),
            extra: core.extra.stamp(),
            told: self.told(&core.snapshot),
        })
    }

    pub(super) fn note_settled(&self, core: &mut Core) {
        if self.exists()
            && let Some(settled) = self.settled(core)
            && let Some(index) = &mut core.index
        {
            index.note(&settled);
        }
    }

    /// The last one lets go: what opening again can rely on.
    pub(super) fn close(&self) {
        if !self.exists() {
            return;
        }
        let mut core = self.core();
        let all = core.snapshot.chunks().len();
        let learnt = learnt(&core.snapshot);
        let much = learnt > 0 && learnt * LEARNT_PART >= all;
        let due = |i: &Index| i.wants_snapshot() || much && i.may_write();
        if core.index.as_ref().is_some_and(due) {
            self.save(&mut core);
        }
        self.settle_last(&mut core);
        let settled = self.settled(&core);
        if let Some(index) = &mut core.index {
            index.close(settled);
        }
    }

    /// Keywords without letters stand in their sidecar, which the index may
    /// be behind of.
    pub(super) fn check_extras(&self, core: &mut Core) {
        let table = core.snapshot.table();
        if !table.has_extras() {
            return;
        }
        let uids: Vec<Uid> = (core.snapshot.hot_rows())
            .filter_map(|row| Uid::new(row.uid))
            .collect();
        let carried = self.extras_of(core, table, &uids);
        let picture = Arc::clone(&core.snapshot);
        let mut draft = Draft::of(&picture);
        for row in picture.hot_rows() {
            let mut key = picture.table().key_of(row.keywords);
            let now = Uid::new(row.uid).and_then(|uid| carried.get(&uid));
            let now = now.map_or(&[][..], |extras| extras);
            if *key.extras == *now {
                continue;
            }
            key.extras = now.into();
            if let Some(set) = draft.intern(&key) {
                draft.set_flags(row.uid, row.flags, set);
            }
        }
        self.publish(core, draft);
    }
}

/// Chunks that know more than the index.
fn learnt(picture: &Snapshot) -> usize {
    let chunks = picture.chunks().iter();
    chunks.filter(|c| c.cold_side().has_learnt()).count()
}
