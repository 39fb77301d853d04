//! `roost-keywords`: keywords beyond the 26 that have letters, and which
//! messages carry them.
//!
//! ```text
//! roost-keywords 1 1795324062      version, UIDVALIDITY
//! = 26 $MailFlagBit0               the name of a keyword
//! + 26 1:5,9                       these messages carry it now
//! - 26 3                           these do not any more
//! @ taken 12                       those of messages below this UID were taken
//!                                  over from Dovecot's index
//! @ given                          the index was told of all that stands above
//! ```
//! Lines are appended; the file is written anew, by rename, when it has grown
//! to several times what it need be. What must stay true: only under the lock
//! of the UID list; a torn last line is not taken for a whole one; a file of
//! another UIDVALIDITY or a damaged one is set aside, never lost.

mod text;

use super::{Dir, FormatError, UidListLock, sync_control};
use crate::options::Fsync;
use roost_os::file;
use roost_types::{Keyword, Uid, UidSet, UidValidity};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use text::{Op, Reading};

pub const FILE: &str = "roost-keywords";

/// Keywords a mailbox can have besides the 26.
pub const MAX_KEYWORDS: usize = 1000;

/// Largest file read, in octets.
pub const MAX_FILE: u64 = 256 << 20;

/// The index of the first one: those before have letters.
const FIRST_INDEX: u32 = 26;
const TEMPORARY: &str = "roost-keywords.tmp";
/// A file smaller than this is never worth a rewriting.
const SMALL: u64 = 16 * 1024;

/// One keyword's change on some messages.
#[derive(Clone, Debug)]
pub struct Change {
    pub keyword: Keyword,
    /// Set, or taken away.
    pub set: bool,
    pub uids: UidSet,
}

/// How the file stands to Dovecot's index, which has such keywords, too.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Shared {
    /// Each may have what the other has not.
    #[default]
    Apart,
    /// What the index had for messages below this UID was taken over; the index
    /// is older.
    Taken(Uid),
    /// The index was told of everything, and nothing has changed here since.
    Given,
}

#[derive(Clone, Debug)]
struct Entry {
    index: u32,
    keyword: Keyword,
    uids: UidSet,
}

/// Why the file cannot be appended to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flaw {
    Missing,
    /// Of another UIDVALIDITY.
    Stale,
    Damaged,
}

/// The keywords beyond 26 of one mailbox.
#[derive(Debug)]
pub struct ExtraKeywords {
    dir: Dir,
    uid_validity: UidValidity,
    entries: Vec<Entry>,
    /// Held so that its inode number cannot come to mean another file.
    file: Option<File>,
    identity: (u64, u64),
    /// The end of the last whole line.
    offset: u64,
    /// Octets behind it.
    torn: u64,
    flaw: Option<Flaw>,
    shared: Shared,
}

impl ExtraKeywords {
    /// Reads the file; empty if there is none, or if it belongs to another
    /// UIDVALIDITY (it is then set aside at the next change).
    ///
    /// # Errors
    /// `Version` for a file of a later version, which is left alone.
    pub fn load(dir: &Dir, uid_validity: UidValidity) -> Result<Self, FormatError> {
        let mut extra = Self {
            dir: dir.clone(),
            uid_validity,
            entries: Vec::new(),
            file: None,
            identity: (0, 0),
            offset: 0,
            torn: 0,
            flaw: Some(Flaw::Missing),
            shared: Shared::Apart,
        };
        extra.refresh()?;
        Ok(extra)
    }

    /// Reads what others have changed; true if there was anything.
    pub fn refresh(&mut self) -> Result<bool, FormatError> {
        let Some(stat) = self.dir.stat(FILE)? else {
            if self.flaw == Some(Flaw::Missing) {
                return Ok(false);
            }
            self.forget();
            return Ok(true);
        };
        let same = self.identity == (stat.dev, stat.ino);
        let end = self.offset + self.torn;
        if same && stat.size == end {
            return Ok(false);
        }
        if !same || stat.size < end || self.flaw.is_some() {
            self.forget();
            self.file = self.dir.open_file(FILE)?;
        }
        self.read_on()?;
        Ok(true)
    }

    /// What tells whether the file has changed since it was read: it is
    /// appended to, or replaced.
    pub(crate) fn stamp(&self) -> [u64; 2] {
        [self.identity.1, self.offset + self.torn]
    }

    /// The same of the file as it is now.
    pub(crate) fn stamp_in(dir: &Dir) -> Result<[u64; 2], FormatError> {
        let stat = dir.stat(FILE)?;
        Ok(stat.map(|s| [s.ino, s.size]).unwrap_or_default())
    }

    fn forget(&mut self) {
        self.entries.clear();
        self.file = None;
        self.identity = (0, 0);
        (self.offset, self.torn) = (0, 0);
        self.flaw = Some(Flaw::Missing);
        self.shared = Shared::Apart;
    }

    /// Reads the open file from where it was left.
    fn read_on(&mut self) -> Result<(), FormatError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let stat = file::stat(file).map_err(|e| self.dir.error(FILE, e))?;
        let path = || self.dir.entry(FILE.as_bytes());
        if stat.size > MAX_FILE {
            let (path, limit) = (path(), MAX_FILE);
            return Err(FormatError::TooLarge { path, limit });
        }
        let into = (&mut self.entries, &mut self.shared);
        let reading = text::read(file, self.offset, self.uid_validity, into);
        let reading = reading.map_err(|e| self.dir.error(FILE, e))?;
        self.identity = (stat.dev, stat.ino);
        match reading {
            Reading::Later => return Err(FormatError::Version { path: path() }),
            Reading::Stale => {
                self.flaw = Some(Flaw::Stale);
                (self.offset, self.torn) = (stat.size, 0);
            }
            Reading::Read {
                offset,
                torn,
                damaged,
            } => {
                if damaged {
                    // What the lost lines said nobody knows.
                    self.shared = Shared::Apart;
                    log::warn!("{}: damaged; what parses is kept", path().display());
                }
                self.flaw = damaged.then_some(Flaw::Damaged);
                (self.offset, self.torn) = (offset, torn);
            }
        }
        Ok(())
    }

    /// Every keyword with the messages that carry it.
    pub fn iter(&self) -> impl Iterator<Item = (&Keyword, &UidSet)> {
        self.entries.iter().map(|e| (&e.keyword, &e.uids))
    }

    pub fn get(&self, keyword: &Keyword) -> Option<&UidSet> {
        let entry = self.entries.iter().find(|e| e.keyword == *keyword)?;
        Some(&entry.uids)
    }

    /// Applies and appends the changes, durably.
    ///
    /// # Errors
    /// `Exhausted` when there would be more than [`MAX_KEYWORDS`] names. After
    /// any error [`refresh`](Self::refresh) tells what is true.
    pub fn change(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        changes: &[Change],
    ) -> Result<(), FormatError> {
        lock.covers(&self.dir)?;
        self.refresh()?;
        let ops = self.ops_of(changes)?;
        self.apply(lock, fsync, &ops)
    }

    pub fn shared(&self) -> Shared {
        self.shared
    }

    /// Says, durably, how the file stands to Dovecot's index from now on.
    pub fn share(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        shared: Shared,
    ) -> Result<(), FormatError> {
        lock.covers(&self.dir)?;
        self.refresh()?;
        match self.shared == shared {
            true => Ok(()),
            false => self.apply(lock, fsync, &[Op::Shared(shared)]),
        }
    }

    fn apply(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        ops: &[Op],
    ) -> Result<(), FormatError> {
        if ops.is_empty() {
            return Ok(());
        }
        text::apply_all(&mut self.entries, &mut self.shared, ops);
        let written = if self.flaw.is_some() || self.torn > 0 {
            self.write_whole(lock, fsync)
        } else {
            self.append(ops, fsync)
        };
        if written.is_err() {
            // Memory is ahead of the file now.
            self.identity = (0, 0);
            return written;
        }
        if self.wants_compaction() {
            self.write_whole(lock, fsync)?;
        }
        Ok(())
    }

    /// The lines that make the changes; those that change nothing are left
    /// out.
    fn ops_of(&self, changes: &[Change]) -> Result<Vec<Op>, FormatError> {
        let mut new: Vec<(Keyword, u32)> = Vec::new();
        let mut ops = Vec::new();
        let mut next = self.entries.iter().map(|e| e.index + 1).max();
        for change in changes {
            let known = (self.entries.iter().map(|e| (&e.keyword, e.index)))
                .chain(new.iter().map(|(k, i)| (k, *i)))
                .find_map(|(k, i)| (*k == change.keyword).then_some(i));
            let index = match known {
                Some(index) => index,
                None if !change.set => continue,
                None => {
                    let index = next.unwrap_or(FIRST_INDEX);
                    next = Some(index + 1);
                    new.push((change.keyword.clone(), index));
                    ops.push(Op::Name(index, change.keyword.clone()));
                    index
                }
            };
            if !change.uids.is_empty() {
                ops.push(Op::Carriers(index, change.set, change.uids.clone()));
            }
        }
        if self.entries.len() + new.len() > MAX_KEYWORDS {
            let path = self.dir.entry(FILE.as_bytes());
            return Err(FormatError::Exhausted { path });
        }
        Ok(ops)
    }

    fn append(&mut self, ops: &[Op], fsync: Fsync) -> Result<(), FormatError> {
        let fail = |e| self.dir.error(FILE, e);
        let out = file::open_append(&self.dir, FILE.as_bytes(), 0o600).map_err(fail)?;
        let stat = file::stat(&out).map_err(fail)?;
        if self.identity != (stat.dev, stat.ino) || stat.size != self.offset {
            // Changed under our lock by someone who does not know locks.
            let path = self.dir.entry(FILE.as_bytes());
            return Err(FormatError::LockLost { path });
        }
        let mut lines = Vec::new();
        for op in ops {
            op.write_to(&mut lines).map_err(fail)?;
        }
        let written = out.write_all_at(&lines, self.offset).and_then(|()| {
            if sync_control(fsync) {
                out.sync_data()?;
            }
            Ok(())
        });
        if let Err(e) = written {
            let _ = out.set_len(self.offset);
            return Err(fail(e));
        }
        self.offset += lines.len() as u64;
        Ok(())
    }

    /// Writes the file whole with only the messages of `live`; names that no
    /// message carries stay. Nothing is written where there is no file.
    pub fn compact(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        live: &UidSet,
    ) -> Result<(), FormatError> {
        lock.covers(&self.dir)?;
        self.refresh()?;
        if self.flaw == Some(Flaw::Missing) {
            return Ok(());
        }
        for entry in &mut self.entries {
            entry.uids = entry.uids.intersection(live);
        }
        self.write_whole(lock, fsync)
    }

    /// The file has grown to several times what it need be.
    pub fn wants_compaction(&self) -> bool {
        let needed: u64 = (self.entries.iter())
            .map(|e| e.keyword.as_str().len() + e.uids.range_count() * 12 + 16)
            .map(|octets| octets as u64)
            .sum();
        self.offset > SMALL && self.offset / 4 > needed
    }

    fn write_whole(&mut self, lock: &mut UidListLock, fsync: Fsync) -> Result<(), FormatError> {
        match self.flaw {
            Some(Flaw::Stale) => drop(self.dir.set_aside(FILE, "stale")?),
            Some(Flaw::Damaged) => drop(self.dir.set_aside(FILE, "damaged")?),
            Some(Flaw::Missing) | None => {}
        }
        let written = self.dir.replace_with(
            (FILE, TEMPORARY),
            sync_control(fsync),
            |out| self.write_to(out),
            |_| lock.keep_alive(),
        );
        let stat = written.and_then(|file| {
            let stat = file::stat(&file).map_err(|e| self.dir.error(FILE, e))?;
            Ok((file, stat))
        });
        match stat {
            Ok((file, stat)) => {
                self.file = Some(file);
                self.identity = (stat.dev, stat.ino);
                (self.offset, self.torn) = (stat.size, 0);
                self.flaw = None;
                Ok(())
            }
            Err(e) => {
                self.identity = (0, 0);
                Err(e)
            }
        }
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        text::write_header(out, self.uid_validity)?;
        for entry in &self.entries {
            Op::Name(entry.index, entry.keyword.clone()).write_to(out)?;
            text::write_carriers(out, entry.index, true, &entry.uids)?;
        }
        Op::Shared(self.shared).write_to(out)
    }
}

#[cfg(test)]
mod tests;
