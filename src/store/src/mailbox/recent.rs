//! `\Recent`: each message has it in exactly one session.

use super::Mailbox;
use super::own::Sub;
use crate::error::Error;
use crate::format::name::write_with_flags;
use crate::snapshot::{Draft, HotRow, IN_NEW, ODD_NAME, RECENT, Snapshot};
use roost_os::file;
use roost_types::{Uid, UidSet};
use std::sync::Arc;

impl Mailbox {
    /// Takes the `\Recent` flag, for one session, from the messages of `view`
    /// that still have it, and moves their files from `new/` to `cur/`. A file
    /// that cannot be moved stays where it is.
    pub fn claim_recent(&self, view: &Snapshot) -> Result<UidSet, Error> {
        let mut claimed = UidSet::new();
        let Some(last) = view.last_uid() else {
            return Ok(claimed);
        };
        if self.snapshot().recent() == 0 {
            return Ok(claimed);
        }
        let mut core = self.core();
        self.with_own_changes(&mut core, |core| {
            let picture = Arc::clone(&core.snapshot);
            let mut draft = Draft::of(&picture);
            for row in picture.recent_rows(last.get()) {
                let Some(uid) = Uid::new(row.uid).filter(|u| view.seq_of(*u).is_some()) else {
                    continue;
                };
                claimed.insert(uid);
                let odd = if row.is(IN_NEW) {
                    self.move_to_cur(&picture, row)
                } else {
                    None
                };
                draft.update(row.uid, |r| {
                    r.set(RECENT, false);
                    if let Some(odd) = odd {
                        r.set(IN_NEW, false);
                        r.set(ODD_NAME, odd);
                    }
                });
            }
            self.publish(core, draft);
        })?;
        Ok(claimed)
    }

    /// Whether the new name is an odd one; `None` if the file was not moved.
    fn move_to_cur(&self, picture: &Snapshot, row: &HotRow) -> Option<bool> {
        if self.read_only {
            return None;
        }
        let from = self.known_location(picture, row)?;
        self.learn_dates(picture, row, &from.name);
        let letters = picture.table().letters_of(row.keywords);
        let mut name = Vec::with_capacity(from.name.len() + 8);
        write_with_flags(&mut name, &from.name, row.flags, letters);
        let to = super::resolve::Location {
            sub: Sub::Cur,
            name,
        };
        self.marks.own.expect(Sub::New, &from.name);
        self.marks.own.expect(Sub::Cur, &to.name);
        if file::rename_noreplace(&self.new, &from.name, &self.cur, &to.name).is_err() {
            self.marks.own.take(Sub::New, &from.name);
            self.marks.own.take(Sub::Cur, &to.name);
            return None;
        }
        Some(self.note_name(row.uid, to.found(), Some(row.keywords)))
    }

    /// The rename changes the file's change time, which is the message's
    /// SAVEDATE where nobody saw it come.
    fn learn_dates(&self, picture: &Snapshot, row: &HotRow, name: &[u8]) {
        if let Some(cold) = picture.cold(row.uid)
            && cold.save_date().is_none()
            && let Ok(stat) = file::stat_at(&self.new, name)
        {
            cold.set_dates(stat.mtime_sec, stat.ctime_sec);
        }
    }
}
