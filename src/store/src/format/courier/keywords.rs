//! `courierimapkeywords/`: a list for all messages, and newer files for single
//! ones. What counts for a message is its file `<base>`, else the highest
//! `.<n>.<base>`, else the list (MAILDIR-FORMATS §8).

use crate::format::lines::{Line, Lines, number, number32, read_small};
use crate::format::{Dir, FormatError, UidList};
use roost_types::{Keyword, MAX_KEYWORD_LEN, Uid, UidSet};
use std::collections::HashMap;
use std::fs::File;
use std::io;

pub(crate) const LIST: &str = ":list";
/// Keywords of one mailbox; more are left out.
const MAX_KEYWORDS: usize = 1000;
/// Largest file about a single message, in octets.
const MAX_UPDATE: u64 = 1 << 20;

/// A keyword and the messages that carry it.
#[derive(Clone, Debug)]
pub(super) struct Carriers {
    pub keyword: Keyword,
    pub uids: UidSet,
}

/// Every keyword in use, in the order of Courier's list. Messages that have no
/// UID are left out.
pub(super) fn read(dir: &Dir, list: &UidList) -> Result<Vec<Carriers>, FormatError> {
    let folder = match dir.open_sub(super::KEYWORDS.as_bytes()) {
        Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        other => other?,
    };
    let mut all = All::default();
    if let Some(open) = folder.open_file(LIST)? {
        all.read_list(open, list)
            .map_err(|e| folder.error(LIST, e))?;
    }
    for (uid, (_, name)) in newest_updates(&folder, list)? {
        // Courier may put it into the list at any moment.
        if let Some(text) = read_small(&folder, &name, MAX_UPDATE)? {
            all.replace(uid, &text);
        }
    }
    all.carriers.retain(|c| !c.uids.is_empty());
    Ok(all.carriers)
}

/// For each message the newest file about it alone; `<base>` counts as newer
/// than any number.
fn newest_updates(
    folder: &Dir,
    list: &UidList,
) -> Result<HashMap<Uid, (u64, String)>, FormatError> {
    let listing = roost_os::dir::list(folder).map_err(|e| FormatError::io(folder.path(), e))?;
    let mut newest: HashMap<Uid, (u64, String)> = HashMap::new();
    for entry in &listing {
        let Ok(name) = std::str::from_utf8(entry.name) else {
            continue;
        };
        let Some((age, base)) = update_name(name) else {
            continue;
        };
        let Some(uid) = list.uid_of(base.as_bytes()) else {
            continue;
        };
        let known = newest.entry(uid).or_insert_with(|| (age, name.to_owned()));
        if age > known.0 {
            *known = (age, name.to_owned());
        }
    }
    Ok(newest)
}

/// How new a file about a single message is, and the base name of that message.
pub(crate) fn update_name(name: &str) -> Option<(u64, &str)> {
    if name.starts_with(':') {
        return None;
    }
    match name.strip_prefix('.') {
        None => Some((u64::MAX, name)),
        Some(rest) => {
            let (age, base) = rest.split_once('.')?;
            Some((number(age.as_bytes())?, base))
        }
    }
}

#[derive(Default)]
struct All {
    carriers: Vec<Carriers>,
}

impl All {
    fn read_list(&mut self, open: File, list: &UidList) -> io::Result<()> {
        let mut lines = Lines::new(open);
        let mut names = true;
        // By Courier's index; `None` for what cannot be a keyword.
        let mut indexes: Vec<Option<usize>> = Vec::new();
        while let Some(line) = lines.next()? {
            let Line::Whole(line) = line else { continue };
            if names && line.is_empty() {
                names = false;
            } else if names {
                indexes.push(self.index_of(line));
            } else {
                self.take_message(line, &indexes, list);
            }
        }
        Ok(())
    }

    /// `<base>:<i> <i> …`
    fn take_message(&mut self, line: &[u8], indexes: &[Option<usize>], list: &UidList) {
        let Some(at) = memchr::memrchr(b':', line) else {
            return;
        };
        let (base, numbers) = line.split_at_checked(at).unwrap_or_default();
        let Some(uid) = list.uid_of(base) else {
            return;
        };
        for number in numbers.get(1..).unwrap_or_default().split(|&b| b == b' ') {
            let index = number32(number).and_then(|i| indexes.get(i as usize));
            let carrier = index.and_then(|i| self.carriers.get_mut((*i)?));
            if let Some(carrier) = carrier {
                carrier.uids.insert(uid);
            }
        }
    }

    /// One name a line; none for no keywords.
    fn replace(&mut self, uid: Uid, text: &[u8]) {
        for carrier in &mut self.carriers {
            carrier.uids.remove(uid);
        }
        for name in text.split(|&b| b == b'\n').filter(|n| !n.is_empty()) {
            let index = self.index_of(name);
            if let Some(carrier) = index.and_then(|i| self.carriers.get_mut(i)) {
                carrier.uids.insert(uid);
            }
        }
    }

    fn index_of(&mut self, name: &[u8]) -> Option<usize> {
        let keyword = keyword(name)?;
        if let Some(known) = self.carriers.iter().position(|c| c.keyword == keyword) {
            return Some(known);
        }
        if self.carriers.len() >= MAX_KEYWORDS {
            return None;
        }
        self.carriers.push(Carriers {
            keyword,
            uids: UidSet::new(),
        });
        Some(self.carriers.len() - 1)
    }
}

/// Characters that no keyword may have become `_`, as Courier itself does it
/// with those that it forbids.
fn keyword(name: &[u8]) -> Option<Keyword> {
    let text = String::from_utf8_lossy(name.strip_suffix(b"\r").unwrap_or(name));
    let allowed = |c: char| {
        let mut utf8 = [0; 4];
        if Keyword::new(c.encode_utf8(&mut utf8)).is_ok() {
            c
        } else {
            '_'
        }
    };
    let cleaned: String = text.chars().map(allowed).take(MAX_KEYWORD_LEN).collect();
    Keyword::new(&cleaned).ok()
}
