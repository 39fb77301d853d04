//! Courier's sidecars, taken over into Dovecot's formats when a mailbox or an
//! account has none of those (MAILDIR-FORMATS §8, §11).
//!
//! What must stay true: UIDVALIDITY, UIDs, the next UID and keywords are kept;
//! `dovecot-uidlist` is written last, so that a take-over that was cut short
//! begins anew; Courier's own files stay as they are. Where Courier has written
//! them again since, [`since`] says what becomes of its UIDs.

mod keywords;
mod since;

use super::extra_keywords::Change;
use super::lines::read_small;
use super::name::{FileName, Letters, is_message_name, write_with_flags};
use super::uidlist::Found;
use super::{
    Dir, ExtraKeywords, FormatError, KeywordFile, UidList, UidListLock, dirname, sync_control,
};
use crate::options::{Encoding, Fsync};
use keywords::Carriers;
pub(crate) use keywords::{LIST as KEYWORD_LIST, update_name};
use roost_os::file;
use roost_types::{Keyword, MailboxName};
pub(crate) use since::{Since, compared, is_newer, reconciled};
use std::io;

/// The UID database: `dovecot-uidlist` of version 1 under another name.
pub const UID_DB: &str = "courierimapuiddb";
/// One full IMAP name a line.
pub const SUBSCRIBED: &str = "courierimapsubscribed";
/// The folder of keywords.
pub const KEYWORDS: &str = "courierimapkeywords";
/// In the directory of a mailbox, that of INBOX being the root.
pub const ACL: &str = "courierimapacl";

pub(crate) const MAX_SUBSCRIBED: u64 = 16 << 20;
/// Renames between two looks at the lock.
const RENAMES_A_TOUCH: usize = 1000;

/// True if the mailbox has Courier's UID database.
pub fn present(dir: &Dir) -> Result<bool, FormatError> {
    Ok(dir.stat(UID_DB)?.is_some())
}

/// How many keywords its messages have.
pub(crate) fn keyword_count(dir: &Dir, list: &UidList) -> Result<usize, FormatError> {
    Ok(keywords::read(dir, list)?.len())
}

/// The list made from Courier's, not yet written; keywords are taken over
/// already. `None` if there is none that could be read.
pub(crate) fn take_over(
    lock: &mut UidListLock,
    fsync: Fsync,
) -> Result<Option<UidList>, FormatError> {
    let dir = lock.dir().clone();
    let list = match UidList::read(&dir, UID_DB)? {
        Found::List(list) => list,
        Found::Nothing => return Ok(None),
        Found::Headless(_) => {
            let path = dir.entry(UID_DB.as_bytes());
            log::warn!("{}: cannot be read; UIDs start anew", path.display());
            return Ok(None);
        }
    };
    let carriers = keywords::read(&dir, &list)?;
    if !carriers.is_empty() {
        take_over_keywords(lock, fsync, &list, &carriers)?;
    }
    log::info!(
        "{}: {} UIDs taken over from Courier",
        dir.path().display(),
        list.len()
    );
    Ok(Some(list.taken_over()))
}

/// Letters for the first 26 keywords, into the names of the files; the others
/// into our own sidecar.
fn take_over_keywords(
    lock: &mut UidListLock,
    fsync: Fsync,
    list: &UidList,
    carriers: &[Carriers],
) -> Result<(), FormatError> {
    let dir = lock.dir().clone();
    let mut file = KeywordFile::load(&dir)?;
    let used: Vec<Keyword> = carriers.iter().map(|c| c.keyword.clone()).collect();
    file.add(lock, fsync, &used)?;
    let mut lettered = Vec::new();
    let mut others = Vec::new();
    for carrier in carriers {
        match file.index_of(&carrier.keyword) {
            Some(letter) => lettered.push((letter, &carrier.uids)),
            None => others.push(Change {
                keyword: carrier.keyword.clone(),
                set: true,
                uids: carrier.uids.clone(),
            }),
        }
    }
    if !others.is_empty() {
        let mut extra = ExtraKeywords::load(&dir, list.uid_validity())?;
        extra.change(lock, fsync, &others)?;
    }
    let letters_of = |base: &[u8]| {
        let mut letters = Letters::NONE;
        if let Some(uid) = list.uid_of(base) {
            let carried = lettered.iter().filter(|(_, uids)| uids.contains(uid));
            carried.for_each(|&(letter, _)| letters.insert(letter));
        }
        letters
    };
    rename_all(lock, fsync, &dir, letters_of)
}

/// Adds letters to the names of the files in `cur`.
fn rename_all(
    lock: &mut UidListLock,
    fsync: Fsync,
    dir: &Dir,
    letters_of: impl Fn(&[u8]) -> Letters,
) -> Result<(), FormatError> {
    let cur = match dir.open_sub(b"cur") {
        Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(());
        }
        other => other?,
    };
    let listing = roost_os::dir::list(&cur).map_err(|e| FormatError::io(cur.path(), e))?;
    let mut renamed = 0;
    let mut new = Vec::new();
    for entry in listing.iter().filter(|e| is_message_name(e.name)) {
        let name = FileName::parse(entry.name);
        let (flags, had) = name.flags();
        let letters = Letters::from_bits(had.bits() | letters_of(name.base()).bits());
        if letters == had {
            continue;
        }
        new.clear();
        write_with_flags(&mut new, entry.name, flags, letters);
        match file::rename_noreplace(&cur, entry.name, &cur, &new) {
            Ok(()) => {}
            // Deleted meanwhile, or there are two files of this base already.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) => {}
            Err(e) => return Err(FormatError::io(&cur.entry(entry.name), e)),
        }
        renamed += 1;
        if renamed % RENAMES_A_TOUCH == 0 {
            lock.keep_alive()?;
        }
    }
    if renamed > 0 && sync_control(fsync) {
        cur.sync()?;
    }
    Ok(())
}

/// The names in `courierimapsubscribed`, without the `INBOX.` in front; those
/// of other namespaces are left out.
pub(crate) fn subscribed(root: &Dir, encoding: Encoding) -> Result<Vec<MailboxName>, FormatError> {
    let text = read_small(root, SUBSCRIBED, MAX_SUBSCRIBED)?.unwrap_or_default();
    let names = text.split(|&b| b == b'\n');
    Ok(names
        .filter_map(|name| subscribed_name(name, encoding))
        .collect())
}

/// Of the personal namespace, which all begins with INBOX.
pub(crate) fn is_personal(name: &[u8]) -> bool {
    let inbox = name.split_at_checked("INBOX".len());
    inbox.is_some_and(|(inbox, rest)| {
        inbox.eq_ignore_ascii_case(b"INBOX") && matches!(rest.first(), None | Some(b'.'))
    })
}

fn subscribed_name(name: &[u8], encoding: Encoding) -> Option<MailboxName> {
    let (inbox, rest) = name.split_at_checked("INBOX".len())?;
    if !inbox.eq_ignore_ascii_case(b"INBOX") {
        return None;
    }
    if rest.is_empty() {
        return Some(MailboxName::inbox());
    }
    // Courier 4 wrote modified UTF-7, Courier 5 writes UTF-8.
    let encoding = match encoding {
        Encoding::Utf8 => Encoding::Utf8,
        Encoding::Mutf7 | Encoding::Detect => Encoding::Detect,
    };
    let levels: Vec<String> = rest
        .strip_prefix(b".")?
        .split(|&b| b == b'.')
        .map(|level| dirname::decode_level(level, encoding))
        .collect();
    MailboxName::from_levels(levels.iter().map(String::as_str)).ok()
}

#[cfg(test)]
mod tests;
