//! Bringing the picture up to date with the disk.

use super::Mailbox;
use super::adopt::Listed;
use super::core::{Core, Due, Stamps};
use super::lock;
use super::own::Sub;
use super::resolve::Location;
use super::scan::{Found, Renamed, Scan, Survey};
use crate::error::Error;
use crate::format::UidListLock;
use crate::format::uidlist::{NewRecord, Refresh};
use crate::index::Index;
use crate::snapshot::keywords::{KeywordSetId, SetKey};
use crate::snapshot::{Draft, IN_NEW, ODD_NAME, Snapshot};
use roost_types::{Uid, UidSet};
use std::sync::Arc;

/// How often one call looks again because something changed meanwhile.
const ROUNDS: usize = 4;
/// How often one call puts right what was lost with parts of the index.
const MENDINGS: usize = 2;

/// What one look at the directories came to.
#[derive(PartialEq)]
pub(super) enum Round {
    Done,
    /// Things have moved: look again at once.
    Again,
}

impl Mailbox {
    /// Looks at the disk until the picture agrees with it. With `list_lock`
    /// new messages get their UIDs under that lock.
    pub(super) fn refresh_core(
        &self,
        core: &mut Core,
        mut list_lock: Option<&mut UidListLock>,
    ) -> Result<(), Error> {
        self.refresh_rounds(core, list_lock.as_deref_mut())?;
        // Looking may be what finds the damage.
        for _ in 0..MENDINGS {
            if !core.index.as_ref().is_some_and(Index::take_lost) {
                break;
            }
            self.touch_rebuilt(core);
            self.refresh_rounds(core, list_lock.as_deref_mut())?;
            self.check_extras(core);
        }
        Ok(())
    }

    /// Part of the index was damaged, and what it said of flags is lost: they
    /// are taken from the names of all files, and told to everybody.
    fn touch_rebuilt(&self, core: &mut Core) {
        let mut draft = Draft::of(&core.snapshot);
        draft.touch_rebuilt();
        self.publish(core, draft);
        core.known = None;
    }

    fn refresh_rounds(
        &self,
        core: &mut Core,
        mut list_lock: Option<&mut UidListLock>,
    ) -> Result<(), Error> {
        for round in 1..=ROUNDS {
            let stamps = self.stamps()?;
            let [new, cur] = self.marks.take_dirty();
            let Some(due) = core.due(&stamps, Due { new, cur }, self.tick) else {
                return self.refresh_unnamed(core);
            };
            let list_lock = list_lock.as_deref_mut();
            match self.round(core, due, stamps, list_lock, round == ROUNDS) {
                Ok(Round::Done) => return Ok(()),
                Ok(Round::Again) => {}
                Err(e) => {
                    core.known = None;
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    fn round(
        &self,
        core: &mut Core,
        due: Due,
        stamps: Stamps,
        mut list_lock: Option<&mut UidListLock>,
        last: bool,
    ) -> Result<Round, Error> {
        self.refresh_list(core)?;
        // A record read before the listing has its file in it, or is dead.
        let comparable = core.last_uid();
        let scan = self.scan(due, stamps)?;
        let mut survey = self.survey(core, &scan);
        let (gone, moved) = self.confirm_missing(core, &scan, &survey)?;
        let mut draft = Draft::of(&core.snapshot);
        draft.set_writer(core.writer.take());
        self.refresh_keywords(core, &mut draft)?;
        if list_lock.is_none() {
            self.restore_keywords(core);
        }
        for renamed in &survey.renamed {
            self.apply_name(&mut draft, &core.snapshot, renamed.uid, renamed.found);
        }
        for (uid, location) in &moved {
            self.apply_name(&mut draft, &core.snapshot, *uid, location.found());
        }
        self.drop_rows(&mut draft, &gone);
        core.note_listing(scan.due, scan.stable, scan.settled);
        core.known = Some(scan.stamps);
        core.racy = scan.settled != [true; 2] && !self.is_watched();
        let listing = Listed {
            comparable,
            trusted: scan.stable && scan.due == Due::BOTH || last,
        };
        let held = list_lock.as_deref_mut();
        let adopted = self.adopt(core, &mut draft, &mut survey, listing, held);
        self.publish(core, draft);
        self.note_arrived(&survey.delivered);
        let adopted = adopted?;
        if self.repair(core, &survey, list_lock.is_some())? || adopted == Round::Again {
            core.known = None;
            return Ok(Round::Again);
        }
        Ok(Round::Done)
    }

    /// Reads what others have written to the UID list.
    pub(super) fn refresh_list(&self, core: &mut Core) -> Result<(), Error> {
        core.list_used = true;
        match core.list.refresh()? {
            Refresh::Unchanged | Refresh::Appended { .. } => Ok(()),
            Refresh::Replaced => self.check_replaced(core),
            // What is in memory is written again by the next who has the lock.
            Refresh::Lost => {
                if !core.list.is_read() {
                    recall(core);
                }
                self.rewrite_lost(core)
            }
        }
    }

    /// False if the list has the message's file under another UID by now.
    fn has_record(&self, core: &Core, uid: Uid) -> bool {
        let cold = core.snapshot.cold(uid.get());
        cold.is_some_and(|c| core.list.uid_of(c.base()) == Some(uid))
    }

    /// After the list was replaced: a new UIDVALIDITY makes this another
    /// mailbox; messages that have got other UIDs leave the picture and come
    /// back as new ones.
    pub(super) fn check_replaced(&self, core: &mut Core) -> Result<(), Error> {
        self.check_validity(core)?;
        let mut moved = UidSet::new();
        for chunk in core.snapshot.chunks() {
            let data = chunk.cold_data();
            for uid in chunk.rows().iter().filter_map(|row| Uid::new(row.uid)) {
                let base = data.facts(uid.get()).map(|f| f.base);
                if base.is_none() || core.list.base_of(uid) != base {
                    moved.insert(uid);
                }
            }
        }
        if !moved.is_empty() {
            log::warn!(
                "{}: {} messages have other UIDs now",
                self.dir.path().display(),
                moved.len()
            );
            core.known = None;
            let mut draft = Draft::of(&core.snapshot);
            self.drop_rows(&mut draft, &moved);
            self.publish(core, draft);
        }
        Ok(())
    }

    pub(super) fn check_validity(&self, core: &Core) -> Result<(), Error> {
        if core.list.uid_validity() == core.snapshot.uid_validity() {
            return Ok(());
        }
        self.mark_gone();
        Err(Error::NoSuchMailbox)
    }

    fn rewrite_lost(&self, core: &mut Core) -> Result<(), Error> {
        let Ok(_guard) = self.assign.try_lock() else {
            return Ok(());
        };
        if let Some(mut list_lock) = UidListLock::try_acquire(&self.dir)? {
            log::warn!(
                "{}: UID list is gone; written again",
                self.dir.path().display()
            );
            core.list
                .rewrite(&mut list_lock, self.options.fsync, |_, _| true)?;
        }
        Ok(())
    }

    /// Of the messages that a listing does not show: those that are proved to
    /// be gone, and those that are there under other names. The rest stay as
    /// they are.
    fn confirm_missing(
        &self,
        core: &Core,
        scan: &Scan,
        survey: &Survey<'_>,
    ) -> Result<(UidSet, Vec<(u32, Location)>), Error> {
        let all = || survey.missing.iter().filter_map(|&u| Uid::new(u));
        if survey.missing.is_empty() || scan.authoritative && scan.due == Due::BOTH {
            return Ok((all().collect(), Vec::new()));
        }
        let second = self.scan(Due::BOTH, self.stamps()?)?;
        let second_survey = self.survey(core, &second);
        let mut absent: UidSet = second_survey
            .missing
            .iter()
            .filter_map(|&u| Uid::new(u))
            .collect();
        if second.authoritative {
            absent = absent.intersection(&all().collect());
            return Ok((absent, moved_in(&second_survey)));
        }
        let mut gone = UidSet::new();
        let mut moved = moved_in(&second_survey);
        for uid in all().filter(|&u| absent.contains(u)) {
            let row = core.snapshot.hot(uid.get());
            let row = row.filter(|_| self.has_record(core, uid));
            match row.and_then(|row| self.probe(&core.snapshot, row)) {
                Some(location) => moved.push((uid.get(), location)),
                None => gone.insert(uid),
            }
        }
        Ok((gone, moved))
    }

    /// Takes flags, keywords and place of a message from its name.
    pub(super) fn apply_name(
        &self,
        draft: &mut Draft,
        picture: &Snapshot,
        uid: u32,
        found: Found<'_>,
    ) {
        let Some(row) = picture.hot(uid) else { return };
        let (flags, letters) = found.flags();
        let key = SetKey {
            letters,
            extras: draft.table().key_of(row.keywords).extras,
        };
        let keywords = draft.intern(&key);
        let set = keywords.unwrap_or(KeywordSetId::EMPTY);
        if (flags, set) != (row.flags, row.keywords) {
            draft.set_flags(uid, flags, set);
        }
        let odd = self.note_name(uid, found, keywords);
        draft.update(uid, |row| {
            row.set(IN_NEW, found.sub == Sub::New);
            row.set(ODD_NAME, odd);
        });
    }

    /// Keeps a name that does not follow from the row; true if it is such a
    /// one. With no number left for a set of keywords (`None`), its letters
    /// stand in the name alone.
    pub(super) fn note_name(
        &self,
        uid: u32,
        found: Found<'_>,
        keywords: Option<KeywordSetId>,
    ) -> bool {
        let is_odd = !found.is_plain() || keywords.is_none();
        let mut odd = lock(&self.odd);
        if is_odd {
            odd.insert(uid, found.name.into());
            lock(&self.renamed).push(uid);
        } else if !odd.is_empty() {
            odd.remove(&uid);
        }
        is_odd
    }

    pub(super) fn drop_rows(&self, draft: &mut Draft, gone: &UidSet) {
        if gone.is_empty() {
            return;
        }
        draft.remove(gone);
        let mut odd = lock(&self.odd);
        if !odd.is_empty() {
            odd.retain(|&uid, _| Uid::new(uid).is_some_and(|u| !gone.contains(u)));
        }
    }
}

/// The picture still knows what the list has lost.
fn recall(core: &mut Core) {
    let picture = Arc::clone(&core.snapshot);
    core.list.recall(|tell| {
        for chunk in picture.chunks() {
            let data = chunk.cold_data();
            for facts in chunk.rows().iter().filter_map(|row| data.facts(row.uid)) {
                let record = NewRecord {
                    base: facts.base,
                    guid: facts.guid,
                };
                if let Some(uid) = Uid::new(facts.uid) {
                    tell(uid, record);
                }
            }
        }
    });
}

fn moved_in(survey: &Survey<'_>) -> Vec<(u32, Location)> {
    let owned = |r: &Renamed<'_>| {
        let location = Location {
            sub: r.found.sub,
            name: r.found.name.to_vec(),
        };
        (r.uid, location)
    };
    survey.renamed.iter().map(owned).collect()
}
