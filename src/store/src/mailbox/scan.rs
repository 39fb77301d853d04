//! Listing `new` and `cur`, and comparing what is there with the picture.
//!
//! A listing taken while others rename may miss files. So the stamps are taken
//! before and after; only a listing between equal and settled stamps is
//! authoritative, and only that may tell that a message is gone.

use super::Mailbox;
use super::core::{Core, Due, Stamps};
use super::own::Sub;
use crate::error::Error;
use crate::format::name::{FileName, Letters, is_message_name};
use crate::snapshot::{HotRow, IN_NEW, ODD_NAME, Snapshot};
use roost_os::dir::{Entry, FileKind, Listing};
use roost_types::{SystemFlags, Uid};
use std::time::SystemTime;

/// How often a listing is repeated to get one between equal stamps.
const TRIES: usize = 3;

pub(super) struct Scan {
    pub due: Due,
    new: Listing,
    cur: Listing,
    /// Taken before the listing.
    pub stamps: Stamps,
    /// The stamps were the same afterwards.
    pub stable: bool,
    /// For each directory, that no change since it was listed can hide behind
    /// an equal mtime.
    pub settled: [bool; 2],
    /// Stable, and both settled.
    pub authoritative: bool,
}

/// A message file as a listing shows it; the name lies in the listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub name: &'a [u8],
    pub sub: Sub,
}

/// A known message whose name is another now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renamed<'a> {
    pub uid: u32,
    pub found: Found<'a>,
}

/// What a listing tells beyond the picture.
#[derive(Default)]
pub(super) struct Survey<'a> {
    pub renamed: Vec<Renamed<'a>>,
    /// Known messages that the listing does not show.
    pub missing: Vec<u32>,
    /// With a UID that no picture has shown yet.
    pub arrived: Vec<(Uid, Found<'a>)>,
    /// Those of them that are shown and were not there before, once they have
    /// been adopted.
    pub delivered: Vec<Uid>,
    /// Without a UID.
    pub unknown: Vec<Found<'a>>,
    /// With a UID that was expunged before.
    pub reappeared: Vec<Found<'a>>,
    /// Seen under a second name.
    pub doubles: Vec<(u32, Found<'a>)>,
    /// No messages, but in the place of messages.
    pub odd_entries: Vec<(Found<'a>, FileKind)>,
}

impl<'a> Found<'a> {
    pub fn base(&self) -> &'a [u8] {
        FileName::parse(self.name).base()
    }

    pub fn flags(&self) -> (SystemFlags, Letters) {
        FileName::parse(self.name).flags()
    }

    /// True if the name follows from base name, flags and letters.
    pub fn is_plain(&self) -> bool {
        let info = self.name.get(self.base().len()..).unwrap_or_default();
        match self.sub {
            Sub::New => info.is_empty(),
            Sub::Cur => info.strip_prefix(b":2,").is_some_and(|letters| {
                letters.is_sorted_by(|a, b| a < b)
                    && letters
                        .iter()
                        .all(|b| matches!(b, b'D' | b'F' | b'R' | b'S' | b'T' | b'a'..=b'z'))
            }),
        }
    }
}

impl Scan {
    fn found(&self) -> impl Iterator<Item = (Found<'_>, FileKind)> {
        let new = self.new.iter().map(|e| (e, Sub::New));
        let all = new.chain(self.cur.iter().map(|e| (e, Sub::Cur)));
        all.map(|(Entry { name, kind, .. }, sub)| (Found { name, sub }, kind))
    }

    fn covers(&self, row: &HotRow) -> bool {
        if row.is(IN_NEW) {
            self.due.new
        } else {
            self.due.cur
        }
    }
}

impl Mailbox {
    /// Lists what is due, several times if it changes meanwhile. `new` comes
    /// first: messages move from there to `cur`, hardly ever back.
    pub(super) fn scan(&self, due: Due, mut stamps: Stamps) -> Result<Scan, Error> {
        let mut scan = Scan {
            due,
            new: Listing::default(),
            cur: Listing::default(),
            stamps,
            stable: false,
            settled: [false; 2],
            authoritative: false,
        };
        for _ in 0..TRIES {
            let begun = SystemTime::now();
            if scan.due.new {
                scan.new
                    .read(&self.new)
                    .map_err(|e| Error::io(self.new.path(), e))?;
            }
            if scan.due.cur {
                scan.cur
                    .read(&self.cur)
                    .map_err(|e| Error::io(self.cur.path(), e))?;
            }
            let after = self.stamps()?;
            scan.stamps = stamps;
            scan.stable = stamps == after;
            if scan.stable {
                scan.settled = stamps.settled_at(begun, self.tick);
                scan.authoritative = scan.settled == [true; 2];
                break;
            }
            // What was not due before is so now if it has changed.
            scan.due.new |= stamps.new != after.new;
            scan.due.cur |= stamps.cur != after.cur;
            stamps = after;
        }
        Ok(scan)
    }

    /// Compares a listing with the picture and the UID list.
    pub(super) fn survey<'a>(&self, core: &Core, scan: &'a Scan) -> Survey<'a> {
        let picture = &core.snapshot;
        let mut survey = Survey::default();
        let mut seen = Seen::new(picture);
        let shown = core.shown();
        for (found, kind) in scan.found() {
            if kind == FileKind::Directory || found.name.starts_with(b":") {
                if !found.name.starts_with(b".") {
                    survey.odd_entries.push((found, kind));
                }
                continue;
            }
            if !is_message_name(found.name) {
                continue;
            }
            let Some(uid) = core.list.uid_of(found.base()) else {
                survey.unknown.push(found);
                continue;
            };
            match picture.ordinal(uid.get()) {
                Some((at, row)) => {
                    if seen.mark(at) {
                        survey.doubles.push((row.uid, found));
                    } else if !self.is_as_known(picture, row, found) {
                        survey.renamed.push(Renamed {
                            uid: row.uid,
                            found,
                        });
                    }
                }
                None if uid.get() > shown => survey.arrived.push((uid, found)),
                None => survey.reappeared.push(found),
            }
        }
        survey.missing = picture
            .hot_rows()
            .enumerate()
            .filter(|&(at, row)| !seen.contains(at) && scan.covers(row))
            .map(|(_, row)| row.uid)
            .collect();
        survey
    }

    fn is_as_known(&self, picture: &Snapshot, row: &HotRow, found: Found<'_>) -> bool {
        if row.is(IN_NEW) != (found.sub == Sub::New) || row.is(ODD_NAME) == found.is_plain() {
            return false;
        }
        if row.is(ODD_NAME) {
            return super::lock(&self.odd)
                .get(&row.uid)
                .is_some_and(|n| **n == *found.name);
        }
        found.flags() == (row.flags, picture.table().letters_of(row.keywords))
    }
}

/// Which rows a listing has shown.
struct Seen(Vec<u64>);

impl Seen {
    fn new(picture: &Snapshot) -> Self {
        Self(vec![0; (picture.len() as usize).div_ceil(64)])
    }

    /// True if it was marked before.
    fn mark(&mut self, at: usize) -> bool {
        let Some(word) = self.0.get_mut(at / 64) else {
            return false;
        };
        let bit = 1 << (at % 64);
        let before = *word & bit != 0;
        *word |= bit;
        before
    }

    fn contains(&self, at: usize) -> bool {
        self.0
            .get(at / 64)
            .is_some_and(|word| word & 1 << (at % 64) != 0)
    }
}
