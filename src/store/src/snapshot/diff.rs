//! The difference of two pictures: what a session must be told.

use super::chunk::Chunk;
use super::hot::HotRow;
use super::{Row, Snapshot};
use roost_types::{SeqNum, Uid};
use std::sync::Arc;

/// What happened between two pictures.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// Gone, by rising UID, with their numbers in the old picture.
    pub expunged: Vec<(SeqNum, Uid)>,
    /// In both, with other flags, keywords or MODSEQ; numbers of the new
    /// picture.
    pub changed: Vec<(SeqNum, Row)>,
    /// How many messages at the end of the new picture are not in the old.
    pub added: u32,
    /// The keyword table has other names (the FLAGS response changes).
    pub keywords_changed: bool,
}

/// A place in a picture.
struct Cursor<'a> {
    chunks: &'a [Arc<Chunk>],
    at: usize,
    /// Messages passed.
    count: u32,
}

impl<'a> Cursor<'a> {
    fn new(chunks: &'a [Arc<Chunk>]) -> Self {
        Self {
            chunks,
            at: 0,
            count: 0,
        }
    }

    /// The chunk ahead, when the cursor stands at its start.
    fn whole_chunk(&self) -> Option<&'a Arc<Chunk>> {
        self.chunks.first().filter(|_| self.at == 0)
    }

    fn skip_chunk(&mut self) {
        if let Some((chunk, rest)) = self.chunks.split_first() {
            self.count += chunk.counts().messages;
            self.chunks = rest;
        }
    }

    fn peek(&self) -> Option<&'a HotRow> {
        self.chunks.first()?.rows().get(self.at)
    }

    fn seq(&self) -> SeqNum {
        SeqNum::new(self.count.saturating_add(1)).unwrap_or(SeqNum::MAX)
    }

    fn step(&mut self) {
        self.at += 1;
        self.count += 1;
        if let Some((chunk, rest)) = self.chunks.split_first()
            && self.at >= chunk.len()
        {
            self.chunks = rest;
            self.at = 0;
        }
    }
}

/// One row on the way from an old picture to a new one.
pub(crate) enum Step<'a> {
    /// Only the old picture has it, under this number.
    Gone(SeqNum, &'a HotRow),
    /// Both have it, alike or not, the new one under this number.
    Both(SeqNum, &'a HotRow, &'a HotRow),
    /// Only the new picture has it.
    New(&'a HotRow),
    /// Rows that both share were passed over.
    Shared,
}

/// Visits the rows of two pictures in order, but for chunks that they share.
pub(crate) fn walk<'a>(old: &'a Snapshot, new: &'a Snapshot, mut visit: impl FnMut(Step<'a>)) {
    let (mut a, mut b) = (Cursor::new(&old.chunks), Cursor::new(&new.chunks));
    loop {
        if let (Some(x), Some(y)) = (a.whole_chunk(), b.whole_chunk())
            && Arc::ptr_eq(x, y)
        {
            a.skip_chunk();
            b.skip_chunk();
            visit(Step::Shared);
            continue;
        }
        match (a.peek(), b.peek()) {
            (None, None) => return,
            (Some(x), y) if y.is_none_or(|y| x.uid < y.uid) => {
                visit(Step::Gone(a.seq(), x));
                a.step();
            }
            (Some(x), Some(y)) if x.uid == y.uid => {
                visit(Step::Both(b.seq(), x, y));
                a.step();
                b.step();
            }
            (_, Some(y)) => {
                visit(Step::New(y));
                b.step();
            }
            (Some(_), None) => return,
        }
    }
}

pub(super) fn diff(old: &Snapshot, new: &Snapshot) -> Diff {
    let mut out = Diff {
        keywords_changed: !Arc::ptr_eq(&old.table, &new.table)
            && old.table.names() != new.table.names(),
        ..Diff::default()
    };
    walk(old, new, |step| match step {
        Step::Gone(seq, x) => out.expunged.extend(Uid::new(x.uid).map(|uid| (seq, uid))),
        Step::Both(seq, x, y) => {
            if (x.modseq, x.flags, x.keywords) != (y.modseq, y.flags, y.keywords)
                && let Some(row) = Row::of(y)
            {
                out.changed.push((seq, row));
            }
        }
        Step::New(_) => out.added += 1,
        Step::Shared => {}
    });
    out
}
