//! Keywords beyond the 26 letters, which Dovecot has in its index alone, into
//! Roost's own sidecar.

use crate::account::Account;
use crate::error::Error;
pub use crate::format::extra_keywords::Shared;
use crate::format::extra_keywords::{self, Change};
use crate::format::{Dir, ExtraKeywords, KeywordFile, UidList, UidListLock};
use crate::options::Fsync;
use roost_types::{Keyword, MailboxName, Uid, UidSet};
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

/// What became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// So many have no letter, and are in the sidecar now.
    Taken(usize),
    /// They are there since an earlier time, with what has changed since:
    /// nothing was written.
    Newer,
}

/// Writes those that have no letter. `below` is the UID that the next message
/// would have got when the index was asked. Where the sidecar and the index have
/// never been the same, or have both changed since, a keyword stays wherever one of
/// them has it; where the sidecar was told to the index and is as it was then, the
/// index counts. `anew`: it counts in any case, for the keywords that it has.
///
/// # Errors
/// `Limit` where there are too many of them.
pub fn take(
    directory: &Path,
    all: &[Carriers],
    below: u32,
    anew: bool,
    fsync: Fsync,
) -> Result<Take, Error> {
    let dir = Dir::open(directory)?;
    let mut lock = UidListLock::acquire(&dir, PATIENCE)?;
    let Some(list) = UidList::load(&dir)? else {
        return Ok(Take::Taken(0));
    };
    let letters = KeywordFile::load(&dir)?;
    let mut extra = ExtraKeywords::load(&dir, list.uid_validity())?;
    let mut beyond: Vec<Carriers> = all
        .iter()
        .filter(|carriers| letters.index_of(&carriers.keyword).is_none())
        .cloned()
        .collect();
    let taken = beyond.len();
    if extra.shared() == Shared::Given {
        let gone = |keyword: &Keyword| !beyond.iter().any(|c| c.keyword == *keyword);
        let gone: Vec<Keyword> = extra
            .iter()
            .map(|(k, _)| k)
            .filter(|k| gone(k))
            .cloned()
            .collect();
        beyond.extend(gone.into_iter().map(|keyword| Carriers {
            keyword,
            uids: UidSet::new(),
        }));
    }
    let united = extra.shared() == Shared::Apart && !anew;
    let changes = changes(&extra, &beyond, united);
    if matches!(extra.shared(), Shared::Taken(_)) && !anew {
        return Ok(match changes.is_empty() {
            true => Take::Taken(taken),
            false => Take::Newer,
        });
    }
    extra.change(&mut lock, fsync, &changes)?;
    if let Some(below) = Uid::new(below).filter(|_| extra.iter().next().is_some()) {
        extra.share(&mut lock, fsync, Shared::Taken(below))?;
    }
    Ok(Take::Taken(taken))
}

/// What makes the sidecar say the same; `united`: with nothing taken away.
fn changes(extra: &ExtraKeywords, all: &[Carriers], united: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for carriers in all {
        let known = extra.get(&carriers.keyword);
        let had = known.cloned().unwrap_or_default();
        let more = carriers.uids.difference(&had);
        // A name with no carriers yet is told too.
        if known.is_none() || !more.is_empty() {
            changes.push(Change {
                keyword: carriers.keyword.clone(),
                set: true,
                uids: more,
            });
        }
        let less = had.difference(&carriers.uids);
        if !united && !less.is_empty() {
            changes.push(Change {
                keyword: carriers.keyword.clone(),
                set: false,
                uids: less,
            });
        }
    }
    changes
}

/// Says that Dovecot's index has all that the sidecar has; no sidecar is made
/// for that.
///
/// # Errors
/// Where the file cannot be written, or the lock not be had.
pub fn given(directory: &Path, fsync: Fsync) -> Result<(), Error> {
    let dir = Dir::open(directory)?;
    if dir.stat(extra_keywords::FILE)?.is_none() {
        return Ok(());
    }
    let mut lock = UidListLock::acquire(&dir, PATIENCE)?;
    if let Some(list) = UidList::load(&dir)? {
        let mut extra = ExtraKeywords::load(&dir, list.uid_validity())?;
        extra.share(&mut lock, fsync, Shared::Given)?;
    }
    Ok(())
}

/// The keywords of a mailbox.
#[derive(Clone, Default, Debug)]
pub struct Places {
    /// Those that have letters, which stand in the names of files.
    pub lettered: Vec<Keyword>,
    pub beyond: Vec<Carriers>,
    /// How the latter stand to those in Dovecot's index.
    pub shared: Shared,
}

/// Where the keywords of one mailbox are.
///
/// # Errors
/// Where a file cannot be read.
pub fn places(directory: &Path) -> Result<Places, Error> {
    let dir = Dir::open(directory)?;
    let file = KeywordFile::load(&dir)?;
    let mut places = Places {
        lettered: file.iter().map(|(_, keyword)| keyword.clone()).collect(),
        ..Places::default()
    };
    if let Some(list) = UidList::load(&dir)? {
        let extra = ExtraKeywords::load(&dir, list.uid_validity())?;
        places.shared = extra.shared();
        places.beyond = extra
            .iter()
            .map(|(keyword, uids)| Carriers {
                keyword: keyword.clone(),
                uids: uids.clone(),
            })
            .collect();
    }
    Ok(places)
}

impl Account {
    /// [`places`] of a mailbox.
    ///
    /// # Errors
    /// `NoSuchMailbox`, or where a file cannot be read.
    pub fn keyword_places(&self, name: &MailboxName) -> Result<Places, Error> {
        places(&self.directory_of(name)?)
    }

    /// [`given`] of a mailbox.
    ///
    /// # Errors
    /// `NoSuchMailbox`, or where the file cannot be written.
    pub fn keywords_given(&self, name: &MailboxName) -> Result<(), Error> {
        given(&self.directory_of(name)?, self.fsync())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn shown(at: &Path) -> Vec<String> {
        let beyond = places(at).unwrap().beyond;
        beyond
            .iter()
            .map(|c| format!("{} {}", c.keyword, c.uids))
            .collect()
    }

    fn mailbox() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("dovecot-uidlist"), "3 V7 N4\n1 :a\n2 :b\n3 :c\n").unwrap();
        std::fs::write(at("dovecot-keywords"), "0 lettered\n").unwrap();
        dir
    }

    fn taken(at: &Path, all: &[Carriers], anew: bool) -> Take {
        take(at, all, 4, anew, Fsync::Never).unwrap()
    }

    #[test]
    fn only_those_without_letters_are_taken_and_taken_whole() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            taken(dir.path(), &[carriers("x", &[1])], false),
            Take::Taken(0)
        );
        let dir = mailbox();
        let at = dir.path();
        let first = [carriers("lettered", &[1]), carriers("k26", &[1, 2])];
        assert_eq!(taken(at, &first, false), Take::Taken(1));
        // Once more without a change in between: nothing is wrong with that.
        assert_eq!(taken(at, &first, false), Take::Taken(1));
        let second = [carriers("k26", &[2, 3]), carriers("k27", &[3])];
        assert_eq!(taken(at, &second, true), Take::Taken(2));
        assert_eq!(shown(at), ["k26 2:3", "k27 3"]);
        assert!(!at.join("dovecot-uidlist.lock").exists());
    }

    fn set(at: &Path, name: &str, set: bool, uid: u32) {
        let dir = Dir::open(at).unwrap();
        let mut lock = UidListLock::acquire(&dir, PATIENCE).unwrap();
        let list = UidList::load(&dir).unwrap().unwrap();
        let mut extra = ExtraKeywords::load(&dir, list.uid_validity()).unwrap();
        let Carriers { keyword, uids } = carriers(name, &[uid]);
        let change = Change { keyword, set, uids };
        extra.change(&mut lock, Fsync::Never, &[change]).unwrap();
    }

    /// Whoever was in charge last counts.
    #[test]
    fn newer_keywords_are_not_overwritten() {
        let dir = mailbox();
        let at = dir.path();
        // Never taken before: nobody's are lost.
        set(at, "k26", true, 3);
        let index = [carriers("k26", &[1, 2]), carriers("k27", &[1])];
        assert_eq!(taken(at, &index, false), Take::Taken(2));
        assert_eq!(shown(at), ["k26 1:3", "k27 1"]);
        assert_eq!(
            places(at).unwrap().shared,
            Shared::Taken(Uid::new(4).unwrap())
        );
        // Roost goes on; the index is old.
        set(at, "k26", false, 1);
        assert_eq!(taken(at, &index, false), Take::Newer);
        assert_eq!(shown(at), ["k26 2:3", "k27 1"]);
        // Back to Dovecot, which goes on, and to Roost again.
        given(at, Fsync::Never).unwrap();
        assert_eq!(taken(at, &[carriers("k27", &[2])], false), Take::Taken(1));
        assert_eq!(shown(at), ["k26 ", "k27 2"]);
        // Told, but Roost went on.
        given(at, Fsync::Never).unwrap();
        set(at, "k26", true, 1);
        assert_eq!(taken(at, &[carriers("k27", &[3])], false), Take::Taken(1));
        assert_eq!(shown(at), ["k26 1", "k27 2:3"]);
    }

    #[test]
    fn no_sidecar_is_made_for_nothing() {
        let dir = mailbox();
        given(dir.path(), Fsync::Never).unwrap();
        let index = [carriers("lettered", &[1])];
        assert_eq!(taken(dir.path(), &index, false), Take::Taken(0));
        assert!(!dir.path().join("roost-keywords").exists());
    }
}
