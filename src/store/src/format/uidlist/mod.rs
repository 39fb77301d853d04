//! `dovecot-uidlist`: which message has which UID (MAILDIR-FORMATS §3).
//!
//! What must stay true:
//! - no UID is given out twice under one UIDVALIDITY, whatever was torn off or
//!   damaged: the next UID only rises;
//! - records are appended, or the whole file replaced by rename, only while
//!   the lock is held and after everything on disk has been read; readers need
//!   no lock;
//! - a damaged file is linked to another name before it is replaced, and every
//!   record that parses is kept.

mod guid;
mod parse;
mod read;
mod salvage;
mod stamp;
mod table;
#[cfg(test)]
mod tests;
mod write;

use super::{Dir, DotLock, FormatError};
use parse::Version;
use read::{Contents, Flaw, Lost, Position};
use roost_types::{Uid, UidValidity};
use std::fs::File;
use std::time::Duration;
use table::{Record, Table};

pub use parse::MAX_UID;
pub(crate) use stamp::{Head, Stamp};

pub const FILE: &str = "dovecot-uidlist";

/// Largest file read, in octets.
pub const MAX_FILE: u64 = 2 << 30;

/// So many lines of expunged messages are not worth a rewriting.
const FEW_LINES: usize = 32;

/// The mailbox's GUID, 32 hexadecimal digits on disk; Dovecot's MAILBOXID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

/// The lock `dovecot-uidlist.lock` of one mailbox. It also guards
/// `dovecot-keywords`, `roost-keywords` and scans of `cur`.
#[derive(Debug)]
pub struct UidListLock(DotLock);

impl UidListLock {
    /// See [`DotLock::acquire`].
    pub fn acquire(dir: &Dir, timeout: Duration) -> Result<Self, FormatError> {
        DotLock::acquire(dir, FILE, timeout).map(Self)
    }

    /// See [`DotLock::try_acquire`].
    pub fn try_acquire(dir: &Dir) -> Result<Option<Self>, FormatError> {
        Ok(DotLock::try_acquire(dir, FILE)?.map(Self))
    }

    /// See [`DotLock::keep_alive`].
    pub fn keep_alive(&mut self) -> Result<(), FormatError> {
        self.0.keep_alive()
    }

    pub fn dir(&self) -> &Dir {
        self.0.dir()
    }

    /// Before writing into `dir`: the lock is still ours, and is the one of
    /// that directory.
    pub(crate) fn covers(&mut self, dir: &Dir) -> Result<(), FormatError> {
        if !self.dir().is_same(dir)? {
            let path = dir.entry(FILE.as_bytes());
            return Err(FormatError::LockLost { path });
        }
        self.keep_alive()
    }
}

/// A message to be given a UID.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    pub base: &'a [u8],
    /// The message's GUID where it is not its base name (a copy).
    pub guid: Option<&'a [u8]>,
}

/// What [`UidList::refresh`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresh {
    Unchanged,
    /// Records were appended; the first new one has this index.
    Appended {
        first: usize,
    },
    /// Read anew from the start: UIDVALIDITY, UIDs, everything may differ.
    Replaced,
    /// The file is gone or has no usable header any more: what is in memory is
    /// kept; take the lock and call [`UidList::rewrite`]. Records that were not
    /// in memory have to be told first ([`UidList::recall`]).
    Lost,
}

/// The list in memory: base names in one heap string, a hash index on them.
#[derive(Debug)]
pub struct UidList {
    dir: Dir,
    /// Held so that its inode number cannot come to mean another file.
    file: Option<File>,
    position: Position,
    version: Option<Version>,
    uid_validity: UidValidity,
    next_uid: Uid,
    guid: Option<Guid>,
    /// Header fields that mean nothing to us.
    other: Vec<u8>,
    table: Table,
    /// Record lines in the file.
    lines: usize,
    flaw: Flaw,
    /// The records are in `table`; see [`stamp`].
    read: bool,
}

/// A list without a usable header.
pub(crate) struct Headless {
    contents: Contents,
}

/// What [`UidList::read`] found under a name.
pub(crate) enum Found {
    Nothing,
    List(UidList),
    Headless(Headless),
}

impl UidList {
    /// Reads the list without lock. `None` if there is none or its header is
    /// of no use: then take the lock and call [`super::open::open`].
    pub fn load(dir: &Dir) -> Result<Option<Self>, FormatError> {
        match Self::read(dir, FILE)? {
            Found::List(list) => Ok(Some(list)),
            Found::Nothing | Found::Headless(_) => Ok(None),
        }
    }

    /// Reads a list of any version from the file `name`.
    pub(crate) fn read(dir: &Dir, name: &str) -> Result<Found, FormatError> {
        let Some(file) = dir.open_file(name)? else {
            return Ok(Found::Nothing);
        };
        let contents = read::read_all(dir, name, &file)?;
        let header = &contents.header;
        let (Some(uid_validity), Some(_)) = (header.uid_validity, header.next_uid) else {
            return Ok(Found::Headless(Headless { contents }));
        };
        let mut list = Self::from_contents(dir, contents, uid_validity);
        list.file = Some(file);
        if list.flaw == Flaw::Damaged {
            let path = dir.entry(name.as_bytes());
            log::warn!("{}: damaged; {} records kept", path.display(), list.len());
        }
        Ok(Found::List(list))
    }

    /// An empty list that is on no disk yet.
    pub(crate) fn empty(dir: &Dir, uid_validity: UidValidity) -> Self {
        Self {
            dir: dir.clone(),
            file: None,
            position: Position::default(),
            version: None,
            uid_validity,
            next_uid: Uid::MIN,
            guid: None,
            other: Vec::new(),
            table: Table::default(),
            lines: 0,
            flaw: Flaw::Outdated,
            read: true,
        }
    }

    fn from_contents(dir: &Dir, contents: Contents, uid_validity: UidValidity) -> Self {
        let next = contents.header.next_uid.unwrap_or(Uid::MIN);
        let mut list = Self {
            dir: dir.clone(),
            file: None,
            position: contents.position,
            version: contents.header.version,
            uid_validity,
            next_uid: next,
            guid: contents.header.guid,
            other: contents.header.other,
            table: contents.table,
            lines: contents.lines,
            flaw: contents.flaw,
            read: true,
        };
        list.raise_next(contents.lost);
        list
    }

    /// What parses of a list whose header is of no use, under a new
    /// UIDVALIDITY.
    pub(crate) fn from_headless(dir: &Dir, headless: Headless, uid_validity: UidValidity) -> Self {
        let mut list = Self::from_contents(dir, headless.contents, uid_validity);
        list.flaw = Flaw::Damaged;
        list
    }

    /// The same records as those of another file, to be written as ours.
    pub(crate) fn taken_over(mut self) -> Self {
        self.note_torn();
        self.file = None;
        self.position = Position::default();
        self.flaw = Flaw::Outdated;
        self
    }

    /// Takes over another list's records from our next UID on, and its next UID;
    /// to be written anew.
    ///
    /// # Errors
    /// `Exhausted` where there is no room for so many.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), FormatError> {
        let next = self.next_uid;
        for (uid, base) in other.iter_from(0).filter(|(uid, _)| *uid >= next) {
            let record = Record {
                uid: uid.get(),
                fields: b"",
                base,
            };
            let path = || self.dir.entry(FILE.as_bytes());
            let pushed = self.table.push(record);
            pushed.map_err(|_| FormatError::Exhausted { path: path() })?;
            self.lines += 1;
        }
        self.next_uid = next.max(other.next_uid);
        self.flaw = self.flaw.max(Flaw::Outdated);
        Ok(())
    }

    /// The same records under a new UIDVALIDITY, and a next UID not below this
    /// one; to be written anew.
    pub(crate) fn begin_anew(&mut self, uid_validity: UidValidity, next: Uid) {
        self.uid_validity = uid_validity;
        self.next_uid = self.next_uid.max(next);
        self.flaw = self.flaw.max(Flaw::Outdated);
    }

    /// Above the last record and whatever was lost.
    fn raise_next(&mut self, lost: Lost) {
        let behind = Uid::new(self.table.last_uid().saturating_add(1)).unwrap_or(Uid::MAX);
        self.next_uid = lost.safe_next(self.next_uid.max(behind));
    }

    /// Reads what others have appended, or everything if the file was
    /// replaced or its records are not in memory. Costs one system call when
    /// nothing has changed.
    pub fn refresh(&mut self) -> Result<Refresh, FormatError> {
        let refreshed = self.try_refresh();
        if refreshed.is_err() {
            // Read everything next time.
            self.position = Position::default();
        }
        refreshed
    }

    fn try_refresh(&mut self) -> Result<Refresh, FormatError> {
        if !self.read {
            return self.read_records();
        }
        let Some(stat) = self.dir.stat(FILE)? else {
            self.position = Position::default();
            return Ok(Refresh::Lost);
        };
        if !self.position.is_file(&stat) || self.version != Some(Version::Three) {
            if self.position.is_file(&stat) && self.position.is_unwritten(&stat) {
                return Ok(Refresh::Unchanged);
            }
            return self.reload(false);
        }
        match stat.size.cmp(&self.position.end()) {
            std::cmp::Ordering::Equal if self.position.is_unwritten(&stat) => {
                Ok(Refresh::Unchanged)
            }
            std::cmp::Ordering::Equal => self.reload(true),
            std::cmp::Ordering::Greater => self.read_on(),
            std::cmp::Ordering::Less => self.reload(true),
        }
    }

    fn read_on(&mut self) -> Result<Refresh, FormatError> {
        let first = self.table.len();
        let Some(file) = &self.file else {
            return self.reload(false);
        };
        let tail = read::read_tail(&self.dir, file, &mut self.table, self.position)?;
        let Some(tail) = tail else {
            return self.reload(false);
        };
        self.position = tail.position;
        self.lines += tail.lines;
        self.flaw = self.flaw.max(tail.flaw);
        self.raise_next(tail.lost);
        Ok(match () {
            () if tail.renumbered => Refresh::Replaced,
            () if self.table.len() == first => Refresh::Unchanged,
            () => Refresh::Appended { first },
        })
    }

    /// Reads the file whole. `overwritten`: it is the one we know, but shorter
    /// or other than it was, which no writer does: memory is believed then.
    fn reload(&mut self, overwritten: bool) -> Result<Refresh, FormatError> {
        match Self::read(&self.dir, FILE)? {
            Found::Nothing => {
                self.position = Position::default();
                Ok(Refresh::Lost)
            }
            Found::Headless(_) => {
                self.position = Position::default();
                self.flaw = Flaw::Damaged;
                Ok(Refresh::Lost)
            }
            Found::List(new) if overwritten && new.uid_validity == self.uid_validity => {
                // Somebody may only have touched it.
                let same = new.flaw == Flaw::None && new.table.equals(&self.table);
                self.position = new.position;
                self.file = new.file;
                if !same {
                    self.flaw = Flaw::Damaged;
                }
                Ok(Refresh::Unchanged)
            }
            Found::List(new) => {
                self.replace_by(new);
                Ok(Refresh::Replaced)
            }
        }
    }

    /// The next UID of a mailbox never falls.
    fn replace_by(&mut self, mut new: Self) {
        if new.uid_validity == self.uid_validity && new.next_uid < self.next_uid {
            new.next_uid = self.next_uid;
            new.flaw = new.flaw.max(Flaw::Outdated);
        }
        *self = new;
    }

    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// The UID the next message gets, above every UID ever in the file.
    /// Above [`MAX_UID`] there is none left.
    pub fn uid_next(&self) -> Uid {
        self.next_uid
    }

    /// `None` in files of version 1, until the first rewriting.
    pub fn guid(&self) -> Option<Guid> {
        self.guid
    }

    /// Number of records, those of expunged messages included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The UID of a base name.
    pub fn uid_of(&self, base: &[u8]) -> Option<Uid> {
        let index = self.table.find(base)?;
        self.record(index).map(|(uid, _)| uid)
    }

    /// Record by index, 0 to `len()`, in UID order.
    pub fn record(&self, index: usize) -> Option<(Uid, &[u8])> {
        let record = self.table.get(index)?;
        Some((Uid::new(record.uid)?, record.base))
    }

    /// Index of a base name's record.
    pub fn index_of(&self, base: &[u8]) -> Option<usize> {
        self.table.find(base)
    }

    /// The base name behind a UID (binary search).
    pub fn base_of(&self, uid: Uid) -> Option<&[u8]> {
        let index = self.table.find_uid(uid.get()).ok()?;
        Some(self.table.get(index)?.base)
    }

    /// All records from `index` on, in UID order.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = (Uid, &[u8])> {
        (index..self.len()).filter_map(|i| self.record(i))
    }

    /// The `G` field of a record: the message's GUID where it is not the base
    /// name.
    pub fn message_guid(&self, uid: Uid) -> Option<&[u8]> {
        let index = self.table.find_uid(uid.get()).ok()?;
        let fields = self.table.get(index)?.fields;
        parse::known_fields(fields).find_map(|f| f.strip_prefix(b"G"))
    }

    /// The file is missing, damaged, of an old version, or lacks something:
    /// the next [`assign`](Self::assign) or [`rewrite`](Self::rewrite) under
    /// the lock sets it aside where it was damaged and writes it whole.
    pub fn needs_rewrite(&self) -> bool {
        self.flaw != Flaw::None || self.guid.is_none() || self.position == Position::default()
    }

    /// The file is damaged: part of it could not be read.
    pub fn is_damaged(&self) -> bool {
        self.flaw == Flaw::Damaged
    }

    /// About a quarter of the lines or more are of expunged messages when
    /// only `live` messages are there (MAILDIR-FORMATS §3.3), and they are more
    /// than a few.
    pub fn wants_compaction(&self, live: usize) -> bool {
        self.lines >= live + FEW_LINES && self.lines * 3 / 4 >= live
    }
}
