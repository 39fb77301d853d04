//! Keywords: letters in file names for the first 26, the sidecar for others.

use super::Mailbox;
use super::core::Core;
use crate::error::Error;
use crate::format::{UidListLock, extra_keywords};
use crate::snapshot::Draft;
use crate::snapshot::keywords::{KeywordTable, SetKey};
use roost_types::{Keyword, Uid};
use std::collections::HashMap;

impl Mailbox {
    /// Takes over what others have written to `dovecot-keywords`.
    pub(super) fn refresh_keywords(&self, core: &mut Core, draft: &mut Draft) -> Result<(), Error> {
        if core.letters.refresh()? {
            self.name_keywords(core, draft);
        }
        Ok(())
    }

    /// Looks for names of letters that messages carry without one: Dovecot
    /// writes the names after it has renamed the files.
    pub(super) fn refresh_unnamed(&self, core: &mut Core) -> Result<(), Error> {
        let in_use = core.snapshot.table().letters_in_use();
        if in_use.iter().all(|letter| core.letters.has_name(letter)) {
            return Ok(());
        }
        let mut draft = Draft::of(&core.snapshot);
        self.refresh_keywords(core, &mut draft)?;
        self.publish(core, draft);
        Ok(())
    }

    /// Gives the table the names that the files have.
    pub(super) fn name_keywords(&self, core: &Core, draft: &mut Draft) {
        let extras = core.extra.iter().map(|(k, _)| k);
        draft.rename_keywords(core.letters.iter(), extras);
    }

    /// Writes again the names of letters that have gone from the file while we
    /// knew them; with the lock taken by another, the next look does.
    pub(super) fn restore_keywords(&self, core: &mut Core) {
        if !core.letters.has_lost() || self.read_only {
            return;
        }
        let Ok(_guard) = self.assign.try_lock() else {
            return;
        };
        let restored = UidListLock::try_acquire(&self.dir).and_then(|lock| match lock {
            Some(mut lock) => core.letters.restore(&mut lock, self.options.fsync),
            None => Ok(()),
        });
        if let Err(e) = restored {
            log::warn!("{}: names of keywords: {e}", self.dir.path().display());
        }
    }

    /// Sees to it that every one of `keywords` has a letter or, when all
    /// letters are taken, a place in the sidecar.
    pub(super) fn define_keywords(
        &self,
        core: &mut Core,
        draft: &mut Draft,
        list_lock: &mut UidListLock,
        keywords: &[Keyword],
    ) -> Result<(), Error> {
        let known = |k: &Keyword| {
            let letter = core.letters.index_of(k);
            letter.is_some() && draft.table().letter_of(k) == letter
                || draft.table().extra_of(k).is_some()
        };
        if keywords.iter().all(known) {
            return Ok(());
        }
        let new: Vec<Keyword> = keywords
            .iter()
            .filter(|k| core.extra.get(k).is_none())
            .cloned()
            .collect();
        // A letter that messages carry without a name belongs to a keyword
        // whose name was lost, not to this one.
        core.letters.reserve(draft.table().letters_in_use());
        core.letters.add(list_lock, self.options.fsync, &new)?;
        let extra = core.extra.iter().map(|(k, _)| k);
        let without_letter = new.iter().filter(|k| core.letters.index_of(k).is_none());
        let count = core.extra.iter().count() + without_letter.clone().count();
        if count > extra_keywords::MAX_KEYWORDS {
            return Err(Error::Limit("keywords of a mailbox"));
        }
        let extras = extra.chain(without_letter);
        draft.rename_keywords(core.letters.iter(), extras);
        Ok(())
    }

    /// The keywords beyond letters that the sidecar has for these messages,
    /// as indexes of the table. `uids` rise.
    pub(super) fn extras_of(
        &self,
        core: &Core,
        table: &KeywordTable,
        uids: &[Uid],
    ) -> HashMap<Uid, Vec<u16>> {
        let mut found: HashMap<Uid, Vec<u16>> = HashMap::new();
        for (keyword, carriers) in core.extra.iter() {
            let Some(index) = table.extra_of(keyword) else {
                continue;
            };
            for (first, last) in carriers.ranges() {
                let from = uids.partition_point(|&u| u < first);
                for &uid in uids
                    .get(from..)
                    .unwrap_or_default()
                    .iter()
                    .take_while(|&&u| u <= last)
                {
                    found.entry(uid).or_default().push(index);
                }
            }
        }
        for extras in found.values_mut() {
            extras.sort_unstable();
        }
        found
    }
}

/// The set that holds these keywords; those that the table does not know are
/// left out.
pub(super) fn key_of(table: &KeywordTable, keywords: &[Keyword]) -> SetKey {
    let mut key = SetKey::default();
    let mut extras: Vec<u16> = Vec::new();
    for keyword in keywords {
        if let Some(letter) = table.letter_of(keyword) {
            key.letters.insert(letter);
        } else if let Some(index) = table.extra_of(keyword) {
            extras.push(index);
        }
    }
    extras.sort_unstable();
    extras.dedup();
    key.extras = extras.into();
    key
}
