//! RENAME: the directory and everything below it; for INBOX, its messages.

use super::Account;
use super::properties::Purpose;
use super::tree::Tree;
use crate::error::Error;
use crate::format::acl;
use crate::mailbox::{CopyMode, Mailbox, Place, lock};
use roost_os::file;
use roost_types::{MailboxName, UidSet};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// Messages of INBOX that move together: each takes most of a kilobyte until
/// its step is done, and each step waits for the disk.
const MOVED_AT_ONCE: usize = 5_000;

/// One directory to be renamed.
struct Step {
    from: MailboxName,
    to: MailboxName,
    old: Box<[u8]>,
    new: String,
}

impl Account {
    /// Renames a mailbox and everything below it; UIDVALIDITY and UIDs stay.
    /// Renaming INBOX moves its messages into the new mailbox and leaves its
    /// children alone (RFC 9051 §6.3.6).
    pub fn rename(self: &Arc<Self>, from: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        let hub = self.news.hub();
        if let Some(hub) = &hub {
            hub.expect_rename(from, to);
        }
        let done = self.changing_tree(|| self.rename_storage(from, to));
        if let Some(hub) = &hub {
            hub.rename_over(from, to);
        }
        self.note_rename([from, to]);
        done
    }

    fn rename_storage(self: &Arc<Self>, from: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        if from.is_inbox() {
            return self.move_inbox(to);
        }
        let _changing = lock(&self.changing);
        let tree = self.tree()?;
        if tree.folders.get(from).is_none() {
            return Err(Error::NoSuchMailbox);
        }
        if tree.folders.get(to).is_some() {
            return Err(Error::AlreadyExists);
        }
        if from.is_ancestor_of(to) {
            return Err(Error::InvalidName("a mailbox cannot move below itself"));
        }
        let steps = self.steps(&tree, from, to)?;
        // Said of both names until it is done: no mailbox is without its lock
        // for a moment, nor after a crash.
        let said = tree.file.knows_within(from) || tree.file.knows_within(to);
        if said {
            self.change_folders(|file| file.copy(from, to))?;
        }
        if let Err(e) = self.rename_steps(&steps) {
            if said && let Err(e) = self.change_folders(|file| file.remove_all(to)) {
                log::warn!("{}: undoing RENAME: {e}", self.name);
            }
            return Err(e);
        }
        lock(&self.statuses).clear();
        lock(&self.tree).forget();
        self.sync_root()?;
        acl::forget_list(&self.root)?;
        match said {
            true => self.change_folders(|file| file.remove_all(from)),
            false => Ok(()),
        }
    }

    fn rename_steps(&self, steps: &[Step]) -> Result<(), Error> {
        // Who opens one by its new name meanwhile waits, instead of making a
        // second picture of it. Nobody else holds two of them at once.
        let names: BTreeSet<_> = steps.iter().flat_map(|s| [&s.from, &s.to]).collect();
        let slots: Vec<_> = names.into_iter().map(|n| (n, self.slot(n))).collect();
        let mut guards: BTreeMap<_, _> = slots.iter().map(|(n, slot)| (*n, lock(slot))).collect();
        let open: Vec<_> = steps
            .iter()
            .map(|step| guards.get(&step.from).and_then(|slot| slot.upgrade()))
            .collect();
        self.rename_all(steps, &open)?;
        for step in steps {
            let mailbox = guards
                .get_mut(&step.from)
                .map(|old| std::mem::take(&mut **old));
            if let (Some(mailbox), Some(new)) = (mailbox, guards.get_mut(&step.to)) {
                **new = mailbox;
            }
        }
        Ok(())
    }

    fn move_inbox(self: &Arc<Self>, to: &MailboxName) -> Result<(), Error> {
        self.create_storage(to, false, Purpose::default())?;
        let target = self.open(to)?;
        let inbox = self.open(&MailboxName::inbox())?;
        self.copy_annotations(to)?;
        let all: UidSet = inbox.snapshot().iter().map(|(_, row)| row.uid).collect();
        for first in (0..all.len()).step_by(MOVED_AT_ONCE) {
            let some = all.at_places(first..first + MOVED_AT_ONCE as u64);
            inbox.copy(&some, &target, CopyMode::Move)?;
        }
        Ok(())
    }

    fn steps(&self, tree: &Tree, from: &MailboxName, to: &MailboxName) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        for folder in tree.folders.iter() {
            let Some(moved) = folder.name.moved(from, to) else {
                continue;
            };
            let moved = moved.map_err(|_| Error::InvalidName("too long"))?;
            let new = self.directory_for(tree, &moved)?;
            if let Some(old) = tree.directories.get(&folder.name) {
                steps.push(Step {
                    from: folder.name.clone(),
                    to: moved,
                    old: old.clone(),
                    new,
                });
            }
        }
        Ok(steps)
    }

    /// All directories, or none of them.
    fn rename_all(&self, steps: &[Step], open: &[Option<Arc<Mailbox>>]) -> Result<(), Error> {
        // Nobody may look for a mailbox while it is between two places.
        let mut places: Vec<_> = open
            .iter()
            .map(|m| m.as_ref().map(|m| m.lock_place()))
            .collect();
        for (done, step) in steps.iter().enumerate() {
            let new = step.new.as_bytes();
            let Err(e) = file::rename_noreplace(&self.root, &step.old, &self.root, new) else {
                continue;
            };
            for step in steps.iter().take(done).rev() {
                let new = step.new.as_bytes();
                if let Err(e) = file::rename_noreplace(&self.root, new, &self.root, &step.old) {
                    log::error!("{}: undoing RENAME: {e}", self.root.entry(new).display());
                }
            }
            return Err(match e.kind() {
                io::ErrorKind::AlreadyExists => Error::AlreadyExists,
                io::ErrorKind::NotFound => Error::NoSuchMailbox,
                _ => Error::io(&self.root.entry(&step.old), e),
            });
        }
        for (step, place) in steps.iter().zip(&mut places) {
            if let Some(place) = place {
                **place = Place::new(step.to.clone(), &self.root.entry(step.new.as_bytes()));
            }
        }
        Ok(())
    }
}
