//! Which records of a file whose UIDs do not rise are to be believed: as many
//! as possible, so that one line gone wrong costs one line.

/// For each number whether it belongs to the longest strictly rising row.
pub(super) fn longest_rising(numbers: &[u32]) -> Vec<bool> {
    const NONE: usize = usize::MAX;
    // `tails[n]` is the last index of the rising row of length n + 1 that
    // ends lowest; `before` leads back along a row.
    let mut tails: Vec<usize> = Vec::new();
    let mut before = vec![NONE; numbers.len()];
    let value = |index: usize| numbers.get(index).copied().unwrap_or(u32::MAX);
    for (index, &number) in numbers.iter().enumerate() {
        let length = tails.partition_point(|&tail| value(tail) < number);
        if let (Some(link), Some(&tail)) = (
            before.get_mut(index),
            length.checked_sub(1).and_then(|l| tails.get(l)),
        ) {
            *link = tail;
        }
        match tails.get_mut(length) {
            // The first of several equal ones is believed.
            Some(tail) if value(*tail) == number => {}
            Some(tail) => *tail = index,
            None => tails.push(index),
        }
    }
    let mut chosen = vec![false; numbers.len()];
    let mut at = tails.last().copied().unwrap_or(NONE);
    while let Some(mark) = chosen.get_mut(at) {
        *mark = true;
        at = before.get(at).copied().unwrap_or(NONE);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picked(numbers: &[u32]) -> Vec<u32> {
        let chosen = longest_rising(numbers);
        let both = numbers.iter().zip(chosen);
        both.filter_map(|(&n, c)| c.then_some(n)).collect()
    }

    #[test]
    fn one_wrong_number_costs_one() {
        assert_eq!(picked(&[1, 2, 900, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(picked(&[5, 6, 1, 7]), [5, 6, 7]);
        assert_eq!(longest_rising(&[5, 5]), [true, false]);
        assert_eq!(picked(&[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn the_choice_rises_and_none_is_longer(
            numbers in prop::collection::vec(1u32..20, 0..11)
        ) {
            let picked = picked(&numbers);
            prop_assert!(picked.windows(2).all(|w| w[0] < w[1]));
            let rising = |mask: u32| {
                let row: Vec<u32> = (0..numbers.len())
                    .filter(|i| mask >> i & 1 == 1)
                    .map(|i| numbers[i])
                    .collect();
                row.windows(2).all(|w| w[0] < w[1]).then_some(row.len())
            };
            let best = (0..1u32 << numbers.len()).filter_map(rising).max();
            prop_assert_eq!(best, Some(picked.len()));
        }
    }
}
