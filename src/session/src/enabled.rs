//! What a client has enabled for the rest of its connection.

/// Extensions that change responses (RFC 5161, RFC 7162 §3.1 and §3.2.3,
/// RFC 9586). Nothing is ever switched off again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Enabled {
    /// IMAP4rev2: no `\Recent`, and UID in every FETCH response.
    pub rev2: bool,
    /// The client has used a CONDSTORE enabling command: FETCH responses that
    /// tell of changes have UID and MODSEQ.
    pub condstore: bool,
    /// VANISHED instead of EXPUNGE; never without `condstore`.
    pub qresync: bool,
    /// No message sequence numbers in either direction.
    pub uid_only: bool,
    /// Mailboxes that are for something else than mail are shown, and
    /// messages with `$Service`.
    pub show_all: bool,
    /// The client calls `$MDNSent` `$MDN`; see `flag_names`.
    pub short_mdn: bool,
}

/// For sessions on other accounts alone: what the client calls `$MDNSent`.
pub(crate) const MDN_NAMES: [&str; 2] = ["X-ROOST-MDNSENT", "X-ROOST-MDN"];

impl Enabled {
    /// Expunged messages are told by their UIDs.
    pub fn vanished(self) -> bool {
        self.qresync || self.uid_only
    }

    /// What to ENABLE for it in a session on another account.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.rev2, "IMAP4rev2"),
            (self.condstore, "CONDSTORE"),
            (self.qresync, "QRESYNC"),
            (self.uid_only, "UIDONLY"),
            (self.show_all, "X-ROOST-SHOWALL"),
            (!self.short_mdn, MDN_NAMES[0]),
            (self.short_mdn, MDN_NAMES[1]),
        ]
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name))
    }
}
