//! Hands out what is known of messages, one after the other, for SORT and
//! THREAD to make their keys of.

use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::cmd::search::collect::Collector;
use crate::crew::in_parallel;
use crate::error::Error;
use crate::facts::{Facts, FactsReader, Field};
use crate::job::step_time;
use roost_message::{date, header};
use roost_store::{Mailbox, Snapshot};
use roost_types::{Uid, UidSet, UnixTime};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages whose facts are asked for together.
const BATCH: usize = 256;

/// The clock is looked at after so many messages.
const CLOCK: usize = 16;

pub(crate) struct Loader {
    mailbox: Arc<Mailbox>,
    reader: Option<Box<FactsReader>>,
    uids: Vec<Uid>,
    next: usize,
}

/// One message. What cannot be read of it counts as absent: SORT and THREAD
/// leave nothing out.
pub(crate) struct Loaded<'a> {
    mailbox: &'a Arc<Mailbox>,
    snapshot: &'a Snapshot,
    facts: Option<Facts<'a>>,
    uid: Uid,
}

/// How far SORT and THREAD are.
pub(crate) enum Stage<'a> {
    Finding,
    Loading(&'a Loader),
    Writing,
}

impl Stage<'_> {
    /// Each message counts twice, for being looked at and for being loaded.
    pub fn progress(&self, collector: &Collector) -> (u64, Option<u64>) {
        let (done, goal) = collector.progress();
        let loaded = match self {
            Self::Finding => 0,
            Self::Loading(loader) => {
                let (loaded, of) = loader.progress();
                // Those that do not match need not be loaded.
                goal.saturating_sub(of) + loaded
            }
            Self::Writing => goal,
        };
        (done + loaded, Some(goal * 2))
    }
}

impl Loader {
    /// Without `header`, only dates and sizes are looked at.
    pub fn new(mailbox: &Arc<Mailbox>, uids: &UidSet, header: bool) -> Self {
        Self {
            reader: header.then(|| Box::new(FactsReader::new(mailbox))),
            mailbox: Arc::clone(mailbox),
            uids: uids.iter().collect(),
            next: 0,
        }
    }

    fn progress(&self) -> (u64, u64) {
        (self.next as u64, self.uids.len() as u64)
    }

    /// Hands the next messages to `each`, in the order of their UIDs, until
    /// the step is over; true when there are no more.
    pub fn step(&mut self, snapshot: &Snapshot, mut each: impl FnMut(Loaded<'_>)) -> bool {
        let deadline = Instant::now() + step_time();
        loop {
            let rest = self.uids.get(self.next..).unwrap_or_default();
            let batch = rest.get(..BATCH.min(rest.len())).unwrap_or_default();
            if batch.is_empty() {
                return true;
            }
            match &mut self.reader {
                Some(reader) => reader.prefetch(batch),
                None => self.look_at_files(batch, snapshot),
            }
            for &uid in batch {
                let facts = self.reader.as_mut().and_then(|r| r.get(uid).ok());
                each(Loaded {
                    mailbox: &self.mailbox,
                    snapshot,
                    facts,
                    uid,
                });
                self.next += 1;
                if self.next.is_multiple_of(CLOCK) && Instant::now() >= deadline {
                    return self.next >= self.uids.len();
                }
            }
        }
    }

    /// Has dates that nobody has asked for before looked up together.
    fn look_at_files(&self, batch: &[Uid], snapshot: &Snapshot) {
        let unknown = |uid: &&Uid| snapshot.known_internal_date(**uid).is_none();
        let unknown: Vec<Uid> = batch.iter().filter(unknown).copied().collect();
        let whenever = Instant::now() + Duration::from_secs(3600);
        in_parallel(unknown.len(), whenever, |at| {
            let uid = unknown.get(at)?;
            self.mailbox.internal_date(*uid).ok()
        });
    }
}

impl Loaded<'_> {
    pub fn internal_date(&self) -> UnixTime {
        self.snapshot
            .known_internal_date(self.uid)
            .or_else(|| self.facts.and_then(|f| f.internal_date()))
            .or_else(|| self.mailbox.internal_date(self.uid).ok())
            .unwrap_or_default()
    }

    pub fn size(&self) -> u64 {
        self.snapshot
            .known_size(self.uid)
            .or_else(|| self.facts.and_then(|f| f.size()))
            .or_else(|| self.mailbox.size(self.uid).ok())
            .unwrap_or_default()
    }

    /// By the Date field, or else the internal date (RFC 5256 §2.2).
    pub fn sent_date(&self) -> UnixTime {
        let sent = self.facts.and_then(|f| f.sent_date());
        sent.map_or_else(|| self.internal_date(), |sent: date::SentDate| sent.time)
    }

    /// The base subject as it is compared; empty without one.
    pub fn base_subject(&self) -> &[u8] {
        self.facts.as_ref().map_or(&[], |f| f.base_subject())
    }

    pub fn is_reply(&self) -> bool {
        self.facts.is_some_and(|f| f.is_reply())
    }

    /// Hands the values of all fields called `name` to `each`, which says
    /// whether it wants another.
    pub fn values(&self, name: &[u8], mut each: impl FnMut(&[u8]) -> bool) {
        let Some(facts) = self.facts else {
            return;
        };
        match facts.field(name) {
            Field::Absent => {}
            Field::Raw(mut values) => {
                values.all(each);
            }
            Field::NotKept => {
                let Ok(block) = self.header() else {
                    return;
                };
                let mut fields = header::fields(&block).filter(|f| f.is(name));
                fields.all(|f| each(f.value));
            }
        }
    }

    fn header(&self) -> Result<Vec<u8>, Error> {
        let source = Source::load(self.mailbox, self.uid, Need::Header)?;
        Ok(source.header()?.into_owned())
    }
}
