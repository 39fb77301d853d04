//! The records of one message, and what they say.

use super::head::{Head, KeptFields};
use super::{Answers, ENVELOPE, FieldId, HEAD, PREVIEW, STRUCTURE, TEXTS, Wants, answers, texts};
use roost_imap::write::Dialect;
use roost_message::Places;
use roost_message::date::SentDate;
use roost_message::filter::{self, Keep};
use roost_message::search::Needle;
use roost_store::cache::COLUMNS;
use roost_types::UnixTime;

/// Which fields of a header a client asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedFields {
    keep: Keep,
    /// The set of them, if they are all among those that are kept.
    known: Option<u64>,
}

impl WantedFields {
    pub fn new(not: bool, names: &[Vec<u8>]) -> Self {
        let ids = names.iter().map(|name| FieldId::of(name));
        let known = ids
            .map(|id| id.map(FieldId::bit))
            .try_fold(0, |set, bit| Some(set | bit?));
        Self {
            keep: match not {
                true => Keep::except(names),
                false => Keep::only(names),
            },
            known: known.filter(|_| !not),
        }
    }

    pub fn keep(&self) -> &Keep {
        &self.keep
    }
}

/// What is known of one message.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    records: [Option<&'a [u8]>; COLUMNS],
    /// The first of them, taken apart.
    head: Option<Head<'a>>,
    /// RFC822.SIZE as the mailbox knows it, for who wants it.
    named_size: Option<u64>,
}

/// A header field of a message.
#[derive(Clone, Debug)]
pub enum Field<I> {
    /// The message has none of that name.
    Absent,
    /// The values of all of that name, from the first to the last: raw, with
    /// their folds.
    Raw(I),
    /// The header has to be read.
    NotKept,
}

impl<'a> Facts<'a> {
    pub(super) fn new(records: [Option<&'a [u8]>; COLUMNS], named_size: Option<u64>) -> Self {
        let [head, ..] = records;
        Self {
            records,
            head: head.and_then(Head::parse),
            named_size,
        }
    }

    /// The same, with the size as the mailbox knows it.
    pub(super) fn sized(self, named_size: Option<u64>) -> Self {
        Self { named_size, ..self }
    }

    /// Whether all that is wanted is there, and of this version.
    pub(super) fn has(&self, wants: Wants) -> bool {
        wants.columns().all(|column| match column {
            HEAD => self.head.is_some(),
            TEXTS => self.texts().is_some(),
            _ => self.record(column).is_some_and(answers::is_known),
        }) && (!wants.size || self.size().is_some())
    }

    fn record(&self, column: u8) -> Option<&'a [u8]> {
        *self.records.get(usize::from(column))?
    }

    fn texts(&self) -> Option<&'a [u8]> {
        self.record(TEXTS).filter(|record| texts::is_known(record))
    }

    /// Whether a field called `name` has the text; `None` if it is not among
    /// those that are known, or was not [wanted](Wants).
    pub fn searched(&self, name: &[u8], needle: &Needle) -> Option<bool> {
        texts::search(self.texts()?, name, needle)
    }

    /// The fields of one name, in any case.
    pub fn field<'n>(
        &self,
        name: &'n [u8],
    ) -> Field<std::iter::Peekable<impl Iterator<Item = &'a [u8]> + use<'a, 'n>>> {
        self.field_by_id(FieldId::of(name), name)
    }

    /// The same, where the id of `name` has been looked up already.
    pub fn field_by_id<'n>(
        &self,
        id: Option<FieldId>,
        name: &'n [u8],
    ) -> Field<std::iter::Peekable<impl Iterator<Item = &'a [u8]> + use<'a, 'n>>> {
        let Some(values) = self.head.and_then(|head| head.values(id, name)) else {
            return Field::NotKept;
        };
        let mut values = values.peekable();
        match values.peek() {
            Some(_) => Field::Raw(values),
            None => Field::Absent,
        }
    }

    /// RFC822.SIZE, as a record has it, or else as the mailbox knows it.
    pub fn size(&self) -> Option<u64> {
        let of_head = self.head.and_then(|head| head.size);
        let of_envelope = || answers::size(self.record(ENVELOPE)?);
        let of_structure = || Some(self.places()?.size().crlf_len);
        let kept = of_head.or_else(of_envelope).or_else(of_structure);
        kept.or(self.named_size)
    }

    /// INTERNALDATE, if the head was [wanted](Wants).
    pub fn internal_date(&self) -> Option<UnixTime> {
        Some(self.head?.internal)
    }

    /// By the Date field, if the head was [wanted](Wants).
    pub fn sent_date(&self) -> Option<SentDate> {
        self.head?.sent
    }

    /// The base subject (RFC 5256 §2.1) as `i;unicode-casemap` compares it, if
    /// the head was [wanted](Wants).
    pub fn base_subject(&self) -> &'a [u8] {
        self.head.map_or(&[], |head| head.subject)
    }

    /// The subject is marked as that of a reply or forward (RFC 5256 §3).
    pub fn is_reply(&self) -> bool {
        self.head.is_some_and(|head| head.is_reply())
    }

    /// The header with CRLF line ends, without its empty line, if it was kept
    /// whole.
    pub fn header(&self) -> Option<&'a [u8]> {
        self.head?.header()
    }

    /// What HEADER.FIELDS gives for `fields`, where they are all among those
    /// that are kept, and known.
    pub fn kept_fields(&self, fields: &WantedFields) -> Option<KeptFields<'a>> {
        self.head?.fields(fields.known?)
    }

    /// Appends what HEADER.FIELDS gives for `fields`; false if that is not
    /// known.
    pub fn append_fields(&self, fields: &WantedFields, out: &mut Vec<u8>) -> bool {
        let Some(head) = self.head else {
            return false;
        };
        match (
            fields.known.and_then(|known| head.fields(known)),
            head.header(),
        ) {
            (Some(kept), _) => kept.append(out),
            (None, Some(header)) => filter::append(header, &fields.keep, out),
            (None, None) => return false,
        }
        true
    }

    /// ENVELOPE, ready for the client, if it was [wanted](Wants).
    pub fn envelope(&self, dialect: Dialect) -> Option<&'a [u8]> {
        answers::envelope(self.record(ENVELOPE)?, dialect)
    }

    /// Where the parts lie, if the structure was [wanted](Wants).
    pub fn places(&self) -> Option<Places> {
        self.answers()?.places()
    }

    /// The preview (RFC 8970), if it was [wanted](Wants).
    pub fn preview(&self) -> Option<&'a [u8]> {
        answers::preview(self.record(PREVIEW)?)
    }

    /// What is made of the structure, if that was [wanted](Wants).
    pub(crate) fn answers(&self) -> Option<Answers<'a>> {
        Answers::parse(self.record(STRUCTURE)?)
    }
}
