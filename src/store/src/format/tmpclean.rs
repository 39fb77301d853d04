//! Removal of what crashed deliveries left in `tmp/` (MAILDIR-FORMATS §2.5).

use super::{Dir, FormatError};
use nix::sys::stat::{FileStat, futimens};
use nix::sys::time::TimeSpec;
use roost_os::dir::FileKind;
use roost_os::file;
use roost_types::UnixTime;

/// Unchanged for so long, in seconds, a file in `tmp/` is rubbish.
pub const MAX_AGE: i64 = 36 * 60 * 60;
/// Not looked for more often than this, in seconds.
pub const INTERVAL: i64 = 7 * 24 * 60 * 60;
/// Files removed in one go; the rest goes the next time.
const MAX_REMOVED: usize = 10_000;

/// Cleans a mailbox's directory `tmp` if it is due; cheap (one stat) when it is
/// not. Returns how many files were removed.
pub fn clean(tmp: &Dir) -> Result<usize, FormatError> {
    let fail = |e: nix::Error| FormatError::io(tmp.path(), e.into());
    let now = UnixTime::now().0;
    let stat = nix::sys::stat::fstat(tmp).map_err(fail)?;
    if !is_due(&stat, now) {
        return Ok(0);
    }
    // At once, so that no other process does the same work.
    futimens(tmp, &TimeSpec::new(now, 0), &TimeSpec::UTIME_OMIT).map_err(fail)?;
    remove_old(tmp, now)
}

fn is_due(stat: &FileStat, now: i64) -> bool {
    // Looked at when all that was in it was old already: it is empty.
    let known_empty = stat.st_atime > stat.st_ctime + MAX_AGE;
    !known_empty && stat.st_atime < now - INTERVAL
}

fn remove_old(tmp: &Dir, now: i64) -> Result<usize, FormatError> {
    let listing = roost_os::dir::list(tmp).map_err(|e| FormatError::io(tmp.path(), e))?;
    let mut removed = 0;
    for entry in &listing {
        let visible = !entry.name.starts_with(b".");
        let maybe_file = matches!(entry.kind, FileKind::File | FileKind::Unknown);
        if !visible || !maybe_file || removed >= MAX_REMOVED {
            continue;
        }
        // Whatever fails here has been removed, or will be, by somebody else.
        let Ok(stat) = file::stat_at(tmp, entry.name) else {
            continue;
        };
        if stat.is_file() && stat.ctime_sec < now - MAX_AGE && file::unlink(tmp, entry.name).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat_of(dir: &Dir) -> FileStat {
        nix::sys::stat::fstat(dir).unwrap()
    }

    #[test]
    fn due_after_a_week_unless_known_to_be_empty() {
        let temp = tempfile::tempdir().unwrap();
        let mut stat = stat_of(&Dir::open(temp.path()).unwrap());
        let now = 1_795_324_060;
        (stat.st_atime, stat.st_ctime) = (now - INTERVAL - 1, now - INTERVAL - 1);
        assert!(is_due(&stat, now));
        stat.st_ctime = stat.st_atime - MAX_AGE - 1;
        assert!(!is_due(&stat, now), "nothing has come since the last look");
        (stat.st_atime, stat.st_ctime) = (now - INTERVAL + 1, now - INTERVAL);
        assert!(!is_due(&stat, now));
    }

    #[test]
    fn only_old_files_go() {
        let temp = tempfile::tempdir().unwrap();
        let tmp = Dir::open(temp.path()).unwrap();
        for name in ["a", ".hidden"] {
            std::fs::write(temp.path().join(name), "").unwrap();
        }
        std::fs::create_dir(temp.path().join("d")).unwrap();
        let now = UnixTime::now().0;
        assert_eq!(remove_old(&tmp, now + MAX_AGE - 10).unwrap(), 0);
        assert_eq!(remove_old(&tmp, now + MAX_AGE + 10).unwrap(), 1);
        assert!(!temp.path().join("a").exists());
        assert!(temp.path().join(".hidden").exists() && temp.path().join("d").exists());
    }

    #[test]
    fn a_look_is_noted_on_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let tmp = Dir::open(temp.path()).unwrap();
        let long_ago = TimeSpec::new(UnixTime::now().0 - INTERVAL - 60, 0);
        futimens(&tmp, &long_ago, &TimeSpec::UTIME_OMIT).unwrap();
        clean(&tmp).unwrap();
        assert!(stat_of(&tmp).st_atime > UnixTime::now().0 - 60);
    }
}
