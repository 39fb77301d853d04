//! A list that need not be read: where the index knows every message, only
//! whether the file is still the same matters, until somebody wants records.

use super::parse::{Header, Version};
use super::read::{Contents, Flaw, Lost, Position, read_all};
use super::table::{Record, Table};
use super::{FILE, Found, Guid, NewRecord, Refresh, UidList};
use crate::format::{Dir, FormatError};
use roost_os::file;
use roost_types::{Uid, UidValidity};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// No header that we write is longer, and one that is gets read with the rest.
const HEAD: usize = 4096;

/// A list file as it was when all of it was known, without any flaw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    identity: (u64, u64),
    size: u64,
    mtime: (i64, i64),
    next_uid: Uid,
}

impl Stamp {
    /// The numbers it consists of.
    pub fn put(&self, put: &mut impl FnMut(u64)) {
        put(self.identity.0);
        put(self.identity.1);
        put(self.size);
        put(self.mtime.0.cast_unsigned());
        put(self.mtime.1.cast_unsigned());
        put(self.next_uid.get().into());
    }

    /// From the same numbers.
    pub fn take(take: &mut impl FnMut() -> Option<u64>) -> Option<Self> {
        Some(Self {
            identity: (take()?, take()?),
            size: take()?,
            mtime: (take()?.cast_signed(), take()?.cast_signed()),
            next_uid: Uid::new(u32::try_from(take()?).ok()?)?,
        })
    }

    /// Whether the list with this head still looks so.
    pub fn is_of(&self, head: &Head) -> io::Result<bool> {
        let stat = file::stat(&head.file)?;
        let position = self.position();
        Ok(position.is_file(&stat) && position.is_unwritten(&stat))
    }

    fn position(&self) -> Position {
        Position {
            identity: self.identity,
            mtime: self.mtime,
            offset: self.size,
            ..Position::default()
        }
    }
}

/// The first line of a list of our version, and the file it is from.
pub(crate) struct Head {
    file: File,
    pub uid_validity: UidValidity,
    pub guid: Guid,
    other: Vec<u8>,
}

impl Head {
    /// `None` for a list that has to be read or made whole.
    pub fn read(dir: &Dir) -> Result<Option<Self>, FormatError> {
        let Some(file) = dir.open_file(FILE)? else {
            return Ok(None);
        };
        let mut bytes = [0; HEAD];
        let n = file
            .read_at(&mut bytes, 0)
            .map_err(|e| dir.error(FILE, e))?;
        let bytes = bytes.get(..n).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            return Ok(None);
        };
        let header = Header::parse(bytes.get(..end).unwrap_or_default());
        let (Some(Version::Three), Some(uid_validity), Some(_), Some(guid)) = (
            header.version,
            header.uid_validity,
            header.next_uid,
            header.guid,
        ) else {
            return Ok(None);
        };
        Ok(Some(Self {
            file,
            uid_validity,
            guid,
            other: header.other,
        }))
    }
}

impl UidList {
    /// The list of a file that still looks like `stamp`; its records are read
    /// when it is first refreshed. `None` if it looks otherwise.
    pub(crate) fn unread(
        dir: &Dir,
        head: Head,
        stamp: &Stamp,
    ) -> Result<Option<Self>, FormatError> {
        if !stamp.is_of(&head).map_err(|e| dir.error(FILE, e))? {
            return Ok(None);
        }
        Ok(Some(Self {
            dir: dir.clone(),
            file: Some(head.file),
            position: stamp.position(),
            version: Some(Version::Three),
            uid_validity: head.uid_validity,
            next_uid: stamp.next_uid,
            guid: Some(head.guid),
            other: head.other,
            table: Table::default(),
            lines: 0,
            flaw: Flaw::None,
            read: false,
        }))
    }

    /// `None` if the list needs anything but being read.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let whole = !self.needs_rewrite() && self.position.torn == 0;
        (whole && self.version == Some(Version::Three)).then_some(Stamp {
            identity: self.position.identity,
            size: self.position.offset,
            mtime: self.position.mtime,
            next_uid: self.next_uid,
        })
    }

    /// Whether the records are in memory.
    pub(crate) fn is_read(&self) -> bool {
        self.read
    }

    /// Lets go of the records until they are wanted again. How many lines
    /// there are stays known: whether they are too many is asked later on.
    pub(crate) fn forget_records(&mut self) {
        if self.stamp().is_some() && self.file.is_some() {
            self.table = Table::default();
            self.read = false;
        }
    }

    /// Reads the records, and what has come since. After `Lost` they may not be
    /// there: see [`is_read`](Self::is_read).
    pub(super) fn read_records(&mut self) -> Result<Refresh, FormatError> {
        let known = self.position;
        match Self::read(&self.dir, FILE)? {
            Found::List(new) if self.is_spoilt(&new) => {
                self.next_uid = self.next_uid.max(new.next_uid);
                self.position = new.position;
                self.file = new.file;
                self.flaw = Flaw::Damaged;
                Ok(Refresh::Lost)
            }
            Found::List(new) => {
                let (identity, end) = (new.position.identity, new.position.end());
                self.replace_by(new);
                Ok(match () {
                    () if identity != known.identity => Refresh::Replaced,
                    () if end == known.end() => Refresh::Unchanged,
                    () => Refresh::Appended { first: 0 },
                })
            }
            Found::Nothing => Ok(self.lose()),
            Found::Headless(_) => {
                self.flaw = Flaw::Damaged;
                Ok(self.lose())
            }
        }
    }

    /// `new` is the file we know with less in it than it had, which no writer
    /// does.
    fn is_spoilt(&self, new: &Self) -> bool {
        new.position.identity == self.position.identity
            && new.uid_validity == self.uid_validity
            && (self.flaw == Flaw::Damaged
                || new.flaw == Flaw::Damaged
                || new.position.end() < self.position.end())
    }

    /// There is no list under the name any more. The file that was there is
    /// still open, and mostly as it was.
    fn lose(&mut self) -> Refresh {
        let known = std::mem::take(&mut self.position);
        let held = self.file.take();
        let contents = held.and_then(|file| read_all(&self.dir, FILE, &file).ok());
        let whole = |c: &Contents| {
            c.flaw == Flaw::None
                && c.header.uid_validity == Some(self.uid_validity)
                && c.position.end() >= known.end()
        };
        if let Some(contents) = contents.filter(whole) {
            self.table = contents.table;
            self.lines = contents.lines;
            self.next_uid = self
                .next_uid
                .max(contents.header.next_uid.unwrap_or(Uid::MIN));
            self.raise_next(contents.lost);
            self.read = true;
        }
        Refresh::Lost
    }

    /// Takes the records of a list that has lost them from whoever still knows
    /// them: `tell` gives each, by rising UID, to the function it is handed.
    pub(crate) fn recall(&mut self, tell: impl FnOnce(&mut dyn FnMut(Uid, NewRecord<'_>))) {
        let mut table = Table::default();
        tell(&mut |uid, record| {
            let fields = record.guid.map(|guid| [b"G", guid].concat());
            if uid.get() > table.last_uid() && !record.base.is_empty() {
                // One that finds no place comes back as a new message.
                let _ = table.push(Record {
                    uid: uid.get(),
                    fields: &fields.unwrap_or_default(),
                    base: record.base,
                });
            }
        });
        table.drop_dead();
        self.table = table;
        self.flaw = Flaw::Damaged;
        self.read = true;
        self.raise_next(Lost::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::uidlist::UidListLock;
    use crate::options::Fsync;
    use std::time::Duration;

    fn list(lines: &str) -> (tempfile::TempDir, Dir, UidList) {
        let temp = tempfile::tempdir().unwrap();
        let text = format!("3 V7 N9 G{} Xyz\n{lines}", Guid([3; 16]));
        std::fs::write(temp.path().join(FILE), text).unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let list = UidList::load(&dir).unwrap().unwrap();
        (temp, dir, list)
    }

    fn unread(dir: &Dir, stamp: &Stamp) -> Option<UidList> {
        let head = Head::read(dir).unwrap().unwrap();
        UidList::unread(dir, head, stamp).unwrap()
    }

    #[test]
    fn an_unread_list_reads_itself_when_it_is_wanted() {
        let (_temp, dir, list) = list("1 :a\n4 G1.x :b\n");
        let stamp = list.stamp().unwrap();
        let mut late = unread(&dir, &stamp).unwrap();
        assert_eq!(late.uid_next(), list.uid_next());
        assert_eq!((late.guid(), late.is_read()), (list.guid(), false));
        assert_eq!(late.refresh().unwrap(), Refresh::Unchanged);
        assert_eq!(late.uid_of(b"b"), Uid::new(4));
        late.forget_records();
        assert!(!late.is_read() && !late.needs_rewrite());
        let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
        let new = NewRecord {
            base: b"c",
            guid: None,
        };
        let mut uids = Vec::new();
        late.assign(&mut lock, Fsync::Never, [new], &mut uids)
            .unwrap();
        assert_eq!(uids, [Uid::new(9).unwrap()]);
        assert_eq!(late.len(), 3);
    }

    #[test]
    fn lines_of_the_dead_count_without_records() {
        let lines: String = (1..=50).map(|n| format!("{n} :{n}\n")).collect();
        let (_temp, dir, mut list) = list(&lines);
        list.forget_records();
        assert!(!list.is_read() && list.wants_compaction(2));
        let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
        let keep = |uid: Uid, _: &[u8]| uid.get() > 48;
        list.rewrite(&mut lock, Fsync::Never, keep).unwrap();
        assert_eq!((list.len(), list.wants_compaction(2)), (2, false));
    }

    #[test]
    fn what_others_do_is_seen() {
        let (temp, dir, list) = list("1 :a\n");
        let stamp = list.stamp().unwrap();
        let path = temp.path().join(FILE);
        let mut late = unread(&dir, &stamp).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        std::io::Write::write_all(&mut file, b"12 :z\n").unwrap();
        assert!(unread(&dir, &stamp).is_none());
        assert!(matches!(late.refresh().unwrap(), Refresh::Appended { .. }));
        assert_eq!(late.uid_next(), Uid::new(13).unwrap());
        late.forget_records();
        std::fs::write(temp.path().join("new"), text).unwrap();
        std::fs::rename(temp.path().join("new"), &path).unwrap();
        assert_eq!(late.refresh().unwrap(), Refresh::Replaced);
        assert_eq!(late.uid_next(), Uid::new(13).unwrap(), "never falls");
        let torn = dir.path().join(FILE);
        std::fs::write(&torn, "3 V7 N9 G").unwrap();
        assert!(Head::read(&dir).unwrap().is_none());
    }

    /// What can become of the file while its records are not in memory, and
    /// whether it still has them.
    fn spoil(dir: &Dir, how: &str) -> bool {
        let path = dir.path().join(FILE);
        match how {
            "removed" => std::fs::remove_file(&path).unwrap(),
            "another without header" => {
                std::fs::write(dir.path().join("x"), "garbage\n").unwrap();
                std::fs::rename(dir.path().join("x"), &path).unwrap();
            }
            "overwritten" => std::fs::write(&path, "garbage\n").unwrap(),
            _ => {
                let file = File::options().write(true).open(&path).unwrap();
                let size = file.metadata().unwrap().len();
                file.set_len(size - 5).unwrap();
            }
        }
        how == "removed" || how == "another without header"
    }

    #[test]
    fn records_that_are_not_in_memory_outlive_the_file() {
        for how in ["removed", "another without header", "overwritten", "cut"] {
            for forgotten in [false, true] {
                let (_temp, dir, mut first) = list("1 :a\n4 G1.x :b\n7 :c\n");
                let mut late = match forgotten {
                    false => unread(&dir, &first.stamp().unwrap()).unwrap(),
                    true => {
                        first.forget_records();
                        first
                    }
                };
                let held = spoil(&dir, how);
                let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
                let new = NewRecord {
                    base: b"d",
                    guid: None,
                };
                let mut uids = Vec::new();
                if !held {
                    // Nothing is written while nobody knows the records.
                    let keep_all = |_: Uid, _: &[u8]| true;
                    assert!(late.rewrite(&mut lock, Fsync::Never, keep_all).is_err());
                    let failed = late.assign(&mut lock, Fsync::Never, [new], &mut uids);
                    assert!(failed.is_err() && uids.is_empty(), "{how}");
                }
                assert_eq!(late.refresh().unwrap(), Refresh::Lost, "{how}");
                assert_eq!(late.is_read(), held, "{how}");
                if !held {
                    late.recall(|tell| {
                        for (uid, base) in [(1, b"a"), (4, b"b"), (7, b"c")] {
                            let guid = (uid == 4).then_some(&b"1.x"[..]);
                            tell(Uid::new(uid).unwrap(), NewRecord { base, guid });
                        }
                    });
                }
                late.assign(&mut lock, Fsync::Never, [new], &mut uids)
                    .unwrap();
                assert!(uids[0] >= Uid::new(9).unwrap(), "{how}");
                let again = UidList::load(&dir).unwrap().unwrap();
                assert_eq!((again.len(), again.guid()), (4, late.guid()), "{how}");
                assert_eq!(again.uid_validity(), late.uid_validity());
                assert_eq!(again.uid_of(b"b"), Uid::new(4), "{how}");
                assert_eq!(again.message_guid(Uid::new(4).unwrap()), Some(&b"1.x"[..]));
            }
        }
    }
}
