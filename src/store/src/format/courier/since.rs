//! Mailboxes that Courier has served again after they were taken over from it,
//! without `roostctl export` before: both servers may have given UIDs since.
//!
//! What must stay true: no UID means one message to a client that was here and
//! another to one that was there, unless UIDVALIDITY has changed.

use super::UID_DB;
use crate::format::extra_keywords::Change;
use crate::format::name::{FileName, is_message_name};
use crate::format::uidlist::{FILE, Found};
use crate::format::{Dir, ExtraKeywords, FormatError, UidList, UidListLock};
use crate::options::Fsync;
use roost_os::file::Stat;
use roost_types::UidValidity;
use std::collections::HashSet;
use std::io;

/// How Courier's UIDs stand to ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Since {
    /// It has given none that we do not know.
    Same,
    /// It has gone on where we stood.
    Ahead,
    /// One UID is two messages, or one message has two UIDs.
    Differs,
}

/// Courier's database was written after our list. Costs one system call where
/// Courier has never been.
pub(crate) fn is_newer(dir: &Dir) -> Result<bool, FormatError> {
    let Some(theirs) = dir.stat(UID_DB)? else {
        return Ok(false);
    };
    let time = |stat: &Stat| (stat.mtime_sec, stat.mtime_nsec);
    Ok(dir
        .stat(FILE)?
        .is_some_and(|ours| time(&theirs) > time(&ours)))
}

/// Courier's database, if it is newer and of the same UIDVALIDITY, and how it
/// stands to our list.
pub(crate) fn compared(dir: &Dir, ours: &UidList) -> Result<Option<(UidList, Since)>, FormatError> {
    if !is_newer(dir)? {
        return Ok(None);
    }
    let Found::List(theirs) = UidList::read(dir, UID_DB)? else {
        return Ok(None);
    };
    // Whoever was there has learnt everything anew.
    if theirs.uid_validity() != ours.uid_validity() {
        return Ok(None);
    }
    let since = compare(dir, ours, &theirs)?;
    Ok(Some((theirs, since)))
}

fn compare(dir: &Dir, ours: &UidList, theirs: &UidList) -> Result<Since, FormatError> {
    // Of messages that are gone it does not matter what they were.
    let mut below = Vec::new();
    for (uid, base) in theirs.iter_from(0) {
        match ours.uid_of(base) {
            Some(known) if known == uid => {}
            None if uid >= ours.uid_next() => {}
            None if ours.base_of(uid).is_none() => below.push(base),
            _ => return Ok(Since::Differs),
        }
    }
    if !below.is_empty() {
        let there = bases(dir)?;
        if below.iter().any(|base| there.contains(*base)) {
            return Ok(Since::Differs);
        }
    }
    Ok(match theirs.uid_next() > ours.uid_next() {
        true => Since::Ahead,
        false => Since::Same,
    })
}

fn bases(dir: &Dir) -> Result<HashSet<Vec<u8>>, FormatError> {
    let mut all = HashSet::new();
    for sub in ["cur", "new"] {
        let sub = match dir.open_sub(sub.as_bytes()) {
            Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                continue;
            }
            other => other?,
        };
        let listing = roost_os::dir::list(&sub).map_err(|e| FormatError::io(sub.path(), e))?;
        let messages = listing.iter().filter(|e| is_message_name(e.name));
        all.extend(messages.map(|e| FileName::parse(e.name).base().to_vec()));
    }
    Ok(all)
}

/// Our list with what Courier has done since: its new UIDs, or a new UIDVALIDITY
/// where these cannot be ours. To be settled then.
pub(crate) fn reconciled(
    lock: &mut UidListLock,
    fsync: Fsync,
    mut ours: UidList,
    new_validity: impl FnOnce() -> Result<UidValidity, FormatError>,
) -> Result<UidList, FormatError> {
    let dir = lock.dir().clone();
    let Some((theirs, since)) = compared(&dir, &ours)? else {
        return Ok(ours);
    };
    let path = dir.path().display();
    match since {
        Since::Same => ours.join(&theirs)?,
        Since::Ahead => {
            log::info!("{path}: UIDs that Courier has given since are taken over");
            ours.join(&theirs)?;
        }
        Since::Differs => {
            log::warn!("{path}: Courier has given other UIDs since: UIDVALIDITY becomes new");
            let old = ours.uid_validity();
            let new = new_validity()?;
            keep_keywords(lock, fsync, old, new)?;
            ours.begin_anew(new, theirs.uid_next());
        }
    }
    Ok(ours)
}

/// The UIDs stay, and with them who carries what.
fn keep_keywords(
    lock: &mut UidListLock,
    fsync: Fsync,
    old: UidValidity,
    new: UidValidity,
) -> Result<(), FormatError> {
    let dir = lock.dir().clone();
    let old = ExtraKeywords::load(&dir, old)?;
    let all: Vec<Change> = old
        .iter()
        .map(|(keyword, uids)| Change {
            keyword: keyword.clone(),
            set: true,
            uids: uids.clone(),
        })
        .collect();
    ExtraKeywords::load(&dir, new)?.change(lock, fsync, &all)
}
