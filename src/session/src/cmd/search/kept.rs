//! Decides upon messages by what is kept of them, without their files.

use super::judge::Glance;
use super::key::{Key, Known};
use crate::facts::{Facts, Field};
use roost_message::search::Needle;
use roost_store::Row;
use roost_types::{Keyword, ObjectId, SeqNum, UnixTime};
use std::cell::Cell;

/// What the columns and the pieces say of a message.
pub(super) struct Kept<'a> {
    pub glance: Glance<'a>,
    pub facts: Facts<'a>,
    /// For text that is being compared.
    pub scratch: &'a Cell<Vec<u8>>,
}

/// True or false, or `None` if the file has to be read.
pub(super) fn verdict(key: &Key, kept: &Kept<'_>) -> Option<bool> {
    key.eval(kept).ok()
}

impl Known for Kept<'_> {
    fn seq(&self) -> SeqNum {
        self.glance.seq
    }
    fn row(&self) -> &Row {
        self.glance.row
    }
    fn recent(&self) -> bool {
        self.glance.recent
    }
    fn has(&self, keyword: &Keyword) -> bool {
        self.glance.has(keyword)
    }
    fn date(&self) -> Option<UnixTime> {
        let known = self.glance.date();
        known.or_else(|| self.facts.internal_date())
    }
    fn saved(&self) -> Option<UnixTime> {
        self.glance.saved()
    }
    fn size(&self) -> Option<u64> {
        self.glance.size().or_else(|| self.facts.size())
    }
    fn email_id(&self) -> Option<ObjectId> {
        self.glance.email_id()
    }
    fn sent(&self) -> Option<Option<i64>> {
        Some(self.facts.sent_date().map(|sent| sent.day))
    }
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
    fn body(&self, _: usize) -> Option<bool> {
        None
    }
    fn text(&self, _: usize) -> Option<bool> {
        None
    }
}
