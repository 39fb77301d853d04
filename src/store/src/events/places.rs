//! Where mailboxes are, and how their directories look.

use nix::sys::statfs::{self, FsType};
use roost_os::dir::DirStamp;
use roost_types::MailboxName;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How coarse clocks stamp changes, file servers included.
const TICK: Duration = Duration::from_secs(2);

/// A mailbox with storage.
pub(crate) struct Place {
    pub name: MailboxName,
    /// Below the root; empty for INBOX.
    pub directory: Box<[u8]>,
}

/// `new` and `cur`.
pub(crate) struct Paths {
    pub new: PathBuf,
    pub cur: PathBuf,
}

pub(super) type Stamps = [DirStamp; 2];
/// The root and the file of subscriptions; `None` for what is not there.
pub(super) type RootStamps = [Option<DirStamp>; 2];

pub(super) fn path(root: &Path, directory: &[u8]) -> PathBuf {
    match directory.is_empty() {
        true => root.to_path_buf(),
        false => root.join(OsStr::from_bytes(directory)),
    }
}

pub(super) fn paths(root: &Path, directory: &[u8]) -> Paths {
    let path = path(root, directory);
    Paths {
        new: path.join("new"),
        cur: path.join("cur"),
    }
}

/// `None` for directories that are not there, or that may change again under
/// the same stamp.
pub(super) fn stamps(paths: &Paths) -> Option<Stamps> {
    let stamps = [
        DirStamp::of_path(&paths.new).ok()?,
        DirStamp::of_path(&paths.cur).ok()?,
    ];
    stamps.iter().all(|s| s.is_settled(TICK)).then_some(stamps)
}

/// `None` while the root may change again under the same stamp.
pub(super) fn root_stamps(root: &Path) -> Option<RootStamps> {
    let stamps = [
        DirStamp::of_path(root).ok(),
        DirStamp::of_path(&root.join(crate::format::subscriptions::FILE)).ok(),
    ];
    let settled = |s: &DirStamp| s.is_settled(TICK);
    stamps.iter().flatten().all(settled).then_some(stamps)
}

pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    DirStamp::of_path(path).ok().map(|s| (s.dev, s.ino))
}

/// False on network file systems, which tell inotify nothing.
pub(crate) fn is_local(path: &Path) -> bool {
    // 9P, SMB and AFS have no names in nix.
    const OTHERS: [i64; 4] = [0x0102_1997, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f];
    let Ok(fs) = statfs::statfs(path) else {
        return true;
    };
    let FsType(kind) = fs.filesystem_type();
    fs.filesystem_type() != statfs::NFS_SUPER_MAGIC && !OTHERS.contains(&kind)
}
