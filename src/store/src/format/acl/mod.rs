//! `dovecot-acl`: who may do what with one mailbox (MAILDIR-FORMATS §6.1).
//!
//! ```text
//! anyone l
//! group=staff lrs
//! user=bob akxeilprwts
//! -user=bob x
//! "user=carol ann" lr
//! ```
//! What must stay true:
//! - what is not understood stays in the file and gives nobody a right; where
//!   it may have taken rights away, nobody but the owner has any;
//! - the owner cannot lose `l` and `a`;
//! - rights are the union of the matching entries less that of the matching
//!   negative ones, where Dovecot has one kind of entry replace another:
//!   roost-acl(5) says where that differs.

mod courier;
mod entry;
mod identifier;
mod line;
mod list_file;
mod owner;
mod subject;

pub use entry::{BadEntry, Entry, Mode};
pub use identifier::{BadIdentifier, Identifier, MAX_IDENTIFIER};
pub use owner::Owner;
pub use subject::Subject;

pub(crate) use courier::{FOLDER as COURIER_FOLDER, Taken, present as courier_present, take_over};
/// How many entries the list of a mailbox has, Dovecot's or else Courier's.
pub(crate) fn entries_in(dir: &Dir) -> Result<usize, FormatError> {
    match Acl::load(dir)? {
        Some(acl) => Ok(acl.len()),
        None => courier::entries_in(dir),
    }
}

pub(crate) use list_file::forget as forget_list;

use super::lines::read_small;
use super::{Dir, DotLock, FormatError};
use crate::options::Fsync;
use line::Line;
use roost_types::Rights;
use std::collections::BTreeMap;
use std::time::Duration;

pub const FILE: &str = "dovecot-acl";

/// Largest file read, in octets.
pub const MAX_FILE: u64 = 128 << 10;
/// Entries, negative ones included, up to which new ones are taken.
pub const MAX_ENTRIES: usize = 500;

const TEMPORARY: &str = "dovecot-acl.tmp";

/// What one identifier is given, or what is taken from it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Granted {
    pub rights: Rights,
    /// Names of rights that other programs know.
    others: Vec<String>,
}

/// A mailbox's list.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Acl {
    positive: BTreeMap<Identifier, Granted>,
    negative: BTreeMap<Identifier, Granted>,
    /// Comments, and lines that are not understood.
    strange: Vec<Vec<u8>>,
    /// One of the strange lines may have taken rights away.
    withheld: bool,
}

impl Acl {
    /// Reads a mailbox's file; `None` if there is none.
    pub fn load(dir: &Dir) -> Result<Option<Self>, FormatError> {
        let Some(text) = read_small(dir, FILE, MAX_FILE)? else {
            return Ok(None);
        };
        let acl = Self::parse(&text);
        let unread = acl.strange.iter().filter(|l| !l.starts_with(b"#")).count();
        if unread > 0 {
            let path = dir.entry(FILE.as_bytes());
            log::warn!("{}: {unread} lines are not understood", path.display());
        }
        Ok(Some(acl))
    }

    /// What stands in a file.
    pub fn parse(text: &[u8]) -> Self {
        let mut acl = Self::default();
        for line in text.split(|&b| b == b'\n').filter(|l| !l.is_empty()) {
            match line::parse(line) {
                Line::Entry {
                    negative,
                    identifier,
                    granted,
                } => acl
                    .side(negative)
                    .entry(identifier)
                    .or_default()
                    .add(granted),
                Line::Comment => acl.strange.push(line.to_vec()),
                Line::Strange { withholds } => {
                    acl.strange.push(line.to_vec());
                    acl.withheld |= withholds;
                }
            }
        }
        acl
    }

    /// Reads (or begins with `before` where there is no file), lets `edit`
    /// change and replaces the file in one durable step under its lock.
    /// Written only if something changed. Returns what stood there before, if
    /// it did, and what stands there now.
    ///
    /// # Errors
    /// `Full` where it would be larger than [`MAX_FILE`].
    pub fn change<E: From<FormatError>>(
        dir: &Dir,
        fsync: Fsync,
        timeout: Duration,
        before: &Self,
        edit: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(Option<Self>, Self), E> {
        let mut lock = DotLock::acquire(dir, FILE, timeout)?;
        let old = Self::load(dir)?;
        let mut new = old.as_ref().unwrap_or(before).clone();
        edit(&mut new)?;
        if old.as_ref() == Some(&new) || old.is_none() && new.is_empty() {
            return Ok((old, new));
        }
        new.write(dir, fsync, &mut lock)?;
        Ok((old, new))
    }

    /// Writes the list of a mailbox that has none, even an empty one.
    pub(crate) fn begin(
        &self,
        dir: &Dir,
        fsync: Fsync,
        timeout: Duration,
    ) -> Result<(), FormatError> {
        let mut lock = DotLock::acquire(dir, FILE, timeout)?;
        match dir.stat(FILE)? {
            Some(_) => Ok(()),
            None => self.write(dir, fsync, &mut lock),
        }
    }

    fn write(&self, dir: &Dir, fsync: Fsync, lock: &mut DotLock) -> Result<(), FormatError> {
        let text = self.text();
        let what = "the list of rights of a mailbox";
        dir.fits(FILE, text.len(), MAX_FILE, what)?;
        dir.replace_by((FILE, TEMPORARY), fsync, &text, lock)
    }

    /// No entry and no line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.strange.is_empty()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.positive.len() + self.negative.len()
    }

    /// All entries in the order of the file: whether it is a negative one,
    /// whose it is, and the rights.
    pub fn iter(&self) -> impl Iterator<Item = (bool, &Identifier, Rights)> {
        let all = |side| move |(id, granted): (_, &Granted)| (side, id, granted.rights);
        let mut entries: Vec<_> = (self.positive.iter().map(all(false)))
            .chain(self.negative.iter().map(all(true)))
            .collect();
        entries.sort_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)));
        entries.into_iter()
    }

    /// Those who see the mailbox in lists.
    pub fn lookers(&self) -> impl Iterator<Item = &Identifier> {
        let seen = |granted: &Granted| granted.rights.contains(Rights::LOOKUP);
        let positive = self.positive.iter().filter(move |(_, g)| seen(g));
        positive
            .map(|(id, _)| id)
            .filter(|id| **id != Identifier::Owner)
    }

    /// Those who do not see it, whoever else they are.
    pub fn denied(&self) -> impl Iterator<Item = &Identifier> {
        let unseen = |granted: &Granted| granted.rights.contains(Rights::LOOKUP);
        let negative = self.negative.iter().filter(move |(_, g)| unseen(g));
        negative
            .map(|(id, _)| id)
            .filter(|id| **id != Identifier::Owner)
    }

    /// The rights of an entry; none where there is no such entry.
    pub fn get(&self, negative: bool, identifier: &Identifier) -> Rights {
        let side = match negative {
            true => &self.negative,
            false => &self.positive,
        };
        side.get(identifier).map_or(Rights::NONE, |g| g.rights)
    }

    /// Makes the rights of an entry these; an entry without any is removed.
    ///
    /// # Errors
    /// False when there are [`MAX_ENTRIES`] already.
    #[must_use]
    pub fn set(&mut self, negative: bool, identifier: &Identifier, rights: Rights) -> bool {
        if rights.is_empty() {
            self.remove(negative, identifier);
            return true;
        }
        let full = self.len() >= MAX_ENTRIES;
        let side = self.side(negative);
        match side.get_mut(identifier) {
            Some(granted) => granted.rights = rights,
            None if full => return false,
            None => side.entry(identifier.clone()).or_default().rights = rights,
        }
        true
    }

    /// True if there was such an entry.
    pub fn remove(&mut self, negative: bool, identifier: &Identifier) -> bool {
        self.side(negative).remove(identifier).is_some()
    }

    fn side(&mut self, negative: bool) -> &mut BTreeMap<Identifier, Granted> {
        match negative {
            true => &mut self.negative,
            false => &mut self.positive,
        }
    }

    /// What stands in the file.
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for line in &self.strange {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        for (negative, identifier, _) in self.iter() {
            let side = match negative {
                true => &self.negative,
                false => &self.positive,
            };
            if let Some(granted) = side.get(identifier) {
                text.extend_from_slice(line::text(negative, identifier, granted).as_bytes());
            }
        }
        text
    }
}

impl Granted {
    fn add(&mut self, other: Self) {
        self.rights = self.rights | other.rights;
        for name in other.others {
            if !self.others.contains(&name) {
                self.others.push(name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
