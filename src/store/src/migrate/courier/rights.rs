//! `courierimapacl`. Courier's rights are the union of what matches less that
//! of the negative entries, as ours are.

use super::{ASIDE, replace_lines, set_aside_itself};
use crate::format::acl::{Acl, COURIER_FOLDER as FOLDER, Identifier};
use crate::format::courier::ACL;
use crate::format::{Dir, FormatError};
use crate::options::Fsync;
use roost_os::{dir, file};
use roost_types::{MailboxName, Rights};
use std::collections::BTreeMap;
use std::io;

/// All that Courier has letters for, in its order.
const LETTERS: [(char, Rights); 10] = [
    ('a', Rights::ADMIN),
    ('c', Rights::CREATE),
    ('e', Rights::EXPUNGE),
    ('i', Rights::INSERT),
    ('l', Rights::LOOKUP),
    ('r', Rights::READ),
    ('s', Rights::SEEN),
    ('t', Rights::MARK_DELETED),
    ('w', Rights::WRITE),
    ('x', Rights::DELETE),
];

/// Of the folder for what is set aside.
const MODE: u32 = 0o700;

/// Writes the list. Returns the entries that have no counterpart.
pub fn write(
    dir: &Dir,
    fsync: Fsync,
    name: &MailboxName,
    acl: &Acl,
) -> Result<Vec<String>, FormatError> {
    let mut lost = Vec::new();
    // Courier knows no other two who have everything.
    let mut entries: BTreeMap<String, Rights> = BTreeMap::from([
        ("owner".to_owned(), Rights::ALL),
        ("administrators".to_owned(), Rights::ALL),
    ]);
    for (negative, identifier, rights) in acl.iter() {
        let Some(text) = identifier_text(identifier) else {
            lost.push(format!("{name}: rights of {identifier}"));
            continue;
        };
        let text = if negative { format!("-{text}") } else { text };
        let entry = entries.entry(text).or_default();
        *entry = *entry | rights;
    }
    let lines: Vec<String> = entries
        .iter()
        .map(|(who, rights)| format!("{who} {}", letters(*rights)))
        .collect();
    replace_lines(dir, ACL, fsync, lines.iter().map(String::as_str))?;
    Ok(lost)
}

/// Whether Courier may have lists of names that were no mailboxes, which would
/// count for mailboxes without one of their own.
pub fn of_names(root: &Dir) -> Result<bool, FormatError> {
    Ok(root.stat(FOLDER)?.is_some())
}

/// Sets these lists aside: without a mailbox nothing has rights in Roost, and what
/// Courier gave by them may have been taken away since.
pub fn forget_names(root: &Dir) -> Result<(), FormatError> {
    let from = match root.open_own_sub(FOLDER) {
        Ok(Some(from)) => from,
        Ok(None) => return Ok(()),
        Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => {
            return set_aside_itself(root, FOLDER);
        }
        Err(e) => return Err(e),
    };
    let aside = format!("{FOLDER}{ASIDE}");
    match file::create_dir(root, aside.as_bytes(), MODE) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(root.error(&aside, e)),
        _ => {}
    }
    let Some(to) = root.open_own_sub(&aside)? else {
        return Err(root.error(&aside, io::ErrorKind::NotFound.into()));
    };
    let listing = dir::list(&from).map_err(|e| FormatError::io(from.path(), e))?;
    for entry in &listing {
        file::rename(&from, entry.name, &to, entry.name)
            .map_err(|e| FormatError::io(&from.entry(entry.name), e))?;
    }
    Ok(())
}

fn letters(rights: Rights) -> String {
    let has = LETTERS.iter().filter(|(_, right)| rights.contains(*right));
    has.map(|(letter, _)| letter).collect()
}

/// `None` where Courier has nothing like it, or a name that is no word.
fn identifier_text(identifier: &Identifier) -> Option<String> {
    let text = match identifier {
        // Nobody reads mail without a login.
        Identifier::Anyone | Identifier::Authenticated => "anyone".to_owned(),
        Identifier::Owner => "owner".to_owned(),
        Identifier::User(name) => format!("user={name}"),
        Identifier::Group(name) if name == "administrators" => name.clone(),
        Identifier::Group(name) => format!("group={name}"),
        Identifier::GroupOverride(_) => return None,
    };
    (!text.contains([' ', '\t'])).then_some(text)
}
