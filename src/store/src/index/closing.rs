//! What a log says besides changes: who makes them, and how everything looked
//! when none was under way.

use super::bytes::{Put, Take};
use super::folder::BootId;
use super::log::{Kind, RECORD, put, records};
use super::told::{LeftOut, Settled, Told};
use crate::account::status::{More, Sizes};
use crate::format::uidlist::Stamp;
use roost_os::dir::DirStamp;
use roost_types::UnixTime;

/// A record `Closed` that tells everything.
pub(super) const TAIL: usize =
    RECORD + 1 + 2 * 6 * 8 + 6 * 8 + (4 + 2 + 2) * 8 + 5 * 4 + 8 + 1 + 3 * 8 + 2 + 8 + 4 + 2 * 4;

/// What a record `Closed` says.
pub(super) struct Closed {
    pub settled: Settled,
    /// Inode and size of the snapshot.
    pub snapshot: [u64; 2],
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
    match records(tail).next() {
        Some((Kind::Closed, payload)) if payload.len() + RECORD == TAIL => take_closed(payload)?,
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
