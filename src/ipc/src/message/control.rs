//! Local programs (`roostctl`) and the server, over the control socket.
//!
//! One request for each connection. The supervisor looks at who is at the
//! other end, and hands what concerns a user's mail, with the connection, to
//! the worker of that user, which answers itself.

use std::path::PathBuf;

use roost_os::UserId;

use super::worker::Shares;
use crate::wire::{wire_choice, wire_messages, wire_struct};

wire_choice! {
    /// What to do with an account's mailboxes.
    pub enum Task {
        /// Compare Maildir, sidecars and index.
        Check = 1,
        /// The same, and mend what can be mended without loss.
        Fix = 2,
        /// Build the index anew.
        Reindex = 3,
    }
}

wire_struct! {
    pub struct Maintenance {
        pub task: Task,
        /// Whose mail it is; others than root may name themselves only.
        pub uid: UserId,
        pub maildir: PathBuf,
        /// Names with `/` between the levels; all mailboxes if empty.
        pub mailboxes: Vec<String>,
    }
}

wire_struct! {
    /// Something that disagrees.
    pub struct Finding {
        /// None: of the account as a whole.
        pub mailbox: Option<String>,
        /// The file or folder that is wrong.
        pub file: String,
        pub text: String,
        pub mended: bool,
    }
}

wire_struct! {
    /// A mailbox whose index is new.
    pub struct Indexed {
        pub mailbox: String,
        pub messages: u32,
    }
}

wire_messages! {
    pub enum ControlRequest {
        Maintain(Maintenance) = 1,
        /// What an account shares, as its folders have it; for root.
        Share(Shares) = 2,
        /// All accounts are about to be told anew; for root.
        ForgetShares = 3,
    }
}

wire_messages! {
    pub enum ControlReply {
        Finding(Finding) = 1,
        Indexed(Indexed) = 2,
        /// All is done; nothing follows.
        Done = 3,
        /// No session has the account open: who asked can do it alone.
        NotServed = 4,
        /// Not for who asked.
        Refused = 5,
        /// It went wrong, for this reason.
        Failed(String) = 6,
        /// One of the mailboxes is not there.
        NoSuchMailbox = 7,
        /// Others have asked for as much as is done at once.
        Busy = 8,
    }
}
