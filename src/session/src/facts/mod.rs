//! What is known of messages without opening their files.
//!
//! Of each message some records are made when it is first read, and kept in
//! the mailbox's pieces: sizes, dates, header fields and base subject; the
//! ENVELOPE; BODYSTRUCTURE with the places of the parts and the preview.
//!
//! What must stay true:
//! - an answer out of records is the same, octet for octet, as one made from
//!   the file;
//! - what a record does not say is asked of the file: [`Field::NotKept`] and
//!   `None` never mean that the message lacks it;
//! - a record that is damaged or of another version is made anew.

mod answers;
mod envelope;
mod head;
mod make;
mod names;
pub mod parallel;
mod structure;

pub use names::FieldId;

use crate::error::Error;
pub(crate) use answers::Answers;
use head::Head;
use make::{Maker, Records};
use roost_imap::write::Dialect;
use roost_message::Places;
use roost_message::date::SentDate;
use roost_message::filter::{self, Keep};
use roost_store::Mailbox;
use roost_types::{Uid, UnixTime};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages whose records are held in memory by one reader.
const MOST_HELD: usize = 1024;

/// No further message is read after so long in one step.
const STEP_TIME: Duration = Duration::from_millis(20);

/// What a reader is to know of each message, besides header fields and dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// RFC822.SIZE, where it is not known already.
    pub size: bool,
    pub envelope: bool,
    /// BODYSTRUCTURE, places and preview.
    pub structure: bool,
}

/// Reads what is known of the messages of a mailbox, best in the order of
/// their UIDs, and finds out what is not.
pub struct FactsReader {
    mailbox: Arc<Mailbox>,
    wants: Wants,
    made: HashMap<Uid, Records>,
}

impl FactsReader {
    /// For header fields and dates alone.
    pub fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self::with(mailbox, Wants::default())
    }

    pub fn with(mailbox: &Arc<Mailbox>, wants: Wants) -> Self {
        Self {
            mailbox: Arc::clone(mailbox),
            wants,
            made: HashMap::new(),
        }
    }

    /// What is known of a message, its file being read if that is not all
    /// that is wanted.
    ///
    /// # Errors
    /// `Expunged` when the message is gone and nothing was kept; those of
    /// reading.
    pub fn get(&mut self, uid: Uid) -> Result<Facts<'_>, Error> {
        self.get_wanting(uid, self.wants)
    }

    /// The same with other wishes for this message.
    pub fn get_wanting(&mut self, uid: Uid, wants: Wants) -> Result<Facts<'_>, Error> {
        if !self.has(uid, wants) {
            let records = Maker::new(&self.mailbox, wants).make(uid)?;
            self.hold(vec![(uid, records)]);
        }
        let facts = self.known(uid);
        facts.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidData).into())
    }

    /// What is known of a message without reading its file.
    pub fn known(&mut self, uid: Uid) -> Option<Facts<'_>> {
        self.made.get(&uid).and_then(Facts::of_records)
    }

    /// Finds out what is missing of these messages, over the cores: as much
    /// as can be done in a step. What is left, and messages that cannot be
    /// read, are left to [`FactsReader::get`]. True if there was nothing left
    /// to do.
    pub fn prefetch(&mut self, uids: &[Uid]) -> bool {
        let wants = self.wants;
        let missing: Vec<Uid> = uids
            .iter()
            .copied()
            .filter(|&u| !self.has(u, wants))
            .collect();
        if missing.is_empty() {
            return true;
        }
        let until = Instant::now() + STEP_TIME;
        let made = parallel::map(
            &missing,
            || Maker::new(&self.mailbox, wants),
            |maker, &uid| (Instant::now() < until).then(|| Some((uid, maker.make(uid).ok()?))),
        );
        let done = made.iter().all(Option::is_some);
        self.hold(made.into_iter().flatten().flatten().collect());
        done
    }

    fn has(&self, uid: Uid, wants: Wants) -> bool {
        let held = self.made.get(&uid);
        held.is_some_and(|r| r.structure.is_some() || !wants.structure)
    }

    fn hold(&mut self, made: Vec<(Uid, Records)>) {
        if self.made.len() + made.len() > MOST_HELD {
            self.made.clear();
        }
        self.made.extend(made);
    }
}

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
    head: Head<'a>,
    envelope: Option<&'a [u8]>,
    structure: Option<&'a [u8]>,
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
    fn of_records(records: &'a Records) -> Option<Self> {
        Some(Self {
            head: Head::parse(&records.head)?,
            envelope: Some(&records.envelope),
            structure: records.structure.as_deref(),
        })
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
        let Some(values) = self.head.values(id, name) else {
            return Field::NotKept;
        };
        let mut values = values.peekable();
        match values.peek() {
            Some(_) => Field::Raw(values),
            None => Field::Absent,
        }
    }

    /// RFC822.SIZE, if it was [wanted](Wants) or is known all the same.
    pub fn size(&self) -> Option<u64> {
        self.head.size
    }

    pub fn internal_date(&self) -> UnixTime {
        self.head.internal
    }

    /// By the Date field.
    pub fn sent_date(&self) -> Option<SentDate> {
        self.head.sent
    }

    /// The base subject (RFC 5256 §2.1) as `i;unicode-casemap` compares it.
    pub fn base_subject(&self) -> &'a [u8] {
        self.head.subject
    }

    /// The subject is marked as that of a reply or forward (RFC 5256 §3).
    pub fn is_reply(&self) -> bool {
        self.head.is_reply()
    }

    /// The header with CRLF line ends, without its empty line, if it was kept
    /// whole.
    pub fn header(&self) -> Option<&'a [u8]> {
        self.head.header()
    }

    /// Appends what HEADER.FIELDS gives for `fields`; false if that is not
    /// known.
    pub fn append_fields(&self, fields: &WantedFields, out: &mut Vec<u8>) -> bool {
        let head = &self.head;
        match (head.header(), fields.known) {
            (_, Some(known)) if head.knows_all(known) => head.append_fields(known, out),
            (Some(header), _) => filter::append(header, &fields.keep, out),
            (None, _) => return false,
        }
        true
    }

    /// ENVELOPE, ready for the client, if it was [wanted](Wants).
    pub fn envelope(&self, dialect: Dialect) -> Option<&'a [u8]> {
        answers::envelope(self.envelope?, dialect)
    }

    /// Where the parts lie, if the structure was [wanted](Wants).
    pub fn places(&self) -> Option<Places> {
        self.answers()?.places()
    }

    /// The preview (RFC 8970), if the structure was [wanted](Wants).
    pub fn preview(&self) -> Option<&'a [u8]> {
        Some(self.answers()?.preview)
    }

    /// What is made of the structure, if that was [wanted](Wants).
    pub(crate) fn answers(&self) -> Option<Answers<'a>> {
        Answers::parse(self.structure?)
    }
}
