//! How far a SEARCH has to go, and what it found.

use roost_imap::command::SearchReturn;
use roost_store::Row;
use roost_types::{ModSeq, SeqNum, SeqSet, Uid, UidSet};

/// A way through the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// From the last one to the first.
    pub backward: bool,
    /// Until so many match.
    pub limit: u64,
}

impl Order {
    /// From the first to the last, all of them.
    pub const ALL: Self = Self {
        backward: false,
        limit: u64::MAX,
    };

    pub fn is_limited(self) -> bool {
        self.limit < u64::MAX
    }

    /// The ways that it takes to answer; without ALL and COUNT it is enough to
    /// go as far as MIN, MAX and PARTIAL reach.
    pub fn plan(returns: SearchReturn) -> Vec<Self> {
        let ends_only = returns.min || returns.max || returns.partial.is_some();
        if returns.all || returns.count || !ends_only {
            return vec![Self::ALL];
        }
        let window = |backward| {
            let range = returns.partial.filter(|p| p.from_end == backward);
            range.map_or(0, |p| u64::from(p.first.max(p.last).get()))
        };
        let forward = window(false).max(u64::from(returns.min));
        let backward = window(true).max(u64::from(returns.max));
        let ways = [(false, forward), (true, backward)].into_iter();
        ways.filter(|&(_, limit)| limit > 0)
            .map(|(backward, limit)| Self { backward, limit })
            .collect()
    }
}

/// Messages that match.
#[derive(Default)]
pub(crate) struct Found {
    seqs: SeqSet,
    uids: UidSet,
    highest: ModSeq,
    /// Found on the way back, the last message first: sets grow at their end.
    backward: Vec<(SeqNum, Uid)>,
}

impl Found {
    pub fn add(&mut self, seq: SeqNum, row: &Row) {
        self.insert(seq, row.uid);
        self.highest = self.highest.max(row.modseq);
    }

    /// On a way from the last message to the first.
    pub fn add_backward(&mut self, seq: SeqNum, row: &Row) {
        self.backward.push((seq, row.uid));
        self.highest = self.highest.max(row.modseq);
    }

    /// To be called at the end of each way.
    pub fn end_way(&mut self) {
        for (seq, uid) in std::mem::take(&mut self.backward).into_iter().rev() {
            self.insert(seq, uid);
        }
    }

    fn insert(&mut self, seq: SeqNum, uid: Uid) {
        self.seqs.insert(seq);
        self.uids.insert(uid);
    }

    /// The highest MODSEQ, if anything matches (RFC 7162 §3.1.6).
    pub fn modseq(&self) -> Option<ModSeq> {
        (!self.uids.is_empty()).then_some(self.highest)
    }

    pub fn seqs(&self) -> &SeqSet {
        &self.seqs
    }

    pub fn uids(&self) -> &UidSet {
        &self.uids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_store::KeywordSetId;
    use roost_types::SystemFlags;

    fn row(uid: Uid) -> Row {
        Row {
            uid,
            modseq: ModSeq(1),
            flags: SystemFlags::NONE,
            keywords: KeywordSetId::EMPTY,
            recent: false,
        }
    }

    #[test]
    fn no_further_than_needed() {
        let plan = |text: &str| {
            let command = format!("a SEARCH RETURN ({text}) ALL");
            let request = roost_imap::parse(command.as_bytes()).unwrap();
            let roost_imap::Command::Search(args) = request.command else {
                panic!("{text}");
            };
            let ways = Order::plan(args.returns.unwrap()).into_iter();
            ways.map(|o| (o.backward, o.limit)).collect::<Vec<_>>()
        };
        let all = [(false, u64::MAX)];
        assert_eq!(plan("MIN"), [(false, 1)]);
        assert_eq!(plan("MIN MAX SAVE"), [(false, 1), (true, 1)]);
        assert_eq!(plan("PARTIAL 7:3"), [(false, 7)]);
        assert_eq!(plan("PARTIAL -1:-9 MAX"), [(true, 9)]);
        assert_eq!(plan("PARTIAL -1:-9 MIN"), [(false, 1), (true, 9)]);
        for whole in ["", "ALL MIN", "COUNT MAX", "SAVE", "PARTIAL 1:2 COUNT"] {
            assert_eq!(plan(whole), all, "{whole}");
        }
    }

    #[test]
    fn ways_may_meet() {
        let mut found = Found::default();
        let mut both = Found::default();
        let row_of = |n: u32| row(Uid::new(n * 2).unwrap());
        for n in (1..=6).chain([8]) {
            found.add(SeqNum::new(n).unwrap(), &row_of(n));
        }
        found.end_way();
        for n in [9, 8, 5, 4] {
            found.add_backward(SeqNum::new(n).unwrap(), &row_of(n));
        }
        found.end_way();
        for n in [1, 2, 3, 4, 5, 6, 8, 9] {
            both.add(SeqNum::new(n).unwrap(), &row_of(n));
        }
        assert_eq!((found.seqs(), found.uids()), (both.seqs(), both.uids()));
    }
}
