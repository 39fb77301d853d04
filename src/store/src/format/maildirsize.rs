//! `maildirsize`: what an account may hold and what it holds, kept by all
//! programs that deliver to it (Maildir++ quota, MAILDIR-FORMATS §7).
//!
//! The first line has the limits, the next one sums, each further one what a
//! change added or took away. Nobody locks it: lines are appended in one write,
//! and who finds the file too long or wrong counts anew and replaces it. So it
//! is nobody's truth, and never synced.

use super::perm::Perm;
use super::{Dir, FormatError};
use crate::format::name::unique;
use roost_os::file;
use roost_types::{QuotaLimits, UnixTime};
use std::io::{self, Read, Write};
use std::time::Duration;

pub const FILE: &str = "maildirsize";

/// Octets, from which on Courier, maildrop and Dovecot count anew.
pub const MAX_FILE: u64 = 5120;

/// Read of a longer one; others may not have counted for a while.
const MAX_READ: u64 = 64 << 10;

/// Octets and messages, or how they change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    pub octets: i64,
    pub messages: i64,
}

impl Sum {
    pub const ZERO: Self = Self {
        octets: 0,
        messages: 0,
    };

    /// One message.
    pub fn of(octets: u64) -> Self {
        Self {
            octets: i64::try_from(octets).unwrap_or(i64::MAX),
            messages: 1,
        }
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            octets: self.octets.saturating_add(other.octets),
            messages: self.messages.saturating_add(other.messages),
        }
    }

    pub fn minus(self, other: Self) -> Self {
        Self {
            octets: self.octets.saturating_sub(other.octets),
            messages: self.messages.saturating_sub(other.messages),
        }
    }

    fn is_possible(self) -> bool {
        self.octets >= 0 && self.messages >= 0
    }
}

impl std::iter::Sum for Sum {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Self::plus)
    }
}

/// The file as it was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub limits: QuotaLimits,
    /// `None`: it has none that can be true.
    pub sum: Option<Sum>,
    /// Lines with sums or changes.
    pub lines: usize,
    /// It is time to count anew.
    pub full: bool,
    /// Since it was last changed.
    pub age: Duration,
}

/// The file in `root`; `None` if there is none.
pub fn read(root: &Dir) -> Result<Option<Found>, FormatError> {
    let Some(file) = root.open_file(FILE)? else {
        return Ok(None);
    };
    let failed = |e| root.error(FILE, e);
    let stat = file::stat(&file).map_err(failed)?;
    let mut text = Vec::with_capacity(MAX_FILE as usize);
    let mut input = (&file).take(MAX_READ);
    input.read_to_end(&mut text).map_err(failed)?;
    let since = UnixTime::now().0.saturating_sub(stat.mtime_sec);
    Ok(Some(Found {
        full: text.len() as u64 >= MAX_FILE,
        age: Duration::from_secs(u64::try_from(since).unwrap_or(0)),
        ..parse(&text)
    }))
}

fn parse(text: &[u8]) -> Found {
    // A last line without its end is still being written.
    let end = memchr::memrchr(b'\n', text).map_or(0, |at| at + 1);
    let whole = text.get(..end).unwrap_or_default();
    let mut lines = whole.split_inclusive(|&b| b == b'\n');
    let limits = limits_of(lines.next().unwrap_or_default());
    let (mut sum, mut count) = (Some(Sum::ZERO), 0);
    for line in lines {
        sum = sum.zip(change_of(line)).map(|(sum, line)| sum.plus(line));
        count += 1;
    }
    Found {
        limits,
        sum: sum.filter(|sum| count > 0 && sum.is_possible()),
        lines: count,
        full: false,
        age: Duration::ZERO,
    }
}

/// `10485760S,1000C`: what is not understood limits nothing.
fn limits_of(line: &[u8]) -> QuotaLimits {
    let mut limits = QuotaLimits::default();
    let line = std::str::from_utf8(line).unwrap_or_default().trim();
    for part in line.split(',') {
        let split = part.len().saturating_sub(1);
        let Some((number, unit)) = part.split_at_checked(split) else {
            continue;
        };
        match (number.parse(), unit) {
            (Ok(number), "S") => limits.storage = number,
            (Ok(number), "C") => limits.messages = number,
            _ => {}
        }
    }
    limits
}

fn change_of(line: &[u8]) -> Option<Sum> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let sum = Sum {
        octets: words.next()?.parse().ok()?,
        messages: words.next()?.parse().ok()?,
    };
    // More: a line that was cut off, and another program's behind it.
    words.next().is_none().then_some(sum)
}

/// Whether somebody keeps sums here.
pub fn is_kept(root: &Dir) -> bool {
    !matches!(root.stat(FILE), Ok(None))
}

/// Adds a line where the file is there. What cannot be written is made good
/// by counting anew.
pub fn append(root: &Dir, change: Sum) {
    if change == Sum::ZERO {
        return;
    }
    let written = file::append_existing(root, FILE.as_bytes()).and_then(|mut file| {
        let line = format!("{} {}\n", change.octets, change.messages);
        match file.write(line.as_bytes())? {
            all if all == line.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    });
    match written {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            log::info!("{}: {e}", root.entry(FILE.as_bytes()).display());
            forget(root);
        }
        _ => {}
    }
}

/// Whoever wants the sums next counts anew.
pub fn forget(root: &Dir) {
    if let Err(e) = file::unlink(root, FILE.as_bytes())
        && e.kind() != io::ErrorKind::NotFound
    {
        log::warn!("{}: {e}", root.entry(FILE.as_bytes()).display());
    }
}

/// Replaces the file by one that says `limits` and `sum`.
pub fn replace(root: &Dir, limits: QuotaLimits, sum: Sum) -> Result<(), FormatError> {
    let perm = Perm::of(root)?;
    // Where it is cleaned away if we do not come to rename it.
    let temporary = format!("tmp/{}_NeWmAiLdIrSiZe", unique());
    let failed = |e| root.error(&temporary, e);
    let mut file = file::create_excl(root, temporary.as_bytes(), perm.file_mode).map_err(failed)?;
    perm.give_group(&file, &root.entry(temporary.as_bytes()));
    let text = format!("{}\n{} {}\n", line_of(limits), sum.octets, sum.messages);
    let replaced = file.write_all(text.as_bytes()).map_err(failed);
    let replaced = replaced.and_then(|()| root.rename(&temporary, FILE));
    if replaced.is_err() {
        // The error that stopped us is the one worth reporting.
        let _ = file::unlink(root, temporary.as_bytes());
    }
    replaced
}

fn line_of(limits: QuotaLimits) -> String {
    let QuotaLimits { storage, messages } = limits;
    match (storage, messages) {
        (storage, 0) => format!("{storage}S"),
        (0, messages) => format!("{messages}C"),
        (storage, messages) => format!("{storage}S,{messages}C"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(octets: i64, messages: i64) -> Option<Sum> {
        Some(Sum { octets, messages })
    }

    #[test]
    fn lines_are_summed_and_the_last_needs_its_end() {
        let of = |text: &[u8]| parse(text).sum;
        assert_eq!(of(b"0S\n28 1\n"), sum(28, 1));
        let courier = b"10485760S,1000C\n          28            1\n-8 -1\n30 1";
        assert_eq!(of(courier), sum(20, 0));
        assert_eq!(parse(courier).lines, 2);
        assert_eq!(of(b"0S\nx 1\n"), None);
        assert_eq!(of(b"0S\n1\n"), None);
        // A line cut off, and another's behind it.
        assert_eq!(
            of(b"0S\n99 9\n          28          30            1\n"),
            None
        );
        assert_eq!(of(b"0S\n"), None);
        assert_eq!(of(b"0S"), None);
        assert_eq!(of(b""), None);
        assert_eq!(of(b"0S\n\0\0\n"), None);
        assert_eq!(of(b"0S\n5 1\n-6 -1\n"), None);
        assert_eq!(of(b"0S\n5 1\n-5 -2\n"), None);
    }

    #[test]
    fn limits_in_any_order() {
        let limits = |storage, messages| QuotaLimits { storage, messages };
        for (line, expected) in [
            ("10485760S,1000C\n", limits(10_485_760, 1000)),
            ("1000C,5S\n", limits(5, 1000)),
            ("7C\n", limits(0, 7)),
            ("0S\n", limits(0, 0)),
            ("5X,8S\n", limits(0, 0).with_storage(8)),
            ("S\n", limits(0, 0)),
            ("\n", limits(0, 0)),
            ("\u{fc}\n", limits(0, 0)),
            ("-5S\n", limits(0, 0)),
        ] {
            assert_eq!(limits_of(line.as_bytes()), expected, "{line}");
        }
    }

    trait With {
        fn with_storage(self, storage: u64) -> Self;
    }

    impl With for QuotaLimits {
        fn with_storage(self, storage: u64) -> Self {
            Self { storage, ..self }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            storage in 0..u64::MAX,
            messages in 0..u64::MAX,
            first in 0..i64::MAX / 4,
            changes in prop::collection::vec((-1000i64..1000, -3i64..3), 0..50),
        ) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("tmp")).unwrap();
            let root = Dir::open(dir.path()).unwrap();
            let limits = QuotaLimits { storage, messages };
            // Deltas before there is a file are nobody's.
            append(&root, Sum::of(5));
            prop_assert_eq!(read(&root).unwrap(), None);
            let mut expected = Sum { octets: first + 50_000, messages: 150 };
            replace(&root, limits, expected).unwrap();
            for &(octets, messages) in &changes {
                let change = Sum { octets, messages };
                append(&root, change);
                expected = expected.plus(change);
            }
            let found = read(&root).unwrap().unwrap();
            prop_assert_eq!(found.limits, limits);
            prop_assert_eq!(found.sum, Some(expected));
            prop_assert!(std::fs::read_dir(dir.path().join("tmp")).unwrap().next().is_none());
        }

        #[test]
        fn anything_can_be_read(text: Vec<u8>) {
            let found = parse(&text);
            prop_assert!(found.sum.is_none_or(Sum::is_possible));
        }
    }
}
