//! Counting all messages of an account, in steps.
//!
//! Directories are listed one after another; sizes come from the names, or
//! else from the files. What has changed meanwhile is listed again, the last
//! time while no change of ours is under way; where one does not come to its
//! end, the file stays as it is. A change of another program
//! between that and the new file means that the file says too much or too
//! little: then it is removed again, as Dovecot and Courier do it.

use super::{Known, Quota, Usage};
use crate::error::Error;
use crate::format::Dir;
use crate::format::maildirsize::{self, Sum};
use crate::format::name::FileName;
use roost_os::dir::{self, DirStamp, FileKind};
use roost_os::file;
use roost_types::QuotaLimits;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Sizes asked of files in one step.
const STEP_FILES: usize = 2000;
/// How often the file is replaced while others change directories.
const ROUNDS: usize = 3;
/// Changes less old than that may hide behind an equal stamp.
const TICK: Duration = Duration::from_millis(50);
/// How long changes are waited for, and those that come next stand still.
const PATIENCE: Duration = Duration::from_millis(250);

/// A count under way.
pub struct Count {
    quota: Arc<Quota>,
    places: Vec<Place>,
    /// The next one to be listed.
    at: usize,
    /// Of the one listed last, whose names tell no size.
    unsized_files: Vec<Box<[u8]>>,
}

/// A directory of messages.
struct Place {
    /// Below the root: `cur`, `.Sent/new`.
    path: Box<[u8]>,
    /// As it was before it was listed; `None` where it was not there.
    stamp: Option<DirStamp>,
    /// Nothing can hide behind the stamp.
    settled: bool,
    sum: Sum,
}

impl Count {
    pub(super) fn new(quota: &Arc<Quota>) -> Result<Self, Error> {
        let without_trash = !quota.options().count_trash;
        let places = folders(&quota.root, without_trash)?
            .into_iter()
            .map(Place::new);
        Ok(Self {
            places: places.collect(),
            quota: Arc::clone(quota),
            at: 0,
            unsized_files: Vec::new(),
        })
    }

    /// Does some milliseconds' work; true when [`Self::finish`] has little
    /// left to do.
    pub fn step(&mut self) -> Result<bool, Error> {
        if !self.unsized_files.is_empty() {
            let from = self.unsized_files.len().saturating_sub(STEP_FILES);
            let some = self.unsized_files.split_off(from);
            if let Some(place) = self
                .at
                .checked_sub(1)
                .and_then(|at| self.places.get_mut(at))
            {
                place.sum = place.sum.plus(sizes(&self.quota.root, &place.path, &some));
            }
            return Ok(false);
        }
        let counts_deleted = self.quota.options().count_trash;
        let Some(place) = self.places.get_mut(self.at) else {
            return Ok(true);
        };
        self.unsized_files = place.list(&self.quota.root, counts_deleted)?;
        self.at += 1;
        Ok(false)
    }

    /// How many directories are done, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.at as u64, self.places.len() as u64)
    }

    /// Does the rest, and replaces the file. Where there is no limit and
    /// nobody keeps sums, there will be no file.
    pub fn finish(mut self) -> Result<Known, Error> {
        while !self.step()? {}
        self.count_changed()?;
        let quota = Arc::clone(&self.quota);
        let closed = quota.gate.close(PATIENCE);
        let mut tries = 0;
        loop {
            self.count_changed()?;
            let sum: Sum = self.places.iter().map(|p| p.sum).sum();
            let Some(limits) = self.limits()? else {
                return Ok(Known::Unlimited);
            };
            if closed.is_none() {
                quota.owe();
                return Ok(known(limits, sum));
            }
            match maildirsize::replace(&quota.root, limits, sum) {
                Ok(()) => {}
                // What was counted is right all the same.
                Err(e) => log::warn!("{e}"),
            }
            if !self.has_changed()? {
                return Ok(known(limits, sum));
            }
            tries += 1;
            if tries == ROUNDS {
                maildirsize::forget(&quota.root);
                return Ok(known(limits, sum));
            }
        }
    }

    /// `None`: there is no file, and none is wanted.
    fn limits(&self) -> Result<Option<QuotaLimits>, Error> {
        let found = maildirsize::read(&self.quota.root)?.map(|found| found.limits);
        let configured = self.quota.options().limits;
        Ok(match found {
            Some(_) => configured.or(found),
            None => configured.filter(|limits| !limits.is_none()),
        })
    }

    /// Lists again what has changed.
    fn count_changed(&mut self) -> Result<(), Error> {
        let Self { quota, places, .. } = self;
        let counts_deleted = quota.options().count_trash;
        let mut now: BTreeSet<_> = folders(&quota.root, !counts_deleted)?.into_iter().collect();
        places.retain(|place| now.remove(&place.path));
        places.extend(now.into_iter().map(Place::new));
        for place in places {
            if place.is_unchanged(&quota.root) {
                continue;
            }
            let files = place.list(&quota.root, counts_deleted)?;
            place.sum = place.sum.plus(sizes(&quota.root, &place.path, &files));
        }
        self.at = self.places.len();
        Ok(())
    }

    /// Somebody else changed something while the file was replaced.
    fn has_changed(&self) -> Result<bool, Error> {
        let root = &self.quota.root;
        // One that is not old enough to be sure counts: others would not know.
        let changed = |place: &Place| DirStamp::at(root, &place.path).ok() != place.stamp;
        Ok(self.places.iter().any(changed))
    }
}

fn known(limits: QuotaLimits, sum: Sum) -> Known {
    match limits.is_none() {
        true => Known::Unlimited,
        false => Known::Used(Usage::new(limits, sum)),
    }
}

impl Place {
    fn new(path: Box<[u8]>) -> Self {
        Self {
            path,
            stamp: None,
            settled: false,
            sum: Sum::ZERO,
        }
    }

    fn is_unchanged(&self, root: &Dir) -> bool {
        self.settled && DirStamp::at(root, &self.path).ok() == self.stamp
    }

    /// Sums the sizes that names tell; returns the other files.
    fn list(&mut self, root: &Dir, counts_deleted: bool) -> Result<Vec<Box<[u8]>>, Error> {
        (self.stamp, self.settled, self.sum) = (None, false, Sum::ZERO);
        let failed = |e| Error::io(&root.entry(&self.path), e);
        let handle = match dir::open_at(root, &self.path) {
            // Gone meanwhile, or a folder that lacks it.
            Err(e) if is_missing(&e) => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let stamp = DirStamp::of(&handle).map_err(failed)?;
        let listing = dir::list(&handle).map_err(failed)?;
        let mut unknown = Vec::new();
        for entry in listing.iter() {
            if entry.kind == FileKind::Directory || entry.name.starts_with(b".") {
                continue;
            }
            if !counts_deleted && is_deleted(entry.name) {
                continue;
            }
            match FileName::parse(entry.name).size() {
                Some(size) => self.sum = self.sum.plus(Sum::of(size)),
                None => unknown.push(entry.name.into()),
            }
        }
        (self.stamp, self.settled) = (Some(stamp), stamp.is_settled(TICK));
        Ok(unknown)
    }
}

fn is_missing(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What files take that are still there.
fn sizes(root: &Dir, path: &[u8], files: &[Box<[u8]>]) -> Sum {
    if files.is_empty() {
        return Sum::ZERO;
    }
    let Ok(handle) = dir::open_at(root, path) else {
        return Sum::ZERO;
    };
    let stat = |name: &[u8]| file::stat_at(&handle, name).ok();
    let found = files.iter().filter_map(|name| stat(name));
    found.map(|stat| Sum::of(stat.size)).sum()
}

/// A message with the flag that Courier takes for thrown away.
pub(crate) fn is_deleted(name: &[u8]) -> bool {
    let base = FileName::parse(name).base().len();
    let info = name.get(base..).unwrap_or_default();
    info.strip_prefix(b":2,").is_some_and(|l| l.contains(&b'T'))
}

/// Where a folder keeps messages; `folder` ends with `/`.
fn messages_of(folder: &[u8]) -> [Box<[u8]>; 2] {
    [&b"new"[..], b"cur"].map(|sub| [folder, sub].concat().into())
}

/// All directories of messages: Courier and Dovecot count every folder but
/// those being deleted.
fn folders(root: &Dir, without_trash: bool) -> Result<Vec<Box<[u8]>>, Error> {
    let mut all: Vec<_> = messages_of(b"").into();
    let listing = dir::list(root).map_err(|e| Error::io(root.path(), e))?;
    for entry in listing.iter() {
        let skipped = without_trash && entry.name == b".Trash";
        let is_folder = entry.name.starts_with(b".") && !entry.name.starts_with(b"..");
        if is_folder && !skipped && entry.kind != FileKind::File {
            let below = [entry.name, b"/"].concat();
            all.extend(messages_of(&below));
        }
    }
    Ok(all)
}

/// Octets and messages in one folder, for who is about to remove it.
pub(crate) fn folder(dir: &Dir, counts_deleted: bool) -> Result<Sum, Error> {
    sum_of(dir, messages_of(b""), counts_deleted)
}

/// Octets and messages of the whole account as they are now, for comparison.
pub(crate) fn all(root: &Dir, counts_trash: bool) -> Result<Sum, Error> {
    sum_of(root, folders(root, !counts_trash)?, counts_trash)
}

fn sum_of(
    dir: &Dir,
    paths: impl IntoIterator<Item = Box<[u8]>>,
    counts_deleted: bool,
) -> Result<Sum, Error> {
    let mut total = Sum::ZERO;
    for path in paths {
        let mut place = Place::new(path);
        let files = place.list(dir, counts_deleted)?;
        total = total.plus(place.sum).plus(sizes(dir, &place.path, &files));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::QuotaOptions;
    use crate::upkeep::Upkeep;
    use std::fs::{self, File};
    use std::path::PathBuf;
    use std::time::SystemTime;

    fn quota() -> (tempfile::TempDir, PathBuf, Arc<Quota>) {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().to_path_buf();
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir(path.join(sub)).unwrap();
        }
        let limits = QuotaLimits {
            storage: 1000,
            messages: 0,
        };
        let options = QuotaOptions {
            limits: Some(limits),
            ..QuotaOptions::default()
        };
        let root = Dir::open(&path).unwrap();
        let quota = Quota::new(&root, options, &Upkeep::default());
        (temp, path, quota)
    }

    #[test]
    fn what_comes_behind_a_listing_is_seen_however_young_the_directory() {
        let (_temp, path, quota) = quota();
        // As young as can be, whatever the time is.
        let touch = |ahead| {
            let time = SystemTime::now() + Duration::from_secs(ahead);
            File::open(path.join("new"))
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        touch(100);
        let mut count = quota.count().unwrap();
        while !count.step().unwrap() {}
        assert!(!count.has_changed().unwrap());
        fs::write(path.join("new/1.a.host,S=5"), "12345").unwrap();
        touch(200);
        assert!(count.has_changed().unwrap());
        count.count_changed().unwrap();
        assert_eq!(count.places.iter().map(|p| p.sum).sum::<Sum>(), Sum::of(5));
    }

    #[test]
    fn a_count_that_makes_the_file_has_each_change_once() {
        let (_temp, path, quota) = quota();
        let file = path.join(maildirsize::FILE);
        let mut change = quota.change();
        quota.count().unwrap().finish().unwrap();
        assert!(!file.exists(), "the change may come to it or not");
        fs::write(path.join("cur/1.a.host,S=5:2,"), "12345").unwrap();
        if change.is_kept() {
            change.add(Sum::of(5));
        }
        drop(change);
        quota.upkeep.finish();
        assert_eq!(fs::read_to_string(&file).unwrap(), "1000S\n5 1\n");
    }

    #[test]
    fn a_change_that_waits_holds_up_no_count_and_no_other_change() {
        let (_temp, path, quota) = quota();
        let file = path.join(maildirsize::FILE);
        fs::write(&file, "1000S\n7 7\n").unwrap();
        fs::write(path.join("cur/1.a.host,S=5:2,"), "12345").unwrap();
        let waits = quota.change();
        let counted = quota.count().unwrap().finish().unwrap();
        assert!(matches!(counted, Known::Used(u) if (u.octets, u.messages) == (5, 1)));
        assert_eq!(fs::read_to_string(&file).unwrap(), "1000S\n7 7\n");
        drop(quota.change());
        drop(waits);
        quota.upkeep.finish();
        assert_eq!(fs::read_to_string(&file).unwrap(), "1000S\n5 1\n");
    }
}
