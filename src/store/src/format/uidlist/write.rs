//! Writing `dovecot-uidlist`: records appended, or the file replaced.

use super::read::{Flaw, Lost, Position};
use super::table::{Pushed, Record};
use super::{FILE, Guid, MAX_UID, NewRecord, UidList, UidListLock, Version, parse};
use crate::format::name::MAX_NAME;
use crate::format::{FormatError, sync_control};
use crate::options::Fsync;
use roost_os::file;
use roost_types::Uid;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

const TEMPORARY: &str = "dovecot-uidlist.tmp";
/// Records are written in pieces of about this size, each ending with a line.
const CHUNK: usize = 1 << 20;

impl UidList {
    /// Gives each record a UID, in the order given; a base name that has one
    /// already keeps it. Brings the list up to date first. The records are on
    /// disk when this returns; `uids` gets one UID for each record.
    ///
    /// # Errors
    /// `Exhausted` when no UIDs are left, `Name` for what cannot be a base
    /// name: nothing is assigned then, nor after a failed write.
    pub fn assign<'a>(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        records: impl IntoIterator<Item = NewRecord<'a>>,
        uids: &mut Vec<Uid>,
    ) -> Result<(), FormatError> {
        self.assign_to(lock, [fsync; 2], records, uids).map(drop)
    }

    /// The same, but records that were appended are on disk only when the file
    /// given back has been synced: the caller has others to wait for with it.
    pub fn assign_unsynced<'a>(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        records: impl IntoIterator<Item = NewRecord<'a>>,
        uids: &mut Vec<Uid>,
    ) -> Result<Option<File>, FormatError> {
        let file = self.assign_to(lock, [fsync, Fsync::Never], records, uids)?;
        Ok(file.filter(|_| sync_control(fsync)))
    }

    /// `fsync` is for a list that is written whole, and for appended records.
    fn assign_to<'a>(
        &mut self,
        lock: &mut UidListLock,
        fsync: [Fsync; 2],
        records: impl IntoIterator<Item = NewRecord<'a>>,
        uids: &mut Vec<Uid>,
    ) -> Result<Option<File>, FormatError> {
        self.prepare(lock)?;
        let (before, next, given) = (self.table.len(), self.next_uid, uids.len());
        let [whole, appended] = fsync;
        let assigned = self.add_all(records, uids).and_then(|()| {
            if self.needs_rewrite() {
                self.write_whole(lock, whole).map(|()| None)
            } else if self.table.len() > before {
                lock.keep_alive()?;
                self.append_from(before, appended).map(Some)
            } else {
                Ok(None)
            }
        });
        if assigned.is_err() {
            self.table.truncate(before);
            self.next_uid = next;
            uids.truncate(given);
        }
        assigned
    }

    /// Brings the list up to date and writes it whole with only the records
    /// that `keep` wants; the next UID is kept. Record indexes change.
    pub fn rewrite(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        mut keep: impl FnMut(Uid, &[u8]) -> bool,
    ) -> Result<(), FormatError> {
        self.prepare(lock)?;
        let wanted: Vec<bool> = self
            .iter_from(0)
            .map(|(uid, base)| keep(uid, base))
            .collect();
        self.table
            .retain(|i| wanted.get(i).copied().unwrap_or(true));
        self.table.compact_heap();
        let written = self.write_whole(lock, fsync);
        if written.is_err() {
            // The file still has what memory has dropped.
            self.position = Position::default();
        }
        written
    }

    /// Writes the file if it needs it, for a list that was just read.
    pub(crate) fn settle(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
    ) -> Result<(), FormatError> {
        lock.covers(&self.dir)?;
        self.note_torn();
        if self.needs_rewrite() {
            self.write_whole(lock, fsync)?;
        }
        Ok(())
    }

    /// Before anything is written: the lock is right, and everything on disk
    /// is known.
    fn prepare(&mut self, lock: &mut UidListLock) -> Result<(), FormatError> {
        lock.covers(&self.dir)?;
        self.refresh()?;
        if !self.read {
            // What would be written now lacks every record.
            return Err(self.dir.error(FILE, io::ErrorKind::InvalidData.into()));
        }
        self.note_torn();
        Ok(())
    }

    /// Nobody writes while we hold the lock: the writer of half a line died.
    pub(super) fn note_torn(&mut self) {
        if self.position.torn > 0 {
            let lost = Lost {
                octets: self.position.torn,
                uid: self.position.torn_uid.unwrap_or(0),
            };
            self.flaw = Flaw::Damaged;
            self.raise_next(lost);
        }
    }

    fn add_all<'a>(
        &mut self,
        records: impl IntoIterator<Item = NewRecord<'a>>,
        uids: &mut Vec<Uid>,
    ) -> Result<(), FormatError> {
        let mut fields = Vec::new();
        for record in records {
            if let Some(uid) = self.uid_of(record.base) {
                uids.push(uid);
                continue;
            }
            self.check(&record)?;
            let uid = self.next_uid;
            let after = uid.next().filter(|_| uid.get() <= MAX_UID);
            self.next_uid = after.ok_or_else(|| self.exhausted())?;
            fields.clear();
            if let Some(guid) = record.guid {
                fields.push(b'G');
                fields.extend_from_slice(guid);
            }
            let row = Record {
                uid: uid.get(),
                fields: &fields,
                base: record.base,
            };
            match self.table.push(row) {
                Ok(Pushed::New | Pushed::Replaced) => uids.push(uid),
                Err(_) => return Err(self.exhausted()),
            }
        }
        Ok(())
    }

    fn exhausted(&self) -> FormatError {
        let path = self.dir.entry(FILE.as_bytes());
        FormatError::Exhausted { path }
    }

    fn check(&self, record: &NewRecord<'_>) -> Result<(), FormatError> {
        let bad = |b: &u8| matches!(b, b'/' | b':' | b'\n' | b'\r' | 0);
        let base = record.base;
        if base.is_empty() || base.len() > MAX_NAME || base.iter().any(bad) {
            return Err(self.bad_name("no base name of a message"));
        }
        let guid = record.guid.unwrap_or(b"-");
        if guid.is_empty() || guid.len() > MAX_NAME || guid.iter().any(|b| b" \r\n\0".contains(b)) {
            return Err(self.bad_name("no GUID of a message"));
        }
        Ok(())
    }

    fn bad_name(&self, reason: &'static str) -> FormatError {
        let path = self.dir.entry(FILE.as_bytes());
        FormatError::Name { path, reason }
    }

    /// Appends the rows from `first` on to the file.
    fn append_from(&mut self, first: usize, fsync: Fsync) -> Result<File, FormatError> {
        let fail = |e| self.dir.error(FILE, e);
        let out = file::open_append(&self.dir, FILE.as_bytes(), 0o600).map_err(fail)?;
        let stat = file::stat(&out).map_err(fail)?;
        if !self.position.is_file(&stat) || stat.size != self.position.end() {
            // Changed under our lock by someone who does not know locks.
            let path = self.dir.entry(FILE.as_bytes());
            return Err(FormatError::LockLost { path });
        }
        let written = self.write_rows(first, &out).and_then(|octets| {
            if sync_control(fsync) {
                out.sync_data()?;
            }
            Ok(octets)
        });
        match written {
            Ok(octets) => {
                self.position.offset += octets;
                self.position.stamp(&file::stat(&out).map_err(fail)?);
                self.lines += self.table.len() - first;
                Ok(out)
            }
            Err(e) => {
                // Half a record must not stay; if that fails too, it is found
                // as a torn line.
                let _ = out.set_len(stat.size);
                Err(fail(e))
            }
        }
    }

    /// Writes at the end of `out`; returns how many octets.
    fn write_rows(&self, first: usize, out: &File) -> io::Result<u64> {
        let mut octets = self.position.end();
        let mut chunk = Vec::new();
        for index in first..self.table.len() {
            if let Some(record) = self.table.get(index) {
                write_record(&mut chunk, &record)?;
            }
            if chunk.len() >= CHUNK || index + 1 == self.table.len() {
                out.write_all_at(&chunk, octets)?;
                octets += chunk.len() as u64;
                chunk.clear();
            }
        }
        Ok(octets - self.position.end())
    }

    fn write_whole(&mut self, lock: &mut UidListLock, fsync: Fsync) -> Result<(), FormatError> {
        let guid = match self.guid {
            Some(guid) => guid,
            None => Guid::generate().map_err(|e| self.dir.error(FILE, e))?,
        };
        if self.flaw == Flaw::Damaged
            && let Some(stat) = self.dir.stat(FILE)?
            // A second link: an attempt that failed has set it aside already.
            && stat.links < 2
        {
            self.dir.set_aside(FILE, "damaged")?;
        }
        let mut size = 0;
        let file = self.dir.replace_with(
            (FILE, TEMPORARY),
            sync_control(fsync),
            |out| self.write_to(guid, out),
            |written| {
                let stat = file::stat(written).map_err(|e| self.dir.error(TEMPORARY, e))?;
                size = stat.size;
                lock.keep_alive()
            },
        )?;
        let stat = file::stat(&file).map_err(|e| self.dir.error(FILE, e))?;
        self.position = Position {
            offset: size,
            ..Position::default()
        };
        self.position.stamp(&stat);
        self.file = Some(file);
        self.version = Some(Version::Three);
        self.guid = Some(guid);
        self.lines = self.table.len();
        self.flaw = Flaw::None;
        Ok(())
    }

    fn write_to(&self, guid: Guid, out: &mut impl Write) -> io::Result<()> {
        write!(out, "3 V{} N{} G{guid}", self.uid_validity, self.next_uid)?;
        out.write_all(&self.other)?;
        out.write_all(b"\n")?;
        (0..self.table.len())
            .filter_map(|index| self.table.get(index))
            .try_for_each(|record| write_record(out, &record))
    }
}

fn write_record(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    write!(out, "{}", record.uid)?;
    for field in parse::known_fields(record.fields) {
        out.write_all(b" ")?;
        out.write_all(field)?;
    }
    out.write_all(b" :")?;
    out.write_all(record.base)?;
    out.write_all(b"\n")
}
