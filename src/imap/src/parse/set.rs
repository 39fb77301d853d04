//! Sequence sets.

use super::cursor::{Cursor, MAX_RANGES, Result, Syntax};
use roost_types::{SequenceSet, SetBound};

/// `sequence-set`
pub(super) fn sequence_set(c: &mut Cursor<'_>) -> Result<SequenceSet> {
    if c.eat(b'$') {
        return Ok(SequenceSet::Saved);
    }
    let mut ranges = Vec::new();
    loop {
        if c.ranges == MAX_RANGES {
            return Err(Syntax("Too many ranges"));
        }
        c.ranges += 1;
        let first = seq_number(c)?;
        let last = if c.eat(b':') { seq_number(c)? } else { first };
        ranges.push((first, last));
        if !c.eat(b',') {
            return Ok(SequenceSet::Ranges(ranges));
        }
    }
}

/// `sequence-set` without `*` and `$`, as it is written.
pub(super) fn plain_ranges(c: &mut Cursor<'_>) -> Result<Vec<(u32, u32)>> {
    let SequenceSet::Ranges(ranges) = sequence_set(c)? else {
        return Err(Syntax("Invalid message set"));
    };
    let plain = |bound| match bound {
        SetBound::Number(n) => Ok(n.get()),
        SetBound::Star => Err(Syntax("* is not allowed here")),
    };
    ranges
        .into_iter()
        .map(|(a, b)| Ok((plain(a)?, plain(b)?)))
        .collect()
}

/// `seq-number`
pub(super) fn seq_number(c: &mut Cursor<'_>) -> Result<SetBound> {
    if c.eat(b'*') {
        return Ok(SetBound::Star);
    }
    c.nz_number()
        .map(SetBound::Number)
        .map_err(|_| Syntax("Invalid message set"))
}

/// Whether a set comes next.
pub(super) fn starts_set(c: &Cursor<'_>) -> bool {
    matches!(c.peek(), Some(b'0'..=b'9' | b'*' | b'$'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_types::{Uid, UidSet};

    fn read(text: &str) -> Result<SequenceSet> {
        let mut c = Cursor::new(text.as_bytes());
        let set = sequence_set(&mut c)?;
        c.end()?;
        Ok(set)
    }

    fn resolved(text: &str, largest: u32) -> String {
        let set: UidSet = read(text).unwrap().resolve(Uid::new(largest));
        set.to_string()
    }

    #[test]
    fn sets_of_the_rfc() {
        assert_eq!(resolved("2,4:7,9,12:*", 15), "2,4:7,9,12:15");
        assert_eq!(resolved("*:4,5:7", 10), "4:10");
        assert_eq!(resolved("3291:*", 100), "100:3291");
        assert_eq!(read("$"), Ok(SequenceSet::Saved));
        for bad in [
            "",
            "0",
            "1:",
            ",1",
            "1,",
            "1::2",
            "1:2:3",
            "a",
            "-1",
            "4294967296",
            "$,1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_have_a_limit() {
        let set = |n: usize| vec!["1"; n].join(",");
        assert!(read(&set(MAX_RANGES)).is_ok());
        assert!(read(&set(MAX_RANGES + 1)).is_err());
    }
}
