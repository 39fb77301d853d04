//! What the thread does: sleeps until inotify or a mailbox's time wakes it,
//! notes what was told, and looks at the mailboxes whose time has come. It
//! waits for nobody: where a session is at work it comes back later.

use super::{COALESCE, MAX_SLEEP, Shared, Table, User};
use crate::mailbox::{Mailbox, lock};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use roost_os::inotify::{EventKind, Watch};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// After events of our own there are more to come: who changes thousands of
/// files must not wake this thread for each of them.
const OWN_PAUSE: Duration = Duration::from_millis(2);
/// When to look again at a mailbox that somebody works on.
const BUSY: Duration = Duration::from_millis(10);

/// What came of reading events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Heard {
    Nothing,
    /// Some were of our own changes.
    Own,
    /// Some were of others.
    Others,
}

impl Shared {
    pub(super) fn run(&self, mut woken: UnixStream) {
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

    pub(super) fn on_overflow(&self, table: &mut Table) {
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

    fn tidy(&self) {
        let accounts = lock(&self.accounts).clone();
        for account in accounts.iter().filter_map(Weak::upgrade) {
            account.tidy();
            self.let_go(account);
        }
    }
}
