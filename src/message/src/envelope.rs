//! The envelope of a message (RFC 9051 §7.5.2), raw and unfolded.

use crate::address::{self, Address};
use crate::header::{self, unfold};
use crate::limits::MAX_ADDRESSES;
use std::borrow::Cow;

/// Reads an envelope out of a header block, or of the fields of it that the
/// scanner kept.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    block: &'a [u8],
}

/// A list of addresses in an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Party {
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
}

impl Party {
    /// In the order of the envelope.
    pub const ALL: [Self; 6] = [
        Self::From,
        Self::Sender,
        Self::ReplyTo,
        Self::To,
        Self::Cc,
        Self::Bcc,
    ];

    pub fn field(self) -> &'static [u8] {
        match self {
            Self::From => b"From",
            Self::Sender => b"Sender",
            Self::ReplyTo => b"Reply-To",
            Self::To => b"To",
            Self::Cc => b"Cc",
            Self::Bcc => b"Bcc",
        }
    }
}

impl<'a> Envelope<'a> {
    pub fn new(block: &'a [u8]) -> Self {
        Self { block }
    }

    pub fn date(&self) -> Option<Cow<'a, [u8]>> {
        self.text(b"Date")
    }

    pub fn subject(&self) -> Option<Cow<'a, [u8]>> {
        self.text(b"Subject")
    }

    pub fn in_reply_to(&self) -> Option<Cow<'a, [u8]>> {
        self.text(b"In-Reply-To")
    }

    pub fn message_id(&self) -> Option<Cow<'a, [u8]>> {
        self.text(b"Message-ID")
    }

    fn text(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        header::find(self.block, name).map(|f| unfold(f.value))
    }

    /// The addresses of all fields of one kind; a missing or empty Sender or
    /// Reply-To is the same as From.
    pub fn addresses(&self, party: Party) -> impl Iterator<Item = Address<'a>> + use<'a> {
        let party = match party {
            Party::Sender | Party::ReplyTo if self.own(party).next().is_none() => Party::From,
            other => other,
        };
        self.own(party)
    }

    fn own(&self, party: Party) -> impl Iterator<Item = Address<'a>> + use<'a> {
        header::fields(self.block)
            .filter(move |f| f.is(party.field()))
            .flat_map(|f| address::parse(f.value))
            .take(MAX_ADDRESSES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_empty_and_repeated_fields() {
        let block = b"From: a@b\nSender: \nReply-To: r@s\nFrom: c@d\nSubject:\n\
            Date: Mon,\n 1 Jan 2020\n";
        let envelope = Envelope::new(block);
        let boxes = |party| -> Vec<_> {
            let addresses = envelope.addresses(party);
            addresses
                .filter_map(|a| Some(a.mailbox?.into_owned()))
                .collect()
        };
        assert_eq!(boxes(Party::From), [b"a", b"c"]);
        assert_eq!(boxes(Party::Sender), [b"a", b"c"]);
        assert_eq!(boxes(Party::ReplyTo), [b"r"]);
        assert!(boxes(Party::Cc).is_empty());
        assert_eq!(envelope.subject().as_deref(), Some(&b""[..]));
        assert_eq!(envelope.date().as_deref(), Some(&b"Mon, 1 Jan 2020"[..]));
        assert_eq!(envelope.message_id(), None);
    }
}
