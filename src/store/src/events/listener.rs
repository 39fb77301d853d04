//! One who hears of an account's changes.

use super::hub::Hub;
use super::scope::{Interest, Wants};
use super::state::{Baseline, State};
use super::tree::TreeEvent;
use super::{Changed, Counts};
use crate::account::Account;
use crate::account::status::{Details, Status};
use crate::error::Error;
use crate::mailbox::Mailbox;
use crate::snapshot::sight::Sight;
use roost_types::{MailboxName, UidSet};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Own changes that are remembered so that they are not told.
const MAX_OWN: usize = 1000;

/// What a listener hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Messages {
        name: MailboxName,
        counts: Counts,
        changed: Changed,
        wants: Wants,
    },
    Tree(TreeEvent),
}

/// More happened than is kept for listeners that are late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow;

/// Hears of changes from its making on; watches end with the last of them.
/// Does not block except where it says so.
pub struct Listener {
    account: Arc<Account>,
    hub: Arc<Hub>,
    id: u64,
    interest: Arc<Interest>,
    /// All changes up to here have been told.
    told: u64,
    /// Up to here those that are not told yet have been looked through.
    at: u64,
    /// Events of the tree that this listener brought about.
    own_events: BTreeSet<u64>,
    /// Mailboxes as this listener left them.
    own_counts: HashMap<MailboxName, Counts>,
    /// Mailboxes that it knew otherwise, and how it knew them.
    left: Vec<(MailboxName, Counts)>,
}

impl Listener {
    /// Begins to listen; blocks on the disk. With more than `most` mailboxes
    /// to watch it is `Error::Limit`.
    pub(crate) fn new(
        account: &Arc<Account>,
        interest: Interest,
        most: usize,
    ) -> Result<Self, Error> {
        let interest = Arc::new(interest);
        loop {
            let hub = account.hub();
            let Some(joined) = hub.join(account, &interest, most) else {
                // Closed a moment ago: there will be another.
                continue;
            };
            let (id, told) = joined?;
            return Ok(Self {
                account: Arc::clone(account),
                hub,
                id,
                interest,
                told,
                at: told,
                own_events: BTreeSet::new(),
                own_counts: HashMap::new(),
                left: Vec::new(),
            });
        }
    }

    /// Wakes when there may be something to hear.
    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.hub.wakes()
    }

    /// What is wanted of a mailbox now.
    pub fn wants(&self, name: &MailboxName) -> Wants {
        let subscribed = self.hub.lock().is_subscribed(name);
        self.interest.wants(name, subscribed)
    }

    /// Whether the account's user is subscribed to it.
    pub fn is_subscribed(&self, name: &MailboxName) -> bool {
        self.hub.lock().is_subscribed(name)
    }

    /// Counts of what is shown of a mailbox; its changes are reckoned from now
    /// on. Blocks on the disk.
    pub fn status(&self, name: &MailboxName, sight: Sight) -> Result<Status, Error> {
        let before = self.hub.stamps_of(name);
        let status = self.account.status(name, Details::Counts)?;
        self.hub.found(name, Counts::from(&status), before);
        match sight {
            Sight::USUAL => Ok(status),
            other => self.account.status_for(name, other, Details::Counts),
        }
    }

    /// Finds out what has happened, for about `budget`; true when there is
    /// more to do. Blocks on the disk.
    pub fn settle(&self, budget: Duration) -> bool {
        self.hub.settle(&self.account, budget)
    }

    /// The next event that is wanted. Of the mailbox `selected` nothing is
    /// told but what concerns its name.
    pub fn next(&mut self, selected: Option<&MailboxName>) -> Result<Option<Event>, Overflow> {
        let hub = Arc::clone(&self.hub);
        let state = hub.lock();
        if let Some(event) = self.next_left(&state) {
            return Ok(Some(event));
        }
        if self.told < state.floor || state.has_overflowed(self.id) {
            return Err(Overflow);
        }
        loop {
            let after = self.at.saturating_add(1);
            let mailbox = state
                .order
                .range(after..)
                .next()
                .map(|(&seq, &id)| (seq, id));
            let at = state.journal.partition_point(|&(seq, _)| seq < after);
            let tree = state.journal.get(at);
            let next = match (mailbox, tree) {
                (None, None) => {
                    self.told = state.seq;
                    self.at = state.seq;
                    return Ok(None);
                }
                (Some((seq, id)), tree) if tree.is_none_or(|(t, _)| seq < *t) => {
                    self.at = seq;
                    self.of_mailbox(&state, id, selected)
                }
                (_, Some((seq, event))) => {
                    self.at = *seq;
                    self.of_tree(&state, *seq, event)
                }
                (Some(_), None) => None,
            };
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    fn of_mailbox(
        &mut self,
        state: &State,
        id: u64,
        selected: Option<&MailboxName>,
    ) -> Option<Event> {
        let known = state.folders.get(&id)?;
        let Baseline::Counts(counts) = known.counts else {
            return None;
        };
        if selected == Some(&known.name) {
            return None;
        }
        if let Some(own) = self.own_counts.get(&known.name) {
            if *own == counts {
                return None;
            }
            self.own_counts.remove(&known.name);
        }
        let changed = Changed {
            messages: known.messages > self.told,
            flags: known.flags > self.told,
            unseen: known.unseen > self.told,
            validity: known.validity > self.told,
        };
        self.wanted(state, &known.name, counts, changed)
    }

    fn wanted(
        &self,
        state: &State,
        name: &MailboxName,
        counts: Counts,
        changed: Changed,
    ) -> Option<Event> {
        let wants = self.interest.wants(name, state.is_subscribed(name));
        let wanted = changed.messages && wants.messages
            || changed.flags && wants.flags
            || changed.validity && wants.of_messages();
        wanted.then(|| Event::Messages {
            name: name.clone(),
            counts,
            changed,
            wants,
        })
    }

    fn of_tree(&mut self, state: &State, seq: u64, event: &TreeEvent) -> Option<Event> {
        if self.own_events.remove(&seq) {
            return None;
        }
        let wants = |name: &MailboxName, subscribed| self.interest.wants(name, subscribed);
        let wanted = match event {
            // It was subscribed before or is so now.
            TreeEvent::Subscribed(name) | TreeEvent::Unsubscribed(name) => {
                wants(name, true).subscriptions
            }
            TreeEvent::Renamed { from, to } => [from, to]
                .into_iter()
                .any(|name| wants(name, state.is_subscribed(name)).names),
            other => wants(other.name(), state.is_subscribed(other.name())).names,
        };
        wanted.then(|| Event::Tree(event.clone()))
    }

    /// What has changed in a mailbox since it was left, as far as that is
    /// found out.
    fn next_left(&mut self, state: &State) -> Option<Event> {
        let all = std::mem::take(&mut self.left);
        let mut found = None;
        for (name, as_left) in all {
            let Some(id) = state.ids.get(&name) else {
                continue;
            };
            let known = state.folders.get(id).map(|k| k.counts);
            if found.is_some() || state.dirty.contains(id) {
                self.left.push((name, as_left));
            } else if let Some(Baseline::Counts(counts)) = known
                && counts != as_left
            {
                let changed = Changed::between(&as_left, &counts);
                found = self.wanted(state, &name, counts, changed);
                self.remember(name, counts);
            }
        }
        found
    }

    /// The client has this mailbox before it no longer, and knows it as it is
    /// in `counts`.
    pub fn left(&mut self, name: MailboxName, counts: Counts) {
        self.remember(name.clone(), counts);
        self.left.retain(|(n, _)| *n != name);
        if self.left.len() < MAX_OWN {
            self.left.push((name, counts));
        }
    }

    /// A mailbox to which messages are about to be added; for [`Self::added`].
    /// `None` when others have changed it and that is not told yet.
    pub fn before_adding(&self, mailbox: &Mailbox) -> Option<Counts> {
        let counts = Counts::now(mailbox);
        let state = self.hub.lock();
        let id = state.ids.get(&mailbox.name())?;
        let known = state.folders.get(id)?;
        let same = |known: &Counts| !Changed::between(known, &counts).messages;
        let settled = matches!(&known.counts, Baseline::Counts(known) if same(known))
            && !state.dirty.contains(id);
        (settled && known.last <= self.told).then_some(counts)
    }

    /// This listener's own side has added these messages: that is not told
    /// unless something else has happened as well.
    pub fn added(&mut self, mailbox: &Mailbox, before: Counts, uids: &UidSet) {
        let counts = Counts::now(mailbox);
        let count = u32::try_from(uids.len()).unwrap_or(u32::MAX);
        let next = uids.max().and_then(roost_types::Uid::next);
        let all = |counts: &Counts| counts.messages.saturating_add(counts.left_out);
        if all(&before).checked_add(count) == Some(all(&counts))
            && next == Some(counts.uid_next)
            && uids.min() >= Some(before.uid_next)
        {
            self.remember(mailbox.name(), counts);
        }
    }

    fn remember(&mut self, name: MailboxName, counts: Counts) {
        if self.own_counts.len() >= MAX_OWN {
            self.own_counts.clear();
        }
        self.own_counts.insert(name, counts);
    }

    /// The number of the last change, for [`Self::disown`].
    pub fn mark(&self) -> u64 {
        self.hub.lock().seq
    }

    /// What has happened to `name` since `mark` was this listener's own doing
    /// and is not told.
    pub fn disown(&mut self, mark: u64, name: &MailboxName) {
        let hub = Arc::clone(&self.hub);
        let state = hub.lock();
        let at = state.journal.partition_point(|&(seq, _)| seq <= mark);
        for (seq, event) in state.journal.iter().skip(at) {
            if event.comes_of(name) && self.own_events.len() < MAX_OWN {
                self.own_events.insert(*seq);
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}
