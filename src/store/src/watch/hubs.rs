//! Watching for those who listen to a whole account.

use super::{COALESCE, Shared, Table, User};
use crate::events::{Hub, Paths, Tick};
use crate::format::{folders, subscriptions};
use crate::mailbox::lock;
use roost_os::inotify::Watch;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(super) struct HubEntry {
    pub hub: Arc<Hub>,
    root: Option<Watch>,
    /// When to look at it.
    pub due: Instant,
}

impl HubEntry {
    pub fn soon(&mut self, delay: Duration) {
        self.due = self.due.min(Instant::now() + delay);
    }
}

impl Table {
    /// Marks what an event on a watch concerns; `name` is what came or went
    /// in the directory, `None` when it was the directory itself.
    pub(super) fn mark_hubs(&mut self, users: &[User], name: Option<&[u8]>) {
        for &user in users {
            match user {
                User::Mailbox(..) => {}
                User::Folder { hub, folder } => {
                    if let Some(entry) = self.hubs.get_mut(&hub) {
                        entry.hub.mark(folder);
                        if name.is_none() {
                            entry.hub.mark_tree();
                        }
                        entry.soon(COALESCE);
                    }
                }
                User::Root(hub) => {
                    if let Some(entry) = self.hubs.get_mut(&hub)
                        && name.is_none_or(is_of_the_tree)
                    {
                        match name {
                            Some(name) => entry.hub.mark_directory(name),
                            None => entry.hub.mark_tree(),
                        }
                        entry.soon(COALESCE);
                    }
                }
            }
        }
    }

    /// The kernel has ended a watch.
    pub(super) fn watch_ended(&mut self, user: User) {
        let (User::Folder { hub, .. } | User::Root(hub)) = user else {
            return;
        };
        let Some(entry) = self.hubs.get_mut(&hub) else {
            return;
        };
        match user {
            User::Folder { folder, .. } => entry.hub.unwatched(folder),
            _ => {
                entry.root = None;
                entry.hub.root_unwatched();
            }
        }
        entry.soon(COALESCE);
    }
}

/// Whether a name in the root tells of the tree or of subscriptions. INBOX's
/// own files come and go there too.
fn is_of_the_tree(name: &[u8]) -> bool {
    name.starts_with(b".")
        || name == subscriptions::FILE.as_bytes()
        || name == folders::FILE.as_bytes()
}

impl Shared {
    /// Takes a hub in, and watches the root of its account; false where that
    /// is not possible.
    pub fn add_hub(&self, hub: &Arc<Hub>, root: &Path) -> (u64, bool) {
        let mut table = lock(&self.table);
        table.next_id += 1;
        let number = table.next_id;
        let inotify = self.inotify.as_ref().filter(|_| hub.is_local());
        let watch = inotify.and_then(|inotify| {
            let added = inotify.add(root);
            added.inspect_err(|e| self.complain(root, e)).ok()
        });
        if let Some(watch) = watch {
            table
                .watches
                .entry(watch)
                .or_default()
                .push(User::Root(number));
        }
        let entry = HubEntry {
            hub: Arc::clone(hub),
            root: watch,
            due: Instant::now() + self.poll_interval,
        };
        table.hubs.insert(number, entry);
        drop(table);
        self.wake();
        (number, watch.is_some())
    }

    /// `None` where the mailbox has to be polled.
    pub fn watch_folder(&self, hub: u64, folder: u64, paths: &Paths) -> Option<[Watch; 2]> {
        let mut table = lock(&self.table);
        let both = self.watch_paths(&paths.new, &paths.cur)?;
        for watch in both {
            let users = table.watches.entry(watch).or_default();
            let user = User::Folder { hub, folder };
            if !users.contains(&user) {
                users.push(user);
            }
        }
        Some(both)
    }

    pub fn unwatch_folder(&self, hub: u64, folder: u64, watches: [Watch; 2]) {
        let mut table = lock(&self.table);
        for watch in watches {
            self.unwatch(&mut table, watch, |user| {
                user == User::Folder { hub, folder }
            });
        }
    }

    /// Asks for a look at a hub after `delay`.
    pub fn tick_after(&self, hub: u64, delay: Duration) {
        if let Some(entry) = lock(&self.table).hubs.get_mut(&hub) {
            entry.soon(delay);
        }
        self.wake();
    }

    pub(super) fn tick_hubs(&self) {
        let now = Instant::now();
        let due: Vec<(u64, Arc<Hub>)> = {
            let mut table = lock(&self.table);
            let due = table.hubs.iter_mut().filter(|(_, h)| h.due <= now);
            due.map(|(&number, entry)| {
                // What is marked from here on asks for another look.
                entry.due = now + super::MAX_SLEEP;
                (number, Arc::clone(&entry.hub))
            })
            .collect()
        };
        for (number, hub) in due {
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            match hub.tick(self.poll_interval) {
                Tick::After(delay) => {
                    if let Some(entry) = lock(&self.table).hubs.get_mut(&number) {
                        entry.soon(delay);
                    }
                }
                Tick::End => self.remove_hub(number),
            }
        }
    }

    fn remove_hub(&self, number: u64) {
        let mut table = lock(&self.table);
        let entry = table.hubs.remove(&number);
        if let Some(root) = entry.as_ref().and_then(|e| e.root) {
            self.unwatch(&mut table, root, |user| user == User::Root(number));
        }
        drop(table);
        drop(entry);
    }
}
