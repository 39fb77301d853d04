//! How coarse the clock is that stamps a directory's changes.

use crate::format::Dir;
use nix::sys::statfs::{self, FsType};
use nix::sys::utsname;
use roost_os::dir::DirStamp;
use std::sync::OnceLock;
use std::time::Duration;

/// On local file systems.
const LOCAL: Duration = Duration::from_millis(20);
/// On file servers.
const REMOTE: Duration = Duration::from_secs(2);
/// From this Linux on, a change after somebody has looked at a stamp gets
/// another one (multigrain timestamps).
const MULTIGRAIN: (u32, u32) = (6, 13);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tick {
    /// Another program's change can be heard of by inotify.
    pub local: bool,
    /// A change less old than this may hide behind an equal stamp.
    pub length: Duration,
}

impl Tick {
    /// Of the file system of `dir`, which was stamped `stamp`.
    pub fn of(dir: &Dir, stamp: &DirStamp) -> Self {
        let Ok(fs) = statfs::fstatfs(dir) else {
            return Self {
                local: true,
                length: LOCAL,
            };
        };
        let kind = fs.filesystem_type();
        let local = !is_remote(kind);
        // Old ext4 keeps whole seconds.
        let whole = stamp.mtime_nsec == 0 || stamp.ctime_nsec == 0;
        let length = match local {
            false => REMOTE,
            true if is_multigrain(kind) && !whole && kernel() >= MULTIGRAIN => Duration::ZERO,
            true => LOCAL,
        };
        Self { local, length }
    }
}

fn is_remote(kind: FsType) -> bool {
    // 9P, SMB and AFS have no names in nix.
    const OTHERS: [i64; 4] = [0x0102_1997, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f];
    kind == statfs::NFS_SUPER_MAGIC || OTHERS.contains(&kind.0)
}

fn is_multigrain(kind: FsType) -> bool {
    [
        statfs::EXT4_SUPER_MAGIC,
        statfs::BTRFS_SUPER_MAGIC,
        statfs::XFS_SUPER_MAGIC,
        statfs::TMPFS_MAGIC,
    ]
    .contains(&kind)
}

/// Version and patch level; zeros where it does not tell.
fn kernel() -> (u32, u32) {
    static KERNEL: OnceLock<(u32, u32)> = OnceLock::new();
    *KERNEL.get_or_init(|| {
        let name = utsname::uname().ok();
        let release = name.and_then(|n| n.release().to_str().map(str::to_owned));
        release.as_deref().and_then(version).unwrap_or_default()
    })
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_releases() {
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("6.1.0-13-amd64"), Some((6, 1)));
        assert_eq!(version("5.4"), Some((5, 4)));
        assert_eq!(version("odd"), None);
    }

    /// What the kernel promises, and what the rest is built on.
    #[test]
    fn no_change_hides_behind_a_stamp_that_was_looked_at() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        std::fs::write(temp.path().join("0"), "").unwrap();
        let mut stamp = DirStamp::of(&dir).unwrap();
        if Tick::of(&dir, &stamp).length > Duration::ZERO {
            return;
        }
        for n in 0..1000 {
            let (from, to) = (n.to_string(), (n + 1).to_string());
            std::fs::rename(temp.path().join(from), temp.path().join(to)).unwrap();
            let now = DirStamp::of(&dir).unwrap();
            assert_ne!(now, stamp, "after {n}");
            stamp = now;
        }
    }
}
