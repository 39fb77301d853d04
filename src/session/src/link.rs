//! What a session and its driver say to each other about sessions on other
//! accounts.

use crate::session::Alias;

/// The driver's number of a session on another account; never given twice to
/// one session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// What a session wants to know of the supervisor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A session on the account of this name, which is `~` and the owner as
    /// the client wrote it (`~bob`, `~bob@example.org`).
    Link {
        shown: String,
        /// The link is for the one mailbox that an alias stands for.
        alias: Option<Alias>,
    },
    /// The accounts that share something with this one.
    Shares,
}

/// Why there is no session on another account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkError {
    /// There is no such account, or it has no mail.
    NoSuchAccount,
    /// It cannot be had now.
    Unavailable,
    /// There are as many of them as there may be.
    Limit,
}
