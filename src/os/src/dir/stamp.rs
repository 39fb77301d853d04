//! Telling whether a directory has changed without listing it.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What tells whether a directory has changed since it was listed. Take it
/// *before* the listing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DirStamp {
    pub dev: u64,
    pub ino: u64,
    pub mtime_sec: i64,
    pub mtime_nsec: i64,
    pub ctime_sec: i64,
    pub ctime_nsec: i64,
}

impl DirStamp {
    pub fn of(dir: impl AsFd) -> io::Result<Self> {
        Ok(Self::from_stat(&nix::sys::stat::fstat(dir)?))
    }

    /// The stamp of `name` below `dir`, symbolic links followed.
    pub fn at(dir: impl AsFd, name: &[u8]) -> io::Result<Self> {
        let flags = nix::fcntl::AtFlags::empty();
        Ok(Self::from_stat(&nix::sys::stat::fstatat(dir, name, flags)?))
    }

    pub fn of_path(path: &Path) -> io::Result<Self> {
        Ok(Self::from_stat(&nix::sys::stat::stat(path)?))
    }

    fn from_stat(st: &libc::stat) -> Self {
        Self {
            dev: st.st_dev,
            ino: st.st_ino,
            mtime_sec: st.st_mtime,
            mtime_nsec: st.st_mtime_nsec,
            ctime_sec: st.st_ctime,
            ctime_nsec: st.st_ctime_nsec,
        }
    }

    /// How long before `now` the directory was last changed; zero for times
    /// to come (a clock set back, a file server with a clock of its own).
    pub fn age(&self, now: SystemTime) -> Duration {
        let changed = SystemTime::UNIX_EPOCH
            + Duration::new(
                u64::try_from(self.mtime_sec).unwrap_or(0),
                u32::try_from(self.mtime_nsec).unwrap_or(0),
            );
        now.duration_since(changed).unwrap_or(Duration::ZERO)
    }

    /// True when a change made now would surely show another mtime: the last
    /// one lies further back than `tick`, the clock's step.
    pub fn is_settled(&self, tick: Duration) -> bool {
        self.age(SystemTime::now()) > tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dir::open;

    #[test]
    fn stamps_change_with_the_directory_and_settle() {
        let temp = tempfile::tempdir().unwrap();
        let dir = open(temp.path()).unwrap();
        let before = DirStamp::of(&dir).unwrap();
        assert_eq!(DirStamp::of_path(temp.path()).unwrap(), before);
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(temp.path().join("a"), b"").unwrap();
        let after = DirStamp::of(&dir).unwrap();
        assert_ne!(before, after);
        assert!(!after.is_settled(Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(30));
        assert!(after.is_settled(Duration::from_millis(20)));
    }
}
