//! Which messages come next.

use crate::view::{View, ViewRow};
use roost_types::{SeqNum, SeqSet, Uid};
use std::ops::ControlFlow;

/// Messages that get `\Seen` together: a client that goes away has been sent
/// most of what was marked.
const BATCH_SEEN: u32 = 64;

/// Messages that facts are found out of together.
const BATCH: u32 = 256;

/// The messages of a command, in batches.
pub(super) struct Queue {
    ranges: std::vec::IntoIter<(SeqNum, SeqNum)>,
    rest: Option<(SeqNum, SeqNum)>,
    batch: std::vec::IntoIter<ViewRow>,
    size: u32,
}

impl Queue {
    pub fn new(seqs: &SeqSet, sets_seen: bool) -> Self {
        Self {
            ranges: seqs.ranges().collect::<Vec<_>>().into_iter(),
            rest: None,
            batch: Vec::new().into_iter(),
            size: if sets_seen { BATCH_SEEN } else { BATCH },
        }
    }

    /// The next message of the batch, which stays in it.
    pub fn peek(&self) -> Option<&ViewRow> {
        self.batch.as_slice().first()
    }

    /// The next message of the batch.
    pub fn next_of_batch(&mut self) -> Option<ViewRow> {
        self.batch.next()
    }

    /// Which messages the next batch has; none at the end.
    pub fn next_batch(&mut self) -> SeqSet {
        let mut seqs = SeqSet::new();
        let mut left = self.size;
        while left > 0
            && let Some((first, last)) = self.rest.take().or_else(|| self.ranges.next())
        {
            let end = first.get().saturating_add(left - 1).min(last.get());
            let end = SeqNum::new(end).unwrap_or(last);
            seqs.insert_range(first, end);
            left -= end.get() - first.get() + 1;
            let next = end.next().filter(|&next| next <= last);
            self.rest = next.map(|next| (next, last));
        }
        seqs
    }

    /// Begins the batch of these messages, as `view` has them now: it stays as
    /// it is until the next batch. Returns their UIDs.
    pub fn begin(&mut self, seqs: &SeqSet, view: &View) -> Vec<Uid> {
        let mut rows = Vec::with_capacity(BATCH as usize);
        for (first, last) in seqs.ranges() {
            if view.has_ghosts() {
                rows.extend(view.rows(first).take_while(|m| m.seq <= last));
                continue;
            }
            let _ = view.scan(first, last, |seq, row| {
                rows.push(ViewRow {
                    seq,
                    row: *row,
                    ghost: false,
                });
                ControlFlow::Continue(())
            });
        }
        let uids = rows.iter().map(|m| m.row.uid).collect();
        self.batch = rows.into_iter();
        uids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_messages_come_once_and_in_order() {
        let seq = |n| SeqNum::new(n).unwrap();
        let mut seqs = SeqSet::range(seq(2), seq(150));
        seqs.insert(seq(200));
        seqs.insert(seq(u32::MAX));
        let mut queue = Queue::new(&seqs, true);
        let mut found = Vec::new();
        loop {
            let batch = queue.next_batch();
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= u64::from(BATCH_SEEN));
            found.extend(batch.iter());
        }
        assert_eq!(found, seqs.iter().collect::<Vec<_>>());
    }
}
