//! An immutable picture of a mailbox.
//!
//! Rows lie in chunks of about a thousand behind `Arc`s, so that the picture
//! after a change shares all but the chunks that were touched: any number of
//! sessions hold it at the price of one, and comparing two pictures skips what
//! they share. UIDs rise strictly, and a newer picture has new messages only
//! behind every UID that an older one had.

mod chunk;
mod cold;
pub mod diff;
mod draft;
mod hot;
pub mod keywords;
mod scan;
pub mod sight;
#[cfg(test)]
mod tests;

pub(crate) use chunk::{CHUNK, Chunk};
pub(crate) use cold::{Cold, ColdData, ColdRow, Facts, NO_SIZE, NO_TIME};
use diff::Diff;
pub(crate) use draft::{Draft, NewRow};
pub(crate) use hot::{Counts, HotRow, IN_NEW, ODD_NAME, RECENT, Summary};
use keywords::{KeywordSetId, KeywordTable};
use roost_types::{Keyword, ModSeq, SeqNum, SystemFlags, Uid, UidSet, UidValidity, UnixTime};
use std::sync::Arc;

/// What a session sees of a mailbox at one moment: messages by rising UID.
/// Cheap to hold: pictures share all chunks of rows that are equal.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    uid_validity: UidValidity,
    uid_next: Uid,
    modseq: u64,
    chunks: Vec<Arc<Chunk>>,
    /// How many messages lie before each chunk.
    starts: Vec<u32>,
    counts: Counts,
    table: Arc<KeywordTable>,
    /// See [`sight`].
    left_out: UidSet,
}

/// What a picture is put together from.
pub(crate) struct Parts {
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub modseq: u64,
    pub chunks: Vec<Arc<Chunk>>,
    pub table: Arc<KeywordTable>,
}

/// The hot facts of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub uid: Uid,
    pub modseq: ModSeq,
    pub flags: SystemFlags,
    pub keywords: KeywordSetId,
    /// `\Recent` not yet claimed by a session.
    pub recent: bool,
}

impl Row {
    fn of(row: &HotRow) -> Option<Self> {
        Some(Self {
            uid: Uid::new(row.uid)?,
            modseq: ModSeq(row.modseq),
            flags: row.flags,
            keywords: row.keywords,
            recent: row.is(RECENT),
        })
    }
}

impl Snapshot {
    /// Rises with each picture of this mailbox.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// Higher than every UID that this picture or an older one shows.
    pub fn uid_next(&self) -> Uid {
        self.uid_next
    }

    /// The number of the last change.
    pub fn highest_modseq(&self) -> ModSeq {
        ModSeq(self.modseq)
    }

    pub fn len(&self) -> u32 {
        self.counts.messages
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages have a `\Recent` that no session has claimed.
    pub fn recent(&self) -> u32 {
        self.counts.recent
    }

    pub fn unseen(&self) -> u32 {
        self.counts.unseen
    }

    pub fn deleted(&self) -> u32 {
        self.counts.deleted
    }

    /// The first message without `\Seen`.
    pub fn first_unseen(&self) -> Option<SeqNum> {
        let at = self.chunks.iter().position(|c| c.counts().unseen > 0)?;
        let row = self.chunks.get(at)?.before_unseen()?;
        self.seq_at(at, row as usize)
    }

    pub fn first_uid(&self) -> Option<Uid> {
        Uid::new(self.chunks.first()?.first_uid())
    }

    pub fn last_uid(&self) -> Option<Uid> {
        Uid::new(self.chunks.last()?.last_uid())
    }

    pub fn uid_at(&self, seq: SeqNum) -> Option<Uid> {
        let (chunk, row) = self.place_of(seq)?;
        Uid::new(chunk.uid_at(row)?)
    }

    pub fn seq_of(&self, uid: Uid) -> Option<SeqNum> {
        let (chunk, row) = self.locate(uid.get())?;
        self.seq_at(chunk, row)
    }

    /// How many messages have a UID below `uid`.
    pub fn count_below(&self, uid: Uid) -> u32 {
        let uid = uid.get();
        let at = self.chunks.partition_point(|c| c.last_uid() < uid);
        let Some(chunk) = self.chunks.get(at) else {
            return self.len();
        };
        let within = chunk.count_below(uid);
        self.starts.get(at).copied().unwrap_or(0) + within as u32
    }

    pub fn row(&self, seq: SeqNum) -> Option<Row> {
        self.hot_at(seq).and_then(Row::of)
    }

    pub fn row_of(&self, uid: Uid) -> Option<(SeqNum, Row)> {
        let (chunk, row) = self.locate(uid.get())?;
        let hot = self.chunks.get(chunk)?.rows().get(row)?;
        Some((self.seq_at(chunk, row)?, Row::of(hot)?))
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = (SeqNum, Row)> + '_ {
        self.rows_from(SeqNum::MIN)
    }

    /// The rows from `first` on.
    pub fn rows_from(&self, first: SeqNum) -> impl Iterator<Item = (SeqNum, Row)> + '_ {
        let before = first.get() - 1;
        let at = self
            .starts
            .partition_point(|&s| s <= before)
            .saturating_sub(1);
        let skip = (before - self.starts.get(at).copied().unwrap_or(0)) as usize;
        self.chunks
            .get(at..)
            .unwrap_or_default()
            .iter()
            .flat_map(|c| c.rows())
            .skip(skip)
            .zip(first.get()..)
            .filter_map(|(row, seq)| Some((SeqNum::new(seq)?, Row::of(row)?)))
    }

    /// The rows that were touched after the change `since`, in order. Passes
    /// over whole chunks that were not.
    pub fn changed_since(&self, since: ModSeq) -> impl Iterator<Item = (SeqNum, Row)> + '_ {
        self.chunks
            .iter()
            .zip(&self.starts)
            .filter(move |(chunk, _)| chunk.changed_since(since.0))
            .flat_map(|(chunk, &start)| chunk.rows().iter().zip(start.saturating_add(1)..))
            .filter(move |(row, _)| row.modseq > since.0)
            .filter_map(|(row, seq)| Some((SeqNum::new(seq)?, Row::of(row)?)))
    }

    /// The keywords of a set, in the table's order.
    pub fn keyword_names(&self, set: KeywordSetId) -> &[Keyword] {
        self.table.names_of(set)
    }

    /// Every keyword known in the mailbox, for the FLAGS response.
    pub fn keywords(&self) -> &[Keyword] {
        self.table.names()
    }

    /// RFC822.SIZE, where it is known without asking the disk.
    pub fn known_size(&self, uid: Uid) -> Option<u64> {
        self.cold(uid.get())?.size()
    }

    /// INTERNALDATE, where it is known without asking the disk.
    pub fn known_internal_date(&self, uid: Uid) -> Option<UnixTime> {
        self.cold(uid.get())?.internal_date().map(UnixTime)
    }

    /// SAVEDATE, where it is known without asking the disk.
    pub fn known_save_date(&self, uid: Uid) -> Option<UnixTime> {
        self.cold(uid.get())?.save_date().map(UnixTime)
    }

    /// What changed from `old` to `new`, both of the same mailbox. Costs
    /// little where they share chunks.
    pub fn diff(old: &Snapshot, new: &Snapshot) -> Diff {
        diff::diff(old, new)
    }

    /// A picture as an index has it.
    pub(crate) fn assemble(parts: Parts) -> Self {
        let mut counts = Counts::default();
        let mut starts = Vec::with_capacity(parts.chunks.len());
        for chunk in &parts.chunks {
            starts.push(counts.messages);
            counts.add(chunk.counts());
        }
        Self {
            generation: 1,
            uid_validity: parts.uid_validity,
            uid_next: parts.uid_next,
            modseq: parts.modseq,
            chunks: parts.chunks,
            starts,
            counts,
            table: parts.table,
            left_out: UidSet::new(),
        }
    }

    /// The same messages with other flags, `changes` of which have been made
    /// to them, the last with the number `modseq`.
    pub(crate) fn overlaid(&self, chunks: Vec<Arc<Chunk>>, changes: u64, modseq: u64) -> Self {
        let mut picture = Self::assemble(Parts {
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            modseq: self.modseq.max(modseq),
            chunks,
            table: Arc::clone(&self.table),
        });
        picture.generation = self.generation + changes;
        picture
    }

    pub(crate) fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    pub(crate) fn table_arc(&self) -> &Arc<KeywordTable> {
        &self.table
    }

    pub(crate) fn table(&self) -> &KeywordTable {
        &self.table
    }

    pub(crate) fn hot(&self, uid: u32) -> Option<&HotRow> {
        let (chunk, row) = self.locate(uid)?;
        self.chunks.get(chunk)?.rows().get(row)
    }

    /// A message's row and its place counted from 0.
    pub(crate) fn ordinal(&self, uid: u32) -> Option<(usize, &HotRow)> {
        let (chunk, row) = self.locate(uid)?;
        let hot = self.chunks.get(chunk)?.rows().get(row)?;
        Some((*self.starts.get(chunk)? as usize + row, hot))
    }

    pub(crate) fn cold(&self, uid: u32) -> Option<ColdRow<'_>> {
        self.chunk_of(uid)?.cold(uid)
    }

    /// All hot rows in order.
    pub(crate) fn hot_rows(&self) -> impl Iterator<Item = &HotRow> + '_ {
        self.chunks.iter().flat_map(|c| c.rows())
    }

    /// The rows up to the UID `last` whose `\Recent` is still to be claimed.
    pub(crate) fn recent_rows(&self, last: u32) -> impl Iterator<Item = &HotRow> + '_ {
        self.chunks
            .iter()
            .take_while(move |c| c.first_uid() <= last)
            .filter(|c| c.counts().recent > 0)
            .flat_map(|c| c.rows())
            .filter(move |r| r.uid <= last && r.is(RECENT))
    }

    /// The hot rows with UIDs from `first` to `last`.
    pub(crate) fn hot_range(&self, first: u32, last: u32) -> impl Iterator<Item = &HotRow> + '_ {
        let at = self.chunks.partition_point(|c| c.last_uid() < first);
        self.chunks
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(move |c| c.first_uid() <= last)
            .flat_map(|c| c.rows())
            .skip_while(move |r| r.uid < first)
            .take_while(move |r| r.uid <= last)
    }

    fn chunk_of(&self, uid: u32) -> Option<&Chunk> {
        let at = self.chunks.partition_point(|c| c.last_uid() < uid);
        self.chunks.get(at).map(|c| &**c)
    }

    fn locate(&self, uid: u32) -> Option<(usize, usize)> {
        let at = self.chunks.partition_point(|c| c.last_uid() < uid);
        Some((at, self.chunks.get(at)?.position(uid)?))
    }

    fn hot_at(&self, seq: SeqNum) -> Option<&HotRow> {
        let (chunk, row) = self.place_of(seq)?;
        chunk.rows().get(row)
    }

    fn place_of(&self, seq: SeqNum) -> Option<(&Chunk, usize)> {
        let before = seq.get() - 1;
        let at = self
            .starts
            .partition_point(|&s| s <= before)
            .checked_sub(1)?;
        let within = (before - self.starts.get(at)?) as usize;
        Some((self.chunks.get(at)?, within))
    }

    fn seq_at(&self, chunk: usize, row: usize) -> Option<SeqNum> {
        SeqNum::new(self.starts.get(chunk)? + row as u32 + 1)
    }
}
