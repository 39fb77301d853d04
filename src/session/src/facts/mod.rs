//! What is known of messages without opening their files.
//!
//! Of each message some records are made when somebody asks, and kept in the
//! mailbox's pieces. Three are made of the header together: sizes, dates,
//! header fields and base subject; the ENVELOPE; the texts that SEARCH looks
//! at. BODYSTRUCTURE with the places of the parts, and the preview, are made
//! each for itself.
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
mod structure;
#[cfg(test)]
mod tests;
pub(crate) mod texts;

pub use names::FieldId;

use crate::crew::in_parallel;
use crate::error::Error;
pub(crate) use answers::Answers;
use head::Head;
use make::{Lacks, Records};
use roost_imap::write::Dialect;
use roost_message::Places;
use roost_message::date::SentDate;
use roost_message::filter::{self, Keep};
use roost_message::search::Needle;
use roost_store::Mailbox;
use roost_store::cache::{COLUMNS, Piece, PieceReader};
use roost_types::{Uid, UnixTime};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records by their column among the pieces.
const HEAD: u8 = 0;
const ENVELOPE: u8 = 1;
/// What searches look at.
const TEXTS: u8 = 2;
const STRUCTURE: u8 = 3;
const PREVIEW: u8 = 4;

/// Messages whose records are held in memory by one reader.
const MOST_HELD: usize = 1024;

/// Messages that records are made of together.
const TOGETHER: usize = 256;

/// No further message is read after so long in one step.
const STEP_TIME: Duration = Duration::from_millis(20);

/// What a reader is to know of each message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// Header fields, dates and base subject.
    pub head: bool,
    /// RFC822.SIZE, where it is not known already.
    pub size: bool,
    pub envelope: bool,
    /// The fields that have search keys.
    pub texts: bool,
    /// BODYSTRUCTURE and places.
    pub structure: bool,
    pub preview: bool,
}

impl Wants {
    pub const HEAD: Self = Self {
        head: true,
        ..Self::NOTHING
    };
    pub const ENVELOPE: Self = Self {
        envelope: true,
        ..Self::NOTHING
    };
    pub const TEXTS: Self = Self {
        texts: true,
        ..Self::NOTHING
    };
    pub const STRUCTURE: Self = Self {
        structure: true,
        ..Self::NOTHING
    };
    pub const PREVIEW: Self = Self {
        preview: true,
        ..Self::NOTHING
    };
    const NOTHING: Self = Self {
        head: false,
        size: false,
        envelope: false,
        texts: false,
        structure: false,
        preview: false,
    };

    /// What either of both wants.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            head: self.head || other.head,
            size: self.size || other.size,
            envelope: self.envelope || other.envelope,
            texts: self.texts || other.texts,
            structure: self.structure || other.structure,
            preview: self.preview || other.preview,
        }
    }

    /// The columns that have it.
    fn columns(self) -> impl Iterator<Item = u8> {
        // Either of these knows the size, too.
        let head = self.head || self.size && !self.envelope && !self.structure;
        let wanted = [
            (head, HEAD),
            (self.envelope, ENVELOPE),
            (self.texts, TEXTS),
            (self.structure, STRUCTURE),
            (self.preview, PREVIEW),
        ];
        wanted
            .into_iter()
            .filter_map(|(wanted, column)| wanted.then_some(column))
    }
}

/// Reads what is known of the messages of a mailbox, best in the order of
/// their UIDs, and finds out what is not.
pub struct FactsReader {
    mailbox: Arc<Mailbox>,
    wants: Wants,
    kept: Option<PieceReader>,
    made: HashMap<Uid, Records>,
    /// What is asked for next, the next one last.
    next: Vec<Uid>,
    /// What was found last, and of which message.
    last: Option<(Uid, Wants, Found)>,
}

/// Where the records of a message are.
type Found = [Option<Piece>; COLUMNS];

impl FactsReader {
    /// For header fields, dates and base subjects.
    pub fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self::with(mailbox, Wants::HEAD)
    }

    pub fn with(mailbox: &Arc<Mailbox>, wants: Wants) -> Self {
        Self {
            mailbox: Arc::clone(mailbox),
            wants,
            kept: mailbox.pieces().map(|pieces| pieces.reader()),
            made: HashMap::new(),
            next: Vec::new(),
            last: None,
        }
    }

    /// Says which messages will be asked for next, by rising UID: what is
    /// missing of them is then made together, over the cores, when the first
    /// that lacks it is asked for.
    pub fn prefetch(&mut self, uids: &[Uid]) {
        self.next.clear();
        self.next.extend(uids.iter().rev());
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
    ///
    /// # Errors
    /// As for [`FactsReader::get`].
    pub fn get_wanting(&mut self, uid: Uid, wants: Wants) -> Result<Facts<'_>, Error> {
        let found = match self.find(uid, wants) {
            Some(found) => found,
            None => {
                self.make(uid, wants)?;
                self.find(uid, wants).unwrap_or_default()
            }
        };
        Ok(self.facts(uid, found))
    }

    /// What is known of a message without reading its file; `None` if that is
    /// not all that is wanted.
    pub fn known(&mut self, uid: Uid, wants: Wants) -> Option<Facts<'_>> {
        let found = self.find(uid, wants)?;
        Some(self.facts(uid, found))
    }

    /// Looks for the records of the wanted columns, among those just made or
    /// those kept.
    fn find(&mut self, uid: Uid, wants: Wants) -> Option<Found> {
        if let Some((of, wanted, found)) = self.last
            && (of, wanted) == (uid, wants)
        {
            return Some(found);
        }
        self.last = None;
        let mut found = [None; COLUMNS];
        let made = self.made.get(&uid);
        for column in wants.columns() {
            if made.is_some_and(|made| made.column(column).is_some()) {
                continue;
            }
            *found.get_mut(usize::from(column))? = Some(self.kept.as_mut()?.find(column, uid)?);
        }
        let facts = self.facts(uid, found);
        let sized = !wants.size || facts.size().is_some() || self.knows_size(uid);
        if !facts.has(wants) || !sized {
            return None;
        }
        self.last = Some((uid, wants, found));
        Some(found)
    }

    fn knows_size(&self, uid: Uid) -> bool {
        self.mailbox.snapshot().known_size(uid).is_some()
    }

    fn facts(&self, uid: Uid, found: Found) -> Facts<'_> {
        let made = match self.made.is_empty() {
            true => None,
            false => self.made.get(&uid),
        };
        let kept = self.kept.as_ref();
        let record = |column: u8| {
            let piece = *found.get(usize::from(column))?;
            match piece {
                Some(piece) => Some(kept?.octets(piece)),
                None => made?.column(column),
            }
        };
        Facts::new([HEAD, ENVELOPE, TEXTS, STRUCTURE, PREVIEW].map(record))
    }

    /// Makes the records of a message, and those that are missing of the next
    /// ones, as many as can be made within a step.
    fn make(&mut self, uid: Uid, wants: Wants) -> Result<(), Error> {
        let missing = self.missing(uid, wants);
        let (mailbox, until) = (&self.mailbox, Instant::now() + STEP_TIME);
        let made = in_parallel(missing.len(), until, |at| {
            let (uid, lacks) = *missing.get(at)?;
            Some((uid, make::make(mailbox, uid, lacks, wants)))
        });
        self.last = None;
        if self.made.len() + made.len() > MOST_HELD {
            self.made.clear();
        }
        let mut outcome = Ok(());
        for (made_of, records) in made.into_iter().flatten() {
            match records {
                Ok(records) => {
                    self.keep(made_of, &records);
                    self.made.insert(made_of, records);
                }
                Err(error) if made_of == uid => outcome = Err(error),
                // Told when it is asked for.
                Err(_) => {}
            }
        }
        outcome
    }

    /// The message and those behind it that lack records, and which. Of the
    /// first one nothing that is wanted can be relied on.
    fn missing(&mut self, uid: Uid, wants: Wants) -> Vec<(Uid, Lacks)> {
        while self.next.pop_if(|next| *next <= uid).is_some() {}
        let mut missing = vec![(uid, Lacks::all(wants))];
        for &next in self.next.iter().rev() {
            if missing.len() == TOGETHER {
                break;
            }
            let lacks = match &mut self.kept {
                Some(kept) => {
                    let has = |column| kept.has(column, next);
                    Lacks::of(wants, has)
                }
                None => Lacks::all(wants),
            };
            if lacks.any() && !self.made.contains_key(&next) {
                missing.push((next, lacks));
            }
        }
        missing
    }

    fn keep(&self, uid: Uid, records: &Records) {
        if let Some(size) = records.size {
            self.mailbox.note_size(uid, size);
        }
        if let Some(pieces) = self.mailbox.pieces() {
            let columns = [HEAD, ENVELOPE, TEXTS, STRUCTURE, PREVIEW];
            pieces.put(uid, columns.map(|column| records.column(column)));
        }
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
    head: Option<Head<'a>>,
    envelope: Option<&'a [u8]>,
    texts: Option<&'a [u8]>,
    structure: Option<&'a [u8]>,
    preview: Option<&'a [u8]>,
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
    fn new([head, envelope, texts, structure, preview]: [Option<&'a [u8]>; COLUMNS]) -> Self {
        Self {
            head: head.and_then(Head::parse),
            envelope: envelope.filter(|record| answers::is_known(record)),
            texts: texts.filter(|record| texts::is_known(record)),
            structure: structure.filter(|record| answers::is_known(record)),
            preview: preview.filter(|record| answers::is_known(record)),
        }
    }

    /// Whether all that is wanted is there, the size left out.
    fn has(&self, wants: Wants) -> bool {
        wants.columns().all(|column| match column {
            HEAD => self.head.is_some(),
            ENVELOPE => self.envelope.is_some(),
            TEXTS => self.texts.is_some(),
            STRUCTURE => self.structure.is_some(),
            _ => self.preview.is_some(),
        })
    }

    /// Whether a field called `name` has the text; `None` if it is not among
    /// those that are known, or was not [wanted](Wants).
    pub fn searched(&self, name: &[u8], needle: &Needle) -> Option<bool> {
        texts::search(self.texts?, name, needle)
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

    /// RFC822.SIZE, as it was measured.
    pub fn size(&self) -> Option<u64> {
        let of_head = self.head.and_then(|head| head.size);
        let of_envelope = || answers::size(self.envelope?);
        let of_structure = || Some(self.places()?.size().crlf_len);
        of_head.or_else(of_envelope).or_else(of_structure)
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

    /// Appends what HEADER.FIELDS gives for `fields`; false if that is not
    /// known.
    pub fn append_fields(&self, fields: &WantedFields, out: &mut Vec<u8>) -> bool {
        let Some(head) = &self.head else {
            return false;
        };
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

    /// The preview (RFC 8970), if it was [wanted](Wants).
    pub fn preview(&self) -> Option<&'a [u8]> {
        answers::preview(self.preview?)
    }

    /// What is made of the structure, if that was [wanted](Wants).
    pub(crate) fn answers(&self) -> Option<Answers<'a>> {
        Answers::parse(self.structure?)
    }
}
