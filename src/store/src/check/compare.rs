//! What sessions see of a mailbox, compared with what its files say.

use super::files::{Details, Files};
use super::{Cure, INDEX, Problem};
use crate::error::Error;
use crate::format::name::{FileName, is_message_name};
use crate::format::{Dir, UidList};
use crate::mailbox::Mailbox;
use roost_types::Uid;
use std::collections::HashMap;

/// Others work in the mailbox meanwhile: what disagrees is looked at again.
const TRIES: usize = 3;

pub(super) fn look(mailbox: &Mailbox, dir: &Dir) -> Result<Vec<Problem>, Error> {
    let mut found = Vec::new();
    for _ in 0..TRIES {
        found = compare(mailbox, dir)?;
        if found.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn compare(mailbox: &Mailbox, dir: &Dir) -> Result<Vec<Problem>, Error> {
    let files = Files::list(dir)?;
    let Some(list) = UidList::load(dir)? else {
        return Ok(Vec::new());
    };
    let picture = mailbox.refresh()?;
    let mut details = Details::new();
    if picture.uid_validity() != list.uid_validity() {
        details.add(|| "other UIDVALIDITY than dovecot-uidlist has".into());
    }
    let mut there: HashMap<Uid, &[u8]> = HashMap::with_capacity(files.all.len());
    for (_, name) in files.all.iter().filter(|(_, name)| is_message_name(name)) {
        if let Some(uid) = list.uid_of(FileName::parse(name).base()) {
            there.insert(uid, name);
        }
    }
    for (_, row) in picture.iter() {
        match there.remove(&row.uid) {
            Some(name) if FileName::parse(name).flags().0 != row.flags => {
                details.add(|| format!("UID {}: other flags than the file's name has", row.uid));
            }
            Some(_) => {}
            None => details.add(|| format!("UID {}: there is no file", row.uid)),
        }
    }
    let mut unknown: Vec<Uid> = there.into_keys().collect();
    unknown.sort_unstable();
    for uid in unknown {
        details.add(|| format!("UID {uid}: there is a file, but no session sees it"));
    }
    Ok(details.into_problems(INDEX, Cure::Reindex).collect())
}
