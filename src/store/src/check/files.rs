//! A mailbox's directory and sidecars, looked at by themselves.

use super::{Cure, MAX_DETAILS, Problem};
use crate::error::Error;
use crate::format::name::{FileName, is_message_name};
use crate::format::uidlist::{self, Found};
use crate::format::{Dir, KeywordFile, UidList};
use roost_os::dir::{self, FileKind};
use roost_os::file;
use std::collections::HashMap;

const SUBDIRECTORIES: [&str; 3] = ["cur", "new", "tmp"];

/// Everything that is wrong, as far as files alone tell.
pub(super) fn look(dir: &Dir) -> Result<Vec<Problem>, Error> {
    let mut found = Vec::new();
    for sub in SUBDIRECTORIES {
        if !dir.stat(sub)?.is_some_and(|s| s.is_dir()) {
            found.push(Problem::new(sub, Cure::Open, "no such directory"));
        }
    }
    if found.is_empty() {
        let files = Files::list(dir)?;
        look_at_list(dir, &files, &mut found)?;
        look_at_names(dir, &files, &mut found)?;
        look_at_keywords(dir, &files, &mut found)?;
    }
    Ok(found)
}

/// The message files of a mailbox.
pub(super) struct Files {
    /// Directory and name, in the order of the listings.
    pub all: Vec<(&'static str, Vec<u8>)>,
}

impl Files {
    pub fn list(dir: &Dir) -> Result<Self, Error> {
        let mut all = Vec::new();
        for sub in ["new", "cur"] {
            let handle = dir.open_sub(sub.as_bytes())?;
            let listing = dir::list(&handle).map_err(|e| Error::io(handle.path(), e))?;
            for entry in listing.iter() {
                if entry.kind != FileKind::Directory && !entry.name.starts_with(b".") {
                    all.push((sub, entry.name.to_vec()));
                }
            }
        }
        Ok(Self { all })
    }
}

/// Tells of the first few, and how many more there are.
pub(super) struct Details {
    texts: Vec<String>,
    more: usize,
}

impl Details {
    pub fn new() -> Self {
        Self {
            texts: Vec::new(),
            more: 0,
        }
    }

    pub fn add(&mut self, text: impl FnOnce() -> String) {
        match self.texts.len() < MAX_DETAILS {
            true => self.texts.push(text()),
            false => self.more += 1,
        }
    }

    pub fn into_problems(self, file: &str, cure: Cure) -> impl Iterator<Item = Problem> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        let texts = self.texts.into_iter().chain(more);
        texts.map(move |text| Problem::new(file, cure, text))
    }
}

fn look_at_list(dir: &Dir, files: &Files, found: &mut Vec<Problem>) -> Result<(), Error> {
    let text = match UidList::read(dir, uidlist::FILE)? {
        Found::List(list) if list.is_damaged() => "damaged: some records cannot be read",
        Found::List(_) => return Ok(()),
        Found::Headless(_) => "damaged: its header cannot be read",
        // New mail waits for its first UID in `new`.
        Found::Nothing if files.all.iter().any(|(sub, _)| *sub == "cur") => {
            "missing: the messages have no UIDs"
        }
        Found::Nothing => return Ok(()),
    };
    found.push(Problem::new(uidlist::FILE, Cure::Open, text));
    Ok(())
}

/// Names that are none, that two files have, or that tell a wrong size.
fn look_at_names(dir: &Dir, files: &Files, found: &mut Vec<Problem>) -> Result<(), Error> {
    let mut bases: HashMap<&[u8], (&str, &[u8])> = HashMap::with_capacity(files.all.len());
    let (mut odd, mut doubles, mut sizes) = (Details::new(), Details::new(), Details::new());
    let subs = ["new", "cur"].map(|sub| dir.open_sub(sub.as_bytes()));
    let [Ok(new), Ok(cur)] = subs else {
        return Ok(());
    };
    let stat = |sub: &str, name: &[u8]| {
        let handle = if sub == "new" { &new } else { &cur };
        file::stat_at(handle, name).ok()
    };
    for (sub, name) in &files.all {
        let shown = || format!("{sub}/{}", name.escape_ascii());
        if !is_message_name(name) {
            odd.add(|| format!("{} is not a possible name of a message", shown()));
            continue;
        }
        let parsed = FileName::parse(name);
        // Who is renamed while we look is seen twice, but is there once.
        if let Some((sub, other)) = bases.insert(parsed.base(), (*sub, name.as_slice()))
            && stat(sub, other).is_some()
            && let Some(other) = stat(sub, name)
            && other.is_file()
        {
            doubles.add(|| format!("{} has the name of another message", shown()));
        }
        if let Some(told) = parsed.size()
            && let Some(stat) = stat(sub, name)
            && stat.size > told
        {
            // A compressed file is smaller than its name says.
            sizes.add(|| format!("{} has {} octets", shown(), stat.size));
        }
    }
    found.extend(odd.into_problems("names", Cure::None));
    found.extend(doubles.into_problems("names", Cure::Open));
    found.extend(sizes.into_problems("names", Cure::None));
    Ok(())
}

/// Letters in names that mean no keyword.
fn look_at_keywords(dir: &Dir, files: &Files, found: &mut Vec<Problem>) -> Result<(), Error> {
    let table = KeywordFile::load(dir)?;
    let mut used = [0usize; 26];
    for (_, name) in &files.all {
        let (_, letters) = FileName::parse(name).flags();
        for index in letters.iter() {
            if let Some(count) = used.get_mut(usize::from(index)) {
                *count += 1;
            }
        }
    }
    for (index, count) in (0u8..).zip(used) {
        if count > 0 && !table.has_name(index) {
            let letter = char::from(b'a' + index);
            let text = format!("letter {letter}, on {count} messages, has no name");
            found.push(Problem::new("dovecot-keywords", Cure::None, text));
        }
    }
    Ok(())
}
