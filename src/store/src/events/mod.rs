//! Changes of a whole account, for those who want to hear of mailboxes that
//! nobody has open (NOTIFY, RFC 5465).
//!
//! While somebody listens, the account has one [`hub::Hub`]. It knows the
//! counts of each mailbox of interest, and has its directories watched, or
//! polled where that is not possible. What others do there, and what the
//! worker's own sessions do, only marks a mailbox; the next listener that is
//! awake looks at it ([`Listener::settle`]), so that a burst costs one look,
//! and numbers the change. Listeners keep nothing but the number up to which
//! they have heard.
//!
//! What must stay true:
//! - a change that is marked is looked at before every listener has seen its
//!   number, or stays marked;
//! - watches end with the last listener that wants them.
//!
//! Lock order: `settling`, then a mailbox's locks, then the watcher's table,
//! then `state`. Whoever holds `state` takes no other lock.

mod hub;
mod listener;
mod look;
mod news;
mod places;
mod scope;
mod state;
mod tick;
mod tree;

pub(crate) use hub::Hub;
pub use listener::{Event, Listener, Overflow};
pub(crate) use news::News;
pub(crate) use places::{Paths, Place};
pub use scope::{Interest, Scope, Wants};
pub(crate) use tick::Tick;
pub use tree::TreeEvent;

use crate::account::status::Status;
use crate::mailbox::Mailbox;
use crate::snapshot::Snapshot;
use crate::snapshot::sight::Sight;
use roost_types::{ModSeq, Uid, UidValidity};

/// What is told of a mailbox that is not selected, as most see it
/// ([`Sight::USUAL`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    pub messages: u32,
    /// Messages that are there and not shown, nor counted by the others.
    pub left_out: u32,
    pub unseen: u32,
    pub uid_next: Uid,
    pub uid_validity: UidValidity,
    /// 0 where MODSEQs are not kept.
    pub highest_modseq: ModSeq,
}

/// In what a mailbox differs from before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Changed {
    /// Messages came or went.
    pub messages: bool,
    /// Flags alone.
    pub flags: bool,
    /// `\Seen` among them.
    pub unseen: bool,
    /// It is another mailbox under the same name.
    pub validity: bool,
}

impl Changed {
    pub fn any(self) -> bool {
        self.messages || self.flags || self.validity
    }

    /// What `new` has that `old` had not.
    pub fn between(old: &Counts, new: &Counts) -> Self {
        let validity = old.uid_validity != new.uid_validity;
        let counted = |c: &Counts| (c.messages, c.left_out, c.uid_next);
        let messages = validity || counted(old) != counted(new);
        let unseen = old.unseen != new.unseen;
        let flags = unseen || old.highest_modseq != new.highest_modseq;
        Self {
            messages,
            // Without messages there are no flags, whatever the numbers say.
            flags: flags && !messages && new.messages > 0,
            unseen: unseen && !messages,
            validity,
        }
    }
}

impl From<&Status> for Counts {
    fn from(status: &Status) -> Self {
        Self {
            messages: status.messages,
            left_out: status.left_out,
            unseen: status.unseen,
            uid_next: status.uid_next,
            uid_validity: status.uid_validity,
            highest_modseq: status.highest_modseq,
        }
    }
}

impl Counts {
    /// Of `mailbox` as it is now.
    pub fn now(mailbox: &Mailbox) -> Self {
        let shown = mailbox.shown(&mailbox.snapshot(), Sight::USUAL);
        Self::of(mailbox, &shown)
    }

    /// Of what is shown of `mailbox`, now or before.
    pub fn of(mailbox: &Mailbox, picture: &Snapshot) -> Self {
        Self {
            messages: picture.len(),
            left_out: u32::try_from(picture.left_out().len()).unwrap_or(u32::MAX),
            unseen: picture.unseen(),
            uid_next: picture.uid_next(),
            uid_validity: picture.uid_validity(),
            highest_modseq: match mailbox.keeps_modseqs() {
                true => picture.highest_modseq(),
                false => ModSeq(0),
            },
        }
    }
}
