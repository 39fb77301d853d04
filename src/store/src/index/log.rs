//! The log of a mailbox: what has changed since its snapshot was written.
//! Records are appended and never touched again.
//!
//! What must stay true:
//! - a record is in the log before anybody sees its change;
//! - a log that says `Open` last, and was not written since the computer
//!   started, may lack its end: whoever reads it must not believe it. So the
//!   first record behind a `Closed` is on disk before its change is seen; all
//!   others need not be waited for;
//! - half a record at the end is one that nobody has seen the change of; any
//!   other damage makes the whole log worthless.

use super::bytes::{Put, Take};
use super::folder::{FILE_MODE, IndexPlace};
use crate::format::uidlist::Guid;
use roost_os::file;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

const MAGIC: &[u8; 8] = b"ROOSTLOG";
pub(super) const VERSION: u32 = 3;
/// Magic, version, checksum, generation, GUID.
pub(super) const HEAD: usize = 8 + 4 + 4 + 8 + 16;
/// Length, its complement, checksum, kind.
pub(super) const RECORD: usize = 4 + 4 + 4 + 1;
/// What most logs are smaller than, in octets.
const USUAL_LOG: usize = 4096;
/// Largest log read, in octets.
const MAX_LOG: u64 = 1 << 30;

pub(super) const KIND: &str = "log";
const TEMPORARY: &str = "log.tmp";

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// See [`super::change`].
    Change = 1,
    /// From here on the mailbox is being changed, by a process that runs
    /// since the boot that is named.
    Open = 2,
    /// Nothing is under way; how everything looked when all of it was in the
    /// picture, and what that was, if that is known.
    Closed = 3,
    /// As with `Closed`, while things go on: good until the next change, and
    /// for who runs since the same boot.
    Settled = 4,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        [Self::Change, Self::Open, Self::Closed, Self::Settled]
            .into_iter()
            .find(|&kind| kind as u8 == code)
    }
}

/// A log open for appending.
pub(super) struct Log {
    file: File,
    len: u64,
    /// Half a record lies behind it.
    torn: bool,
}

/// What a log holds.
pub(super) struct Contents {
    pub log: Log,
    pub generation: u64,
    pub records: Vec<u8>,
}

/// Why a log, or an index, cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("missing")]
    Missing,
    #[error("of another version")]
    Version,
    #[error("of another mailbox")]
    Foreign,
    #[error("damaged")]
    Damaged,
    #[error("does not fit its snapshot")]
    Generation,
    #[error("not closed before the computer was restarted")]
    Unclosed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Log {
    /// A new log for the snapshot `generation`, holding `records`, in place
    /// of the old one.
    pub fn create(place: &IndexPlace, generation: u64, records: &[u8]) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(HEAD + records.len());
        bytes.bytes(MAGIC);
        bytes.u32(VERSION);
        let mut body = Vec::with_capacity(24);
        body.u64(generation);
        body.bytes(&place.guid().0);
        bytes.u32(crc32c::crc32c(&body));
        bytes.bytes(&body);
        bytes.bytes(records);
        let (temporary, name) = (place.file(TEMPORARY), place.file(KIND));
        let dir = place.dir();
        let _ = file::unlink(dir, temporary.as_bytes());
        let made = file::create_excl(dir, temporary.as_bytes(), FILE_MODE)?;
        let done = made
            .write_all_at(&bytes, 0)
            .and_then(|()| file::rename(dir, temporary.as_bytes(), dir, name.as_bytes()));
        if let Err(e) = done {
            let _ = file::unlink(dir, temporary.as_bytes());
            return Err(e);
        }
        Ok(Self {
            file: made,
            len: bytes.len() as u64,
            torn: false,
        })
    }

    /// Reads the log, and changes nothing: half a record at its end is cut off
    /// by who appends.
    pub fn read(place: &IndexPlace) -> Result<Contents, Fault> {
        let name = place.file(KIND);
        let file = match file::open_for_update(place.dir(), name.as_bytes()) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Fault::Missing),
            Err(e) => return Err(e.into()),
        };
        // Most are small: one call to the kernel, and one for the end.
        let mut bytes = Vec::with_capacity(USUAL_LOG);
        (&file).take(MAX_LOG + 1).read_to_end(&mut bytes)?;
        let generation = check_head(&bytes, place.guid())?;
        let whole = HEAD + whole_records(bytes.get(HEAD..).unwrap_or_default())?;
        let len = whole as u64;
        let torn = len < bytes.len() as u64;
        bytes.truncate(whole);
        bytes.drain(..HEAD);
        Ok(Contents {
            log: Self { file, len, torn },
            generation,
            records: bytes,
        })
    }

    /// Octets.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends records. After an error the log must not be used any more.
    pub fn append(&mut self, records: &[u8], sync: bool) -> io::Result<()> {
        if std::mem::take(&mut self.torn) {
            self.file.set_len(self.len)?;
        }
        self.file.write_all_at(records, self.len)?;
        if sync {
            self.file.sync_data()?;
        }
        self.len += records.len() as u64;
        Ok(())
    }
}

/// The name of a mailbox's log.
pub(super) fn file_of(guid: Guid) -> String {
    format!("{guid}.{KIND}")
}

/// The generation of the snapshot that a log beginning with `bytes` is for.
pub(super) fn check_head(bytes: &[u8], guid: Guid) -> Result<u64, Fault> {
    let take = &mut Take(bytes);
    let crc = take.beginning(MAGIC, VERSION)?;
    let body: [u8; 24] = take.array().ok_or(Fault::Damaged)?;
    if crc32c::crc32c(&body) != crc {
        return Err(Fault::Damaged);
    }
    let body = &mut Take(&body);
    let generation = body.u64().ok_or(Fault::Damaged)?;
    match body.array() == Some(guid.0) {
        true => Ok(generation),
        false => Err(Fault::Foreign),
    }
}

/// Octets of the whole records at the front of `bytes`.
fn whole_records(bytes: &[u8]) -> Result<usize, Fault> {
    let mut take = Take(bytes);
    loop {
        let whole = bytes.len() - take.0.len();
        match next(&mut take) {
            Next::Record(..) => {}
            Next::End | Next::Torn => return Ok(whole),
            Next::Damaged => return Err(Fault::Damaged),
        }
    }
}

enum Next<'a> {
    Record(Kind, &'a [u8]),
    End,
    Torn,
    Damaged,
}

fn next<'a>(take: &mut Take<'a>) -> Next<'a> {
    if take.is_empty() {
        return Next::End;
    }
    let (Some(len), Some(not_len)) = (take.u32(), take.u32()) else {
        return Next::Torn;
    };
    if len != !not_len {
        return Next::Damaged;
    }
    let (Some(crc), Some(body)) = (take.u32(), take.bytes(len as usize)) else {
        return Next::Torn;
    };
    let kind = body
        .split_first()
        .and_then(|(k, rest)| Some((Kind::of(*k)?, rest)));
    match kind {
        Some((kind, payload)) if crc32c::crc32c(body) == crc => Next::Record(kind, payload),
        _ => Next::Damaged,
    }
}

/// The records of [`Contents::records`].
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    let mut take = Take(bytes);
    std::iter::from_fn(move || match next(&mut take) {
        Next::Record(kind, payload) => Some((kind, payload)),
        Next::End | Next::Torn | Next::Damaged => None,
    })
}

/// Appends one record whose payload `write` appends.
pub(super) fn put(out: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.bytes(&[0; RECORD - 1]);
    out.u8(kind as u8);
    write(out);
    let body = out.get(at + RECORD - 1..).unwrap_or_default();
    let (len, crc) = (body.len() as u32, crc32c::crc32c(body));
    let mut head = Vec::with_capacity(RECORD);
    head.u32(len);
    head.u32(!len);
    head.u32(crc);
    if let Some(place) = out.get_mut(at..at + RECORD - 1) {
        place.copy_from_slice(&head);
    }
}
