//! Sets of message numbers: as a client writes them ([`SequenceSet`]) and as
//! the server computes with them ([`IdSet`], always sorted and disjoint).

use crate::id::{SeqNum, Uid};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// A set of numbers as sorted, disjoint, non-adjacent ranges.
///
/// Displays as an RFC 9051 `sequence-set` (`1:3,7`); the empty set displays as
/// nothing, which no response may carry: check [`IdSet::is_empty`] first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdSet<T> {
    ranges: Vec<(u32, u32)>,
    kind: PhantomData<T>,
}

pub type UidSet = IdSet<Uid>;
pub type SeqSet = IdSet<SeqNum>;

impl<T> Default for IdSet<T> {
    fn default() -> Self {
        Self {
            ranges: Vec::new(),
            kind: PhantomData,
        }
    }
}

impl<T> IdSet<T>
where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    pub fn new() -> Self {
        Self::default()
    }

    /// The set from `first` to `last`, in either order.
    pub fn range(first: T, last: T) -> Self {
        let mut set = Self::new();
        set.insert_range(first, last);
        set
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(a, b)| u64::from(b - a) + 1).sum()
    }

    /// The sorted, disjoint ranges, both ends included.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (T, T)> + '_ {
        self.ranges
            .iter()
            .filter_map(|&(a, b)| Some((T::try_from(a).ok()?, T::try_from(b).ok()?)))
    }

    pub fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// Every number in rising order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.ranges
            .iter()
            .flat_map(|&(a, b)| (a..=b).filter_map(|n| T::try_from(n).ok()))
    }

    pub fn min(&self) -> Option<T> {
        self.ranges.first().and_then(|r| T::try_from(r.0).ok())
    }

    pub fn max(&self) -> Option<T> {
        self.ranges.last().and_then(|r| T::try_from(r.1).ok())
    }

    pub fn contains(&self, id: T) -> bool {
        let id = u32::from(id);
        let at = self.ranges.partition_point(|&(_, b)| b < id);
        self.ranges.get(at).is_some_and(|&(a, _)| a <= id)
    }

    /// Whether one of the numbers from `first` to `last` is in the set.
    pub fn meets(&self, first: T, last: T) -> bool {
        let (first, last) = (u32::from(first), u32::from(last));
        let at = self.ranges.partition_point(|&(_, b)| b < first);
        self.ranges.get(at).is_some_and(|&(a, _)| a <= last)
    }

    pub fn insert(&mut self, id: T) {
        let id = u32::from(id);
        // Numbers mostly arrive in rising order, so the end is tried first.
        if let Some(last) = self.ranges.last_mut()
            && id > last.1
        {
            if id - 1 == last.1 {
                last.1 = id;
            } else {
                self.ranges.push((id, id));
            }
            return;
        }
        self.insert_raw(id, id);
    }

    pub fn insert_range(&mut self, first: T, last: T) {
        let (a, b) = (u32::from(first), u32::from(last));
        self.insert_raw(a.min(b), a.max(b));
    }

    fn insert_raw(&mut self, a: u32, b: u32) {
        let from = self.ranges.partition_point(|r| r.1 < a.saturating_sub(1));
        let to = self.ranges.partition_point(|r| r.0 <= b.saturating_add(1));
        let mut merged = (a, b);
        if let Some(touched) = self.ranges.get(from..to)
            && let (Some(first), Some(last)) = (touched.first(), touched.last())
        {
            merged = (a.min(first.0), b.max(last.1));
        }
        self.ranges.splice(from..to.max(from), [merged]);
    }

    pub fn remove(&mut self, id: T) {
        let id = u32::from(id);
        let at = self.ranges.partition_point(|&(_, b)| b < id);
        let Some(&(a, b)) = self.ranges.get(at) else {
            return;
        };
        if a > id {
            return;
        }
        let left = (a < id).then(|| (a, id - 1));
        let right = (b > id).then(|| (id + 1, b));
        self.ranges.splice(at..=at, left.into_iter().chain(right));
    }

    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Self::new();
        let (mut i, mut j) = (0, 0);
        while let (Some(&x), Some(&y)) = (self.ranges.get(i), other.ranges.get(j)) {
            let (a, b) = (x.0.max(y.0), x.1.min(y.1));
            if a <= b {
                out.ranges.push((a, b));
            }
            if x.1 < y.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        out
    }

    /// What is in `self` and not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        let mut out = Self::new();
        let mut holes = other.ranges.iter().peekable();
        for &(mut a, b) in &self.ranges {
            while holes.next_if(|hole| hole.1 < a).is_some() {}
            // The last hole may reach into the next range too.
            let mut left = true;
            while let Some(hole) = holes.peek().filter(|hole| hole.0 <= b) {
                if a < hole.0 {
                    out.ranges.push((a, hole.0 - 1));
                }
                if hole.1 >= b {
                    left = false;
                    break;
                }
                a = hole.1 + 1;
                holes.next();
            }
            if left {
                out.ranges.push((a, b));
            }
        }
        out
    }

    /// Those at `places`, counted in rising order from 0; places beyond the
    /// last number are none.
    pub fn at_places(&self, places: std::ops::Range<u64>) -> Self {
        let mut out = Self::new();
        let mut before = 0;
        for &(a, b) in &self.ranges {
            let len = u64::from(b - a) + 1;
            let from = places.start.saturating_sub(before);
            let to = places.end.saturating_sub(before).min(len);
            if from < to {
                // Both are below `len`, which fits.
                out.ranges.push((a + from as u32, a + (to - 1) as u32));
            }
            before += len;
        }
        out
    }

    pub fn extend_set(&mut self, other: &Self) {
        for &(a, b) in &other.ranges {
            self.insert_raw(a, b);
        }
    }
}

impl<T> FromIterator<T> for IdSet<T>
where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let mut set = Self::new();
        for id in iter {
            set.insert(id);
        }
        set
    }
}

impl<T> fmt::Display for IdSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, &(a, b)) in self.ranges.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            if a == b {
                write!(f, "{a}")?;
            } else {
                write!(f, "{a}:{b}")?;
            }
        }
        Ok(())
    }
}

impl<T> fmt::Debug for IdSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl From<Uid> for u32 {
    fn from(uid: Uid) -> u32 {
        uid.get()
    }
}

impl From<SeqNum> for u32 {
    fn from(seq: SeqNum) -> u32 {
        seq.get()
    }
}

/// One end of a range in a client's set; `*` is the largest number in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetBound {
    Number(NonZeroU32),
    Star,
}

/// A set as the client wrote it (RFC 9051 `sequence-set`): the meaning of `*`
/// and of reversed ranges depends on the mailbox, see [`SequenceSet::resolve`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceSet {
    /// `$`, the saved result of a search (RFC 9051 §6.4.4.1).
    Saved,
    Ranges(Vec<(SetBound, SetBound)>),
}

impl SequenceSet {
    /// The numbers meant when `largest` is the highest in use, `None` in an
    /// empty mailbox (then `*` means no number at all). `Saved` resolves to
    /// nothing here: its owner holds the set.
    pub fn resolve<T>(&self, largest: Option<T>) -> IdSet<T>
    where
        T: Copy + TryFrom<u32>,
        u32: From<T>,
    {
        let mut set = IdSet::new();
        let Self::Ranges(ranges) = self else {
            return set;
        };
        for &(a, b) in ranges {
            let (Some(a), Some(b)) = (bound(a, largest), bound(b, largest)) else {
                continue;
            };
            set.insert_raw(a.min(b), a.max(b));
        }
        set
    }
}

fn bound<T>(b: SetBound, largest: Option<T>) -> Option<u32>
where
    u32: From<T>,
{
    match b {
        SetBound::Number(n) => Some(n.get()),
        SetBound::Star => largest.map(u32::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn uid(n: u32) -> Uid {
        Uid::new(n).unwrap()
    }

    fn n(n: u32) -> SetBound {
        SetBound::Number(NonZeroU32::new(n).unwrap())
    }

    #[test]
    fn star_is_the_largest_even_in_a_reversed_range() {
        let set = SequenceSet::Ranges(vec![(n(9), SetBound::Star), (n(2), n(1))]);
        assert_eq!(set.resolve(Some(uid(5))).to_string(), "1:2,5:9");
        assert_eq!(set.resolve::<Uid>(None).to_string(), "1:2");
    }

    #[test]
    fn ranges_at_the_ends_of_the_number_space_merge() {
        let mut set = UidSet::range(uid(u32::MAX), uid(u32::MAX));
        set.insert_range(uid(1), uid(u32::MAX - 1));
        assert_eq!(set.to_string(), "1:4294967295");
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_equals_a_set_of_numbers(
            ops in prop::collection::vec((0u8..3, 1u32..60, 1u32..60), 0..40)
        ) {
            let mut set = UidSet::new();
            let mut model = BTreeSet::new();
            for (op, a, b) in ops {
                match op {
                    0 => { set.insert(uid(a)); model.insert(a); }
                    1 => {
                        set.insert_range(uid(a), uid(b));
                        model.extend(a.min(b)..=a.max(b));
                    }
                    _ => { set.remove(uid(a)); model.remove(&a); }
                }
            }
            prop_assert_eq!(set.iter().map(Uid::get).collect::<Vec<_>>(),
                            model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), model.len() as u64);
            for i in 1..62 {
                prop_assert_eq!(set.contains(uid(i)), model.contains(&i));
            }
            let places = model.iter().copied().skip(3).take(7);
            prop_assert_eq!(set.at_places(3..10).iter().map(Uid::get).collect::<Vec<_>>(),
                            places.collect::<Vec<_>>());
            let rebuilt: UidSet = set.iter().collect();
            prop_assert_eq!(&rebuilt, &set);
        }

        #[test]
        fn intersection_is_what_both_contain(
            xs in prop::collection::btree_set(1u32..50, 0..30),
            ys in prop::collection::btree_set(1u32..50, 0..30),
        ) {
            let a: UidSet = xs.iter().map(|&x| uid(x)).collect();
            let b: UidSet = ys.iter().map(|&y| uid(y)).collect();
            let without: UidSet = xs.difference(&ys).map(|&x| uid(x)).collect();
            prop_assert_eq!(a.difference(&b), without);
            let both: UidSet = xs.intersection(&ys).map(|&x| uid(x)).collect();
            for (first, last) in b.ranges() {
                prop_assert_eq!(a.meets(first, last), b.intersection(&a).iter().any(|n| n >= first && n <= last));
            }
            prop_assert_eq!(a.intersection(&b).iter().collect::<Vec<_>>(),
                            both.iter().collect::<Vec<_>>());
        }
    }
}
