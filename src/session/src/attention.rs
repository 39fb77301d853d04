//! What a client wants to hear of its selected mailbox (RFC 5465 §6.1), and
//! what has happened there that it has not been told.

use crate::view::{Advance, View};
use roost_types::{SeqNum, Uid, UidSet};

/// Sets of messages that are not told are kept no finer than this.
const MAX_RANGES: usize = 10_000;

/// What is told of the selected mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    /// Messages that come and go.
    pub messages: bool,
    pub flags: bool,
    /// Each new message is described by a FETCH response.
    pub fetches: bool,
    /// Expunges are told between commands, too.
    pub expunges_at_once: bool,
}

impl Policy {
    pub const NOTHING: Self = Self {
        messages: false,
        flags: false,
        fetches: false,
        expunges_at_once: false,
    };
}

/// As long as there was no NOTIFY.
impl Default for Policy {
    fn default() -> Self {
        Self {
            messages: true,
            flags: true,
            fetches: false,
            expunges_at_once: false,
        }
    }
}

pub(crate) struct Attention {
    pub policy: Policy,
    /// How many messages the client has been told of; those behind them are
    /// not told as gone either.
    known: u32,
    /// Flags of these have changed.
    flagged: UidSet,
    /// New messages that are still to be described.
    fresh: UidSet,
    /// New messages that the client itself has added.
    own: UidSet,
}

impl Attention {
    /// Of a mailbox that is selected with `known` messages.
    pub fn new(known: u32) -> Self {
        Self {
            policy: Policy::default(),
            known,
            flagged: UidSet::new(),
            fresh: UidSet::new(),
            own: UidSet::new(),
        }
    }

    /// Takes out of a step of the view what the client does not want. With
    /// `asked` it is about the outcome of its own command.
    pub fn filter(&mut self, advance: &mut Advance, view: &View, asked: bool) {
        let known = self.known;
        advance.expunged.retain(|(seq, _)| seq.get() <= known);
        let gone = u32::try_from(advance.expunged.len()).unwrap_or(u32::MAX);
        self.known = known.saturating_sub(gone);
        if advance.added > 0 {
            if self.policy.messages && self.policy.fetches {
                let new = newest(view, advance.added).difference(&self.own);
                self.fresh.extend_set(&new);
            }
            self.own = UidSet::new();
            match self.policy.messages {
                true => self.known = view.len(),
                false => advance.added = 0,
            }
        }
        if !self.policy.flags && !asked && !advance.changed.is_empty() {
            for (_, row) in advance.changed.drain(..) {
                self.flagged.insert(row.uid);
            }
            advance.modseq = None;
            if self.flagged.range_count() > MAX_RANGES
                && let (Some(first), Some(last)) = (self.flagged.min(), self.flagged.max())
            {
                self.flagged = UidSet::range(first, last);
            }
        }
    }

    /// Something has happened that the client does not know of.
    pub fn has_untold(&self, view: &View) -> bool {
        self.known < view.len() || !self.flagged.is_empty()
    }

    /// Changes what the client wants: what has happened so far and is wanted
    /// now is to be told (RFC 5465 §3.1).
    pub fn change(&mut self, policy: Policy, view: &View) -> Advance {
        self.policy = policy;
        if !policy.fetches {
            self.fresh = UidSet::new();
        }
        let mut advance = Advance::default();
        if policy.messages {
            advance.added = view.len().saturating_sub(self.known);
            self.known = view.len();
        }
        if policy.flags {
            let flagged = std::mem::take(&mut self.flagged);
            for (first, last) in view.seqs_of(&flagged).ranges() {
                let rows = view.rows(first).take_while(|m| m.seq <= last);
                let there = rows.filter(|m| !m.ghost);
                advance.changed.extend(there.map(|m| (m.seq, m.row)));
            }
        }
        advance
    }

    /// Messages that the client is just adding.
    pub fn adds(&mut self, uids: &UidSet) {
        if self.policy.fetches {
            self.own.extend_set(uids);
        }
    }

    /// New messages that are to be described now.
    pub fn take_fresh(&mut self) -> UidSet {
        std::mem::take(&mut self.fresh)
    }
}

/// The last `count` messages.
fn newest(view: &View, count: u32) -> UidSet {
    let picture = view.snapshot();
    let first = SeqNum::new(picture.len().saturating_sub(count) + 1);
    let first: Option<Uid> = first.and_then(|seq| picture.uid_at(seq));
    match (first, picture.last_uid()) {
        (Some(first), Some(last)) => UidSet::range(first, last),
        _ => UidSet::new(),
    }
}
