//! Which messages come next.

use roost_types::{SeqNum, SeqSet};

/// Messages that get `\Seen` together: a client that goes away has been sent
/// most of what was marked.
const BATCH_SEEN: u32 = 64;

/// Messages that facts are found out of together.
const BATCH: u32 = 256;

/// The messages of a command, in batches.
pub(super) struct Queue {
    ranges: std::vec::IntoIter<(SeqNum, SeqNum)>,
    rest: Option<(SeqNum, SeqNum)>,
    batch: std::vec::IntoIter<SeqNum>,
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

    /// The next message of the batch.
    pub fn next_of_batch(&mut self) -> Option<SeqNum> {
        self.batch.next()
    }

    /// Begins the next batch; it is empty at the end.
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
        self.batch = seqs.iter().collect::<Vec<_>>().into_iter();
        seqs
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
            while let Some(seq) = queue.next_of_batch() {
                assert!(batch.contains(seq));
                found.push(seq);
            }
        }
        assert_eq!(found, seqs.iter().collect::<Vec<_>>());
    }
}
