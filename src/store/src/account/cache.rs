//! What an account remembers of mailboxes that nobody has open.

use super::status::{Details, Status};
use crate::mailbox::Mailbox;
use roost_os::dir::DirStamp;
use roost_types::MailboxName;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a mailbox stays in memory after its last use.
const KEEP: Duration = Duration::from_secs(60);
/// Mailboxes and messages kept in memory without use.
const MAX_KEPT: usize = 16;
const MAX_KEPT_MESSAGES: u64 = 500_000;

/// Clients close and open mailboxes, and append to mailboxes that are not
/// open, again and again: the last few stay for a minute.
#[derive(Default)]
pub(super) struct Kept(VecDeque<(Instant, Arc<Mailbox>)>);

impl Kept {
    /// Returns what is kept no longer.
    pub fn put(&mut self, mailbox: &Arc<Mailbox>) -> Vec<Arc<Mailbox>> {
        self.0.retain(|(_, m)| !Arc::ptr_eq(m, mailbox));
        self.0.push_back((Instant::now(), Arc::clone(mailbox)));
        self.tidy()
    }

    /// Lets go of what is old and of what is too much; never of the last.
    pub fn tidy(&mut self) -> Vec<Arc<Mailbox>> {
        let now = Instant::now();
        let (mut keep, mut gone) = (VecDeque::new(), Vec::new());
        for (used, mailbox) in self.0.drain(..) {
            match now.duration_since(used) < KEEP && mailbox.exists() {
                true => keep.push_back((used, mailbox)),
                false => gone.push(mailbox),
            }
        }
        self.0 = keep;
        let messages = |kept: &Self| {
            kept.0
                .iter()
                .map(|(_, m)| u64::from(m.snapshot().len()))
                .sum::<u64>()
        };
        while self.0.len() > 1 && (self.0.len() > MAX_KEPT || messages(self) > MAX_KEPT_MESSAGES) {
            gone.extend(self.0.pop_front().map(|(_, mailbox)| mailbox));
        }
        gone
    }

    pub fn forget(&mut self, mailbox: &Arc<Mailbox>) {
        // Who names it holds it too: this closes nothing.
        self.0.retain(|(_, m)| !Arc::ptr_eq(m, mailbox));
    }
}

/// How coarse clocks stamp changes, file servers included.
const TICK: Duration = Duration::from_secs(2);
const MAX_STATUSES: usize = 10_000;

type Stamps = [DirStamp; 2];

/// Counts of mailboxes whose directories have not changed since.
#[derive(Default)]
pub(super) struct StatusCache(HashMap<MailboxName, (Stamps, Status)>);

impl StatusCache {
    pub fn get(&self, name: &MailboxName, directory: &Path, details: Details) -> Option<Status> {
        let (stamps, status) = self.0.get(name)?;
        let now = stamps_of(&directory.join("new"), &directory.join("cur"))?;
        (now == *stamps && status.has(details)).then_some(*status)
    }

    /// To be taken before the counts.
    pub fn stamp(mailbox: &Mailbox) -> Option<Stamps> {
        let place = mailbox.place();
        stamps_of(&place.new, &place.cur)
    }

    pub fn put(&mut self, mailbox: &Mailbox, stamps: Option<Stamps>, status: Status) {
        // What changed a moment ago may change again under the same stamp.
        if let Some(stamps) = stamps.filter(|s| s.iter().all(|d| d.is_settled(TICK))) {
            if self.0.len() >= MAX_STATUSES {
                self.0.clear();
            }
            self.0.insert(mailbox.name(), (stamps, status));
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

fn stamps_of(new: &Path, cur: &Path) -> Option<Stamps> {
    Some([DirStamp::of_path(new).ok()?, DirStamp::of_path(cur).ok()?])
}
