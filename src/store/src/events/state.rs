//! What is known of an account that somebody listens to, and the numbering of
//! its changes. Nothing here touches the disk.

use super::places::{self, Stamps};
use super::scope::{Interest, Wants};
use super::tree::{self, TreeEvent};
use super::{Changed, Counts};
use crate::account::folders::Folders;
use crate::account::news::Land;
use roost_os::inotify::Watch;
use roost_types::MailboxName;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Events of the tree that are kept for those who have not heard them yet.
const MAX_JOURNAL: usize = 4096;

/// Device and inode of a directory.
pub(super) type Identity = (u64, u64);

/// A mailbox of interest.
pub(super) struct Known {
    pub name: MailboxName,
    /// Below the root; empty for INBOX.
    pub directory: Box<[u8]>,
    pub identity: Option<Identity>,
    pub counts: Baseline,
    /// The numbers of its last changes.
    pub messages: u64,
    pub flags: u64,
    pub unseen: u64,
    pub validity: u64,
    /// The highest of them.
    pub last: u64,
    /// Somebody wants to hear of its messages.
    pub of_messages: bool,
    pub watches: Option<[Watch; 2]>,
    /// The watches may be of directories that are no longer there.
    pub suspect: bool,
    /// When unwatched: how it looked before the last look at it.
    pub stamps: Option<Box<Stamps>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Baseline {
    Unknown,
    /// It was not there before.
    Born,
    Counts(Counts),
}

/// One who listens.
pub(super) struct Joined {
    pub interest: Arc<Interest>,
    /// No more mailboxes than this.
    pub most: usize,
    /// There are more by now, which it has not been told yet.
    pub overflowed: bool,
}

/// What a look at the tree has shown.
pub(super) struct Look {
    pub land: Land,
    pub diff: tree::Diff,
    pub renamed: Vec<(MailboxName, MailboxName)>,
    /// Of mailboxes that are new here.
    pub identities: HashMap<MailboxName, Identity>,
    /// Somebody is just coming, who finds out about the new ones himself.
    pub joining: bool,
}

#[derive(Default)]
pub(super) struct State {
    /// The number of the last change.
    pub seq: u64,
    pub next_id: u64,
    pub listeners: HashMap<u64, Joined>,
    pub folders: HashMap<u64, Known>,
    pub ids: HashMap<MailboxName, u64>,
    /// From [`Known::last`] to the mailbox.
    pub order: BTreeMap<u64, u64>,
    /// To be looked at.
    pub dirty: BTreeSet<u64>,
    /// To be looked at later.
    pub later: BTreeSet<u64>,
    pub tree_dirty: bool,
    /// The tree is to be looked at later.
    pub tree_later: bool,
    /// Watches may be there that nobody wants.
    pub stale: bool,
    pub closed: bool,
    tree: Option<Arc<Folders>>,
    /// Sorted.
    pub subscriptions: Arc<Vec<MailboxName>>,
    /// Renames that are being carried out.
    pub renames: Vec<(MailboxName, MailboxName)>,
    pub journal: VecDeque<(u64, TreeEvent)>,
    /// Up to here events are gone from the journal.
    pub floor: u64,
    pub polled: Option<Instant>,
    pub root_stamps: Option<places::RootStamps>,
}

impl State {
    pub fn wants(&self, name: &MailboxName, subscribed: bool) -> Wants {
        let mut all = Wants::default();
        for joined in self.listeners.values() {
            all.add(joined.interest.wants(name, subscribed));
        }
        all
    }

    pub fn is_subscribed(&self, name: &MailboxName) -> bool {
        self.subscriptions.binary_search(name).is_ok()
    }

    fn record(&mut self, event: TreeEvent) {
        self.seq += 1;
        self.journal.push_back((self.seq, event));
        if self.journal.len() > MAX_JOURNAL
            && let Some((seq, _)) = self.journal.pop_front()
        {
            self.floor = seq;
        }
    }

    /// Notes what a look at a mailbox has shown; true if that is news.
    pub fn learn(&mut self, id: u64, counts: Counts) -> bool {
        let Some(known) = self.folders.get_mut(&id) else {
            return false;
        };
        let changed = match known.counts {
            Baseline::Unknown => Changed::default(),
            Baseline::Born => Changed {
                messages: counts.messages > 0 || counts.uid_next.get() > 1,
                ..Changed::default()
            },
            Baseline::Counts(old) => Changed::between(&old, &counts),
        };
        known.counts = Baseline::Counts(counts);
        if !changed.any() {
            return false;
        }
        self.seq += 1;
        let seq = self.seq;
        for (changed, at) in [
            (changed.messages, &mut known.messages),
            (changed.flags, &mut known.flags),
            (changed.unseen, &mut known.unseen),
            (changed.validity, &mut known.validity),
        ] {
            if changed {
                *at = seq;
            }
        }
        self.order.remove(&known.last);
        known.last = seq;
        self.order.insert(seq, id);
        true
    }

    /// What has come and gone, the renames that are known of, and mailboxes
    /// of interest that are new.
    pub fn compare<'l>(
        &self,
        land: &'l Land,
    ) -> (
        tree::Diff,
        Vec<(MailboxName, MailboxName)>,
        Vec<&'l places::Place>,
    ) {
        let diff = match &self.tree {
            Some(old) if !Arc::ptr_eq(old, &land.folders) => tree::diff(old, &land.folders),
            _ => tree::Diff::default(),
        };
        let hints = self.renames.iter();
        let renamed = hints.flat_map(|(f, t)| diff.explained(f, t)).collect();
        let new = land.places.iter();
        let new = new.filter(|place| !self.ids.contains_key(&place.name));
        (diff, renamed, new.collect())
    }

    /// Takes over what a look has shown. Says which watches nobody wants any
    /// more, and whether there are news.
    pub fn apply(&mut self, look: &Look) -> (Vec<(u64, [Watch; 2])>, bool) {
        let first = self.tree.is_none();
        let mut events = look.diff.events(&look.renamed);
        if !first {
            let (old, new) = (&self.subscriptions, &look.land.subscriptions);
            events.extend(tree::subscriptions(old, new));
        }
        self.tree = Some(Arc::clone(&look.land.folders));
        self.subscriptions = Arc::clone(&look.land.subscriptions);
        self.rename(&look.renamed);
        let mut unwanted = Vec::new();
        let mut wanted = HashSet::new();
        for place in &look.land.places {
            let wants = self.wants(&place.name, self.is_subscribed(&place.name));
            if !wants.of_messages() && !wants.names {
                continue;
            }
            let id = match self.ids.get(&place.name) {
                Some(&id) => id,
                None => self.admit(place, look, first),
            };
            wanted.insert(id);
            let Some(known) = self.folders.get_mut(&id) else {
                continue;
            };
            known.directory.clone_from(&place.directory);
            if !wants.of_messages() {
                unwanted.extend(known.watches.take().map(|w| (id, w)));
            } else if !known.of_messages && !look.joining {
                self.dirty.insert(id);
            }
            known.of_messages = wants.of_messages();
        }
        let ids = self.folders.keys().copied();
        let gone: Vec<u64> = ids.filter(|id| !wanted.contains(id)).collect();
        for id in gone {
            let known = self.forget(id);
            unwanted.extend(known.and_then(|k| Some((id, k.watches?))));
        }
        let mut news = !events.is_empty();
        for event in events {
            self.record(event);
        }
        // Who comes finds out himself.
        news |= !look.joining && self.too_many();
        (unwanted, news)
    }

    fn rename(&mut self, renamed: &[(MailboxName, MailboxName)]) {
        for (from, to) in renamed.iter().filter(|(from, _)| !from.is_inbox()) {
            if let Some(id) = self.ids.remove(from) {
                self.ids.insert(to.clone(), id);
                if let Some(known) = self.folders.get_mut(&id) {
                    known.name = to.clone();
                }
            }
        }
    }

    /// Takes a mailbox in.
    fn admit(&mut self, place: &places::Place, look: &Look, first: bool) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let born = !first && look.diff.created.binary_search(&place.name).is_ok();
        let known = Known {
            name: place.name.clone(),
            directory: place.directory.clone(),
            identity: look.identities.get(&place.name).copied(),
            counts: match born {
                true => Baseline::Born,
                false => Baseline::Unknown,
            },
            messages: 0,
            flags: 0,
            unseen: 0,
            validity: 0,
            last: 0,
            of_messages: false,
            watches: None,
            suspect: false,
            stamps: None,
        };
        self.ids.insert(place.name.clone(), id);
        self.folders.insert(id, known);
        if born {
            self.dirty.insert(id);
        }
        id
    }

    /// The tree has grown beyond what may be watched: those whose limit that
    /// is are told so.
    fn too_many(&mut self) -> bool {
        let count = self.folders.values().filter(|k| k.of_messages).count();
        let many = self.listeners.iter().filter(|(_, l)| count > l.most);
        let over: Vec<u64> = many
            .map(|(&id, _)| id)
            .filter(|&id| self.is_too_much(id))
            .collect();
        for id in &over {
            if let Some(joined) = self.listeners.get_mut(id) {
                joined.overflowed = true;
            }
        }
        !over.is_empty()
    }

    /// Marks a mailbox that is still there for another look.
    pub fn put_off(&mut self, id: u64) {
        if self.folders.contains_key(&id) {
            self.later.insert(id);
        }
    }

    pub fn has_overflowed(&self, listener: u64) -> bool {
        self.listeners.get(&listener).is_some_and(|l| l.overflowed)
    }

    /// Whether a listener wants more mailboxes than it may.
    pub fn is_too_much(&self, id: u64) -> bool {
        let Some(joined) = self.listeners.get(&id) else {
            return false;
        };
        let wanted = self.folders.values().filter(|known| {
            let subscribed = self.is_subscribed(&known.name);
            joined.interest.wants(&known.name, subscribed).of_messages()
        });
        wanted.count() > joined.most
    }

    pub fn forget(&mut self, id: u64) -> Option<Known> {
        let known = self.folders.remove(&id)?;
        self.order.remove(&known.last);
        self.dirty.remove(&id);
        self.later.remove(&id);
        if self.ids.get(&known.name) == Some(&id) {
            self.ids.remove(&known.name);
        }
        Some(known)
    }
}
