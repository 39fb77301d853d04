//! Modes and groups of what is created, and the making of Maildirs
//! (MAILDIR-FORMATS §1.5, §1.6).

use super::{Dir, FormatError, sync_control};
use crate::options::Fsync;
use roost_os::GroupId;
use roost_os::file::{self, Stat};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// What a new file or directory gets, taken from the directory it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Perm {
    pub file_mode: u32,
    pub dir_mode: u32,
    /// Group that must be set by hand.
    pub group: Option<GroupId>,
}

const MAILDIR: [&[u8]; 3] = [b"cur", b"new", b"tmp"];
const FOLDER_MARK: &str = "maildirfolder";
const SETGID: u32 = 0o2000;

impl Perm {
    /// For accounts that have nothing yet.
    pub const DEFAULT: Self = Self {
        file_mode: 0o600,
        dir_mode: 0o700,
        group: None,
    };

    /// By the rule of MAILDIR-FORMATS §1.6, from the directory's own mode.
    pub fn of(dir: &Dir) -> Result<Self, FormatError> {
        let stat = file::stat(dir).map_err(|e| FormatError::io(dir.path(), e))?;
        Ok(Self::of_stat(&stat))
    }

    /// The same of a directory that has been looked at.
    pub fn of_stat(stat: &Stat) -> Self {
        let own = roost_os::identity::current_group();
        Self::from_mode(stat.permissions(), GroupId(stat.gid), own)
    }

    fn from_mode(mode: u32, group: GroupId, own: GroupId) -> Self {
        let setgid = mode & SETGID != 0;
        let same_for_all = mode >> 3 & 7 == mode & 7;
        let inherits = setgid || same_for_all || group == own;
        Self {
            file_mode: mode & 0o666 | 0o600,
            // The kernel hands the bit on too; a mode set by hand must not
            // take it away.
            dir_mode: mode & (0o777 | SETGID) | 0o700,
            group: (!inherits).then_some(group),
        }
    }

    /// Gives `made` its group. That it cannot be given is worth a warning and
    /// no more.
    pub fn give_group(self, made: impl AsFd, path: &Path) {
        if let Some(group) = self.group
            && let Err(e) = file::set_group(made, group)
        {
            log::warn!(
                "{}: cannot give it to group {}: {e}",
                path.display(),
                group.0
            );
        }
    }
}

/// Makes a mailbox directory inside a Maildir root, with `cur`, `new`, `tmp`
/// and `maildirfolder`; what is there already stays.
///
/// # Errors
/// `AlreadyExists` (as an I/O error) if the directory itself exists and
/// `must_be_new` is set.
pub fn make_folder(
    root: &Dir,
    name: &[u8],
    must_be_new: bool,
    fsync: Fsync,
) -> Result<Dir, FormatError> {
    let perm = Perm::of(root)?;
    let (folder, new) = make_dir(root, name, perm)?;
    if must_be_new && !new {
        let exists = io::ErrorKind::AlreadyExists.into();
        return Err(FormatError::io(folder.path(), exists));
    }
    let made = make_maildir(&folder, || Ok(perm))?;
    match folder.create_excl(FOLDER_MARK) {
        Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
        other => drop(other?),
    }
    // The mark may be lost again: it is made at every opening.
    if (new || made > 0) && sync_control(fsync) {
        folder.sync()?;
        root.sync()?;
    }
    Ok(folder)
}

/// Makes the Maildir at `path` (with missing parents) where there is none.
/// Returns it open, and whether it was made now.
pub fn make_root(path: &Path, fsync: Fsync) -> Result<(Dir, bool), FormatError> {
    let found = match Dir::open(path) {
        Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    let root = match found {
        Some(root) => root,
        None => {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(Perm::DEFAULT.dir_mode)
                .create(path)
                .map_err(|e| FormatError::io(path, e))?;
            Dir::open(path)?
        }
    };
    let new = make_maildir(&root, || Perm::of(&root))? == MAILDIR.len();
    if new && sync_control(fsync) {
        root.sync()?;
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            Dir::open(parent)?.sync()?;
        }
    }
    Ok((root, new))
}

/// Makes what is missing of `cur`, `new` and `tmp`; how many were.
fn make_maildir(
    dir: &Dir,
    perm: impl Fn() -> Result<Perm, FormatError>,
) -> Result<usize, FormatError> {
    let mut made = 0;
    for name in MAILDIR {
        if file::stat_at(dir, name).is_err() {
            made += usize::from(make_dir(dir, name, perm()?)?.1);
        }
    }
    Ok(made)
}

/// The directory open, and whether it was made now.
fn make_dir(parent: &Dir, name: &[u8], perm: Perm) -> Result<(Dir, bool), FormatError> {
    match file::create_dir(parent, name, perm.dir_mode) {
        Ok(()) => {
            let made = parent.open_sub(name)?;
            perm.give_group(&made, made.path());
            Ok((made, true))
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok((parent.open_sub(name)?, false)),
        Err(e) => Err(FormatError::io(&parent.entry(name), e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn modes_come_from_the_directory() {
        let (them, us) = (GroupId(8), GroupId(100));
        let perm = |mode, group| Perm::from_mode(mode, group, us);
        let private = perm(0o700, us);
        assert_eq!((private.file_mode, private.dir_mode), (0o600, 0o700));
        assert_eq!(private.group, None);
        let shared = perm(0o770, them);
        assert_eq!((shared.file_mode, shared.dir_mode), (0o660, 0o770));
        assert_eq!(shared.group, Some(them));
        assert_eq!(perm(0o2770, them).group, None, "setgid: the kernel does it");
        assert_eq!(perm(0o2770, them).dir_mode, 0o2770);
        assert_eq!(perm(0o755, them).group, None, "group gets what all get");
        assert_eq!(perm(0o770, us).group, None, "ours anyway");
        assert_eq!(perm(0o100, us).dir_mode, 0o700, "the owner can always work");
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn folders_are_whole_and_take_the_modes_of_the_root() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/Maildir");
        let (root, new) = make_root(&path, Fsync::Always).unwrap();
        assert!(new);
        assert!(!make_root(&path, Fsync::Always).unwrap().1);
        assert_eq!(mode(&path), 0o700);
        assert!(!path.join("maildirfolder").exists());

        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
        make_folder(&root, b".Work", true, Fsync::Always).unwrap();
        for dir in ["", "cur", "new", "tmp"] {
            assert_eq!(mode(&path.join(".Work").join(dir)), 0o750);
        }
        assert_eq!(mode(&path.join(".Work/maildirfolder")), 0o640);

        let again = make_folder(&root, b".Work", true, Fsync::Never);
        assert!(
            matches!(again, Err(FormatError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists)
        );
        std::fs::remove_dir(path.join(".Work/tmp")).unwrap();
        make_folder(&root, b".Work", false, Fsync::Never).unwrap();
        assert!(path.join(".Work/tmp").is_dir());
    }
}
