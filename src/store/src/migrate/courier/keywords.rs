//! `courierimapkeywords/:list`: names, an empty line, then messages with the
//! numbers of their keywords.

use super::mailbox::bases;
use super::{replace, set_aside_itself};
use crate::error::Error;
use crate::format::courier::{KEYWORD_LIST, KEYWORDS, update_name};
use crate::format::{Dir, FormatError, UidList};
use crate::options::Fsync;
use crate::snapshot::Snapshot;
use roost_os::dir::FileKind;
use roost_os::file;
use roost_types::Keyword;
use std::collections::HashMap;
use std::io::{self, Write};

/// As Courier makes it.
const MODE: u32 = 0o700;

/// Returns how many keywords there are.
pub fn write(dir: &Dir, fsync: Fsync, picture: &Snapshot, list: &UidList) -> Result<usize, Error> {
    let mut numbers: HashMap<&Keyword, usize> = HashMap::new();
    let mut names: Vec<&Keyword> = Vec::new();
    for (_, row) in picture.iter() {
        for keyword in picture.keyword_names(row.keywords) {
            numbers.entry(keyword).or_insert_with(|| {
                names.push(keyword);
                names.len() - 1
            });
        }
    }
    let folder = match folder(dir)? {
        Some(folder) => folder,
        None if names.is_empty() => return Ok(0),
        None => make_folder(dir)?,
    };
    forget_updates(&folder, list)?;
    replace(&folder, KEYWORD_LIST, fsync, |out| {
        for name in &names {
            writeln!(out, "{name}")?;
        }
        out.write_all(b"\n")?;
        for (uid, base) in bases(picture, list) {
            let Some((_, row)) = picture.row_of(uid) else {
                continue;
            };
            let mut carried = picture
                .keyword_names(row.keywords)
                .iter()
                .filter_map(|keyword| numbers.get(keyword))
                .peekable();
            if carried.peek().is_none() {
                continue;
            }
            out.write_all(base)?;
            for (at, number) in carried.enumerate() {
                write!(out, "{}{number}", if at == 0 { ':' } else { ' ' })?;
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    Ok(names.len())
}

/// A link, or whatever else stands in its place, is not Courier's: what it leads
/// to stays as it is.
fn folder(dir: &Dir) -> Result<Option<Dir>, FormatError> {
    match dir.open_own_sub(KEYWORDS) {
        Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => {
            set_aside_itself(dir, KEYWORDS)?;
            Ok(None)
        }
        other => other,
    }
}

fn make_folder(dir: &Dir) -> Result<Dir, FormatError> {
    file::create_dir(dir, KEYWORDS.as_bytes(), MODE).map_err(|e| dir.error(KEYWORDS, e))?;
    let made = dir.open_own_sub(KEYWORDS)?;
    made.ok_or_else(|| dir.error(KEYWORDS, io::ErrorKind::NotFound.into()))
}

/// Files about single messages count for more than the list, and are older.
fn forget_updates(folder: &Dir, list: &UidList) -> Result<(), Error> {
    let listing = roost_os::dir::list(folder).map_err(|e| Error::io(folder.path(), e))?;
    let is_update = |name: &[u8]| {
        let update = std::str::from_utf8(name).ok().and_then(update_name);
        update.is_some_and(|(_, base)| list.uid_of(base.as_bytes()).is_some())
    };
    for entry in listing.iter().filter(|e| e.kind != FileKind::Directory) {
        if !is_update(entry.name) {
            continue;
        }
        match file::unlink(folder, entry.name) {
            Err(e) if is_harmless(&e) => {}
            Err(e) => return Err(Error::io(&folder.entry(entry.name), e)),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Gone meanwhile, or a directory, of which Courier reads nothing either.
fn is_harmless(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
    )
}
