//! Looking for the records of messages, and making those that are missing.

use super::make::{self, Lacks, Records};
use super::{ENVELOPE, Facts, HEAD, PREVIEW, STRUCTURE, TEXTS, Wants};
use crate::crew::in_parallel;
use crate::error::Error;
use crate::job::step_time;
use roost_store::Mailbox;
use roost_store::cache::{COLUMNS, Piece, PieceReader};
use roost_types::Uid;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Messages whose records are held in memory by one reader.
const MOST_HELD: usize = 1024;

/// Messages that records are made of together.
const TOGETHER: usize = 256;

/// So many messages that are asked for one after the other are worth reading
/// the records of their neighbours with them.
const MANY: usize = 32;

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
    /// Files have been read.
    has_read: bool,
}

/// Where the records of a message are, and its size if that is wanted.
#[derive(Clone, Copy, Default)]
struct Found {
    pieces: [Option<Piece>; COLUMNS],
    named_size: Option<u64>,
}

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
            has_read: false,
        }
    }

    /// Says which messages will be asked for next, by rising UID: what is
    /// missing of them is then made together, over the cores, when the first
    /// that lacks it is asked for.
    pub fn prefetch(&mut self, uids: &[Uid]) {
        self.next.clear();
        self.next.extend(uids.iter().rev());
        if let Some(kept) = &mut self.kept {
            kept.read_ahead(uids.len() >= MANY);
        }
    }

    /// Whether files have been read so far.
    pub fn has_read(&self) -> bool {
        self.has_read
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
        let pieces = self.look(uid, wants)?;
        let mut facts = self.facts(
            uid,
            Found {
                pieces,
                named_size: None,
            },
        );
        if wants.size && facts.size().is_none() {
            facts = facts.sized(self.mailbox.snapshot().known_size(uid));
        }
        facts.has(wants).then_some(facts)
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
        let mut found = Found {
            pieces: self.look(uid, wants)?,
            named_size: None,
        };
        if wants.size && self.facts(uid, found).size().is_none() {
            found.named_size = self.mailbox.snapshot().known_size(uid);
        }
        if !self.facts(uid, found).has(wants) {
            return None;
        }
        self.last = Some((uid, wants, found));
        Some(found)
    }

    fn look(&mut self, uid: Uid, wants: Wants) -> Option<[Option<Piece>; COLUMNS]> {
        let mut pieces = [None; COLUMNS];
        let made = match self.made.is_empty() {
            true => None,
            false => self.made.get(&uid),
        };
        for column in wants.columns() {
            if made.is_some_and(|made| made.column(column).is_some()) {
                continue;
            }
            let piece = self.kept.as_mut()?.find(column, uid)?;
            *pieces.get_mut(usize::from(column))? = Some(piece);
        }
        Some(pieces)
    }

    fn facts(&self, uid: Uid, found: Found) -> Facts<'_> {
        let made = match self.made.is_empty() {
            true => None,
            false => self.made.get(&uid),
        };
        let kept = self.kept.as_ref();
        let record = |column: u8| {
            let piece = *found.pieces.get(usize::from(column))?;
            match piece {
                Some(piece) => Some(kept?.octets(piece)),
                None => made?.column(column),
            }
        };
        let records = [HEAD, ENVELOPE, TEXTS, STRUCTURE, PREVIEW].map(record);
        Facts::new(records, found.named_size)
    }

    /// Makes the records of a message, and those that are missing of the next
    /// ones, as many as can be made within a step.
    fn make(&mut self, uid: Uid, wants: Wants) -> Result<(), Error> {
        let missing = self.missing(uid, wants);
        let (mailbox, until) = (&self.mailbox, Instant::now() + step_time());
        let made = in_parallel(missing.len(), until, |at| {
            let (uid, lacks) = *missing.get(at)?;
            Some((uid, make::make(mailbox, uid, lacks, wants)))
        });
        self.last = None;
        self.has_read = true;
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
