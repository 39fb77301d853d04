//! What root reads by who it is, and not by its power over the files of others.
//!
//! The packaged service has no CAP_DAC_OVERRIDE and no CAP_DAC_READ_SEARCH: a
//! file that a shell of root's reads may be closed to it. What must stay true:
//! nothing here is asked of the kernel's checks, which a shell's power passes.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const READ: u32 = 4;
const SEARCH: u32 = 1;

/// What is to be told of a file that the packaged service could not read;
/// nothing of one that is not there.
pub fn complaint(path: &Path) -> Option<String> {
    let closed = closed_to_root(path).ok().flatten()?;
    Some(format!(
        "{}: not root's, and not readable for root's group or for all: roost.service has no power \
         over files of others, so it cannot read {}",
        closed.display(),
        path.display()
    ))
}

/// The file, or the first directory on the way to it, that root without that
/// power may not read or pass; `None` where it may all.
///
/// # Errors
/// Where the file or a directory cannot be looked at.
fn closed_to_root(path: &Path) -> io::Result<Option<PathBuf>> {
    closed_to(path, 0, 0)
}

fn closed_to(path: &Path, uid: u32, gid: u32) -> io::Result<Option<PathBuf>> {
    // A link is passed where it stands and where it leads.
    let real = fs::canonicalize(path)?;
    for folder in path.ancestors().skip(1).chain(real.ancestors().skip(1)) {
        if folder.as_os_str().is_empty() {
            continue;
        }
        if !allows(&fs::metadata(folder)?, uid, gid, SEARCH) {
            return Ok(Some(folder.to_owned()));
        }
    }
    let allowed = allows(&fs::metadata(&real)?, uid, gid, READ);
    Ok((!allowed).then_some(real))
}

/// By the first of user, group and others that is meant.
fn allows(of: &Metadata, uid: u32, gid: u32, bit: u32) -> bool {
    let shift = match () {
        () if of.uid() == uid => 6,
        () if of.gid() == gid => 3,
        () => 0,
    };
    of.mode() >> shift & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_is_anothers_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (folder, file, link) = (root.join("a"), root.join("a/key"), root.join("link"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&root, 0o755);
        let own = fs::metadata(&file).unwrap();
        let (uid, gid) = (own.uid(), own.gid());
        let other = |n: u32| n.wrapping_add(1);
        for (of_folder, of_file, uid, gid, closed) in [
            (0o700, 0o600, uid, gid, None),
            (0o755, 0o600, other(uid), other(gid), Some(&file)),
            (0o755, 0o604, other(uid), other(gid), None),
            (0o755, 0o640, other(uid), gid, None),
            (0o755, 0o604, other(uid), gid, Some(&file)),
            (0o755, 0o044, uid, gid, Some(&file)),
            (0o700, 0o644, other(uid), other(gid), Some(&folder)),
        ] {
            mode(&folder, of_folder);
            mode(&file, of_file);
            for path in [&file, &link] {
                let found = closed_to(path, uid, gid).unwrap();
                assert_eq!(found.as_ref(), closed, "{of_folder:o} {of_file:o}");
            }
        }
        assert!(closed_to_root(&root.join("none")).is_err());
    }
}
