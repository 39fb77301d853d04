//! New messages: into the picture with the UID that the list has for them, or
//! with one that we give them under its lock.
//!
//! Another program may be doing the same. Whoever has the lock decides, and
//! everybody reads the list again before giving out a UID, so all agree. UIDs
//! enter the picture only in rising order: while a record is there whose file
//! no listing has shown yet, messages behind it are held back.

use super::Mailbox;
use super::core::Core;
use super::own::Sub;
use super::refresh::Round;
use super::scan::{Found, Survey};
use crate::error::Error;
use crate::format::UidListLock;
use crate::format::name::{FileName, delivery_order};
use crate::format::uidlist::NewRecord;
use crate::snapshot::keywords::{KeywordSetId, SetKey};
use crate::snapshot::{Draft, IN_NEW, NewRow, ODD_NAME, RECENT};
use roost_types::{Uid, UnixTime};

/// What may be concluded from a listing about records without a file.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// Records up to this UID were read before the listing.
    pub comparable: u32,
    /// Both directories were listed and did not change meanwhile, or we have
    /// tried often enough.
    pub trusted: bool,
}

impl Mailbox {
    pub(super) fn adopt(
        &self,
        core: &mut Core,
        draft: &mut Draft,
        survey: &mut Survey<'_>,
        listed: Listed,
        list_lock: Option<&mut UidListLock>,
    ) -> Result<Round, Error> {
        core.pending = false;
        let mut round = Round::Done;
        if !survey.unknown.is_empty() {
            self.match_unknown(core, survey)?;
            round = self.assign_under_lock(core, survey, list_lock)?;
        }
        survey.arrived.sort_by_key(|&(uid, _)| uid);
        let stuck = first_without_file(core, survey, listed)
            .filter(|&uid| core.unsynced.is_none_or(|unsynced| uid < unsynced));
        let held_back = stuck.or(core.unsynced);
        core.passed_over |= core.unsynced.is_some();
        let end = match held_back {
            None => survey.arrived.len(),
            Some(limit) => survey.arrived.partition_point(|&(uid, _)| uid < limit),
        };
        let arrived = survey.arrived.get(..end).unwrap_or_default();
        self.push_arrived(core, draft, arrived);
        let new = |&&(_, found): &&(Uid, Found<'_>)| found.sub == Sub::New || core.opened;
        survey.delivered = arrived.iter().filter(new).map(|&(uid, _)| uid).collect();
        draft.raise_uid_next(held_back.unwrap_or(core.list.uid_next()));
        if stuck.is_some() {
            core.pending = true;
            round = Round::Again;
        }
        Ok(round)
    }

    /// Reads the list again and finds those that have got a UID meanwhile.
    fn match_unknown(&self, core: &mut Core, survey: &mut Survey<'_>) -> Result<(), Error> {
        self.refresh_list(core)?;
        let shown = core.shown();
        let unknown = std::mem::take(&mut survey.unknown);
        for found in unknown {
            match core.list.uid_of(found.base()) {
                None => survey.unknown.push(found),
                Some(uid) if uid.get() > shown => survey.arrived.push((uid, found)),
                Some(_) => survey.reappeared.push(found),
            }
        }
        Ok(())
    }

    fn assign_under_lock(
        &self,
        core: &mut Core,
        survey: &mut Survey<'_>,
        list_lock: Option<&mut UidListLock>,
    ) -> Result<Round, Error> {
        if survey.unknown.is_empty() {
            return Ok(Round::Done);
        }
        if let Some(list_lock) = list_lock {
            return self.assign_unknown(core, survey, list_lock);
        }
        let guard = self.assign.try_lock();
        let tried = match guard {
            Ok(_) => UidListLock::try_acquire(&self.dir),
            Err(_) => Ok(None),
        };
        match tried.map_err(Error::from) {
            Ok(Some(mut list_lock)) => self.assign_unknown(core, survey, &mut list_lock),
            Ok(None) => {
                core.pending = true;
                Ok(Round::Done)
            }
            // What is known stays usable.
            Err(Error::Permission { .. } | Error::DiskFull { .. }) => {
                log::warn!(
                    "{}: new messages get no UIDs: cannot lock",
                    self.dir.path().display()
                );
                Ok(Round::Done)
            }
            Err(e) => Err(e),
        }
    }

    fn assign_unknown(
        &self,
        core: &mut Core,
        survey: &mut Survey<'_>,
        list_lock: &mut UidListLock,
    ) -> Result<Round, Error> {
        self.match_unknown(core, survey)?;
        let mut new = std::mem::take(&mut survey.unknown);
        new.sort_by(|a, b| delivery_order(a.base(), b.base()));
        let all = new.len();
        // The second of a name is mended once the first has its UID.
        new.dedup_by(|b, a| a.base() == b.base());
        let round = if new.len() < all {
            Round::Again
        } else {
            Round::Done
        };
        let records = new.iter().map(|f| NewRecord {
            base: f.base(),
            guid: None,
        });
        let mut uids = Vec::with_capacity(new.len());
        core.list
            .assign(list_lock, self.options.fsync, records, &mut uids)?;
        self.check_validity(core)?;
        survey.arrived.extend(uids.into_iter().zip(new));
        Ok(round)
    }

    fn push_arrived(&self, core: &Core, draft: &mut Draft, arrived: &[(Uid, Found<'_>)]) {
        let extras = if draft.table().has_extras() {
            let uids: Vec<Uid> = arrived.iter().map(|&(uid, _)| uid).collect();
            self.extras_of(core, draft.table(), &uids)
        } else {
            Default::default()
        };
        // What was here before the first look came at another time.
        let now = core.opened.then(|| UnixTime::now().0);
        let mut last = core.shown();
        for &(uid, found) in arrived {
            // A second name for the same message: mended by the next round.
            if uid.get() <= last {
                continue;
            }
            last = uid.get();
            let (flags, letters) = found.flags();
            let key = SetKey {
                letters,
                extras: extras.get(&uid).cloned().unwrap_or_default().into(),
            };
            let keywords = draft.intern(&key);
            let name = FileName::parse(found.name);
            let mut state = 0;
            if found.sub == Sub::New {
                state |= IN_NEW;
            }
            if found.sub == Sub::New || core.opened {
                state |= RECENT;
            }
            if self.note_name(uid.get(), found, keywords) {
                state |= ODD_NAME;
            }
            draft.push(&NewRow {
                uid,
                flags,
                keywords: keywords.unwrap_or(KeywordSetId::EMPTY),
                state,
                base: found.base(),
                guid: core.list.message_guid(uid),
                stored: name.size(),
                size: name.virtual_size(),
                saved: now,
            });
        }
    }
}

/// The first UID that nobody may be shown yet: its record is there, its file
/// may still come.
fn first_without_file(core: &Core, survey: &Survey<'_>, listed: Listed) -> Option<Uid> {
    let shown = core.shown();
    let has_file = |uid: Uid| {
        survey
            .arrived
            .binary_search_by_key(&uid, |&(u, _)| u)
            .is_ok()
    };
    let mut first = None;
    for at in (0..core.list.len()).rev() {
        let (uid, _) = core.list.record(at)?;
        if uid.get() <= shown || listed.trusted && uid.get() <= listed.comparable {
            break;
        }
        if !has_file(uid) {
            first = Some(uid);
        }
    }
    first
}
