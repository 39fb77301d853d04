//! Sets of UIDs in Roost's own text files, as `1:5,9`.
//!
//! What must stay true: a line is never longer than what is read of one
//! ([`super::lines::MAX_LINE`]).

use super::lines::{number32, split_once};
use roost_types::{Uid, UidSet};
use std::io::{self, Write};

/// Ranges in one line; one takes 22 octets at most.
pub(crate) const RANGES_A_LINE: usize = 2000;

/// `None` for anything else than a set.
pub(crate) fn parse(text: &[u8]) -> Option<UidSet> {
    let uid = |text| number32(text).and_then(Uid::new);
    let mut set = UidSet::new();
    for range in text.split(|&b| b == b',') {
        let (first, last) = match split_once(range, b':') {
            Some((first, last)) => (uid(first)?, uid(last)?),
            None => (uid(range)?, uid(range)?),
        };
        if last < first {
            return None;
        }
        set.insert_range(first, last);
    }
    Some(set)
}

/// As many lines as it takes, each with `head` before and `tail` behind its
/// part of the set; none for the empty set.
pub(crate) fn write_lines(
    out: &mut impl Write,
    uids: &UidSet,
    (head, tail): (&str, &str),
) -> io::Result<()> {
    for (i, (first, last)) in uids.ranges().enumerate() {
        match i % RANGES_A_LINE {
            0 if i == 0 => out.write_all(head.as_bytes())?,
            0 => write!(out, "{tail}\n{head}")?,
            _ => out.write_all(b",")?,
        }
        if first == last {
            write!(out, "{first}")?;
        } else {
            write!(out, "{first}:{last}")?;
        }
    }
    match uids.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_come_back_from_as_many_lines_as_they_take() {
        let all: UidSet = (0..5000).filter_map(|n| Uid::new(3 * n + 1)).collect();
        let mut out = Vec::new();
        write_lines(&mut out, &all, ("+ ", " bob")).unwrap();
        let mut back = UidSet::new();
        let lines: Vec<_> = out.split(|&b| b == b'\n').collect();
        assert_eq!(lines.len(), 4);
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let set = line.strip_prefix(b"+ ").unwrap();
            back.extend_set(&parse(set.strip_suffix(b" bob").unwrap()).unwrap());
        }
        assert_eq!(back, all);
        for bad in ["", "0", "5:3", "1,,2", "1:2:3", "x", "4294967296"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        out.clear();
        write_lines(&mut out, &UidSet::new(), ("+ ", "")).unwrap();
        assert!(out.is_empty());
    }
}
