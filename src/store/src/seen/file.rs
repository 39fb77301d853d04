//! `roost-seen`: which messages of a mailbox others than its owner have seen.
//!
//! ```text
//! roost-seen 1 1795324062          version, UIDVALIDITY
//! + 1881000 1:5,9 bob              bob has seen these; the change's number
//! - 1881002 3 bob                  bob has not seen this one any more
//! x carol                          nothing is known of carol any more
//! ```
//! Lines are appended; the file is written anew, by rename, when it has grown
//! to several times what it need be. What must stay true: a torn last line is
//! not taken for a whole one; a file of another UIDVALIDITY or a damaged one is
//! set aside, never lost.

use crate::format::lines::{Line, Lines, number, number32, split_once};
use crate::format::ranges::{self, RANGES_A_LINE};
use crate::format::{Dir, FormatError, sync_control};
use crate::options::Fsync;
use roost_os::file;
use roost_types::{UidSet, UidValidity};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(crate) const FILE: &str = "roost-seen";
const TEMPORARY: &str = "roost-seen.tmp";
const MAGIC: &[u8] = b"roost-seen";
const VERSION: u64 = 1;

/// Readers of one mailbox.
const MAX_READERS: usize = 1000;
/// Ranges of one reader.
const MAX_RANGES: usize = 20_000;
/// Longest name of an account, in octets.
const MAX_NAME: usize = 1024;
/// Largest file read, in octets.
const MAX_FILE: u64 = 64 << 20;
/// A file smaller than this is never worth a rewriting.
const SMALL: u64 = 16 * 1024;

/// What one reader has seen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Entry {
    pub seen: UidSet,
    /// The number of its last change.
    pub modseq: u64,
}

/// Why the file cannot be appended to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flaw {
    Missing,
    /// Of another UIDVALIDITY.
    Stale,
    Damaged,
}

/// The file of one mailbox.
pub(crate) struct SeenFile {
    dir: Dir,
    /// None: whatever the file says.
    uid_validity: Option<UidValidity>,
    pub readers: BTreeMap<String, Entry>,
    identity: (u64, u64),
    /// Octets, all of whole lines.
    size: u64,
    flaw: Option<Flaw>,
}

impl SeenFile {
    /// Reads the file; without `uid_validity`, whatever it belongs to.
    pub fn load(dir: &Dir, uid_validity: Option<UidValidity>) -> Result<Self, FormatError> {
        let mut file = Self {
            dir: dir.clone(),
            uid_validity,
            readers: BTreeMap::new(),
            identity: (0, 0),
            size: 0,
            flaw: Some(Flaw::Missing),
        };
        file.refresh()?;
        Ok(file)
    }

    /// Reads what somebody else has put there; true if there was anything.
    pub fn refresh(&mut self) -> Result<bool, FormatError> {
        let Some(stat) = self.dir.stat(FILE)? else {
            let had = self.flaw.replace(Flaw::Missing) != Some(Flaw::Missing);
            self.readers.clear();
            return Ok(had);
        };
        let same = self.identity == (stat.dev, stat.ino) && self.size == stat.size;
        if same && self.flaw != Some(Flaw::Missing) {
            return Ok(false);
        }
        let Some(open) = self.dir.open_file(FILE)? else {
            return Ok(false);
        };
        let path = self.dir.entry(FILE.as_bytes());
        if stat.size > MAX_FILE {
            let limit = MAX_FILE;
            return Err(FormatError::TooLarge { path, limit });
        }
        self.readers.clear();
        self.identity = (stat.dev, stat.ino);
        self.size = stat.size;
        let read = self.read(open);
        self.flaw = read.map_err(|e| self.dir.error(FILE, e))?;
        if self.flaw == Some(Flaw::Damaged) {
            log::warn!("{}: damaged; what parses is kept", path.display());
        }
        Ok(true)
    }

    fn read(&mut self, open: std::fs::File) -> io::Result<Option<Flaw>> {
        let mut lines = Lines::new(open);
        let mut flaw = None;
        let mut first = true;
        while let Some(line) = lines.next()? {
            let applied = match line {
                Line::Whole(line) if std::mem::take(&mut first) => match header(line) {
                    Some(validity) if self.uid_validity.is_none_or(|own| own == validity) => {
                        self.uid_validity = Some(validity);
                        true
                    }
                    Some(_) => return Ok(Some(Flaw::Stale)),
                    None => return Ok(Some(Flaw::Damaged)),
                },
                Line::Whole(line) => apply(&mut self.readers, line).is_some(),
                Line::TooLong(_) | Line::Torn(_) => false,
            };
            if !applied {
                flaw = Some(Flaw::Damaged);
            }
        }
        Ok(if first { Some(Flaw::Damaged) } else { flaw })
    }

    /// Notes that `reader` has seen these messages, or has not.
    ///
    /// # Errors
    /// `Exhausted` where more would have to be kept than may be. After any
    /// error [`refresh`](Self::refresh) tells what is true.
    pub fn mark(
        &mut self,
        reader: &str,
        (uids, seen, modseq): (&UidSet, bool, u64),
        fsync: Fsync,
    ) -> Result<(), FormatError> {
        let known = self.readers.contains_key(reader);
        if !known && (self.readers.len() >= MAX_READERS || !is_name(reader)) {
            return Err(self.exhausted());
        }
        let entry = self.readers.entry(reader.to_owned()).or_default();
        let before = entry.clone();
        entry.change(uids, seen, modseq);
        let written = if self.readers.get(reader).map_or(0, Entry::ranges) > MAX_RANGES {
            Err(self.exhausted())
        } else if self.flaw.is_some() || self.wants_compaction() {
            self.write_whole(fsync)
        } else {
            let mut lines = Vec::new();
            write_lines(&mut lines, reader, (uids, seen, modseq));
            self.append(&lines, fsync)
        };
        if written.is_err() {
            match known {
                true => drop(self.readers.insert(reader.to_owned(), before)),
                false => drop(self.readers.remove(reader)),
            }
        }
        written
    }

    /// Puts another set of the same meaning in the place of a reader's.
    pub fn restate(&mut self, reader: &str, seen: UidSet) {
        if let Some(entry) = self.readers.get_mut(reader) {
            entry.seen = seen;
        }
    }

    /// Forgets the readers that are not to be kept. True if there were any.
    pub fn retain(
        &mut self,
        keep: impl Fn(&str) -> bool,
        fsync: Fsync,
    ) -> Result<bool, FormatError> {
        let gone: Vec<String> = self.readers.keys().filter(|r| !keep(r)).cloned().collect();
        let mut lines = Vec::new();
        for reader in &gone {
            self.readers.remove(reader);
            lines.extend_from_slice(format!("x {reader}\n").as_bytes());
        }
        match (gone.is_empty(), self.flaw) {
            (true, _) => return Ok(false),
            (false, None) => self.append(&lines, fsync)?,
            (false, Some(_)) => self.write_whole(fsync)?,
        }
        Ok(true)
    }

    /// The highest number of any change.
    pub fn highest(&self) -> u64 {
        self.readers.values().map(|e| e.modseq).max().unwrap_or(0)
    }

    fn exhausted(&self) -> FormatError {
        let path = self.dir.entry(FILE.as_bytes());
        FormatError::Exhausted { path }
    }

    fn append(&mut self, lines: &[u8], fsync: Fsync) -> Result<(), FormatError> {
        let fail = |e| self.dir.error(FILE, e);
        let mut out = file::open_append(&self.dir, FILE.as_bytes(), 0o600).map_err(fail)?;
        let stat = file::stat(&out).map_err(fail)?;
        if self.identity != (stat.dev, stat.ino) || stat.size != self.size {
            let path = self.dir.entry(FILE.as_bytes());
            return Err(FormatError::LockLost { path });
        }
        let written = out.write_all(lines).and_then(|()| match fsync {
            // As renames for flags.
            Fsync::Always => out.sync_data(),
            Fsync::Optimized | Fsync::Never => Ok(()),
        });
        if let Err(e) = written {
            let _ = out.set_len(self.size);
            return Err(fail(e));
        }
        self.size += lines.len() as u64;
        Ok(())
    }

    fn wants_compaction(&self) -> bool {
        let needed: usize = (self.readers.iter())
            .map(|(name, e)| (name.len() + 24) * (1 + e.ranges() / RANGES_A_LINE) + e.ranges() * 12)
            .sum();
        self.size > SMALL && self.size / 4 > needed as u64
    }

    fn write_whole(&mut self, fsync: Fsync) -> Result<(), FormatError> {
        match self.flaw {
            Some(Flaw::Stale) => drop(self.dir.set_aside(FILE, "stale")?),
            Some(Flaw::Damaged) => drop(self.dir.set_aside(FILE, "damaged")?),
            Some(Flaw::Missing) | None => {}
        }
        let validity = self.uid_validity.unwrap_or(UidValidity::MIN);
        let file = self.dir.replace_with(
            (FILE, TEMPORARY),
            sync_control(fsync),
            |out| {
                out.write_all(MAGIC)?;
                writeln!(out, " {VERSION} {validity}")?;
                let mut lines = Vec::new();
                for (name, entry) in &self.readers {
                    lines.clear();
                    write_lines(&mut lines, name, (&entry.seen, true, entry.modseq));
                    if entry.seen.is_empty() {
                        // Its last change counts all the same.
                        writeln!(lines, "- {} 1 {name}", entry.modseq)?;
                    }
                    out.write_all(&lines)?;
                }
                Ok(())
            },
            |_| Ok(()),
        )?;
        let stat = file::stat(&file).map_err(|e| self.dir.error(FILE, e))?;
        self.identity = (stat.dev, stat.ino);
        self.size = stat.size;
        self.flaw = None;
        Ok(())
    }
}

impl Entry {
    fn change(&mut self, uids: &UidSet, seen: bool, modseq: u64) {
        match seen {
            true => self.seen.extend_set(uids),
            false => self.seen = self.seen.difference(uids),
        }
        self.modseq = self.modseq.max(modseq);
    }

    fn ranges(&self) -> usize {
        self.seen.range_count()
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn header(line: &[u8]) -> Option<UidValidity> {
    let rest = line.strip_prefix(MAGIC)?.strip_prefix(b" ")?;
    let (version, validity) = split_once(rest, b' ')?;
    (number(version)? == VERSION).then_some(())?;
    UidValidity::new(number32(validity)?)
}

fn apply(readers: &mut BTreeMap<String, Entry>, line: &[u8]) -> Option<()> {
    let (kind, rest) = split_once(line, b' ')?;
    let name = |text| {
        let name = std::str::from_utf8(text).ok()?;
        is_name(name).then(|| name.to_owned())
    };
    if kind == b"x" {
        readers.remove(&name(rest)?);
        return Some(());
    }
    let seen = match kind {
        b"+" => true,
        b"-" => false,
        _ => return None,
    };
    let (modseq, rest) = split_once(rest, b' ')?;
    let (set, reader) = split_once(rest, b' ')?;
    let (modseq, set, reader) = (number(modseq)?, ranges::parse(set)?, name(reader)?);
    if readers.len() >= MAX_READERS && !readers.contains_key(&reader) {
        return None;
    }
    readers
        .entry(reader)
        .or_default()
        .change(&set, seen, modseq);
    Some(())
}

fn write_lines(out: &mut Vec<u8>, reader: &str, (uids, seen, modseq): (&UidSet, bool, u64)) {
    let sign = if seen { '+' } else { '-' };
    let around = (&*format!("{sign} {modseq} "), &*format!(" {reader}"));
    // Memory takes it all.
    let _ = ranges::write_lines(out, uids, around);
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_types::Uid;
    use std::fs;

    fn uids(numbers: &[u32]) -> UidSet {
        numbers.iter().map(|&n| Uid::new(n).unwrap()).collect()
    }

    fn validity(n: u32) -> Option<UidValidity> {
        UidValidity::new(n)
    }

    fn open(dir: &tempfile::TempDir, of: u32) -> SeenFile {
        SeenFile::load(&Dir::open(dir.path()).unwrap(), validity(of)).unwrap()
    }

    #[test]
    fn marks_come_back_and_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(&dir, 7);
        let mark = |file: &mut SeenFile, who: &str, set: &[u32], seen, modseq| {
            let change = (&uids(set), seen, modseq);
            file.mark(who, change, Fsync::Optimized).unwrap();
        };
        mark(&mut file, "bob", &[1, 2, 3, 9], true, 100);
        mark(&mut file, "carol ann", &[4], true, 101);
        mark(&mut file, "bob", &[2], false, 102);
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(
            text,
            "roost-seen 1 7\n+ 100 1:3,9 bob\n+ 101 4 carol ann\n- 102 2 bob\n"
        );
        let again = open(&dir, 7);
        assert_eq!(again.readers, file.readers);
        assert_eq!(again.readers["bob"].seen, uids(&[1, 3, 9]));
        assert_eq!(again.highest(), 102);
        assert!(
            file.retain(|who| who == "bob", Fsync::Optimized).unwrap(),
            "carol"
        );
        assert_eq!(open(&dir, 7).readers.len(), 1);
        assert!(!file.retain(|_| true, Fsync::Optimized).unwrap());
        for bad in ["", "a\nb"] {
            assert!(
                file.mark(bad, (&uids(&[1]), true, 1), Fsync::Never)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_torn_line_counts_for_nothing_and_a_strange_file_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, "roost-seen 1 7\n+ 5 1:3 bob\n+ 6 4 bo").unwrap();
        let mut file = open(&dir, 7);
        assert_eq!(file.readers.len(), 1);
        assert_eq!(file.readers["bob"].seen, uids(&[1, 2, 3]));
        file.mark("bob", (&uids(&[9]), true, 8), Fsync::Optimized)
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "roost-seen 1 7\n+ 8 1:3,9 bob\n");
        // Of other messages.
        let mut file = open(&dir, 8);
        assert!(file.readers.is_empty());
        file.mark("bob", (&uids(&[1]), true, 9), Fsync::Optimized)
            .unwrap();
        assert_eq!(open(&dir, 8).readers["bob"].seen, uids(&[1]));
        let aside = fs::read_dir(dir.path()).unwrap();
        let names: Vec<_> = aside.map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }

    #[test]
    fn a_file_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = open(&dir, 7);
        for n in 0..3000u64 {
            let change = (&uids(&[5]), n % 2 == 0, n);
            file.mark("bob", change, Fsync::Never).unwrap();
        }
        assert!(fs::metadata(dir.path().join(FILE)).unwrap().len() <= SMALL + 100);
        let again = open(&dir, 7);
        assert!(again.readers["bob"].seen.is_empty());
        assert_eq!(again.highest(), 2999);
        let odd: UidSet = (0..20_001).map(|n| Uid::new(2 * n + 1).unwrap()).collect();
        let refused = file.mark("bob", (&odd, true, 4000), Fsync::Never);
        assert!(matches!(refused, Err(FormatError::Exhausted { .. })));
        assert_eq!(file.readers["bob"].modseq, 2999);
        let most: UidSet = (0..20_000).map(|n| Uid::new(2 * n + 1).unwrap()).collect();
        file.mark("bob", (&most, true, 4000), Fsync::Never).unwrap();
        assert_eq!(open(&dir, 7).readers["bob"].seen, most);
    }
}
