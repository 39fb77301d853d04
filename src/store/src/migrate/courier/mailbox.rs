//! One mailbox: UIDs and keywords.

use super::{Exported, keywords, replace, set_aside};
use crate::account::Account;
use crate::error::Error;
use crate::format::courier::UID_DB;
use crate::format::name::{FileName, Letters, is_message_name, write_with_flags};
use crate::format::{Dir, FormatError, UidList, UidListLock, extra_keywords, uidlist};
use crate::options::Fsync;
use crate::snapshot::Snapshot;
use roost_os::{dir, file};
use roost_types::{MailboxName, Uid};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// How long it waits for a lock of a delivery agent's.
const PATIENCE: Duration = Duration::from_secs(30);
/// Renames between two looks at the lock.
const RENAMES_A_TOUCH: usize = 1000;

pub fn write(
    account: &Arc<Account>,
    dir: &Dir,
    name: &MailboxName,
    fsync: Fsync,
) -> Result<Exported, Error> {
    let mailbox = account.open_for_a_moment(name)?;
    let picture = mailbox.snapshot();
    let mut lock = UidListLock::acquire(dir, PATIENCE)?;
    let Some(list) = UidList::load(dir)? else {
        // It has just been opened: somebody else is at work.
        return Err(Error::Locked {
            path: dir.entry(uidlist::FILE.as_bytes()),
        });
    };
    // Courier drops what it does not find in cur.
    let moved = rename_all(&mut lock, dir, "new", |_| None);
    let keywords = keywords::write(dir, fsync, &picture, &list);
    // The UIDs at least, whatever becomes of the rest.
    uid_database(dir, fsync, &picture, &list)?;
    moved?;
    let keywords = keywords?;
    set_aside(dir, uidlist::FILE)?;
    // Letters mean nothing to Courier, which gives its keywords other numbers:
    // who takes its files over again must not find the old ones.
    rename_all(&mut lock, dir, "cur", |name| {
        Some(FileName::parse(name).flags().0)
    })?;
    for file in [crate::format::keywords::FILE, extra_keywords::FILE] {
        set_aside(dir, file)?;
    }
    account.do_not_keep(&mailbox);
    mailbox.mark_gone();
    Ok(Exported {
        mailbox: name.clone(),
        uid_validity: list.uid_validity().get(),
        messages: picture.len(),
        keywords,
        rights: 0,
    })
}

/// `1 UIDVALIDITY NEXTUID`, then `UID BASE` in the order of UIDs.
fn uid_database(
    dir: &Dir,
    fsync: Fsync,
    picture: &Snapshot,
    list: &UidList,
) -> Result<(), FormatError> {
    replace(dir, UID_DB, fsync, |out| {
        writeln!(out, "1 {} {}", list.uid_validity(), list.uid_next())?;
        for (uid, base) in bases(picture, list) {
            write!(out, "{uid} ")?;
            out.write_all(base)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// The messages that are there, with the names that Courier knows them by.
pub(super) fn bases<'a>(
    picture: &'a Snapshot,
    list: &'a UidList,
) -> impl Iterator<Item = (Uid, &'a [u8])> {
    picture
        .iter()
        .filter_map(|(_, row)| Some((row.uid, list.base_of(row.uid)?)))
}

/// Renames the files of `new` or `cur` to what they are called in `cur` with
/// these flags and no letters; `None`: with what they have.
fn rename_all(
    lock: &mut UidListLock,
    dir: &Dir,
    from: &str,
    flags: impl Fn(&[u8]) -> Option<roost_types::SystemFlags>,
) -> Result<(), Error> {
    let from = dir.open_sub(from.as_bytes())?;
    let cur = dir.open_sub(b"cur")?;
    let listing = dir::list(&from).map_err(|e| Error::io(from.path(), e))?;
    let mut new = Vec::new();
    for (at, entry) in listing
        .iter()
        .filter(|e| is_message_name(e.name))
        .enumerate()
    {
        new.clear();
        match flags(entry.name) {
            Some(flags) if FileName::parse(entry.name).flags().1.is_empty() => {
                let _ = flags;
                continue;
            }
            Some(flags) => write_with_flags(&mut new, entry.name, flags, Letters::NONE),
            None => {
                new.extend_from_slice(entry.name);
                if !entry.name.contains(&b':') {
                    new.extend_from_slice(b":2,");
                }
            }
        }
        match file::rename_noreplace(&from, entry.name, &cur, &new) {
            Ok(()) => {}
            Err(e) if is_harmless(&e) => {}
            Err(e) => return Err(Error::io(&from.entry(entry.name), e)),
        }
        if at % RENAMES_A_TOUCH == 0 {
            lock.keep_alive()?;
        }
    }
    Ok(())
}

/// Gone meanwhile, or there twice.
fn is_harmless(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
    )
}
