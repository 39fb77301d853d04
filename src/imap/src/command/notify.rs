//! Arguments of NOTIFY (RFC 5465 §3.1 and §8).

use super::FetchItem;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotifyArgs {
    None,
    Set(NotifySet),
    /// Events were asked for that no offered extension defines, or that come
    /// with one that is not offered: the answer is `NO [BADEVENT]`.
    Unsupported,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotifySet {
    /// The client wants a STATUS of every mailbox first.
    pub status: bool,
    /// `None` where the selected mailbox is not spoken of: nothing of it is
    /// wanted then.
    pub selected: Option<NotifySelected>,
    pub groups: Vec<NotifyGroup>,
}

/// SELECTED and SELECTED-DELAYED (RFC 5465 §6.1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotifySelected {
    /// Expunges wait for a command that may tell them.
    pub delayed: bool,
    /// Of these only the message events.
    pub events: Events,
    /// What is to be sent of each new message; empty for no FETCH.
    pub fetch: Vec<FetchItem>,
    /// All this as the client wrote it, parentheses included.
    pub text: Vec<u8>,
}

/// Events of mailboxes other than the selected one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotifyGroup {
    pub filter: Filter,
    pub events: Events,
}

/// Which mailboxes (RFC 5465 §6); names are raw octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<Vec<u8>>),
    Mailboxes(Vec<Vec<u8>>),
}

/// Events that are offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Events {
    /// MessageNew and MessageExpunge, which come together only.
    pub messages: bool,
    /// FlagChange, which comes with `messages` only.
    pub flags: bool,
    /// MailboxName.
    pub names: bool,
    /// SubscriptionChange.
    pub subscriptions: bool,
}

impl Events {
    /// The names of the events that are offered, for BADEVENT.
    pub const NAMES: &'static [&'static str] = &[
        "MessageNew",
        "MessageExpunge",
        "FlagChange",
        "MailboxName",
        "SubscriptionChange",
    ];

    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}
