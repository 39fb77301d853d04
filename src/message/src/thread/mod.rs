//! Threads (RFC 5256 §3, THREAD; draft-ietf-morg-inthread).
//!
//! What must stay true, whatever stands in the messages:
//! - every message is in the outcome exactly once, and there is no cycle;
//! - memory is some 50 octets for each message and each absent message that is
//!   referred to, of which only so many are kept ([`MAX_ABSENT`]);
//! - nothing is recursive, and no look along a thread is longer than
//!   [`MAX_CLIMB`], so that time stays near linear.

mod ids;
mod pruned;
mod references;
mod subject;
#[cfg(test)]
mod tests;
mod tree;

pub use ids::{MessageIds, message_ids};
pub use references::References;
pub use subject::ordered_subject;
pub use tree::{Forest, Item, Walk};

/// Absent messages that are kept as links between those that are there.
pub const MAX_ABSENT: usize = 1_000_000;

/// References of one message that count: the last ones, which are nearest.
pub const MAX_REFERENCES: usize = 256;

/// Ancestors that are looked at to see that a new link closes no circle.
pub const MAX_CLIMB: usize = 1_000;

/// What threads are made of, of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Sent date, or what else is to order siblings: seconds since 1970.
    pub date: i64,
    /// A hash of the base subject; 0 when that is empty.
    pub subject: u64,
    /// The subject is marked as that of a reply or forward.
    pub is_reply: bool,
}

/// No message, or none yet.
const NONE: u32 = u32::MAX;
