//! Finding out what has happened where something is marked, and watching what
//! is wanted.
//!
//! What must stay true: only who holds `settling` looks, and a look that fails
//! leaves its mark.

use super::Counts;
use super::hub::Hub;
use super::places;
use super::state::{Baseline, Identity, Look, State};
use super::tree;
use crate::account::Account;
use crate::error::Error;
use crate::mailbox::lock;
use roost_os::inotify::Watch;
use roost_types::MailboxName;
use std::collections::HashMap;
use std::sync::TryLockError;
use std::time::{Duration, Instant};

/// How soon to try again what has failed.
const RETRY: Duration = Duration::from_secs(1);

impl Hub {
    /// Looks at what is marked, for about `budget`; true when there is more.
    /// If somebody else is at it, that one will wake us.
    pub fn settle(&self, account: &Account, budget: Duration) -> bool {
        let begun = Instant::now();
        let _settling = match self.settling.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        loop {
            if std::mem::take(&mut lock(&self.state).tree_dirty)
                && let Err(e) = self.look_at_tree(account, false)
            {
                self.tree_failed(&e);
            }
            let next = lock(&self.state).dirty.pop_first();
            let Some(id) = next else { return false };
            self.look_at(account, id);
            if begun.elapsed() >= budget {
                let state = lock(&self.state);
                return state.tree_dirty || !state.dirty.is_empty();
            }
        }
    }

    /// One of our own has changed the tree: it is looked at before the change
    /// is answered.
    pub fn look_now(&self, account: &Account) {
        let _settling = lock(&self.settling);
        lock(&self.state).tree_dirty = false;
        if let Err(e) = self.look_at_tree(account, false) {
            self.tree_failed(&e);
        }
    }

    /// What was marked is still to be found out.
    fn tree_failed(&self, e: &Error) {
        log::warn!("{}: {e}", self.root.display());
        self.look_later(RETRY, |state| state.tree_later = true);
    }

    fn look_later(&self, delay: Duration, mark: impl FnOnce(&mut State)) {
        mark(&mut lock(&self.state));
        if let Some(watcher) = self.watcher.upgrade() {
            watcher.tick_after(self.number(), delay);
        }
    }

    /// How an unwatched mailbox looks, for [`Hub::found`].
    pub fn stamps_of(&self, name: &MailboxName) -> Option<places::Stamps> {
        let paths = {
            let state = lock(&self.state);
            let known = state.folders.get(state.ids.get(name)?)?;
            match known.watches {
                Some(_) => return None,
                None => places::paths(&self.root, &known.directory),
            }
        };
        places::stamps(&paths)
    }

    /// A status that somebody has found out; `before` is how the mailbox
    /// looked then.
    pub fn found(&self, name: &MailboxName, counts: Counts, before: Option<places::Stamps>) {
        let mut state = lock(&self.state);
        let Some(&id) = state.ids.get(name) else {
            return;
        };
        if let Some(known) = state.folders.get_mut(&id)
            && before.is_some()
        {
            known.stamps = before.map(Box::new);
        }
        if state.learn(id, counts) {
            drop(state);
            self.wake();
        }
    }

    fn look_at(&self, account: &Account, id: u64) {
        let (name, paths, suspect, watched) = {
            let mut state = lock(&self.state);
            let Some(known) = state.folders.get_mut(&id).filter(|k| k.of_messages) else {
                return;
            };
            let paths = places::paths(&self.root, &known.directory);
            let suspect = std::mem::take(&mut known.suspect);
            let old = known.watches.filter(|_| suspect);
            (known.name.clone(), paths, old, known.watches.is_some())
        };
        self.end_watches(suspect.map(|w| (id, w)).into_iter().collect());
        let watched = watched && suspect.is_none() || self.watch(id, &paths);
        let stamps = (!watched).then(|| places::stamps(&paths)).flatten();
        match account.look(&name) {
            Ok((counts, retry)) => {
                let mut state = lock(&self.state);
                if let Some(known) = state.folders.get_mut(&id) {
                    known.stamps = stamps.map(Box::new);
                }
                let news = state.learn(id, counts);
                drop(state);
                if let Some(retry) = retry {
                    self.look_later(retry, |state| state.put_off(id));
                }
                if news {
                    self.wake();
                }
            }
            Err(Error::NoSuchMailbox | Error::NotSelectable) => self.mark_tree(),
            Err(e) => {
                log::info!("{name}: {e}");
                self.look_later(RETRY, |state| state.put_off(id));
            }
        }
    }

    /// Compares the tree with what it was, and watches what is wanted now.
    /// With `joining` nothing is known yet of what is new.
    pub(super) fn look_at_tree(&self, account: &Account, joining: bool) -> Result<(), Error> {
        let land = account.land()?;
        let (diff, mut renamed, unknown) = lock(&self.state).compare(&land);
        let identities: HashMap<MailboxName, Identity> = unknown
            .into_iter()
            .filter_map(|place| {
                let path = places::path(&self.root, &place.directory);
                Some((place.name.clone(), places::identity(&path)?))
            })
            .collect();
        self.same_directories(account, &diff, &identities, &mut renamed);
        let look = Look {
            land,
            diff,
            renamed,
            identities,
            joining,
        };
        let (unwanted, news) = lock(&self.state).apply(&look);
        if news {
            self.wake();
        }
        self.end_watches(unwanted);
        self.watch_unwatched();
        Ok(())
    }

    /// Renames by other programs: the directory is the same, and so is its
    /// UIDVALIDITY, for an inode may be used again at once.
    fn same_directories(
        &self,
        account: &Account,
        diff: &tree::Diff,
        identities: &HashMap<MailboxName, Identity>,
        renamed: &mut Vec<(MailboxName, MailboxName)>,
    ) {
        for from in &diff.deleted {
            if renamed.iter().any(|(f, _)| f == from) {
                continue;
            }
            let before = {
                let state = lock(&self.state);
                let known = state.ids.get(from).and_then(|id| state.folders.get(id));
                known.and_then(|k| match k.counts {
                    Baseline::Counts(counts) => Some((k.identity?, counts.uid_validity)),
                    _ => None,
                })
            };
            let Some((identity, validity)) = before else {
                continue;
            };
            let same = diff.created.iter().find(|to| {
                identities.get(*to) == Some(&identity) && !renamed.iter().any(|(_, t)| t == *to)
            });
            if let Some(to) = same
                && let Ok((counts, _)) = account.look(to)
                && counts.uid_validity == validity
            {
                renamed.push((from.clone(), to.clone()));
            }
        }
    }

    /// Watches all mailboxes that should be and are not.
    fn watch_unwatched(&self) {
        if !self.local {
            return;
        }
        let unwatched: Vec<(u64, places::Paths)> = {
            let state = lock(&self.state);
            let wanted = state.folders.iter();
            wanted
                .filter(|(_, k)| k.of_messages && k.watches.is_none())
                .map(|(&id, k)| (id, places::paths(&self.root, &k.directory)))
                .collect()
        };
        for (id, paths) in unwatched {
            self.watch(id, &paths);
        }
    }

    fn watch(&self, id: u64, paths: &places::Paths) -> bool {
        let Some(watcher) = self.watcher.upgrade().filter(|_| self.local) else {
            return false;
        };
        let watches = watcher.watch_folder(self.number(), id, paths);
        let found = watches.is_some();
        if let Some(known) = lock(&self.state).folders.get_mut(&id) {
            known.watches = watches;
        }
        found
    }

    pub(super) fn end_watches(&self, watches: Vec<(u64, [Watch; 2])>) {
        if let Some(watcher) = self.watcher.upgrade() {
            for (id, pair) in watches {
                watcher.unwatch_folder(self.number(), id, pair);
            }
        }
    }
}
