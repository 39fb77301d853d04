//! What is known of a message while a search goes on: first what its columns
//! say, then what is kept of it, and in the end what its file has told.

use super::key::Known;
use crate::facts::{Facts, Field};
use roost_message::search::{Needle, in_header};
use roost_message::{date, fields};
use roost_store::{Row, Snapshot};
use roost_types::{Keyword, ObjectId, SeqNum, UnixTime};
use std::cell::Cell;

/// A message that may match.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub seq: SeqNum,
    pub row: &'a Row,
    pub recent: bool,
    pub snapshot: &'a Snapshot,
    pub kept: Option<Kept<'a>>,
    pub found: Option<&'a Found>,
}

/// What is kept of it.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub facts: Facts<'a>,
    /// For text that is being compared.
    pub scratch: &'a Cell<Vec<u8>>,
}

/// What was found out about it.
#[derive(Default)]
pub(super) struct Found {
    pub date: Option<UnixTime>,
    pub saved: Option<UnixTime>,
    pub size: Option<u64>,
    pub email_id: Option<ObjectId>,
    pub header: Option<Vec<u8>>,
    /// For each needle of BODY and of TEXT whether it was found.
    pub texts: Option<(Vec<bool>, Vec<bool>)>,
}

impl<'a> Candidate<'a> {
    /// One of which only the columns are known.
    pub fn new(seq: SeqNum, row: &'a Row, recent: bool, snapshot: &'a Snapshot) -> Self {
        Self {
            seq,
            row,
            recent,
            snapshot,
            kept: None,
            found: None,
        }
    }
}

impl Kept<'_> {
    fn header(&self, name: &[u8], needle: &Needle) -> Option<bool> {
        if let Some(found) = self.facts.searched(name, needle) {
            return Some(found);
        }
        let mut scratch = self.scratch.take();
        let mut has = |value| needle.is_empty() || needle.is_in_field(value, &mut scratch);
        let found = match self.facts.field(name) {
            Field::Absent => Some(false),
            Field::Raw(mut values) => Some(values.any(&mut has)),
            Field::NotKept => None,
        };
        self.scratch.set(scratch);
        found
    }
}

impl Known for Candidate<'_> {
    fn seq(&self) -> SeqNum {
        self.seq
    }

    fn row(&self) -> &Row {
        self.row
    }

    fn recent(&self) -> bool {
        self.recent
    }

    fn has(&self, keyword: &Keyword) -> bool {
        let names = self.snapshot.keyword_names(self.row.keywords);
        names.contains(keyword)
    }

    fn date(&self) -> Option<UnixTime> {
        let found = self.found.and_then(|found| found.date);
        found
            .or_else(|| self.snapshot.known_internal_date(self.row.uid))
            .or_else(|| self.kept?.facts.internal_date())
    }

    fn saved(&self) -> Option<UnixTime> {
        let found = self.found.and_then(|found| found.saved);
        found.or_else(|| self.snapshot.known_save_date(self.row.uid))
    }

    fn size(&self) -> Option<u64> {
        let found = self.found.and_then(|found| found.size);
        found
            .or_else(|| self.snapshot.known_size(self.row.uid))
            .or_else(|| self.kept?.facts.size())
    }

    fn email_id(&self) -> Option<ObjectId> {
        self.found?.email_id
    }

    fn sent(&self) -> Option<Option<i64>> {
        if let Some(kept) = &self.kept {
            return Some(kept.facts.sent_date().map(|sent| sent.day));
        }
        let block = self.found?.header.as_ref()?;
        let sent = fields::get(block, b"Date").and_then(date::parse);
        Some(sent.map(|sent| sent.day))
    }

    fn header(&self, name: &[u8], needle: &Needle) -> Option<bool> {
        if let Some(kept) = &self.kept {
            return kept.header(name, needle);
        }
        let block = self.found?.header.as_ref()?;
        Some(in_header(block, name, needle))
    }

    fn body(&self, index: usize) -> Option<bool> {
        let (body, _) = self.found?.texts.as_ref()?;
        Some(body.get(index).copied().unwrap_or_default())
    }

    fn text(&self, index: usize) -> Option<bool> {
        let (_, text) = self.found?.texts.as_ref()?;
        Some(text.get(index).copied().unwrap_or_default())
    }
}
