//! An account that somebody listens to: who comes and goes, and what is marked.

use super::news::News;
use super::places;
use super::scope::Interest;
use super::state::{Joined, State};
use crate::account::Account;
use crate::error::Error;
use crate::mailbox::lock;
use crate::watch::Shared as Watcher;
use roost_types::MailboxName;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// What is known of the account and who listens to it; see [`super::look`] for
/// what keeps it true.
pub(crate) struct Hub {
    pub(super) root: PathBuf,
    /// File servers tell inotify nothing.
    pub(super) local: bool,
    /// False when the root has to be polled.
    pub(super) root_watched: AtomicBool,
    pub(super) watcher: Weak<Watcher>,
    /// The watcher's number for it.
    number: AtomicU64,
    pub(super) news: Weak<News>,
    /// Held by whoever looks at mailboxes and changes `State::folders`.
    pub(super) settling: Mutex<()>,
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

    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.wakes.subscribe()
    }

    pub fn wake(&self) {
        self.wakes.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Marks a mailbox and wakes the listeners.
    pub(super) fn touched(&self, name: &MailboxName) {
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

    pub fn expect_rename(&self, from: &MailboxName, to: &MailboxName) {
        lock(&self.state).renames.push((from.clone(), to.clone()));
    }

    pub fn rename_over(&self, from: &MailboxName, to: &MailboxName) {
        lock(&self.state)
            .renames
            .retain(|(f, t)| (f, t) != (from, to));
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
