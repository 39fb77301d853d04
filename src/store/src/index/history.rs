//! Which messages went when: what a client that comes back must forget
//! (RFC 7162 §3.2.5.2).

use super::bytes::Put;
use roost_types::{ModSeq, Uid, UidSet};
use std::collections::VecDeque;

/// Ranges of UIDs that are remembered; beyond it the oldest are forgotten.
const MAX_RANGES: usize = 100_000;

/// UIDs from `first` to `last` went with the change `modseq`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gone {
    pub first: u32,
    pub last: u32,
    pub modseq: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct History {
    /// Everything that went after this change is remembered.
    floor: u64,
    /// By rising change number.
    gone: VecDeque<Gone>,
}

impl History {
    /// One that begins with the change `floor`.
    pub fn new(floor: u64) -> Self {
        Self {
            floor,
            gone: VecDeque::new(),
        }
    }

    pub fn add(&mut self, modseq: u64, uids: &UidSet) {
        for (first, last) in uids.ranges() {
            self.push(Gone {
                first: first.get(),
                last: last.get(),
                modseq,
            });
        }
    }

    pub fn push(&mut self, gone: Gone) {
        self.gone.push_back(gone);
        if self.gone.len() > MAX_RANGES {
            self.forget_oldest();
        }
    }

    /// A whole change goes at once, and some more, so that it is seldom done.
    fn forget_oldest(&mut self) {
        let excess = self.gone.len() - MAX_RANGES + MAX_RANGES / 16;
        if let Some(last) = self.gone.get(excess) {
            self.floor = last.modseq;
        }
        let floor = self.floor;
        let keep = self.gone.partition_point(|g| g.modseq <= floor);
        self.gone.drain(..keep);
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        out.u64(self.floor);
        out.count(self.gone.len());
        for gone in &self.gone {
            out.u32(gone.first);
            out.u32(gone.last);
            out.u64(gone.modseq);
        }
    }

    /// See [`crate::Mailbox::vanished_since`].
    pub fn since(&self, since: ModSeq) -> Option<UidSet> {
        if since.0 < self.floor {
            return None;
        }
        let at = self.gone.partition_point(|g| g.modseq <= since.0);
        let mut ranges: Vec<(u32, u32)> =
            self.gone.range(at..).map(|g| (g.first, g.last)).collect();
        // A set grows best from its end.
        ranges.sort_unstable();
        let mut uids = UidSet::new();
        for (first, last) in ranges {
            if let (Some(first), Some(last)) = (Uid::new(first), Uid::new(last)) {
                uids.insert_range(first, last);
            }
        }
        Some(uids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(list: &[u32]) -> UidSet {
        list.iter().filter_map(|&n| Uid::new(n)).collect()
    }

    #[test]
    fn only_what_went_afterwards_is_told() {
        let mut history = History::new(10);
        history.add(11, &set(&[5, 6]));
        history.add(13, &set(&[1, 7]));
        let since = |n| history.since(ModSeq(n));
        assert_eq!(since(9), None);
        assert_eq!(since(10), Some(set(&[1, 5, 6, 7])));
        assert_eq!(since(11), Some(set(&[1, 7])));
        assert_eq!(since(12), Some(set(&[1, 7])));
        assert_eq!(since(13), Some(set(&[])));
    }

    #[test]
    fn a_full_history_forgets_whole_changes_from_the_oldest() {
        let mut history = History::new(1);
        let odd: Vec<u32> = (0..1000).map(|n| 2 * n + 1).collect();
        for change in 0..150 {
            history.add(2 + change, &set(&odd));
        }
        assert!(history.gone.len() <= MAX_RANGES);
        let floor = history.floor;
        assert!(floor > 2);
        assert_eq!(history.since(ModSeq(floor - 1)), None);
        assert_eq!(history.since(ModSeq(floor)), Some(set(&odd)));
        assert!(history.gone.iter().all(|g| g.modseq > floor));
        // One change larger than all that can be remembered.
        let mut history = History::new(1);
        for n in 0..MAX_RANGES as u32 + 1 {
            history.push(Gone {
                first: 2 * n + 1,
                last: 2 * n + 1,
                modseq: 5,
            });
        }
        assert_eq!(history.since(ModSeq(4)), None);
        assert_eq!(history.since(ModSeq(5)), Some(set(&[])));
    }
}
