//! `roost-seen`: which messages of a mailbox others than its owner have seen.
//!
//! ```text
//! roost-seen 1 1795324062          version, UIDVALIDITY
//! + 1881000 1:5,9 bob              bob has seen these; the change's number
//! - 1881002 3 bob                  bob has not seen this one any more
//! x 1881003 carol                  nothing is known of carol any more
//! ```
//! Lines are appended; the file is written anew, by rename, when it has grown
//! to several times what it need be. Who comes (back) after somebody was
//! forgotten begins with the number of that, for he may know of a lower one;
//! where the file was written anew, it stands without the name.
//!
//! What must stay true: a torn last line is not taken for a whole one; a file
//! of another UIDVALIDITY or a damaged one is set aside, never lost; it never
//! outgrows what is read; who changes it holds its lock ([`Held`]), for another
//! process may have the mailbox open as well, and has read it since.

mod text;

use crate::format::dotlock::DotLock;
use crate::format::own_file::Kind;
use crate::format::ranges::RANGES_A_LINE;
use crate::format::{Dir, FormatError, sync_control};
use crate::options::Fsync;
use roost_os::file;
use roost_types::{UidSet, UidValidity};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;
use text::{Reading, is_name};

pub(crate) const FILE: &str = "roost-seen";
const TEMPORARY: &str = "roost-seen.tmp";
const KIND: Kind = Kind {
    magic: b"roost-seen ",
    version: 1,
    max: MAX_FILE,
};

/// Readers of one mailbox.
const MAX_READERS: usize = 1000;
/// Ranges of one reader.
const MAX_RANGES: usize = 20_000;
/// Ranges of all of them: written anew, these take less than half of a file.
const MAX_ALL_RANGES: usize = 1_000_000;
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

/// What the lines say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Said {
    readers: BTreeMap<String, Entry>,
    /// The number with which others begin.
    floor: u64,
}

/// The file's lock.
pub(crate) struct Held {
    lock: DotLock,
    fsync: Fsync,
}

impl Held {
    /// Waits for it up to `timeout`.
    pub fn acquire(dir: &Dir, fsync: Fsync, timeout: Duration) -> Result<Self, FormatError> {
        let lock = DotLock::acquire(dir, FILE, timeout)?;
        Ok(Self { lock, fsync })
    }
}

/// The file of one mailbox.
pub(crate) struct SeenFile {
    dir: Dir,
    /// None: whatever the file says.
    uid_validity: Option<UidValidity>,
    said: Said,
    identity: (u64, u64),
    /// Octets, all of whole lines where there is no flaw.
    size: u64,
    flaw: Option<Flaw>,
}

impl SeenFile {
    /// Reads the file; without `uid_validity`, whatever it belongs to.
    ///
    /// # Errors
    /// `Version` for a file of a later version, which is left alone.
    pub fn load(dir: &Dir, uid_validity: Option<UidValidity>) -> Result<Self, FormatError> {
        let mut file = Self {
            dir: dir.clone(),
            uid_validity,
            said: Said::default(),
            identity: (0, 0),
            size: 0,
            flaw: Some(Flaw::Missing),
        };
        file.refresh()?;
        Ok(file)
    }

    /// Reads what somebody else has put there; true if there was anything.
    /// After an error it knows what it knew before, and the next time reads it.
    pub fn refresh(&mut self) -> Result<bool, FormatError> {
        let Some(stat) = self.dir.stat(FILE)? else {
            let had = self.flaw.replace(Flaw::Missing) != Some(Flaw::Missing);
            self.said = Said::default();
            return Ok(had);
        };
        let same = self.identity == (stat.dev, stat.ino) && self.size == stat.size;
        if same && self.flaw != Some(Flaw::Missing) {
            return Ok(false);
        }
        let Some(open) = self.dir.open_file(FILE)? else {
            return Ok(false);
        };
        let fail = |e| self.dir.error(FILE, e);
        let path = || self.dir.entry(FILE.as_bytes());
        let stat = file::stat(&open).map_err(fail)?;
        if stat.size > MAX_FILE {
            let (path, limit) = (path(), MAX_FILE);
            return Err(FormatError::TooLarge { path, limit });
        }
        let mut said = Said::default();
        self.flaw = match text::read(open, self.uid_validity, &mut said).map_err(fail)? {
            Reading::Later => return Err(FormatError::Version { path: path() }),
            Reading::Stale => Some(Flaw::Stale),
            Reading::Read { of, damaged } => {
                if damaged {
                    log::warn!("{}: damaged; what parses is kept", path().display());
                }
                self.uid_validity = self.uid_validity.or(of);
                damaged.then_some(Flaw::Damaged)
            }
        };
        self.said = said;
        self.identity = (stat.dev, stat.ino);
        self.size = stat.size;
        Ok(true)
    }

    /// What a reader has seen.
    pub fn entry(&self, reader: &str) -> Entry {
        let known = self.said.readers.get(reader).cloned();
        known.unwrap_or_else(|| Entry {
            seen: UidSet::new(),
            modseq: self.said.floor,
        })
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
        held: &mut Held,
    ) -> Result<(), FormatError> {
        let before = self.said.readers.get(reader).cloned();
        if before.is_none() && (self.said.readers.len() >= MAX_READERS || !is_name(reader)) {
            return Err(self.exhausted());
        }
        let entry = self.said.readers.entry(reader.to_owned()).or_default();
        entry.change(uids, seen, modseq);
        let (ranges, had) = (entry.ranges(), before.as_ref().map_or(0, Entry::ranges));
        let too_many = ranges > MAX_RANGES || self.said.ranges() > MAX_ALL_RANGES;
        // What is too much may become less.
        let written = match too_many && ranges > had {
            true => Err(self.exhausted()),
            false => {
                let mut lines = Vec::new();
                text::write_marks(&mut lines, reader, (uids, seen, modseq));
                self.write(&lines, held)
            }
        };
        if written.is_err() {
            match before {
                Some(before) => drop(self.said.readers.insert(reader.to_owned(), before)),
                None => drop(self.said.readers.remove(reader)),
            }
        }
        written
    }

    /// Puts another set of the same meaning in the place of a reader's.
    pub fn restate(&mut self, reader: &str, seen: UidSet) {
        if let Some(entry) = self.said.readers.get_mut(reader) {
            entry.seen = seen;
        }
    }

    /// The readers that are not to be kept.
    pub fn strangers(&self, keep: impl Fn(&str) -> bool) -> Vec<String> {
        let names = self.said.readers.keys();
        names.filter(|reader| !keep(reader)).cloned().collect()
    }

    /// Forgets these readers, by a change of that number.
    pub fn forget(
        &mut self,
        gone: &[String],
        modseq: u64,
        held: &mut Held,
    ) -> Result<(), FormatError> {
        if gone.is_empty() {
            return Ok(());
        }
        let before = self.said.clone();
        let mut lines = Vec::new();
        for reader in gone {
            self.said.readers.remove(reader);
            text::write_forgotten(&mut lines, modseq, Some(reader));
        }
        self.said.floor = self.said.floor.max(modseq);
        let written = self.write(&lines, held);
        if written.is_err() {
            self.said = before;
        }
        written
    }

    /// The highest number of any change.
    pub fn highest(&self) -> u64 {
        let readers = self.said.readers.values().map(|e| e.modseq);
        readers.fold(self.said.floor, u64::max)
    }

    fn exhausted(&self) -> FormatError {
        FormatError::Full {
            path: self.dir.entry(FILE.as_bytes()),
            what: "what others have seen of a mailbox",
        }
    }

    /// Adds these lines, or writes everything where that is due.
    fn write(&mut self, lines: &[u8], held: &mut Held) -> Result<(), FormatError> {
        match self.flaw.is_some() || self.wants_compaction() {
            true => self.write_whole(held),
            false => self.append(lines, held),
        }
    }

    fn append(&mut self, lines: &[u8], held: &mut Held) -> Result<(), FormatError> {
        held.lock.keep_alive()?;
        let fail = |e| self.dir.error(FILE, e);
        let mut out = file::open_append(&self.dir, FILE.as_bytes(), 0o600).map_err(fail)?;
        let stat = file::stat(&out).map_err(fail)?;
        if self.identity != (stat.dev, stat.ino) || stat.size != self.size {
            let path = self.dir.entry(FILE.as_bytes());
            return Err(FormatError::LockLost { path });
        }
        let written = out.write_all(lines).and_then(|()| match held.fsync {
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
        let needed: usize = (self.said.readers.iter())
            .map(|(name, e)| (name.len() + 24) * (1 + e.ranges() / RANGES_A_LINE) + e.ranges() * 12)
            .sum();
        let grown = self.size > SMALL && self.size / 4 > needed as u64;
        grown || self.size > MAX_FILE / 2
    }

    fn write_whole(&mut self, held: &mut Held) -> Result<(), FormatError> {
        match self.flaw {
            Some(Flaw::Stale) => drop(self.dir.set_aside(FILE, "stale")?),
            Some(Flaw::Damaged) => drop(self.dir.set_aside(FILE, "damaged")?),
            Some(Flaw::Missing) | None => {}
        }
        let validity = self.uid_validity.unwrap_or(UidValidity::MIN);
        let file = self.dir.replace_with(
            (FILE, TEMPORARY),
            sync_control(held.fsync),
            |out| {
                KIND.write_header(out, validity)?;
                self.said.write_to(out)
            },
            |_| held.lock.keep_alive(),
        )?;
        let stat = file::stat(&file).map_err(|e| self.dir.error(FILE, e))?;
        self.identity = (stat.dev, stat.ino);
        self.size = stat.size;
        self.flaw = None;
        Ok(())
    }
}

impl Said {
    fn ranges(&self) -> usize {
        self.readers.values().map(Entry::ranges).sum()
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut lines = Vec::new();
        if self.floor > 0 {
            text::write_forgotten(&mut lines, self.floor, None);
        }
        for (name, entry) in &self.readers {
            text::write_marks(&mut lines, name, (&entry.seen, true, entry.modseq));
            if entry.seen.is_empty() {
                // Its last change counts all the same.
                writeln!(lines, "- {} 1 {name}", entry.modseq)?;
            }
            out.write_all(&lines)?;
            lines.clear();
        }
        out.write_all(&lines)
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

#[cfg(test)]
mod tests;
