//! Keywords beyond the 26 letters, which Dovecot has in its index alone, into
//! Roost's own sidecar.

use crate::account::Account;
use crate::error::Error;
use crate::format::extra_keywords::Change;
use crate::format::{Dir, ExtraKeywords, KeywordFile, UidList, UidListLock};
use crate::options::Fsync;
use roost_types::{Keyword, MailboxName, UidSet};
use std::path::Path;
use std::time::Duration;

/// How long it waits for another server's lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// A keyword and all messages of the mailbox that carry it.
#[derive(Clone, Debug)]
pub struct Carriers {
    pub keyword: Keyword,
    pub uids: UidSet,
}

/// Writes those that have no letter; what the sidecar says of them is replaced,
/// of others it stays. Returns how many there were.
///
/// # Errors
/// `Limit` where there are too many of them.
pub fn take(directory: &Path, all: &[Carriers], fsync: Fsync) -> Result<usize, Error> {
    let dir = Dir::open(directory)?;
    let mut lock = UidListLock::acquire(&dir, PATIENCE)?;
    let Some(list) = UidList::load(&dir)? else {
        return Ok(0);
    };
    let letters = KeywordFile::load(&dir)?;
    let mut extra = ExtraKeywords::load(&dir, list.uid_validity())?;
    let mut changes = Vec::new();
    let mut taken = 0;
    for carriers in all {
        if letters.index_of(&carriers.keyword).is_some() {
            continue;
        }
        taken += 1;
        let had = extra.get(&carriers.keyword).cloned().unwrap_or_default();
        for (set, from, but) in [(false, &had, &carriers.uids), (true, &carriers.uids, &had)] {
            let uids = from.difference(but);
            // A name with no carriers yet is told too.
            if set || !uids.is_empty() {
                changes.push(Change {
                    keyword: carriers.keyword.clone(),
                    set,
                    uids,
                });
            }
        }
    }
    extra.change(&mut lock, fsync, &changes)?;
    Ok(taken)
}

/// Those that have no letter, of one mailbox.
///
/// # Errors
/// Where a file cannot be read.
pub fn beyond_letters(directory: &Path) -> Result<Vec<Carriers>, Error> {
    let dir = Dir::open(directory)?;
    let Some(list) = UidList::load(&dir)? else {
        return Ok(Vec::new());
    };
    let extra = ExtraKeywords::load(&dir, list.uid_validity())?;
    Ok(extra
        .iter()
        .map(|(keyword, uids)| Carriers {
            keyword: keyword.clone(),
            uids: uids.clone(),
        })
        .collect())
}

/// Those that have letters, which stand in the names of files.
///
/// # Errors
/// Where a file cannot be read.
pub fn lettered(directory: &Path) -> Result<Vec<Keyword>, Error> {
    let file = KeywordFile::load(&Dir::open(directory)?)?;
    Ok(file.iter().map(|(_, keyword)| keyword.clone()).collect())
}

impl Account {
    /// The keywords of a mailbox that have letters, and those that have none.
    ///
    /// # Errors
    /// `NoSuchMailbox`, or where a file cannot be read.
    pub fn keyword_places(
        &self,
        name: &MailboxName,
    ) -> Result<(Vec<Keyword>, Vec<Carriers>), Error> {
        let directory = self.directory_of(name)?;
        Ok((lettered(&directory)?, beyond_letters(&directory)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_types::Uid;

    fn carriers(name: &str, uids: &[u32]) -> Carriers {
        let mut set = UidSet::new();
        for &uid in uids {
            set.insert(Uid::new(uid).unwrap());
        }
        Carriers {
            keyword: Keyword::new(name).unwrap(),
            uids: set,
        }
    }

    #[test]
    fn only_those_without_letters_are_taken_and_taken_whole() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        assert_eq!(take(at, &[carriers("x", &[1])], Fsync::Never).unwrap(), 0);
        std::fs::write(at.join("dovecot-uidlist"), "3 V7 N4\n1 :a\n2 :b\n3 :c\n").unwrap();
        std::fs::write(at.join("dovecot-keywords"), "0 lettered\n").unwrap();
        let first = [carriers("lettered", &[1]), carriers("k26", &[1, 2])];
        assert_eq!(take(at, &first, Fsync::Never).unwrap(), 1);
        let second = [carriers("k26", &[2, 3]), carriers("k27", &[3])];
        assert_eq!(take(at, &second, Fsync::Never).unwrap(), 2);
        let shown: Vec<String> = beyond_letters(at)
            .unwrap()
            .iter()
            .map(|c| format!("{} {}", c.keyword, c.uids))
            .collect();
        assert_eq!(shown, ["k26 2:3", "k27 3"]);
        assert!(!at.join("dovecot-uidlist.lock").exists());
    }
}
