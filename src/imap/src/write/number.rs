//! Numbers and sets of numbers.

use roost_types::IdSet;

/// Appends a decimal number.
pub fn number(out: &mut Vec<u8>, n: u32) {
    number64(out, u64::from(n));
}

/// Appends a decimal number.
pub fn number64(out: &mut Vec<u8>, mut n: u64) {
    // 20 digits hold any u64; they are found from the last to the first.
    let mut digits = [0u8; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    let unused = digits.len() - used;
    out.extend_from_slice(digits.get(unused..).unwrap_or_default());
}

/// Appends a blank and a number.
pub fn space_number(out: &mut Vec<u8>, n: u32) {
    out.push(b' ');
    number(out, n);
}

/// Appends a set in rising order (`1:3,7`). No response may carry an empty
/// one: check first.
pub fn set<T>(out: &mut Vec<u8>, set: &IdSet<T>)
where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    for (i, (first, last)) in set.ranges().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        range(out, u32::from(first), u32::from(last));
    }
}

/// Appends numbers in the order given, each run of rising neighbours as one
/// range: the n-th number of the text is the n-th of `ids` (RFC 4315 §3 pairs
/// two such sets).
pub fn runs<T>(out: &mut Vec<u8>, ids: impl IntoIterator<Item = T>)
where
    u32: From<T>,
{
    let mut run: Option<(u32, u32)> = None;
    let mut comma = false;
    for id in ids {
        let id = u32::from(id);
        match &mut run {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => {
                flush(out, run, &mut comma);
                run = Some((id, id));
            }
        }
    }
    flush(out, run, &mut comma);
}

fn flush(out: &mut Vec<u8>, run: Option<(u32, u32)>, comma: &mut bool) {
    let Some((first, last)) = run else {
        return;
    };
    if *comma {
        out.push(b',');
    }
    *comma = true;
    range(out, first, last);
}

pub(super) fn range(out: &mut Vec<u8>, first: u32, last: u32) {
    number(out, first);
    if last != first {
        out.push(b':');
        number(out, last);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::text;
    use super::*;
    use proptest::prelude::*;
    use roost_types::{Uid, UidSet};

    #[test]
    fn ends_of_the_number_space() {
        assert_eq!(text(|o| number64(o, 0)), "0");
        assert_eq!(text(|o| number64(o, u64::MAX)), u64::MAX.to_string());
        assert_eq!(text(|o| space_number(o, 10)), " 10");
        let end = [u32::MAX - 1, u32::MAX, 1];
        assert_eq!(text(|o| runs(o, end)), "4294967294:4294967295,1");
        assert_eq!(text(|o| runs(o, [3u32, 2, 1])), "3,2,1");
        assert_eq!(text(|o| runs(o, [0u32; 0])), "");
    }

    proptest! {
        #[test]
        fn numbers_as_the_library_writes_them(n: u64, m: u32) {
            prop_assert_eq!(text(|o| number64(o, n)), n.to_string());
            prop_assert_eq!(text(|o| number(o, m)), m.to_string());
        }

        #[test]
        fn sets_as_they_display(ids in prop::collection::vec(1u32..200, 0..60)) {
            let ids: UidSet = ids.into_iter().filter_map(Uid::new).collect();
            prop_assert_eq!(text(|o| set(o, &ids)), ids.to_string());
            prop_assert_eq!(text(|o| runs(o, ids.iter())), ids.to_string());
        }
    }
}
