//! What a site can choose about its sessions.

/// Settings of a session; they stay as they are until it ends.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Between the levels of mailbox names on the wire.
    pub separator: char,
    /// Before every own name but INBOX on the wire; empty, or ending in the
    /// separator (`INBOX.` on Courier's sites).
    pub prefix: String,
    /// The largest message that APPEND takes, in octets.
    pub max_message_size: u64,
    /// So many commands that were answered BAD end the session; 0: never.
    pub max_bad_commands: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            separator: '/',
            prefix: String::new(),
            max_message_size: 1 << 30,
            max_bad_commands: 20,
        }
    }
}
