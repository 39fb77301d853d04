//! Reading `dovecot-uidlist`, whole or from where it was left, damaged or not.
//!
//! What must stay true of a damaged file: every record that parses and fits
//! into the rising order is kept, and the next UID lies above every UID that
//! the unreadable part may have held.

use super::parse::{self, Header, Version};
use super::salvage::longest_rising;
use super::table::{Full, Pushed, Table};
use super::{FILE, MAX_FILE};
use crate::format::lines::{Line, Lines};
use crate::format::{Dir, FormatError};
use roost_os::file::{self, Stat};
use roost_types::Uid;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// A usual record's length, for the first allocation.
const USUAL_RECORD: u64 = 50;
/// No record is shorter (`1 :a` and its line feed), so that lost octets tell
/// how many UIDs they held at most.
const SHORTEST_RECORD: u64 = 5;
/// A UID found in a line that cannot be kept is believed if it is not further
/// above the others than this.
const MAX_JUMP: u32 = 10_000_000;

/// Whether the file can be left as it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Flaw {
    None,
    /// Readable, but to be written anew at the next occasion.
    Outdated,
    /// Part of it could not be read: to be set aside before it is written anew.
    Damaged,
}

/// How far a file has been read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Position {
    /// Device and inode.
    pub identity: (u64, u64),
    /// Time of the last change, seconds and nanoseconds: one of the same size
    /// is nobody's appending.
    pub mtime: (i64, i64),
    /// The end of the last whole line.
    pub offset: u64,
    /// What was behind it: being written when there is no lock, torn off by a
    /// crash under the lock.
    pub torn: u64,
    /// The UID in the torn line.
    pub torn_uid: Option<u32>,
}

impl Position {
    pub fn end(&self) -> u64 {
        self.offset + self.torn
    }

    pub fn is_file(&self, stat: &Stat) -> bool {
        self.identity == (stat.dev, stat.ino)
    }

    pub fn stamp(&mut self, stat: &Stat) {
        self.identity = (stat.dev, stat.ino);
        self.mtime = (stat.mtime_sec, stat.mtime_nsec);
    }

    /// It has not been written since.
    pub fn is_unwritten(&self, stat: &Stat) -> bool {
        stat.size == self.end() && self.mtime == (stat.mtime_sec, stat.mtime_nsec)
    }
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub header: Header,
    pub table: Table,
    /// Record lines, dead ones included.
    pub lines: usize,
    pub flaw: Flaw,
    pub lost: Lost,
    pub position: Position,
}

/// What could not be kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Lost {
    pub octets: u64,
    /// The largest UID seen in it.
    pub uid: u32,
}

impl Lost {
    fn add(&mut self, octets: u64, uid: Option<u32>) {
        self.octets += octets;
        self.uid = self.uid.max(uid.unwrap_or(0));
    }

    /// The lowest UID that is safe to give out when `next` would be without
    /// the loss.
    pub fn safe_next(&self, next: Uid) -> Uid {
        if self.octets == 0 {
            return next;
        }
        let next = next.get();
        let seen = match self.uid.checked_sub(next) {
            Some(jump) if jump < MAX_JUMP => self.uid + 1,
            _ => next,
        };
        let unseen = u32::try_from(self.octets / SHORTEST_RECORD + 1).unwrap_or(u32::MAX);
        Uid::new(seen.saturating_add(unseen)).unwrap_or(Uid::MAX)
    }
}

/// One pass over lines; records go into the table.
struct Pass<'a> {
    table: &'a mut Table,
    version: Option<Version>,
    lines: usize,
    flaw: Flaw,
    lost: Lost,
    torn: Option<(u64, Option<u32>)>,
    /// Which record lines to take when not all of them rise.
    chosen: Option<&'a [bool]>,
}

/// Why a pass stopped early.
enum Stop {
    /// A UID does not lie above the one before.
    Disorder,
    Full,
}

impl From<Full> for Stop {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl<'a> Pass<'a> {
    fn new(table: &'a mut Table, version: Option<Version>) -> Self {
        Self {
            table,
            version,
            lines: 0,
            flaw: Flaw::None,
            lost: Lost::default(),
            torn: None,
            chosen: None,
        }
    }

    fn lose(&mut self, octets: u64, uid: Option<u32>) {
        self.flaw = Flaw::Damaged;
        self.lost.add(octets, uid);
    }

    fn take(&mut self, line: Line<'_>) -> Result<(), Stop> {
        match line {
            Line::Whole(line) => self.take_record(line),
            Line::TooLong(octets) => {
                self.lose(octets, None);
                Ok(())
            }
            Line::Torn(line) => {
                self.torn = Some((line.len() as u64, parse::leading_uid(line)));
                Ok(())
            }
        }
    }

    fn take_record(&mut self, line: &[u8]) -> Result<(), Stop> {
        let octets = line.len() as u64 + 1;
        let Some(parsed) = parse::record(line, self.version) else {
            self.lose(octets, parse::leading_uid(line));
            return Ok(());
        };
        let uid = parsed.record.uid;
        self.lines += 1;
        if let Some(chosen) = self.chosen {
            let wanted = chosen.get(self.lines - 1).copied().unwrap_or(true);
            if !wanted || uid <= self.table.last_uid() {
                self.lose(octets, Some(uid));
                return Ok(());
            }
        } else if uid <= self.table.last_uid() {
            return Err(Stop::Disorder);
        }
        if parsed.outdated {
            self.flaw = self.flaw.max(Flaw::Outdated);
        }
        if self.table.push(parsed.record)? == Pushed::Replaced {
            self.flaw = self.flaw.max(Flaw::Outdated);
        }
        Ok(())
    }
}

/// Reads at an offset of its own, so that the file can be shared.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(out, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

fn too_large(dir: &Dir, name: &str) -> FormatError {
    FormatError::TooLarge {
        path: dir.entry(name.as_bytes()),
        limit: MAX_FILE,
    }
}

/// Reads a list of either version, or Courier's, from `name`.
pub(super) fn read_all(dir: &Dir, name: &str, open: &File) -> Result<Contents, FormatError> {
    match read_pass(dir, name, open, None)? {
        Some(contents) => Ok(contents),
        None => {
            let chosen = choose(dir, name, open)?;
            let all = read_pass(dir, name, open, Some(&chosen))?;
            all.ok_or_else(|| dir.error(name, io::ErrorKind::InvalidData.into()))
        }
    }
}

/// `None` if the records are not in order.
fn read_pass(
    dir: &Dir,
    name: &str,
    open: &File,
    chosen: Option<&[bool]>,
) -> Result<Option<Contents>, FormatError> {
    let stat = file::stat(open).map_err(|e| dir.error(name, e))?;
    if stat.size > MAX_FILE {
        return Err(too_large(dir, name));
    }
    let mut table = Table::with_capacity(stat.size as usize, (stat.size / USUAL_RECORD) as usize);
    let mut lines = Lines::new(At {
        file: open,
        offset: 0,
    });
    let mut pass = Pass::new(&mut table, None);
    pass.chosen = chosen;
    let header = read_header(&mut lines, &mut pass).map_err(|e| dir.error(name, e))?;
    pass.version = header.version;
    if header.version != Some(Version::Three) || header.guid.is_none() {
        pass.flaw = pass.flaw.max(Flaw::Outdated);
    }
    while let Some(line) = lines.next().map_err(|e| dir.error(name, e))? {
        match pass.take(line) {
            Ok(()) => {}
            Err(Stop::Disorder) => return Ok(None),
            Err(Stop::Full) => return Err(too_large(dir, name)),
        }
    }
    let (lines_read, flaw, lost) = (pass.lines, pass.flaw, pass.lost);
    let (torn, torn_uid) = pass.torn.unwrap_or_default();
    let position = Position {
        identity: (stat.dev, stat.ino),
        mtime: (stat.mtime_sec, stat.mtime_nsec),
        offset: lines.offset(),
        torn,
        torn_uid,
    };
    table.drop_dead();
    Ok(Some(Contents {
        header,
        table,
        lines: lines_read,
        flaw,
        lost,
        position,
    }))
}

fn read_header<R: Read>(lines: &mut Lines<R>, pass: &mut Pass<'_>) -> io::Result<Header> {
    let line = match lines.next()? {
        Some(Line::Whole(line)) => line,
        Some(Line::Torn(line)) => {
            // The last field may be cut.
            pass.lose(line.len() as u64, None);
            pass.torn = Some((line.len() as u64, None));
            let cut = memchr::memrchr(b' ', line).unwrap_or(0);
            line.get(..cut).unwrap_or_default()
        }
        Some(Line::TooLong(octets)) => {
            pass.lose(octets, None);
            &[]
        }
        None => &[],
    };
    let header = Header::parse(line);
    if header.version.is_none() {
        pass.flaw = Flaw::Damaged;
        if header.uid_validity.is_none() {
            // The header is gone; what is there may be a record. In an empty
            // table it cannot be out of order.
            let _ = pass.take_record(line);
        }
    }
    Ok(header)
}

/// Which of the record lines form the longest rising row of UIDs.
fn choose(dir: &Dir, name: &str, open: &File) -> Result<Vec<bool>, FormatError> {
    let mut lines = Lines::new(At {
        file: open,
        offset: 0,
    });
    let mut uids = Vec::new();
    let mut version = None;
    let mut first = true;
    while let Some(line) = lines.next().map_err(|e| dir.error(name, e))? {
        let Line::Whole(line) = line else {
            first = false;
            continue;
        };
        if std::mem::take(&mut first) {
            let header = Header::parse(line);
            version = header.version;
            if version.is_some() || header.uid_validity.is_some() {
                continue;
            }
        }
        uids.extend(parse::record(line, version).map(|p| p.record.uid));
    }
    Ok(longest_rising(&uids))
}

/// What lies behind an earlier reading.
pub(super) struct Tail {
    pub lines: usize,
    pub flaw: Flaw,
    pub lost: Lost,
    pub position: Position,
    /// A record before it is dead now, and row numbers have changed.
    pub renumbered: bool,
}

/// Reads on from `position` into `table`. `None`, and the table as it was, if
/// what follows does not continue it.
pub(super) fn read_tail(
    dir: &Dir,
    open: &File,
    table: &mut Table,
    position: Position,
) -> Result<Option<Tail>, FormatError> {
    let before = table.len();
    // Before the contents: what comes in between is looked at twice.
    let stat = file::stat(open).map_err(|e| dir.error(FILE, e))?;
    let at = At {
        file: open,
        offset: position.offset,
    };
    let mut lines = Lines::new(at);
    let mut pass = Pass::new(table, Some(Version::Three));
    loop {
        let line = match lines.next() {
            Ok(line) => line,
            Err(e) => {
                table.truncate(before);
                return Err(dir.error(FILE, e));
            }
        };
        let Some(line) = line else { break };
        if let Err(stop) = pass.take(line) {
            table.truncate(before);
            return match stop {
                Stop::Disorder => Ok(None),
                Stop::Full => Err(too_large(dir, FILE)),
            };
        }
    }
    let (torn, torn_uid) = pass.torn.unwrap_or_default();
    let (lines_read, flaw, lost) = (pass.lines, pass.flaw, pass.lost);
    Ok(Some(Tail {
        lines: lines_read,
        flaw,
        lost,
        position: Position {
            offset: position.offset + lines.offset(),
            torn,
            torn_uid,
            mtime: (stat.mtime_sec, stat.mtime_nsec),
            ..position
        },
        renumbered: table.drop_dead(),
    }))
}
