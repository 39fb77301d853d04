//! `courierimapkeywords/:list`: names, an empty line, then messages with the
//! numbers of their keywords.

use super::mailbox::bases;
use super::replace;
use crate::error::Error;
use crate::format::courier::KEYWORDS;
use crate::format::{Dir, FormatError, UidList};
use crate::options::Fsync;
use crate::snapshot::Snapshot;
use roost_os::file;
use roost_types::Keyword;
use std::collections::HashMap;
use std::io::{self, Write};

const LIST: &str = ":list";
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
    let there = dir.stat(KEYWORDS)?.is_some();
    if !there && names.is_empty() {
        return Ok(0);
    }
    if !there {
        match file::create_dir(dir, KEYWORDS.as_bytes(), MODE) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io(&dir.entry(KEYWORDS.as_bytes()), e));
            }
            _ => {}
        }
    }
    let folder = dir.open_sub(KEYWORDS.as_bytes())?;
    forget_updates(&folder)?;
    replace(&folder, LIST, fsync, |out| {
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

/// Files about single messages count for more than the list, and are older.
fn forget_updates(folder: &Dir) -> Result<(), Error> {
    let listing = roost_os::dir::list(folder).map_err(|e| Error::io(folder.path(), e))?;
    for entry in listing.iter().filter(|e| e.name != LIST.as_bytes()) {
        match file::unlink(folder, entry.name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(FormatError::io(&folder.entry(entry.name), e).into());
            }
            _ => {}
        }
    }
    Ok(())
}
