//! The lines of `roost-keywords`.

use super::{Entry, FIRST_INDEX, MAX_FILE, MAX_KEYWORDS, Shared};
use crate::format::lines::{Line, Lines, number32, split_once};
use crate::format::own_file::{Header, Kind};
use crate::format::ranges;
use roost_types::{Keyword, Uid, UidSet, UidValidity};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

const KIND: Kind = Kind {
    magic: b"roost-keywords ",
    version: 1,
    max: MAX_FILE,
};

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Name(u32, Keyword),
    /// Set (or taken away) on these messages.
    Carriers(u32, bool, UidSet),
    Shared(Shared),
}

impl Shared {
    fn parse(text: &[u8]) -> Option<Self> {
        match split_once(text, b' ') {
            None if text == b"given" => Some(Self::Given),
            Some((b"taken", next)) => Some(Self::Taken(Uid::new(number32(next)?)?)),
            _ => None,
        }
    }
}

impl Op {
    pub fn parse(line: &[u8]) -> Option<Self> {
        let (kind, rest) = split_once(line, b' ')?;
        if kind == b"@" {
            return Shared::parse(rest).map(Self::Shared);
        }
        let (index, value) = split_once(rest, b' ')?;
        let index = number32(index)?;
        match kind {
            b"=" => {
                let name = Keyword::new(std::str::from_utf8(value).ok()?).ok()?;
                Some(Self::Name(index, name))
            }
            b"+" => Some(Self::Carriers(index, true, ranges::parse(value)?)),
            b"-" => Some(Self::Carriers(index, false, ranges::parse(value)?)),
            _ => None,
        }
    }

    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Name(index, keyword) => writeln!(out, "= {index} {keyword}"),
            Self::Carriers(index, set, uids) => write_carriers(out, *index, *set, uids),
            Self::Shared(Shared::Apart) => Ok(()),
            Self::Shared(Shared::Taken(next)) => writeln!(out, "@ taken {next}"),
            Self::Shared(Shared::Given) => writeln!(out, "@ given"),
        }
    }

    /// False if the line contradicts those before it.
    fn apply(&self, entries: &mut Vec<Entry>, shared: &mut Shared) -> bool {
        match self {
            Self::Shared(now) => {
                *shared = *now;
                return true;
            }
            Self::Name(index, keyword) => {
                let taken = |e: &Entry| e.index == *index || e.keyword == *keyword;
                let full = entries.len() >= MAX_KEYWORDS;
                if *index < FIRST_INDEX || full || entries.iter().any(taken) {
                    return false;
                }
                entries.push(Entry {
                    index: *index,
                    keyword: keyword.clone(),
                    uids: UidSet::new(),
                });
            }
            Self::Carriers(index, set, uids) => {
                let Some(entry) = entries.iter_mut().find(|e| e.index == *index) else {
                    return false;
                };
                if *set {
                    entry.uids.extend_set(uids);
                } else {
                    entry.uids = entry.uids.difference(uids);
                }
            }
        }
        if *shared == Shared::Given {
            *shared = Shared::Apart;
        }
        true
    }
}

pub(super) fn apply_all(entries: &mut Vec<Entry>, shared: &mut Shared, ops: &[Op]) {
    for op in ops {
        op.apply(entries, shared);
    }
}

pub(super) fn write_header(out: &mut impl Write, uid_validity: UidValidity) -> io::Result<()> {
    KIND.write_header(out, uid_validity)
}

/// Nothing for the empty set.
pub(super) fn write_carriers(
    out: &mut impl Write,
    index: u32,
    set: bool,
    uids: &UidSet,
) -> io::Result<()> {
    let sign = if set { '+' } else { '-' };
    ranges::write_lines(out, uids, (&format!("{sign} {index} "), ""))
}

/// What [`read`] found.
pub(super) enum Reading {
    /// Written by a later version.
    Later,
    /// Of another UIDVALIDITY.
    Stale,
    Read {
        /// The end of the last whole line, in octets from the start.
        offset: u64,
        torn: u64,
        damaged: bool,
    },
}

struct At<'a>(&'a File, u64);

impl Read for At<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read_at(out, self.1)?;
        self.1 += n as u64;
        Ok(n)
    }
}

/// Reads from `offset` on (0: with the header) and applies the lines.
pub(super) fn read(
    file: &File,
    offset: u64,
    uid_validity: UidValidity,
    (entries, shared): (&mut Vec<Entry>, &mut Shared),
) -> io::Result<Reading> {
    let mut lines = Lines::new(At(file, offset));
    let mut damaged = false;
    let mut torn = 0;
    let mut first = offset == 0;
    while let Some(line) = lines.next()? {
        match line {
            Line::Whole(line) if std::mem::take(&mut first) => match KIND.header(line) {
                Some(Header::Later) => return Ok(Reading::Later),
                Some(Header::Of(validity)) if validity == uid_validity => {}
                Some(Header::Of(_)) => return Ok(Reading::Stale),
                // Whose the messages are is not known: the names are kept.
                None => return names_only(lines, entries),
            },
            Line::Whole(line) => {
                let applied = Op::parse(line).is_some_and(|op| op.apply(entries, shared));
                damaged |= !applied;
            }
            Line::TooLong(_) => damaged = true,
            Line::Torn(line) => torn = line.len() as u64,
        }
    }
    // A header cut short is damage too: there is nothing to append to.
    damaged |= first;
    Ok(Reading::Read {
        offset: offset + lines.offset(),
        torn,
        damaged,
    })
}

fn names_only<R: Read>(mut lines: Lines<R>, entries: &mut Vec<Entry>) -> io::Result<Reading> {
    let mut torn = 0;
    while let Some(line) = lines.next()? {
        match line {
            Line::Whole(line) => {
                if let Some(name @ Op::Name(..)) = Op::parse(line) {
                    name.apply(entries, &mut Shared::Apart);
                }
            }
            Line::TooLong(_) => {}
            Line::Torn(line) => torn = line.len() as u64,
        }
    }
    Ok(Reading::Read {
        offset: lines.offset(),
        torn,
        damaged: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use roost_types::Uid;

    #[test]
    fn lines_that_are_none() {
        for bad in [
            "",
            "=",
            "= 26",
            "= 26 ",
            "= 26 a b",
            "= x a",
            "* 26 1",
            "+ 26 ",
            "+ 26 0",
            "+ 26 5:2",
            "+ 26 1,",
            "+ 26 1:*",
            "+ 4294967296 1",
            "@ ",
            "@ given 1",
            "@ taken",
            "@ taken 0",
        ] {
            assert_eq!(Op::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn long_sets_take_several_lines() {
        let uids: UidSet = (0..5000).map(|i| Uid::new(i * 2 + 1).unwrap()).collect();
        let mut out = Vec::new();
        write_carriers(&mut out, 26, true, &uids).unwrap();
        let mut entries = Vec::new();
        Op::Name(26, Keyword::new("a").unwrap()).apply(&mut entries, &mut Shared::Apart);
        let mut count = 0;
        for line in out.strip_suffix(b"\n").unwrap().split(|&b| b == b'\n') {
            assert!(line.len() < 40_000);
            assert!(
                Op::parse(line)
                    .unwrap()
                    .apply(&mut entries, &mut Shared::Apart)
            );
            count += 1;
        }
        assert_eq!(count, 3);
        assert_eq!(entries[0].uids, uids);
    }

    proptest! {
        #[test]
        fn lines_come_back(
            index in 26u32..2000,
            set in any::<bool>(),
            uids in prop::collection::btree_set(1u32..200, 1..20),
            name in "[!-'+-Z^-z]{1,20}",
        ) {
            let uids = uids.into_iter().map(|u| Uid::new(u).unwrap()).collect();
            let taken = Shared::Taken(Uid::new(index).unwrap());
            let mut ops = vec![
                Op::Carriers(index, set, uids),
                Op::Shared(taken),
                Op::Shared(Shared::Given),
            ];
            ops.extend(Keyword::new(&name).ok().map(|k| Op::Name(index, k)));
            for op in ops {
                let mut line = Vec::new();
                op.write_to(&mut line).unwrap();
                prop_assert_eq!(line.pop(), Some(b'\n'));
                prop_assert_eq!(Op::parse(&line), Some(op));
            }
        }
    }
}
