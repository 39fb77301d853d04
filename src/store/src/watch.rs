//! The thread that sees other programs' changes to open mailboxes.
//!
//! One inotify instance serves the whole store, with two watches for each
//! open mailbox. Events only say that somebody was at work: what has happened
//! is found out by [`Mailbox::refresh`], once for a burst of events. Events of
//! our own changes are recognised and dropped. Where inotify has no more
//! watches or says nothing (file servers), the mailbox's stamps are compared
//! again and again instead; and now and then everywhere, since nobody is told
//! when a directory above is renamed or removed.

use crate::account::Account;
use crate::mailbox::{Mailbox, Sub, lock};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use roost_os::inotify::{EventBuffer, EventKind, Inotify, Watch};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// A burst of events is waited out for this long before looking.
const COALESCE: Duration = Duration::from_millis(8);
/// How many polling intervals pass between looks at a watched mailbox.
const WATCHED_INTERVALS: u32 = 3;
/// The longest sleep, and how often accounts are tidied.
const MAX_SLEEP: Duration = Duration::from_secs(20);

/// What mailboxes and the thread share.
pub(crate) struct Shared {
    inotify: Option<Inotify>,
    table: Mutex<Table>,
    poll_interval: Duration,
    waker: UnixStream,
    /// Accounts that keep mailboxes for a while after their last use.
    accounts: Mutex<Vec<Weak<Account>>>,
    stop: AtomicBool,
    complained: AtomicBool,
}

#[derive(Default)]
struct Table {
    next_id: u64,
    entries: HashMap<u64, Entry>,
    /// The kernel gives one number to a directory however often it is added.
    watches: HashMap<Watch, Vec<(u64, Sub)>>,
}

struct Entry {
    mailbox: Weak<Mailbox>,
    watches: Option<[Watch; 2]>,
    /// When to look at the mailbox.
    due: Option<Instant>,
}

/// Owns the thread: dropping it ends the thread.
pub(crate) struct Watcher {
    shared: Arc<Shared>,
}

impl Watcher {
    /// By polling alone unless `inotify` is wanted and to be had.
    pub fn start(inotify: bool, poll_interval: Duration) -> io::Result<Self> {
        let kernel = inotify.then(Inotify::new).and_then(|made| {
            made.inspect_err(|e| log::warn!("no inotify ({e}): mailboxes are polled"))
                .ok()
        });
        Self::start_with(kernel, poll_interval)
    }

    fn start_with(inotify: Option<Inotify>, poll_interval: Duration) -> io::Result<Self> {
        let (waker, woken) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            inotify,
            table: Mutex::default(),
            poll_interval: poll_interval.max(Duration::from_millis(10)),
            waker,
            accounts: Mutex::default(),
            stop: AtomicBool::new(false),
            complained: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("roost-watch".into())
            .spawn(move || of_thread.run(woken))?;
        Ok(Self { shared })
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake();
    }
}

impl Shared {
    /// Begins to watch a mailbox; returns its number here.
    pub fn add(&self, mailbox: &Arc<Mailbox>) -> u64 {
        let mut table = lock(&self.table);
        table.next_id += 1;
        let id = table.next_id;
        let watches = self.watch_both(mailbox);
        if let Some([new, cur]) = watches {
            table.watches.entry(new).or_default().push((id, Sub::New));
            table.watches.entry(cur).or_default().push((id, Sub::Cur));
        }
        mailbox.set_watched(watches.is_some());
        let entry = Entry {
            mailbox: Arc::downgrade(mailbox),
            watches,
            due: Some(Instant::now() + self.interval(mailbox)),
        };
        table.entries.insert(id, entry);
        drop(table);
        self.wake();
        id
    }

    /// From now on the account is asked now and then to let go of mailboxes.
    pub fn tidy_later(&self, account: &Arc<Account>) {
        let mut accounts = lock(&self.accounts);
        accounts.retain(|a| a.strong_count() > 0);
        accounts.push(Arc::downgrade(account));
    }

    fn tidy(&self) {
        let accounts = lock(&self.accounts).clone();
        for account in accounts.iter().filter_map(Weak::upgrade) {
            account.tidy();
        }
    }

    /// Ends the watching of a mailbox that is closed.
    pub fn forget(&self, id: u64) {
        let mut table = lock(&self.table);
        let Some(entry) = table.entries.remove(&id) else {
            return;
        };
        for watch in entry.watches.into_iter().flatten() {
            self.unwatch(&mut table, watch, id);
        }
    }

    /// Asks for a look at a mailbox after `delay`.
    pub fn look_after(&self, id: u64, delay: Duration) {
        self.schedule(&mut lock(&self.table), id, delay);
        self.wake();
    }

    fn schedule(&self, table: &mut Table, id: u64, delay: Duration) {
        if let Some(entry) = table.entries.get_mut(&id) {
            let at = Instant::now() + delay;
            if entry.due.is_none_or(|due| due > at) {
                entry.due = Some(at);
            }
        }
    }

    fn unwatch(&self, table: &mut Table, watch: Watch, id: u64) {
        let Some(users) = table.watches.get_mut(&watch) else {
            return;
        };
        users.retain(|&(user, _)| user != id);
        if users.is_empty() {
            table.watches.remove(&watch);
            if let Some(inotify) = &self.inotify
                && let Err(e) = inotify.remove(watch)
            {
                log::debug!("removing a watch: {e}");
            }
        }
    }

    fn watch_both(&self, mailbox: &Mailbox) -> Option<[Watch; 2]> {
        let inotify = self.inotify.as_ref()?;
        let place = mailbox.place();
        let new = inotify.add(&place.new);
        let both = new.and_then(|new| Ok([new, inotify.add(&place.cur)?]));
        match both {
            Ok(both) => Some(both),
            Err(e) => {
                if !self.complained.swap(true, Ordering::Relaxed) {
                    log::warn!("cannot watch {}: {e}; polling", place.new.display());
                }
                None
            }
        }
    }

    fn wake(&self) {
        // A full pipe wakes the thread as well.
        let _ = (&self.waker).write(&[0]);
    }

    fn run(&self, mut woken: UnixStream) {
        let mut buffer = EventBuffer::default();
        let mut tidied = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.sleep(&woken);
            let mut drain = [0; 64];
            while woken.read(&mut drain).is_ok_and(|n| n > 0) {}
            self.read_events(&mut buffer);
            for id in self.take_due() {
                self.look(id);
            }
            if tidied.elapsed() >= MAX_SLEEP {
                tidied = Instant::now();
                self.tidy();
            }
        }
    }

    fn sleep(&self, woken: &UnixStream) {
        let now = Instant::now();
        let due = lock(&self.table)
            .entries
            .values()
            .filter_map(|e| e.due)
            .min();
        let sleep = due.map_or(MAX_SLEEP, |due| due.saturating_duration_since(now));
        let millis = sleep.min(MAX_SLEEP).as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut fds = vec![PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
        if let Some(inotify) = &self.inotify {
            fds.push(PollFd::new(inotify.as_fd(), PollFlags::POLLIN));
        }
        if let Err(e) = poll(&mut fds, timeout)
            && e != nix::errno::Errno::EINTR
        {
            log::error!("watching mailboxes: poll: {e}");
            thread::sleep(self.poll_interval);
        }
    }

    fn read_events(&self, buffer: &mut EventBuffer) {
        let Some(inotify) = &self.inotify else { return };
        loop {
            let events = match inotify.read(buffer) {
                Ok(events) => events,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let mut table = lock(&self.table);
            // Kept until the table is free: dropping a mailbox needs it.
            let mut held = Vec::new();
            for event in events {
                match (event.kind, event.watch) {
                    (EventKind::Overflow, _) | (_, None) => self.on_overflow(&mut table, &mut held),
                    (EventKind::WatchEnded, Some(watch)) => {
                        self.on_ended(&mut table, watch, &mut held)
                    }
                    (kind, Some(watch)) => {
                        let name = (kind != EventKind::DirectoryGone).then_some(event.name);
                        self.on_change(&mut table, watch, name, &mut held);
                    }
                }
            }
            drop(table);
        }
    }

    fn on_change(
        &self,
        table: &mut Table,
        watch: Watch,
        name: Option<&[u8]>,
        held: &mut Vec<Arc<Mailbox>>,
    ) {
        let Some(users) = table.watches.get(&watch).cloned() else {
            return;
        };
        for (id, sub) in users {
            let Some(mailbox) = table.entries.get(&id).and_then(|e| e.mailbox.upgrade()) else {
                continue;
            };
            let ours = name.is_some_and(|name| mailbox.own_events().take(sub, name));
            if !ours {
                mailbox.mark_dirty(Some(sub));
                self.schedule(table, id, COALESCE);
            }
            if !held.iter().any(|h| Arc::ptr_eq(h, &mailbox)) {
                held.push(mailbox);
            }
        }
    }

    fn on_overflow(&self, table: &mut Table, held: &mut Vec<Arc<Mailbox>>) {
        log::info!("inotify queue overflowed: every open mailbox is looked at");
        let ids: Vec<u64> = table.entries.keys().copied().collect();
        for id in ids {
            if let Some(mailbox) = table.entries.get(&id).and_then(|e| e.mailbox.upgrade()) {
                mailbox.own_events().clear();
                mailbox.mark_dirty(None);
                held.push(mailbox);
            }
            self.schedule(table, id, COALESCE);
        }
    }

    /// The kernel has dropped a watch: the directory was removed, or its file
    /// system unmounted.
    fn on_ended(&self, table: &mut Table, watch: Watch, held: &mut Vec<Arc<Mailbox>>) {
        for (id, _) in table.watches.remove(&watch).unwrap_or_default() {
            if let Some(mailbox) = table.entries.get(&id).and_then(|e| e.mailbox.upgrade()) {
                mailbox.set_watched(false);
                mailbox.mark_dirty(None);
                held.push(mailbox);
            }
            self.schedule(table, id, COALESCE);
        }
    }

    fn take_due(&self) -> Vec<u64> {
        let now = Instant::now();
        let mut table = lock(&self.table);
        let due = table
            .entries
            .iter_mut()
            .filter(|(_, e)| e.due.is_some_and(|d| d <= now));
        due.map(|(&id, entry)| {
            entry.due = None;
            id
        })
        .collect()
    }

    fn look(&self, id: u64) {
        let mailbox = lock(&self.table)
            .entries
            .get(&id)
            .and_then(|e| e.mailbox.upgrade());
        let Some(mailbox) = mailbox else { return };
        let looked = mailbox.refresh();
        if !mailbox.exists() {
            return;
        }
        if let Err(e) = looked {
            log::warn!("{}: {e}", mailbox.name());
        }
        let interval = self.interval(&mailbox);
        let delay = mailbox
            .wants_retry()
            .map_or(interval, |retry| retry.min(interval));
        self.schedule(&mut lock(&self.table), id, delay);
    }

    fn interval(&self, mailbox: &Mailbox) -> Duration {
        if mailbox.is_watched() {
            self.poll_interval * WATCHED_INTERVALS
        } else {
            self.poll_interval
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Dir, FormatError, perm};
    use crate::mailbox::Opening;
    use crate::options::{Fsync, Options};
    use roost_types::{MailboxName, UidValidity};

    fn open(dir: Dir, watcher: &Watcher) -> Arc<Mailbox> {
        let options = Options {
            fsync: Fsync::Never,
            ..Options::default()
        };
        let opening = Opening {
            options: &Arc::new(options),
            watcher: watcher.shared(),
            name: MailboxName::inbox(),
            folder: None,
            new_validity: &|| Ok::<_, FormatError>(UidValidity::MIN),
        };
        Mailbox::load(dir, opening).unwrap()
    }

    fn wait_for(mailbox: &Mailbox, count: u32) {
        let start = Instant::now();
        while mailbox.snapshot().len() != count {
            assert!(start.elapsed() < Duration::from_secs(10), "never {count}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn without_inotify_mailboxes_are_polled() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = perm::make_root(temp.path(), Fsync::Never).unwrap();
        let watcher = Watcher::start_with(None, Duration::from_millis(20)).unwrap();
        let mailbox = open(dir, &watcher);
        assert!(!mailbox.is_watched());
        for n in 1..=3 {
            std::fs::write(temp.path().join(format!("new/{n}.h")), "x").unwrap();
            wait_for(&mailbox, n);
        }
        std::fs::remove_file(temp.path().join("new/2.h")).unwrap();
        wait_for(&mailbox, 2);
    }

    #[test]
    fn an_overflow_makes_everything_be_looked_at() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = perm::make_root(temp.path(), Fsync::Never).unwrap();
        let watcher = Watcher::start_with(None, Duration::from_secs(3600)).unwrap();
        let mailbox = open(dir, &watcher);
        std::fs::write(temp.path().join("new/1.h"), "x").unwrap();
        let mut held = Vec::new();
        let shared = watcher.shared();
        shared.on_overflow(&mut lock(&shared.table), &mut held);
        shared.wake();
        wait_for(&mailbox, 1);
    }

    #[test]
    fn closing_a_mailbox_ends_its_watches() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = perm::make_root(temp.path(), Fsync::Never).unwrap();
        let watcher = Watcher::start(true, Duration::from_secs(1)).unwrap();
        let first = open(dir.clone(), &watcher);
        let second = open(dir, &watcher);
        let count = || {
            let table = lock(&watcher.shared().table);
            (table.entries.len(), table.watches.len())
        };
        if first.is_watched() {
            assert_eq!(count(), (2, 2));
            drop(first);
            assert_eq!(count(), (1, 2));
            drop(second);
            assert_eq!(count(), (0, 0));
        }
    }
}
