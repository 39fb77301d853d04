//! The thread that sees other programs' changes.
//!
//! One inotify instance serves the whole store, with two watches for each
//! open mailbox, and for each account that somebody listens to (see
//! [`crate::events`]) one on its root and two for each mailbox of interest;
//! the kernel gives one watch to a directory however often it is asked for.
//! Events only say that somebody was at work: what has happened
//! is found out by [`Mailbox::refresh`], once for a burst of events. Events of
//! our own changes are recognised and dropped. Where inotify has no more
//! watches or says nothing (file servers), the mailbox's stamps are compared
//! again and again instead; and now and then everywhere, since nobody is told
//! when a directory above is renamed or removed.

mod hubs;

use crate::account::Account;
use crate::mailbox::{Mailbox, Marks, Sub, lock};
use crate::upkeep::Upkeep;
use hubs::HubEntry;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use roost_os::inotify::{EventBuffer, EventKind, Inotify, Watch};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// A burst of events is waited out for this long before looking; the first
/// event after some quiet is no burst yet, and looked after at once.
const COALESCE: Duration = Duration::from_millis(8);
const QUIET: Duration = Duration::from_millis(50);
/// After events of our own there are more to come: who changes thousands of
/// files must not wake this thread for each of them.
const OWN_PAUSE: Duration = Duration::from_millis(2);
/// When to look again at a mailbox that somebody works on.
const BUSY: Duration = Duration::from_millis(10);
/// How many polling intervals pass between looks at a watched mailbox.
const WATCHED_INTERVALS: u32 = 3;
/// The longest sleep, and how often accounts are tidied.
const MAX_SLEEP: Duration = Duration::from_secs(20);

/// What mailboxes and the thread share.
pub(crate) struct Shared {
    inotify: Option<Inotify>,
    /// Held while events are read, until what they say has been noted.
    reading: Mutex<EventBuffer>,
    table: Mutex<Table>,
    poll_interval: Duration,
    waker: UnixStream,
    upkeep: Upkeep,
    /// Accounts that keep mailboxes for a while after their last use.
    accounts: Mutex<Vec<Weak<Account>>>,
    stop: AtomicBool,
    complained: AtomicBool,
}

#[derive(Default)]
struct Table {
    next_id: u64,
    entries: HashMap<u64, Entry>,
    hubs: HashMap<u64, HubEntry>,
    /// The kernel gives one number to a directory however often it is added.
    watches: HashMap<Watch, Vec<User>>,
}

/// Whom an event of a watch concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum User {
    /// An open mailbox.
    Mailbox(u64, Sub),
    /// A mailbox that a hub has an interest in.
    Folder { hub: u64, folder: u64 },
    /// The root of a hub's account.
    Root(u64),
}

struct Entry {
    mailbox: Weak<Mailbox>,
    marks: Arc<Marks>,
    watches: Option<[Watch; 2]>,
    /// When to look at the mailbox.
    due: Option<Instant>,
    looked: Option<Instant>,
}

impl Entry {
    /// How long to wait after an event.
    fn patience(&self) -> Duration {
        match self.looked {
            Some(at) if at.elapsed() < QUIET => COALESCE,
            _ => Duration::ZERO,
        }
    }
}

/// What came of reading events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Heard {
    Nothing,
    /// Some were of our own changes.
    Own,
    /// Some were of others.
    Others,
}

/// Owns the thread: dropping it ends the thread, and with it what the thread
/// holds of mailboxes.
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
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
            reading: Mutex::default(),
            table: Mutex::default(),
            poll_interval: poll_interval.max(Duration::from_millis(10)),
            waker,
            upkeep: Upkeep::default(),
            accounts: Mutex::default(),
            stop: AtomicBool::new(false),
            complained: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("roost-watch".into())
            .spawn(move || of_thread.run(woken))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake();
        // It may be the thread itself that lets go last.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
        self.shared.upkeep.finish();
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
            let user = |sub| User::Mailbox(id, sub);
            table.watches.entry(new).or_default().push(user(Sub::New));
            table.watches.entry(cur).or_default().push(user(Sub::Cur));
        }
        mailbox.marks().set_watched(watches.is_some());
        let entry = Entry {
            mailbox: Arc::downgrade(mailbox),
            marks: Arc::clone(mailbox.marks()),
            watches,
            due: Some(Instant::now() + self.interval(mailbox)),
            looked: None,
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
            self.let_go(account);
        }
    }

    /// For what nobody waits for.
    pub fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    /// Ends the watching of a mailbox that is closed.
    pub fn forget(&self, id: u64) {
        let mut table = lock(&self.table);
        let Some(entry) = table.entries.remove(&id) else {
            return;
        };
        for watch in entry.watches.into_iter().flatten() {
            self.unwatch(
                &mut table,
                watch,
                |user| matches!(user, User::Mailbox(u, _) if u == id),
            );
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

    fn unwatch(&self, table: &mut Table, watch: Watch, gone: impl Fn(User) -> bool) {
        let Some(users) = table.watches.get_mut(&watch) else {
            return;
        };
        users.retain(|&user| !gone(user));
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
        let place = mailbox.place();
        self.watch_paths(&place.new, &place.cur)
    }

    /// Both directories or none; the caller holds the table.
    fn watch_paths(&self, new: &Path, cur: &Path) -> Option<[Watch; 2]> {
        let inotify = self.inotify.as_ref()?;
        let first = inotify.add(new);
        let both = first.and_then(|first| Ok([first, inotify.add(cur)?]));
        both.inspect_err(|e| self.complain(new, e)).ok()
    }

    /// Once is enough: all that cannot be watched is polled.
    fn complain(&self, path: &Path, e: &io::Error) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            log::warn!("cannot watch {}: {e}; polling", path.display());
        }
    }

    fn wake(&self) {
        // A full pipe wakes the thread as well.
        let _ = (&self.waker).write(&[0]);
    }

    fn run(&self, mut woken: UnixStream) {
        let mut tidied = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.sleep(&woken);
            let mut drain = [0; 64];
            while woken.read(&mut drain).is_ok_and(|n| n > 0) {}
            let drained = SystemTime::now();
            let heard = self.read_events();
            for id in self.take_due() {
                self.look(id, drained);
            }
            self.tick_hubs();
            if heard == Heard::Own {
                thread::sleep(OWN_PAUSE);
            }
            if tidied.elapsed() >= MAX_SLEEP {
                tidied = Instant::now();
                self.tidy();
            }
        }
    }

    fn sleep(&self, woken: &UnixStream) {
        let now = Instant::now();
        let due = {
            let table = lock(&self.table);
            let mailboxes = table.entries.values().filter_map(|e| e.due);
            mailboxes.chain(table.hubs.values().map(|h| h.due)).min()
        };
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

    /// Notes everything that inotify has to tell at this moment.
    pub fn hear(&self) {
        if self.read_events() == Heard::Others {
            self.wake();
        }
    }

    fn read_events(&self) -> Heard {
        let mut heard = Heard::Nothing;
        let Some(inotify) = &self.inotify else {
            return heard;
        };
        let mut buffer = lock(&self.reading);
        loop {
            let events = match inotify.read(&mut buffer) {
                Ok(events) => events,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return heard,
            };
            let mut table = lock(&self.table);
            for event in events {
                let mut of = Heard::Others;
                match (event.kind, event.watch) {
                    (EventKind::Overflow, _) | (_, None) => self.on_overflow(&mut table),
                    (EventKind::WatchEnded, Some(watch)) => self.on_ended(&mut table, watch),
                    (kind, Some(watch)) => {
                        let name = (kind != EventKind::DirectoryGone).then_some(event.name);
                        of = self.on_change(&mut table, watch, name);
                    }
                }
                heard = heard.max(of);
            }
        }
    }

    /// Whose change it was.
    fn on_change(&self, table: &mut Table, watch: Watch, name: Option<&[u8]>) -> Heard {
        let Some(users) = table.watches.get(&watch).cloned() else {
            return Heard::Nothing;
        };
        let mut ours = false;
        for &user in &users {
            let User::Mailbox(id, sub) = user else {
                continue;
            };
            let Some(entry) = table.entries.get(&id) else {
                continue;
            };
            let own = name.is_some_and(|name| entry.marks.own.take(sub, name));
            ours |= own;
            if !own {
                entry.marks.set_dirty(Some(sub));
                let patience = entry.patience();
                self.schedule(table, id, patience);
            }
        }
        if ours {
            // Of its own changes the mailbox has told the hub itself.
            return Heard::Own;
        }
        table.mark_hubs(&users, name);
        Heard::Others
    }

    fn on_overflow(&self, table: &mut Table) {
        log::info!("inotify queue overflowed: every mailbox is looked at");
        let soon = Instant::now() + COALESCE;
        for entry in table.entries.values_mut() {
            entry.marks.own.clear();
            entry.marks.set_dirty(None);
            entry.due = Some(entry.due.map_or(soon, |due| due.min(soon)));
        }
        for entry in table.hubs.values_mut() {
            entry.hub.mark_all();
            entry.soon(COALESCE);
        }
    }

    /// The kernel has dropped a watch: the directory was removed, or its file
    /// system unmounted.
    fn on_ended(&self, table: &mut Table, watch: Watch) {
        for user in table.watches.remove(&watch).unwrap_or_default() {
            let User::Mailbox(id, _) = user else {
                table.watch_ended(user);
                continue;
            };
            if let Some(entry) = table.entries.get(&id) {
                entry.marks.set_watched(false);
                entry.marks.set_dirty(None);
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
            entry.looked = Some(now);
            id
        })
        .collect()
    }

    /// `drained`: before the last events were read.
    fn look(&self, id: u64, drained: SystemTime) {
        let mailbox = lock(&self.table)
            .entries
            .get(&id)
            .and_then(|e| e.mailbox.upgrade());
        let Some(mailbox) = mailbox else { return };
        let delay = self.look_at(&mailbox, drained);
        if let Some(delay) = delay {
            self.schedule(&mut lock(&self.table), id, delay);
        }
        self.let_go(mailbox);
    }

    /// To let go last is to close, for which nothing here is to wait.
    fn let_go<T: Send + Sync + 'static>(&self, held: Arc<T>) {
        if Arc::strong_count(&held) == 1 {
            self.upkeep.later(move || drop(held));
        }
    }

    /// Says when to look again.
    fn look_at(&self, mailbox: &Arc<Mailbox>, drained: SystemTime) -> Option<Duration> {
        let Some((looked, retry)) = mailbox.try_refresh() else {
            // Somebody is at work there; others are not to wait for that.
            return Some(BUSY);
        };
        if !mailbox.exists() {
            return None;
        }
        if let Err(e) = looked {
            log::warn!("{}: {e}", mailbox.name());
        }
        let unread = mailbox.unread_in();
        if unread == Some(Duration::ZERO) {
            mailbox.mark_aside(&self.upkeep);
        }
        mailbox.settle(drained);
        mailbox.maintain();
        let interval = self.interval(mailbox);
        let retry = retry
            .into_iter()
            .chain(unread.filter(|wait| !wait.is_zero()))
            .min();
        Some(retry.map_or(interval, |retry| retry.min(interval)))
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
mod tests;
