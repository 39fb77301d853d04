//! The envelope of a message (RFC 9051 §7.5.2), raw and unfolded.

use crate::address::{self, Address};
use crate::header::{self, Field, unfold};
use crate::limits::MAX_ADDRESSES;
use std::borrow::Cow;

/// An envelope out of a header block, or of the fields of it that the scanner
/// kept. The block is gone through once.
#[derive(Clone, Debug, Default)]
pub struct Envelope<'a> {
    date: Option<&'a [u8]>,
    subject: Option<&'a [u8]>,
    in_reply_to: Option<&'a [u8]>,
    message_id: Option<&'a [u8]>,
    /// All fields with addresses.
    parties: Vec<(Party, &'a [u8])>,
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
}

impl<'a> Envelope<'a> {
    pub fn new(block: &'a [u8]) -> Self {
        Self::of(header::fields(block))
    }

    /// Out of fields in the order of the header.
    pub fn of(fields: impl Iterator<Item = Field<'a>>) -> Self {
        let mut found = Self::default();
        for field in fields {
            found.take(field);
        }
        found
    }

    /// The first of the fields with text counts, and all those with addresses.
    fn take(&mut self, field: Field<'a>) {
        let party = match field.name.len() {
            2 if field.is(b"To") => Party::To,
            2 if field.is(b"Cc") => Party::Cc,
            3 if field.is(b"Bcc") => Party::Bcc,
            4 if field.is(b"From") => Party::From,
            6 if field.is(b"Sender") => Party::Sender,
            8 if field.is(b"Reply-To") => Party::ReplyTo,
            length => {
                let text = match length {
                    4 if field.is(b"Date") => &mut self.date,
                    7 if field.is(b"Subject") => &mut self.subject,
                    10 if field.is(b"Message-ID") => &mut self.message_id,
                    11 if field.is(b"In-Reply-To") => &mut self.in_reply_to,
                    _ => return,
                };
                text.get_or_insert(field.value);
                return;
            }
        };
        self.parties.push((party, field.value));
    }

    pub fn date(&self) -> Option<Cow<'a, [u8]>> {
        self.date.map(unfold)
    }

    pub fn subject(&self) -> Option<Cow<'a, [u8]>> {
        self.subject.map(unfold)
    }

    pub fn in_reply_to(&self) -> Option<Cow<'a, [u8]>> {
        self.in_reply_to.map(unfold)
    }

    pub fn message_id(&self) -> Option<Cow<'a, [u8]>> {
        self.message_id.map(unfold)
    }

    /// A missing or empty Sender or Reply-To is the same as From.
    pub fn is_from(&self, party: Party) -> bool {
        match party {
            Party::Sender | Party::ReplyTo => self.own(party).next().is_none(),
            Party::From => true,
            Party::To | Party::Cc | Party::Bcc => false,
        }
    }

    /// The addresses of all fields of one kind; of From, where
    /// [that](Envelope::is_from) is the same.
    pub fn addresses(&self, party: Party) -> impl Iterator<Item = Address<'a>> {
        self.own(match self.is_from(party) {
            true => Party::From,
            false => party,
        })
    }

    fn own(&self, party: Party) -> impl Iterator<Item = Address<'a>> {
        let fields = self.parties.iter().filter(move |(of, _)| *of == party);
        fields
            .flat_map(|(_, value)| address::parse(value))
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
