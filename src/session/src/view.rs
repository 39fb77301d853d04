//! What one session sees of its mailbox: a picture of the store and the
//! messages that are gone from it though the client has not been told yet.
//!
//! Numbers of a view are those that the client counts with. They hold until
//! [`View::advance`] reports expunged messages; messages only ever come at the
//! end, so a ghost keeps its number as long as it is one. A view costs a
//! session nothing for each message.

use roost_store::{Row, Snapshot};
use roost_types::{ModSeq, SeqNum, SeqSet, SequenceSet, SetBound, Uid, UidSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A message under the session's own number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ViewRow {
    pub seq: SeqNum,
    pub row: Row,
    /// Gone; what is known of it can still be shown (RFC 2180 §4.1.2).
    pub ghost: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ghost {
    seq: SeqNum,
    row: Row,
}

/// A snapshot and its ghosts, by rising UID.
#[derive(Clone, Debug)]
pub struct View {
    snapshot: Arc<Snapshot>,
    ghosts: Vec<Ghost>,
}

/// What a step of a view to a newer picture has to be told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Advance {
    /// By rising numbers of the old view: to be told from the last to the
    /// first.
    pub expunged: Vec<(SeqNum, Uid)>,
    /// Messages at the end that are new.
    pub added: u32,
    pub keywords_changed: bool,
    /// Other flags than before, with numbers of the new view.
    pub changed: Vec<(SeqNum, Row)>,
    /// The highest MODSEQ of messages that changed, told or known otherwise.
    pub modseq: Option<ModSeq>,
}

impl View {
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            ghosts: Vec::new(),
        }
    }

    /// The picture, without ghosts: its numbers are not the session's.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The number of messages as the client knows it.
    pub fn len(&self) -> u32 {
        let ghosts = u32::try_from(self.ghosts.len()).unwrap_or(u32::MAX);
        self.snapshot.len().saturating_add(ghosts)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether messages are gone that the client still counts.
    pub fn has_ghosts(&self) -> bool {
        !self.ghosts.is_empty()
    }

    pub fn last_uid(&self) -> Option<Uid> {
        let ghost = self.ghosts.last().map(|g| g.row.uid);
        self.snapshot.last_uid().max(ghost)
    }

    /// The message under a number.
    pub fn at(&self, seq: SeqNum) -> Option<ViewRow> {
        let below = self.ghosts.partition_point(|g| g.seq < seq);
        if let Some(ghost) = self.ghosts.get(below)
            && ghost.seq == seq
        {
            return Some(ghost.shown());
        }
        let row = self.snapshot.row(less(seq, below)?)?;
        Some(live(seq, row))
    }

    pub fn uid_at(&self, seq: SeqNum) -> Option<Uid> {
        self.at(seq).map(|m| m.row.uid)
    }

    /// The message with a UID.
    pub fn by_uid(&self, uid: Uid) -> Option<ViewRow> {
        let below = self.ghosts.partition_point(|g| g.row.uid < uid);
        if let Some(ghost) = self.ghosts.get(below)
            && ghost.row.uid == uid
        {
            return Some(ghost.shown());
        }
        let (seq, row) = self.snapshot.row_of(uid)?;
        Some(live(more(seq, below)?, row))
    }

    pub fn seq_of(&self, uid: Uid) -> Option<SeqNum> {
        self.by_uid(uid).map(|m| m.seq)
    }

    /// The messages from number `first` on.
    pub fn rows(&self, first: SeqNum) -> impl Iterator<Item = ViewRow> + '_ {
        let below = self.ghosts.partition_point(|g| g.seq < first);
        let mut ghosts = self.ghosts.iter().skip(below).peekable();
        // A ghost may be the first: the rows then begin behind it, under the
        // number that it takes away from them.
        let mut rows = less(first, below).map(|seq| self.snapshot.rows_from(seq));
        let mut seq = Some(first);
        std::iter::from_fn(move || {
            let now = seq?;
            seq = now.next();
            if let Some(ghost) = ghosts.next_if(|g| g.seq == now) {
                return Some(ghost.shown());
            }
            let (_, row) = rows.as_mut()?.next()?;
            Some(live(now, row))
        })
    }

    /// Hands the messages from number `first` to `last`, ghosts apart, to
    /// `each` until it breaks off.
    pub fn scan(
        &self,
        first: SeqNum,
        last: SeqNum,
        mut each: impl FnMut(SeqNum, &Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !self.has_ghosts() {
            return self.snapshot.scan(first, last, each);
        }
        self.rows(first)
            .take_while(|m| m.seq <= last)
            .filter(|m| !m.ghost)
            .try_for_each(|m| each(m.seq, &m.row))
    }

    /// How many messages have a UID below `uid`.
    fn count_below(&self, uid: Uid) -> u32 {
        let ghosts = self.ghosts.partition_point(|g| g.row.uid < uid);
        let ghosts = u32::try_from(ghosts).unwrap_or(u32::MAX);
        self.snapshot.count_below(uid).saturating_add(ghosts)
    }

    /// The numbers of the messages that have one of these UIDs.
    pub fn seqs_of(&self, uids: &UidSet) -> SeqSet {
        let mut seqs = SeqSet::new();
        for (first, last) in uids.ranges() {
            let from = self.count_below(first).saturating_add(1);
            let to = match last.next() {
                Some(next) => self.count_below(next),
                None => self.len(),
            };
            if from <= to
                && let (Some(from), Some(to)) = (SeqNum::new(from), SeqNum::new(to))
            {
                seqs.insert_range(from, to);
            }
        }
        seqs
    }

    /// The UIDs of the messages under these numbers, ghosts apart.
    pub fn uids_of(&self, seqs: &SeqSet) -> Uids {
        let mut uids = Uids::default();
        for (first, last) in seqs.ranges() {
            for message in self.rows(first).take_while(|m| m.seq <= last) {
                let set = match message.ghost {
                    true => &mut uids.ghosts,
                    false => &mut uids.live,
                };
                set.insert(message.row.uid);
            }
        }
        uids
    }

    /// The messages that have changed later than `since`, ghosts included.
    pub fn changed_since(&self, since: ModSeq) -> SeqSet {
        let mut ghosts = self.ghosts.iter().peekable();
        let mut below = 0;
        let mut seqs = SeqSet::new();
        for (seq, row) in self.snapshot.changed_since(since) {
            while let Some(ghost) = ghosts.next_if(|g| g.row.uid < row.uid) {
                below += 1;
                if ghost.row.modseq > since {
                    seqs.insert(ghost.seq);
                }
            }
            if let Some(seq) = more(seq, below) {
                seqs.insert(seq);
            }
        }
        ghosts
            .filter(|g| g.row.modseq > since)
            .for_each(|g| seqs.insert(g.seq));
        seqs
    }

    /// The numbers that a client's set means; `saved` is what `$` stands for.
    /// `None` when it names a number that no message has, which is an error
    /// for sequence numbers and none for UIDs (RFC 9051 §9, `seq-number`).
    pub fn resolve(&self, set: &SequenceSet, uid: bool, saved: &UidSet) -> Option<SeqSet> {
        let ranges = match set {
            SequenceSet::Saved => return Some(self.seqs_of(saved)),
            SequenceSet::Ranges(ranges) => ranges,
        };
        if uid {
            return Some(self.seqs_of(&set.resolve(self.last_uid())));
        }
        let largest = SeqNum::new(self.len())?;
        let exists = |bound: SetBound| match bound {
            SetBound::Number(n) => n.get() <= largest.get(),
            SetBound::Star => true,
        };
        ranges
            .iter()
            .all(|&(a, b)| exists(a) && exists(b))
            .then(|| set.resolve(Some(largest)))
    }

    /// Moves on to `new`. Where `expunges` may not be told, what is gone
    /// becomes a ghost. `told` says of a changed message, by its old and its
    /// new state, that the client knows of the change.
    pub fn advance(
        &mut self,
        new: Arc<Snapshot>,
        expunges: bool,
        mut told: impl FnMut(&Row, &Row) -> bool,
    ) -> Advance {
        let diff = Snapshot::diff(&self.snapshot, &new);
        let mut advance = Advance {
            added: diff.added,
            keywords_changed: diff.keywords_changed,
            ..Advance::default()
        };
        let mut changed = diff.changed;
        advance.modseq = changed.iter().map(|(_, row)| row.modseq).max();
        changed.retain(|(_, row)| match self.snapshot.row_of(row.uid) {
            Some((_, old)) => !told(&old, row),
            None => true,
        });
        self.add_ghosts(diff.expunged.into_iter().map(|(seq, _)| seq));
        if expunges {
            advance.expunged = self.ghosts.drain(..).map(|g| (g.seq, g.row.uid)).collect();
            self.ghosts.shrink_to_fit();
        }
        self.snapshot = new;
        advance.changed = changed;
        self.renumber(&mut advance.changed);
        advance
    }

    /// Makes ghosts of rows of the present picture, given by its numbers in
    /// rising order.
    fn add_ghosts(&mut self, gone: impl Iterator<Item = SeqNum>) {
        let mut below = 0;
        let mut new = Vec::new();
        for seq in gone {
            let Some(row) = self.snapshot.row(seq) else {
                continue;
            };
            while self.ghosts.get(below).is_some_and(|g| g.row.uid < row.uid) {
                below += 1;
            }
            if let Some(seq) = more(seq, below) {
                new.push(Ghost { seq, row });
            }
        }
        if !new.is_empty() {
            self.ghosts.append(&mut new);
            // Two sorted runs: this is a merge.
            self.ghosts.sort_by_key(|g| g.row.uid);
        }
    }

    /// From numbers of the picture to those of the view.
    fn renumber(&self, rows: &mut [(SeqNum, Row)]) {
        let mut below = 0;
        for (seq, row) in rows {
            while self.ghosts.get(below).is_some_and(|g| g.row.uid < row.uid) {
                below += 1;
            }
            *seq = more(*seq, below).unwrap_or(*seq);
        }
    }
}

/// UIDs of messages that are there, and of ghosts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Uids {
    pub live: UidSet,
    pub ghosts: UidSet,
}

impl Ghost {
    fn shown(&self) -> ViewRow {
        ViewRow {
            seq: self.seq,
            row: self.row,
            ghost: true,
        }
    }
}

fn live(seq: SeqNum, row: Row) -> ViewRow {
    ViewRow {
        seq,
        row,
        ghost: false,
    }
}

fn less(seq: SeqNum, by: usize) -> Option<SeqNum> {
    SeqNum::new(seq.get().checked_sub(u32::try_from(by).ok()?)?)
}

fn more(seq: SeqNum, by: usize) -> Option<SeqNum> {
    SeqNum::new(seq.get().checked_add(u32::try_from(by).ok()?)?)
}
