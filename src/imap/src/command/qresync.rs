//! What a client tells of its cache to have it brought up to date
//! (RFC 7162 §3.2.5).

use roost_types::{ModSeq, SeqNum, Uid, UidSet, UidValidity};

/// The argument of the QRESYNC parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QResync {
    pub uid_validity: UidValidity,
    pub modseq: ModSeq,
    /// The UIDs that the client asks about; `None` for all.
    pub known_uids: Option<UidSet>,
    pub known_messages: Option<KnownMessages>,
}

/// `seq-match-data`: messages of which the client knows both numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownMessages(Vec<Run>);

/// Neighbours by both numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    seq: u32,
    uid: u32,
    len: u32,
}

impl KnownMessages {
    /// Pairs two sets, each in rising order as the RFC wants it; `None` where
    /// one is not, or where they do not have the same number of members.
    pub fn pair(seqs: &[(u32, u32)], uids: &[(u32, u32)]) -> Option<Self> {
        if !rising(seqs) || !rising(uids) {
            return None;
        }
        let (mut seqs, mut uids) = (seqs.iter(), uids.iter());
        let mut runs = Vec::new();
        let (mut a, mut b) = (seqs.next().copied(), uids.next().copied());
        while let (Some((seq, last_seq)), Some((uid, last_uid))) = (a, b) {
            let more = (last_seq - seq).min(last_uid - uid);
            runs.push(Run {
                seq,
                uid,
                len: more.saturating_add(1),
            });
            a = behind(seq, last_seq, more).or_else(|| seqs.next().copied());
            b = behind(uid, last_uid, more).or_else(|| uids.next().copied());
        }
        (a.is_none() && b.is_none()).then_some(Self(runs))
    }

    /// The pairs from the last to the first, those with sequence numbers above
    /// `last` left out.
    pub fn from_the_end(&self, last: u32) -> impl Iterator<Item = (SeqNum, Uid)> + '_ {
        let pair = |run: &Run, at: u32| Some((SeqNum::new(run.seq + at)?, Uid::new(run.uid + at)?));
        self.0.iter().rev().flat_map(move |run| {
            let shown = match last.checked_sub(run.seq) {
                Some(more) => run.len.min(more.saturating_add(1)),
                None => 0,
            };
            (0..shown).rev().filter_map(move |at| pair(run, at))
        })
    }
}

/// What is left of a range when `more` members and one have been taken.
fn behind(first: u32, last: u32, more: u32) -> Option<(u32, u32)> {
    let next = first.checked_add(more)?.checked_add(1)?;
    (next <= last).then_some((next, last))
}

fn rising(ranges: &[(u32, u32)]) -> bool {
    ranges.iter().all(|r| r.0 <= r.1)
        && ranges
            .iter()
            .zip(ranges.iter().skip(1))
            .all(|(a, b)| a.1 < b.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(known: &KnownMessages, last: u32) -> Vec<(u32, u32)> {
        known
            .from_the_end(last)
            .map(|(seq, uid)| (seq.get(), uid.get()))
            .collect()
    }

    #[test]
    fn pairs_across_ranges() {
        let known = KnownMessages::pair(&[(1, 3), (7, 7)], &[(4, 4), (6, 8)]).unwrap();
        assert_eq!(raw(&known, 100), [(7, 8), (3, 7), (2, 6), (1, 4)]);
        assert_eq!(raw(&known, 2), [(2, 6), (1, 4)]);
        assert_eq!(raw(&known, 0), []);
        for (seqs, uids) in [
            (vec![(1, 2)], vec![(1, 3)]),
            (vec![(1, 2), (2, 3)], vec![(1, 4)]),
            (vec![(3, 3), (1, 1)], vec![(1, 2)]),
            (vec![(2, 1)], vec![(1, 2)]),
        ] {
            assert_eq!(KnownMessages::pair(&seqs, &uids), None, "{seqs:?} {uids:?}");
        }
    }

    #[test]
    fn the_whole_number_space_costs_nothing_beyond_the_mailbox() {
        let all = [(1, u32::MAX)];
        let known = KnownMessages::pair(&all, &all).unwrap();
        assert_eq!(raw(&known, 2), [(2, 2), (1, 1)]);
        let end = known.from_the_end(u32::MAX).next();
        assert_eq!(end, Some((SeqNum::MAX, Uid::MAX)));
    }

    fn ranges(members: &[u32]) -> Vec<(u32, u32)> {
        let set: UidSet = members.iter().copied().filter_map(Uid::new).collect();
        set.ranges().map(|(a, b)| (a.get(), b.get())).collect()
    }

    proptest! {
        #[test]
        fn pairs_are_those_of_the_members(
            pairs in prop::collection::vec((1u32..4, 1u32..4), 1..30), last in 0u32..100
        ) {
            let (mut seq, mut uid) = (0, 0);
            let members: Vec<(u32, u32)> = pairs
                .into_iter()
                .map(|(a, b)| {
                    (seq, uid) = (seq + a, uid + b);
                    (seq, uid)
                })
                .collect();
            let (seqs, uids): (Vec<u32>, Vec<u32>) = members.iter().copied().unzip();
            let known = KnownMessages::pair(&ranges(&seqs), &ranges(&uids)).unwrap();
            let mut expected: Vec<_> = members.into_iter().filter(|m| m.0 <= last).collect();
            expected.reverse();
            prop_assert_eq!(raw(&known, last), expected);
        }
    }
}
