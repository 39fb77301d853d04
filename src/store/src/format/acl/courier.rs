//! Courier's lists, taken over where a mailbox has none of Dovecot's
//! (MAILDIR-FORMATS §6.4).
//!
//! Courier's rights are the union of what matches, as ours are. Dovecot has
//! the entry of a user replace those of a group and of everybody; so that it
//! serves the mailbox with the same rights, narrower entries get what
//! everybody has. Courier's own files stay as they are.

use super::super::courier::UID_DB;
use super::super::lines::read_small;
use super::super::{Dir, FormatError};
use super::{Acl, Identifier, MAX_FILE};
use roost_types::Rights;

/// In the directory of a mailbox, that of INBOX being the root.
pub(crate) const FILE: &str = super::super::courier::ACL;
/// A folder in the root: lists of names that are no mailboxes.
pub(crate) const FOLDER: &str = "courierimaphieracl";

/// Where Courier's list of a mailbox was found.
pub(crate) enum Taken {
    /// It has one.
    List(Acl),
    /// It has none: Courier would give it that of the level above.
    Above,
}

/// Entries of the list in a mailbox's own directory.
pub(super) fn entries_in(dir: &Dir) -> Result<usize, FormatError> {
    let text = read_small(dir, FILE, MAX_FILE)?;
    Ok(text.map_or(0, |text| parse(&text).len()))
}

/// Whether Courier has served this account, and so may have kept lists.
pub(crate) fn present(root: &Dir) -> Result<bool, FormatError> {
    for name in [FILE, FOLDER, UID_DB] {
        if root.stat(name)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The list of the mailbox (or mere name) that is stored, or would be, in
/// `directory` below `root`; INBOX is without a directory. One of Dovecot's
/// there has taken the place of Courier's.
pub(crate) fn take_over(root: &Dir, directory: Option<&[u8]>) -> Result<Taken, FormatError> {
    let Some(directory) = directory else {
        // INBOX is above other mailboxes for Courier alone.
        let Some(text) = read_small(root, FILE, MAX_FILE)? else {
            return Ok(Taken::List(Acl::default()));
        };
        let since = Acl::load(root)?;
        return Ok(Taken::List(since.unwrap_or_else(|| parse(&text))));
    };
    let own = in_directory(root, directory)?;
    Ok(own.map_or(Taken::Above, Taken::List))
}

fn in_directory(root: &Dir, directory: &[u8]) -> Result<Option<Acl>, FormatError> {
    let named = |e: &FormatError| matches!(e, FormatError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    match root.open_sub(directory) {
        Ok(dir) => {
            if let Some(since) = Acl::load(&dir)? {
                return Ok(Some(since));
            }
            if let Some(text) = read_small(&dir, FILE, MAX_FILE)? {
                return Ok(Some(parse(&text)));
            }
        }
        Err(e) if named(&e) => {}
        Err(e) => return Err(e),
    }
    let name = directory.strip_prefix(b".").unwrap_or(directory);
    let (Ok(name), Ok(folder)) = (std::str::from_utf8(name), root.open_sub(FOLDER.as_bytes()))
    else {
        return Ok(None);
    };
    let text = read_small(&folder, name, MAX_FILE)?;
    Ok(text.map(|text| parse(&text)))
}

fn parse(text: &[u8]) -> Acl {
    let mut acl = Acl::default();
    let mut owner = None;
    for line in text.split(|&b| b == b'\n').filter(|l| !l.is_empty()) {
        let entry = std::str::from_utf8(line).ok().and_then(entry);
        let Some((negative, identifier, rights)) = entry else {
            // Nobody has rights by it; one that may take some is kept.
            if line.starts_with(b"-") {
                acl.withheld = true;
                acl.strange.push(line.to_vec());
            }
            continue;
        };
        if !negative && identifier == Identifier::Owner {
            owner = Some(rights | owner.unwrap_or_default());
            continue;
        }
        let rights = rights | acl.get(negative, &identifier);
        let _ = acl.set(negative, &identifier, rights);
    }
    if let Some(rights) = owner {
        restrict_owner(&mut acl, rights);
    }
    widen(&mut acl);
    acl
}

/// `[-]identifier SP letters`
fn entry(line: &str) -> Option<(bool, Identifier, Rights)> {
    let (name, letters) = line.trim_end().split_once(' ')?;
    let (negative, name) = match name.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let mut rights = Rights::NONE;
    for letter in letters.chars() {
        rights = rights
            | match letter {
                'c' => Rights::CREATE,
                letter => Rights::by_letter(letter)?,
            };
    }
    match name {
        "administrators" => {
            let group = Identifier::Group(name.to_owned());
            // They have everything, whatever the file says.
            Some((
                negative,
                group,
                if negative { Rights::NONE } else { Rights::ALL },
            ))
        }
        name => Some((negative, Identifier::of_file(name)?, rights)),
    }
}

/// Courier gives the owner no more than his entry says; ours has everything
/// that is not taken away.
fn restrict_owner(acl: &mut Acl, rights: Rights) {
    // Courier has no letters for these.
    let has = rights | Rights::POST;
    let taken = Rights::ALL - has - Rights::ADMIN - Rights::LOOKUP;
    let taken = taken | acl.get(true, &Identifier::Owner);
    let _ = acl.set(true, &Identifier::Owner, taken);
}

fn widen(acl: &mut Acl) {
    let everybody = acl.get(false, &Identifier::Anyone);
    for (identifier, granted) in &mut acl.positive {
        if matches!(identifier, Identifier::User(_) | Identifier::Group(_)) {
            granted.rights = granted.rights | everybody;
        }
    }
}
