//! Looking after an account that somebody listens to: its watches, and finding
//! out what has happened where something is marked.

use super::Counts;
use super::places;
use super::scope::Interest;
use super::state::{Baseline, Identity, Joined, Look, State};
use super::tree;
use crate::account::Account;
use crate::error::Error;
use crate::mailbox::lock;
use crate::watch::Shared as Watcher;
use arc_swap::ArcSwapOption;
use roost_os::inotify::Watch;
use roost_types::MailboxName;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often the stamps of watched directories are compared all the same:
/// nobody is told when a directory above is renamed, or a file written in
/// place.
const SLOW: Duration = Duration::from_secs(60);
/// How soon to try again what somebody else is just doing.
const BUSY: Duration = Duration::from_millis(50);
/// How soon to try again what has failed.
const RETRY: Duration = Duration::from_secs(1);

/// Where an account and its mailboxes leave word of their changes: one for an
/// account, empty while nobody listens.
#[derive(Default)]
pub(crate) struct News(ArcSwapOption<Hub>);

impl News {
    /// A session of ours has changed a mailbox. Does not block.
    pub fn changed(&self, name: impl FnOnce() -> MailboxName) {
        if let Some(hub) = &*self.0.load() {
            hub.touched(&name());
        }
    }

    /// Somebody has changed the tree or the subscriptions. Does not block.
    pub fn tree_changed(&self) {
        if let Some(hub) = &*self.0.load() {
            lock(&hub.state).tree_dirty = true;
            hub.wake();
        }
    }

    pub fn hub(&self) -> Option<Arc<Hub>> {
        self.0.load_full()
    }

    pub fn set(&self, hub: &Arc<Hub>) {
        self.0.store(Some(Arc::clone(hub)));
    }

    fn clear(&self, hub: &Hub) {
        if self
            .0
            .load()
            .as_ref()
            .is_some_and(|h| std::ptr::eq(&**h, hub))
        {
            self.0.store(None);
        }
    }
}

/// What the watcher's thread does next with a hub.
pub(crate) enum Tick {
    After(Duration),
    /// Nobody listens any more.
    End,
}

pub(crate) struct Hub {
    root: PathBuf,
    /// File servers tell inotify nothing.
    local: bool,
    /// False when the root has to be polled.
    root_watched: AtomicBool,
    watcher: Weak<Watcher>,
    /// The watcher's number for it.
    number: AtomicU64,
    news: Weak<News>,
    /// Held by whoever looks at mailboxes and changes `State::folders`.
    settling: Mutex<()>,
    pub(super) state: Mutex<State>,
    wakes: watch::Sender<u64>,
}

impl Hub {
    /// Begins to watch an account's root.
    pub fn start(watcher: &Arc<Watcher>, root: &Path, news: &Arc<News>) -> Arc<Self> {
        let hub = Arc::new(Self {
            root: root.to_path_buf(),
            local: places::is_local(root),
            root_watched: AtomicBool::new(false),
            watcher: Arc::downgrade(watcher),
            number: AtomicU64::new(0),
            news: Arc::downgrade(news),
            settling: Mutex::default(),
            state: Mutex::default(),
            wakes: watch::Sender::new(0),
        });
        let (number, watched) = watcher.add_hub(&hub, root);
        hub.number.store(number, Ordering::Relaxed);
        hub.root_watched.store(watched, Ordering::Relaxed);
        hub
    }

    pub fn is_local(&self) -> bool {
        self.local
    }

    /// The kernel has ended the watch of the root.
    pub fn root_unwatched(&self) {
        self.root_watched.store(false, Ordering::Relaxed);
        self.mark_tree();
    }

    fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.wakes.subscribe()
    }

    pub fn wake(&self) {
        self.wakes.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Marks a mailbox and wakes the listeners.
    fn touched(&self, name: &MailboxName) {
        let mut state = lock(&self.state);
        let Some(&id) = state.ids.get(name) else {
            return;
        };
        let news = state.dirty.insert(id);
        drop(state);
        if news {
            self.wake();
        }
    }

    /// Marks a mailbox; the watcher wakes the listeners after the burst.
    pub fn mark(&self, id: u64) {
        let mut state = lock(&self.state);
        if state.folders.contains_key(&id) {
            state.dirty.insert(id);
        }
    }

    /// The kernel has ended the watches of a mailbox: its directories are not
    /// what they were.
    pub fn unwatched(&self, id: u64) {
        let mut state = lock(&self.state);
        if let Some(known) = state.folders.get_mut(&id) {
            known.watches = None;
            state.dirty.insert(id);
            state.tree_dirty = true;
        }
    }

    /// A directory of this name came or went in the root. What is there now
    /// may be another one than before, of which the kernel says nothing as
    /// long as somebody has it open.
    pub fn mark_directory(&self, name: &[u8]) {
        let mut state = lock(&self.state);
        state.tree_dirty = true;
        let State { folders, dirty, .. } = &mut *state;
        let mut found = folders.iter_mut();
        if let Some((&id, known)) = found.find(|(_, k)| &*k.directory == name) {
            known.suspect = true;
            dirty.insert(id);
        }
    }

    pub fn mark_tree(&self) {
        lock(&self.state).tree_dirty = true;
    }

    /// After an overflow nothing is known of what happened.
    pub fn mark_all(&self) {
        let mut state = lock(&self.state);
        state.tree_dirty = true;
        let State { folders, dirty, .. } = &mut *state;
        dirty.extend(
            folders
                .iter()
                .filter(|(_, k)| k.of_messages)
                .map(|(&id, _)| id),
        );
    }

    /// A listener comes. `None` when the hub has just been closed.
    ///
    /// # Errors
    /// `Limit` when more than `most` mailboxes would be watched.
    pub fn join(
        &self,
        account: &Account,
        interest: &Arc<Interest>,
        most: usize,
    ) -> Option<Result<(u64, u64), Error>> {
        let _settling = lock(&self.settling);
        let (id, cursor) = {
            let mut state = lock(&self.state);
            if state.closed {
                return None;
            }
            state.next_id += 1;
            let id = state.next_id;
            let interest = Arc::clone(interest);
            let joined = Joined {
                interest,
                most,
                overflowed: false,
            };
            state.listeners.insert(id, joined);
            (id, state.seq)
        };
        let looked = self.look_at_tree(account, true).and_then(|()| {
            match lock(&self.state).is_too_much(id) {
                true => Err(Error::Limit("mailboxes with notifications")),
                false => Ok(()),
            }
        });
        if looked.is_err() {
            self.leave(id);
        }
        Some(looked.map(|()| (id, cursor)))
    }

    /// A listener goes. Does not block: watches are ended by the watcher.
    pub fn leave(&self, id: u64) {
        let mut state = lock(&self.state);
        state.listeners.remove(&id);
        state.stale = true;
        drop(state);
        if let Some(watcher) = self.watcher.upgrade() {
            watcher.tick_after(self.number(), Duration::ZERO);
        }
    }

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

    pub fn expect_rename(&self, from: &MailboxName, to: &MailboxName) {
        lock(&self.state).renames.push((from.clone(), to.clone()));
    }

    pub fn rename_over(&self, from: &MailboxName, to: &MailboxName) {
        lock(&self.state)
            .renames
            .retain(|(f, t)| (f, t) != (from, to));
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
    fn look_at_tree(&self, account: &Account, joining: bool) -> Result<(), Error> {
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

    fn end_watches(&self, watches: Vec<(u64, [Watch; 2])>) {
        if let Some(watcher) = self.watcher.upgrade() {
            for (id, pair) in watches {
                watcher.unwatch_folder(self.number(), id, pair);
            }
        }
    }

    /// Called by the watcher's thread when something was marked, when a
    /// listener has gone, and now and then.
    pub fn tick(&self, poll_interval: Duration) -> Tick {
        let (listeners, stale) = {
            let state = lock(&self.state);
            (state.listeners.len(), state.stale)
        };
        if stale {
            let settling = match self.settling.try_lock() {
                Ok(guard) => guard,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return Tick::After(BUSY),
            };
            if listeners == 0 && self.close() {
                return Tick::End;
            }
            self.drop_unwanted();
            drop(settling);
        }
        let unwatched = self.poll(poll_interval);
        let mut state = lock(&self.state);
        let later = std::mem::take(&mut state.later);
        state.dirty.extend(later);
        state.tree_dirty |= std::mem::take(&mut state.tree_later);
        let marked = state.tree_dirty || !state.dirty.is_empty();
        drop(state);
        if marked {
            self.wake();
        }
        Tick::After(match unwatched {
            true => poll_interval,
            false => SLOW,
        })
    }

    /// False if somebody has come meanwhile.
    fn close(&self) -> bool {
        let mut state = lock(&self.state);
        if !state.listeners.is_empty() {
            return false;
        }
        state.closed = true;
        let all: Vec<(u64, [Watch; 2])> = state
            .folders
            .drain()
            .filter_map(|(id, k)| Some((id, k.watches?)))
            .collect();
        drop(state);
        if let Some(news) = self.news.upgrade() {
            news.clear(self);
        }
        self.end_watches(all);
        true
    }

    fn drop_unwanted(&self) {
        let mut unwanted = Vec::new();
        let mut state = lock(&self.state);
        state.stale = false;
        let all: Vec<u64> = state.folders.keys().copied().collect();
        for id in all {
            let Some(known) = state.folders.get(&id) else {
                continue;
            };
            let wants = state.wants(&known.name, state.is_subscribed(&known.name));
            if wants.of_messages() {
                continue;
            }
            let watches = match wants.names {
                true => state.folders.get_mut(&id).and_then(|k| {
                    k.of_messages = false;
                    k.watches.take()
                }),
                false => state.forget(id).and_then(|k| k.watches),
            };
            unwanted.extend(watches.map(|w| (id, w)));
        }
        drop(state);
        self.end_watches(unwanted);
    }

    /// Compares stamps where nobody tells us; true if there are such places.
    fn poll(&self, interval: Duration) -> bool {
        let root_watched = self.root_watched.load(Ordering::Relaxed);
        let unwatched: Vec<(u64, places::Paths)> = {
            let mut state = lock(&self.state);
            let all: Vec<_> = state
                .folders
                .iter()
                .filter(|(_, k)| k.of_messages && k.watches.is_none())
                .map(|(&id, k)| (id, places::paths(&self.root, &k.directory)))
                .collect();
            let interval = match all.is_empty() && root_watched {
                true => SLOW,
                false => interval,
            };
            if state.polled.is_some_and(|p| p.elapsed() < interval) {
                return !all.is_empty() || !root_watched;
            }
            state.polled = Some(Instant::now());
            all
        };
        let some = !unwatched.is_empty() || !root_watched;
        let mut found = Vec::with_capacity(unwatched.len());
        for (id, paths) in unwatched {
            found.push((id, places::stamps(&paths)));
        }
        let root = places::root_stamps(&self.root);
        let mut state = lock(&self.state);
        for (id, stamps) in found {
            let known = state.folders.get(&id).and_then(|k| k.stamps.as_deref());
            if known.is_none_or(|k| stamps != Some(*k)) {
                state.dirty.insert(id);
            }
        }
        if root.is_none() || state.root_stamps != root {
            state.tree_dirty = true;
            state.root_stamps = root;
        }
        some
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
