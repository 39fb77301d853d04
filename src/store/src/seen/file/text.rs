//! The lines of `roost-seen`.

use super::{KIND, MAX_NAME, MAX_READERS, Said};
use crate::format::lines::{Line, Lines, number, split_once};
use crate::format::own_file::Header;
use crate::format::ranges;
use roost_types::{UidSet, UidValidity};
use std::io::{self, Read};

/// No clock leads to a higher number of a change; MODSEQ goes to 2^63 - 1.
const HIGHEST: u64 = 1 << 62;

/// What [`read`] found.
pub(super) enum Reading {
    /// Written by a later version.
    Later,
    /// Of another UIDVALIDITY.
    Stale,
    Read {
        /// None where the first line is damaged, and nothing is read.
        of: Option<UidValidity>,
        damaged: bool,
    },
}

/// Applies the lines of a file of this UIDVALIDITY, or of whatever it is of.
pub(super) fn read(
    file: impl Read,
    uid_validity: Option<UidValidity>,
    said: &mut Said,
) -> io::Result<Reading> {
    let mut lines = Lines::new(file);
    let header = match lines.next()? {
        Some(Line::Whole(line)) => KIND.header(line),
        Some(Line::TooLong(_) | Line::Torn(_)) | None => None,
    };
    let of = match header {
        Some(Header::Later) => return Ok(Reading::Later),
        Some(Header::Of(validity)) if uid_validity.is_none_or(|own| own == validity) => validity,
        Some(Header::Of(_)) => return Ok(Reading::Stale),
        None => {
            let (of, damaged) = (None, true);
            return Ok(Reading::Read { of, damaged });
        }
    };
    let mut damaged = false;
    while let Some(line) = lines.next()? {
        damaged |= match line {
            Line::Whole(line) => apply(said, line).is_none(),
            Line::TooLong(_) | Line::Torn(_) => true,
        };
    }
    let of = Some(of);
    Ok(Reading::Read { of, damaged })
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn apply(said: &mut Said, line: &[u8]) -> Option<()> {
    let (kind, rest) = split_once(line, b' ')?;
    let name = |text| std::str::from_utf8(text).ok().filter(|name| is_name(name));
    if kind == b"x" {
        let (modseq, gone) = match split_once(rest, b' ') {
            Some((modseq, gone)) => (modseq, Some(name(gone)?)),
            None => (rest, None),
        };
        said.floor = said.floor.max(change(modseq)?);
        if let Some(gone) = gone {
            said.readers.remove(gone);
        }
        return Some(());
    }
    let seen = match kind {
        b"+" => true,
        b"-" => false,
        _ => return None,
    };
    let (modseq, rest) = split_once(rest, b' ')?;
    let (set, reader) = split_once(rest, b' ')?;
    let (modseq, set, reader) = (change(modseq)?, ranges::parse(set)?, name(reader)?);
    if said.readers.len() >= MAX_READERS && !said.readers.contains_key(reader) {
        return None;
    }
    let entry = said.readers.entry(reader.to_owned()).or_default();
    entry.change(&set, seen, modseq);
    Some(())
}

/// The number of a change: one that leaves room for those of all later ones.
fn change(modseq: &[u8]) -> Option<u64> {
    number(modseq).filter(|n| *n <= HIGHEST)
}

/// Of nobody's where there is no name.
pub(super) fn write_forgotten(out: &mut Vec<u8>, modseq: u64, reader: Option<&str>) {
    let line = match reader {
        Some(reader) => format!("x {modseq} {reader}\n"),
        None => format!("x {modseq}\n"),
    };
    out.extend_from_slice(line.as_bytes());
}

pub(super) fn write_marks(
    out: &mut Vec<u8>,
    reader: &str,
    (uids, seen, modseq): (&UidSet, bool, u64),
) {
    let sign = if seen { '+' } else { '-' };
    let around = (&*format!("{sign} {modseq} "), &*format!(" {reader}"));
    // Memory takes it all.
    let _ = ranges::write_lines(out, uids, around);
}
