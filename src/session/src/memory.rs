//! Remembers the last orders and threads that were computed.
//!
//! A message never changes what it is sorted and threaded by. So while the
//! same messages match, the outcome is the same, and a client that asks again
//! (a webmailer does at every page) need not wait. All sessions of the process
//! share what is remembered: a bounded amount, for a while.

use roost_imap::command::{SortCriterion, ThreadAlgorithm};
use roost_message::thread::Forest;
use roost_store::Mailbox;
use roost_types::{UidSet, UidValidity};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Octets remembered by a process.
const MOST: usize = 32 << 20;
/// Outcomes remembered.
const MOST_ENTRIES: usize = 64;
/// What nobody asked for in this time is forgotten.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// It is not worth a place for fewer messages.
const FEWEST: u64 = 64;

/// What was computed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Sort(Vec<SortCriterion>),
    Thread(ThreadAlgorithm),
}

#[derive(Clone)]
enum Outcome {
    /// Places among the messages, sorted.
    Order(Arc<Vec<u32>>),
    Forest(Arc<Forest>),
}

struct Entry {
    mailbox: Weak<Mailbox>,
    validity: UidValidity,
    what: What,
    uids: UidSet,
    outcome: Outcome,
    used: Instant,
}

impl Entry {
    fn is_of(&self, mailbox: &Arc<Mailbox>) -> bool {
        std::ptr::eq(self.mailbox.as_ptr(), Arc::as_ptr(mailbox))
    }

    fn size(&self) -> usize {
        let outcome = match &self.outcome {
            Outcome::Order(order) => order.len() * size_of::<u32>(),
            Outcome::Forest(forest) => forest.size(),
        };
        outcome + self.uids.range_count() * 8
    }
}

/// Outcomes, the one that was used last at the end.
pub(crate) struct Memory {
    entries: Vec<Entry>,
}

static MEMORY: Mutex<Memory> = Mutex::new(Memory {
    entries: Vec::new(),
});

impl Memory {
    pub fn order(mailbox: &Arc<Mailbox>, what: &What, uids: &UidSet) -> Option<Arc<Vec<u32>>> {
        match lock().find(mailbox, what, uids)? {
            Outcome::Order(order) => Some(order),
            Outcome::Forest(_) => None,
        }
    }

    pub fn forest(mailbox: &Arc<Mailbox>, what: &What, uids: &UidSet) -> Option<Arc<Forest>> {
        match lock().find(mailbox, what, uids)? {
            Outcome::Forest(forest) => Some(forest),
            Outcome::Order(_) => None,
        }
    }

    pub fn keep_order(mailbox: &Arc<Mailbox>, what: &What, uids: &UidSet, order: &Arc<Vec<u32>>) {
        lock().keep(mailbox, what, uids, Outcome::Order(Arc::clone(order)));
    }

    pub fn keep_forest(mailbox: &Arc<Mailbox>, what: &What, uids: &UidSet, forest: &Arc<Forest>) {
        lock().keep(mailbox, what, uids, Outcome::Forest(Arc::clone(forest)));
    }

    fn find(&mut self, mailbox: &Arc<Mailbox>, what: &What, uids: &UidSet) -> Option<Outcome> {
        let validity = mailbox.snapshot().uid_validity();
        let at = self.entries.iter().position(|e| {
            e.is_of(mailbox) && e.what == *what && e.validity == validity && e.uids == *uids
        })?;
        let mut entry = self.entries.remove(at);
        entry.used = Instant::now();
        let outcome = entry.outcome.clone();
        self.entries.push(entry);
        Some(outcome)
    }

    fn keep(&mut self, mailbox: &Arc<Mailbox>, what: &What, uids: &UidSet, outcome: Outcome) {
        if uids.len() < FEWEST {
            return;
        }
        let validity = mailbox.snapshot().uid_validity();
        let entry = Entry {
            mailbox: Arc::downgrade(mailbox),
            validity,
            what: what.clone(),
            uids: uids.clone(),
            outcome,
            used: Instant::now(),
        };
        self.entries.retain(|e| {
            let same = e.is_of(mailbox) && e.what == entry.what && e.uids == *uids;
            let alive = e.mailbox.strong_count() > 0 && e.used.elapsed() < LIFETIME;
            alive && !same
        });
        if entry.size() <= MOST {
            self.entries.push(entry);
        }
        let mut total: usize = self.entries.iter().map(Entry::size).sum();
        while total > MOST || self.entries.len() > MOST_ENTRIES {
            total -= self.entries.remove(0).size();
        }
    }
}

fn lock() -> MutexGuard<'static, Memory> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::bench::Bench;
    use roost_imap::command::SortKey;
    use roost_types::Uid;

    #[test]
    fn outcomes_are_remembered_for_the_same_messages_only() {
        let message: &[u8] = b"Subject: x\n\nx\n";
        let mut b = Bench::new(&[("", message); 100]);
        b.run("a SORT (SUBJECT) UTF-8 ALL");
        b.run("a THREAD REFS UTF-8 ALL");
        let mailbox = Arc::clone(b.session.selected().unwrap().mailbox());
        let range = |last| UidSet::range(Uid::MIN, Uid::new(last).unwrap());
        let by = |key, reverse| What::Sort(vec![SortCriterion { key, reverse }]);
        let subject = by(SortKey::Subject, false);
        let order = Memory::order(&mailbox, &subject, &range(100)).unwrap();
        assert_eq!(*order, (0..100).collect::<Vec<_>>());
        let refs = What::Thread(ThreadAlgorithm::Refs);
        assert!(Memory::forest(&mailbox, &refs, &range(100)).is_some());
        assert!(Memory::order(&mailbox, &subject, &range(99)).is_none());
        assert!(Memory::order(&mailbox, &by(SortKey::Subject, true), &range(100)).is_none());
        let other = Bench::new(&[("", message); 100]);
        let other = other.session.selected().unwrap().mailbox();
        assert!(Memory::order(other, &subject, &range(100)).is_none());
    }
}
