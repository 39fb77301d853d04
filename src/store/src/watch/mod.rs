//! Who is watched for other programs' changes; [`run`] is the thread that sees
//! them.
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
mod run;

use crate::account::Account;
use crate::mailbox::{Mailbox, Marks, Sub, lock};
use crate::upkeep::Upkeep;
use hubs::HubEntry;
use roost_os::inotify::{EventBuffer, Inotify, Watch};
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A burst of events is waited out for this long before looking; the first
/// event after some quiet is no burst yet, and looked after at once.
const COALESCE: Duration = Duration::from_millis(8);
const QUIET: Duration = Duration::from_millis(50);
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
