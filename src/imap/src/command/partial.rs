//! A window of results (RFC 9394 §4).

use std::num::NonZeroU32;

/// `partial-range`: places among the results, counted from 1 at the first, or
/// from 1 at the last backwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartialRange {
    /// As the client gave them, in its order: the answer repeats it.
    pub first: NonZeroU32,
    pub last: NonZeroU32,
    pub from_end: bool,
}

impl PartialRange {
    /// The places of the window among `count` results, counted from 0 and the
    /// end not included; empty where there are none.
    pub fn window(&self, count: u64) -> std::ops::Range<u64> {
        let low = u64::from(self.first.min(self.last).get());
        let high = u64::from(self.first.max(self.last).get());
        match self.from_end {
            false => (low - 1).min(count)..high.min(count),
            true => count.saturating_sub(high)..(count + 1).saturating_sub(low),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(first: u32, last: u32, from_end: bool) -> PartialRange {
        PartialRange {
            first: NonZeroU32::new(first).unwrap(),
            last: NonZeroU32::new(last).unwrap(),
            from_end,
        }
    }

    #[test]
    fn windows_end_with_the_results() {
        assert_eq!(range(1, 500, false).window(23764), 0..500);
        assert_eq!(range(24000, 23500, false).window(23764), 23499..23764);
        assert!(range(24000, 24500, false).window(23764).is_empty());
        assert_eq!(range(1, 100, true).window(23764), 23664..23764);
        assert_eq!(range(100, 2, true).window(50), 0..49);
        assert!(range(51, 60, true).window(50).is_empty());
        assert!(range(1, 1, true).window(0).is_empty());
    }

    proptest! {
        #[test]
        fn windows_side_by_side_are_the_whole(
            count in 0u64..50, size in 1u32..7, from_end: bool
        ) {
            let mut places = Vec::new();
            for n in 0..60 / size {
                let window = range(n * size + 1, (n + 1) * size, from_end).window(count);
                places.extend(window);
            }
            places.sort_unstable();
            prop_assert_eq!(places, (0..count).collect::<Vec<_>>());
        }
    }
}
