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
use super::folder::{BootId, FILE_MODE, IndexPlace};
use super::told::{LeftOut, Settled, Told};
use crate::account::status::{More, Sizes};
use crate::format::uidlist::{Guid, Stamp};
use roost_os::dir::DirStamp;
use roost_os::file;
use roost_types::UnixTime;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

const MAGIC: &[u8; 8] = b"ROOSTLOG";
pub(super) const VERSION: u32 = 3;
/// Magic, version, checksum, generation, GUID.
pub(super) const HEAD: usize = 8 + 4 + 4 + 8 + 16;
/// Length, its complement, checksum, kind.
const RECORD: usize = 4 + 4 + 4 + 1;
/// A record `Closed` that tells everything.
pub(super) const TAIL: usize =
    RECORD + 1 + 2 * 6 * 8 + 6 * 8 + (4 + 2 + 2) * 8 + 5 * 4 + 8 + 1 + 3 * 8 + 2 + 8 + 4 + 2 * 4;
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

/// What a record `Closed` says.
pub(super) struct Closed {
    pub settled: Settled,
    /// Inode and size of the snapshot.
    pub snapshot: [u64; 2],
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

pub(super) fn put_open(out: &mut Vec<u8>, boot: BootId) {
    put(out, Kind::Open, |out| out.bytes(&boot.0));
}

pub(super) fn take_open(payload: &[u8]) -> Option<BootId> {
    Take(payload).array().map(BootId)
}

pub(super) fn put_closed(out: &mut Vec<u8>, settled: Option<&Settled>, snapshot: [u64; 2]) {
    put(out, Kind::Closed, |out| {
        out.u8(u8::from(settled.is_some()));
        if let Some(settled) = settled {
            put_body(out, settled, snapshot);
        }
    });
}

pub(super) fn put_settled(out: &mut Vec<u8>, settled: &Settled, snapshot: [u64; 2]) {
    put(out, Kind::Settled, |out| put_body(out, settled, snapshot));
}

fn put_body(out: &mut Vec<u8>, settled: &Settled, snapshot: [u64; 2]) {
    for stamp in [&settled.new, &settled.cur] {
        put_stamp(out, stamp);
    }
    settled.list.put(&mut |n| out.u64(n));
    let stamps = settled.letters.iter().chain(&settled.extra);
    stamps.chain(&snapshot).for_each(|&n| out.u64(n));
    put_told(out, &settled.told);
}

/// `Some(None)`: it is not known how everything looked.
pub(super) fn take_closed(payload: &[u8]) -> Option<Option<Closed>> {
    let take = &mut Take(payload);
    match take.u8()? {
        0 => Some(None),
        _ => take_settled(take.0).map(Some),
    }
}

pub(super) fn take_settled(payload: &[u8]) -> Option<Closed> {
    let take = &mut Take(payload);
    let (new, cur) = (take_stamp(take)?, take_stamp(take)?);
    let list = Stamp::take(&mut || take.u64())?;
    let letters = [take.u64()?, take.u64()?, take.u64()?, take.u64()?];
    let extra = [take.u64()?, take.u64()?];
    let snapshot = [take.u64()?, take.u64()?];
    let settled = Settled {
        new,
        cur,
        list,
        letters,
        extra,
        told: take_told(take)?,
    };
    Some(Closed { settled, snapshot })
}

/// What the record `Closed` at the end of `bytes` says; `None` for everything
/// else.
pub(super) fn last_closed(bytes: &[u8]) -> Option<Closed> {
    let tail = bytes.last_chunk::<TAIL>()?;
    match next(&mut Take(tail)) {
        Next::Record(Kind::Closed, payload) if payload.len() + RECORD == TAIL => {
            take_closed(payload)?
        }
        _ => None,
    }
}

fn put_told(out: &mut Vec<u8>, told: &Told) {
    for n in [
        told.messages,
        told.recent,
        told.unseen,
        told.deleted,
        told.uid_next,
    ] {
        out.u32(n);
    }
    out.u64(told.modseq);
    out.u8(u8::from(told.sizes.is_some()));
    let sizes = told.sizes.unwrap_or_default();
    for n in [sizes.all, sizes.deleted, sizes.stored] {
        out.u64(n);
    }
    out.u8(u8::from(told.more.is_some()));
    let more = told.more.unwrap_or_default();
    out.u8(u8::from(more.oldest.is_some()));
    out.bytes(&more.oldest.map_or(0, |date| date.0).to_le_bytes());
    out.u32(more.unseen_media);
    if let Some(left_out) = told.left_out {
        out.u32(left_out.service);
        out.u32(left_out.hidden);
    }
}

fn take_told(take: &mut Take<'_>) -> Option<Told> {
    Some(Told {
        messages: take.u32()?,
        recent: take.u32()?,
        unseen: take.u32()?,
        deleted: take.u32()?,
        uid_next: take.u32()?,
        modseq: take.u64()?,
        sizes: {
            let known = take.u8()? != 0;
            let sizes = Sizes {
                all: take.u64()?,
                deleted: take.u64()?,
                stored: take.u64()?,
            };
            known.then_some(sizes)
        },
        more: {
            let known = take.u8()? != 0;
            let dated = take.u8()? != 0;
            let oldest = UnixTime(take.i64()?);
            let unseen_media = take.u32()?;
            known.then_some(More {
                oldest: dated.then_some(oldest),
                unseen_media,
            })
        },
        // Logs of older versions end here.
        left_out: match take.is_empty() {
            true => None,
            false => Some(LeftOut {
                service: take.u32()?,
                hidden: take.u32()?,
            }),
        },
    })
}

fn put_stamp(out: &mut Vec<u8>, stamp: &DirStamp) {
    out.u64(stamp.dev);
    out.u64(stamp.ino);
    for n in [
        stamp.mtime_sec,
        stamp.mtime_nsec,
        stamp.ctime_sec,
        stamp.ctime_nsec,
    ] {
        out.bytes(&n.to_le_bytes());
    }
}

fn take_stamp(take: &mut Take<'_>) -> Option<DirStamp> {
    Some(DirStamp {
        dev: take.u64()?,
        ino: take.u64()?,
        mtime_sec: take.i64()?,
        mtime_nsec: take.i64()?,
        ctime_sec: take.i64()?,
        ctime_nsec: take.i64()?,
    })
}
