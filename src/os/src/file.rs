//! Files made, replaced and renamed so that a crash leaves either the old
//! state or the new one, and so that no message is ever overwritten.
//!
//! Names are relative to an open directory. What `fsync` of a directory makes
//! durable is the name, never the contents: [`File::sync_all`] comes first.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::{self, Builder};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, openat, renameat, renameat2};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, unlinkat};

use crate::dir;
use crate::identity::GroupId;

/// Files that [`sync_together`] waits for at the same time.
const SYNCS: usize = 8;
/// Enough for a thread that only waits.
const SMALL_STACK: usize = 64 << 10;

/// What callers want to know of a file without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    /// Type and permission bits, as `st_mode` has them.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u64,
    /// Octets.
    pub size: u64,
    pub mtime_sec: i64,
    pub mtime_nsec: i64,
    pub ctime_sec: i64,
    pub ctime_nsec: i64,
}

impl Stat {
    pub fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    pub fn is_dir(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    /// The permission bits alone.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

impl From<&libc::stat> for Stat {
    fn from(st: &libc::stat) -> Self {
        Self {
            dev: st.st_dev,
            ino: st.st_ino,
            mode: st.st_mode,
            uid: st.st_uid,
            gid: st.st_gid,
            // 32 bits wide on some architectures.
            #[allow(clippy::useless_conversion)]
            links: u64::from(st.st_nlink),
            size: u64::try_from(st.st_size).unwrap_or(0),
            mtime_sec: st.st_mtime,
            mtime_nsec: st.st_mtime_nsec,
            ctime_sec: st.st_ctime,
            ctime_nsec: st.st_ctime_nsec,
        }
    }
}

pub fn stat(file: impl AsFd) -> io::Result<Stat> {
    Ok(Stat::from(&nix::sys::stat::fstat(file)?))
}

/// `name` below `dir`, symbolic links followed.
pub fn stat_at(dir: impl AsFd, name: &[u8]) -> io::Result<Stat> {
    let st = nix::sys::stat::fstatat(dir, name, AtFlags::empty())?;
    Ok(Stat::from(&st))
}

/// Opens an existing file for reading. Never waits, not even for a pipe that
/// somebody has put in a message's place.
pub fn open(dir: impl AsFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    Ok(File::from(openat(dir, name, flags, Mode::empty())?))
}

/// Opens an existing file for reading and writing.
pub fn open_for_update(dir: impl AsFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY;
    Ok(File::from(openat(dir, name, flags, Mode::empty())?))
}

/// Opens a file for reading and appending, made with `mode` if it is missing.
pub fn open_append(dir: impl AsFd, name: &[u8], mode: u32) -> io::Result<File> {
    let dir = dir.as_fd();
    let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    match openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => return Ok(File::from(fd)),
        Err(Errno::ENOENT) => {}
        Err(e) => return Err(e.into()),
    }
    match create(dir, name, flags, mode) {
        // Another process was quicker.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Ok(File::from(openat(dir, name, flags, Mode::empty())?))
        }
        other => other,
    }
}

/// Opens an existing file for appending.
pub fn append_existing(dir: impl AsFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    Ok(File::from(openat(dir, name, flags, Mode::empty())?))
}

/// Makes a new file, open for reading and writing, with exactly the
/// permissions `mode`, whatever the umask.
///
/// # Errors
/// `AlreadyExists` for anything under that name, a dangling link included.
pub fn create_excl(dir: impl AsFd, name: &[u8], mode: u32) -> io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    create(dir, name, flags, mode)
}

fn create(dir: impl AsFd, name: &[u8], flags: OFlag, mode: u32) -> io::Result<File> {
    let wanted = Mode::from_bits_truncate(mode);
    let flags = flags | OFlag::O_CREAT | OFlag::O_EXCL;
    let file = File::from(openat(dir, name, flags, wanted)?);
    if stat(&file)?.permissions() != wanted.bits() {
        fchmod(&file, wanted)?;
    }
    Ok(file)
}

/// Makes a directory with exactly the permissions `mode`.
pub fn create_dir(parent: impl AsFd, name: &[u8], mode: u32) -> io::Result<()> {
    let parent = parent.as_fd();
    let wanted = Mode::from_bits_truncate(mode);
    mkdirat(parent, name, wanted)?;
    let made = dir::open_at(parent, name)?;
    if stat(&made)?.permissions() != wanted.bits() {
        fchmod(&made, wanted)?;
    }
    Ok(())
}

/// Gives a file or directory to a group.
pub fn set_group(file: impl AsFd, group: GroupId) -> io::Result<()> {
    let group = nix::unistd::Gid::from_raw(group.0);
    Ok(nix::unistd::fchown(file, None, Some(group))?)
}

/// Replaces the contents of `name`: written to `temporary` in the same
/// directory and renamed. An old file `temporary`, left by a crash, is
/// removed; the caller sees to it that no two do this at once. With `sync`
/// the new contents and their name are durable on return.
pub fn replace(
    dir: impl AsFd,
    name: &[u8],
    temporary: &[u8],
    mode: u32,
    contents: &[u8],
    sync: bool,
) -> io::Result<()> {
    let dir = dir.as_fd();
    let mut file = match create_excl(dir, temporary, mode) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            unlink(dir, temporary)?;
            create_excl(dir, temporary, mode)?
        }
        other => other?,
    };
    let written = file
        .write_all(contents)
        .and_then(|()| if sync { file.sync_all() } else { Ok(()) })
        .and_then(|()| rename(dir, temporary, dir, name));
    if let Err(e) = written {
        // The error that stopped us is the one worth reporting.
        let _ = unlink(dir, temporary);
        return Err(e);
    }
    if sync { dir::sync(dir) } else { Ok(()) }
}

/// Renames over whatever is there. Never for messages.
pub fn rename(from_dir: impl AsFd, from: &[u8], to_dir: impl AsFd, to: &[u8]) -> io::Result<()> {
    Ok(renameat(from_dir, from, to_dir, to)?)
}

/// Renames unless `to` exists.
///
/// Where the file system cannot do that in one call, `to` is linked, synced,
/// and `from` unlinked; a crash between leaves both names.
///
/// # Errors
/// `AlreadyExists`, and those of `renameat2`.
pub fn rename_noreplace(
    from_dir: impl AsFd,
    from: &[u8],
    to_dir: impl AsFd,
    to: &[u8],
) -> io::Result<()> {
    let (from_dir, to_dir) = (from_dir.as_fd(), to_dir.as_fd());
    match renameat2(from_dir, from, to_dir, to, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL | Errno::ENOSYS) => link_then_unlink(from_dir, from, to_dir, to),
        Err(e) => Err(e.into()),
    }
}

fn link_then_unlink(
    from_dir: impl AsFd,
    from: &[u8],
    to_dir: impl AsFd,
    to: &[u8],
) -> io::Result<()> {
    link(&from_dir, from, &to_dir, to)?;
    dir::sync(&to_dir)?;
    unlink(from_dir, from)
}

/// A second name for a file.
///
/// # Errors
/// `AlreadyExists`; `CrossesDevices`; `PermissionDenied` (`EPERM`) where the
/// file system has no links or `protected_hardlinks` forbids this one;
/// `TooManyLinks`.
pub fn link(from_dir: impl AsFd, from: &[u8], to_dir: impl AsFd, to: &[u8]) -> io::Result<()> {
    Ok(linkat(from_dir, from, to_dir, to, LinkatFlags::empty())?)
}

pub fn unlink(dir: impl AsFd, name: &[u8]) -> io::Result<()> {
    Ok(unlinkat(dir, name, UnlinkatFlags::NoRemoveDir)?)
}

/// Removes an empty directory.
pub fn remove_dir(parent: impl AsFd, name: &[u8]) -> io::Result<()> {
    Ok(unlinkat(parent, name, UnlinkatFlags::RemoveDir)?)
}

/// Makes what has happened in `dir` durable.
pub fn fsync_dir(dir: impl AsFd) -> io::Result<()> {
    dir::sync(dir)
}

/// Makes files and directories durable, several at once: those that wait at
/// the same time share the file system's commit and the disk's flush, each of
/// which would else be paid for every one of them. The first failure is told
/// when none waits any more.
pub fn sync_together(all: &[BorrowedFd<'_>]) -> io::Result<()> {
    let sync = |fd: &BorrowedFd<'_>| Ok(nix::unistd::fsync(fd)?);
    all.chunks(SYNCS).try_for_each(|some| {
        let Some((first, others)) = some.split_first() else {
            return Ok(());
        };
        thread::scope(|scope| {
            let start = |fd| {
                let thread = Builder::new().stack_size(SMALL_STACK);
                // Without a thread it is done here, in turn.
                let started = thread.spawn_scoped(scope, move || sync(fd));
                started.map_err(|_| fd)
            };
            let threads: Vec<_> = others.iter().map(start).collect();
            let here: io::Result<()> = sync(first);
            threads.into_iter().fold(here, |done, thread| {
                let other = match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|_| Err(Errno::EIO.into())),
                    Err(fd) => sync(fd),
                };
                done.and(other)
            })
        })
    })
}

/// Makes everything written to the file system of `dir` durable: the cheap
/// way for many files at once.
pub fn sync_filesystem(dir: impl AsFd) -> io::Result<()> {
    // SAFETY: takes a descriptor that the borrow keeps open.
    match unsafe { libc::syncfs(std::os::fd::AsRawFd::as_raw_fd(&dir.as_fd())) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets the time of last change, seconds and nanoseconds since 1970; the
/// time of last access stays.
pub fn set_mtime(file: impl AsFd, seconds: i64, nanoseconds: i64) -> io::Result<()> {
    Ok(futimens(
        file,
        &omit(),
        &TimeSpec::new(seconds, nanoseconds),
    )?)
}

/// [`set_mtime`] by name, symbolic links followed.
pub fn set_mtime_at(dir: impl AsFd, name: &[u8], seconds: i64, nanoseconds: i64) -> io::Result<()> {
    let time = TimeSpec::new(seconds, nanoseconds);
    let follow = UtimensatFlags::FollowSymlink;
    Ok(utimensat(dir, name, &omit(), &time, follow)?)
}

fn omit() -> TimeSpec {
    TimeSpec::UTIME_OMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::PermissionsExt;

    fn temp() -> (tempfile::TempDir, OwnedFd) {
        let temp = tempfile::tempdir().unwrap();
        let dir = dir::open(temp.path()).unwrap();
        (temp, dir)
    }

    #[test]
    fn replace_leaves_the_new_contents_and_no_temporary() {
        let (temp, dir) = temp();
        std::fs::write(temp.path().join("f.tmp"), b"left by a crash").unwrap();
        for (text, sync) in [("one", true), ("two", false)] {
            replace(&dir, b"f", b"f.tmp", 0o666, text.as_bytes(), sync).unwrap();
            assert_eq!(
                std::fs::read_to_string(temp.path().join("f")).unwrap(),
                text
            );
        }
        let mode = std::fs::metadata(temp.path().join("f"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o666);
        assert!(!temp.path().join("f.tmp").exists());
    }

    #[test]
    fn a_failed_replace_leaves_the_old_file() {
        let (temp, dir) = temp();
        std::fs::create_dir_all(temp.path().join("f/in the way")).unwrap();
        assert!(replace(&dir, b"f", b"f.tmp", 0o600, b"x", true).is_err());
        assert!(!temp.path().join("f.tmp").exists());
        assert!(temp.path().join("f/in the way").exists());
    }

    #[test]
    fn nothing_is_renamed_over() {
        let (temp, dir) = temp();
        std::fs::write(temp.path().join("a"), b"a").unwrap();
        std::fs::write(temp.path().join("b"), b"b").unwrap();
        for step in [rename_noreplace, link_then_unlink] {
            let error = step(&dir, b"a", &dir, b"b").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(temp.path().join("b")).unwrap(), b"b");
            step(&dir, b"a", &dir, b"c").unwrap();
            assert!(!temp.path().join("a").exists());
            step(&dir, b"c", &dir, b"a").unwrap();
        }
        let gone = rename_noreplace(&dir, b"zzz", &dir, b"y").unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn created_files_have_exactly_their_mode_and_are_new() {
        let (_temp, dir) = temp();
        for (i, mode) in [0o600, 0o664, 0o666].into_iter().enumerate() {
            let name = format!("f{i}");
            let file = create_excl(&dir, name.as_bytes(), mode).unwrap();
            assert_eq!(stat(&file).unwrap().permissions(), mode);
            let error = create_excl(&dir, name.as_bytes(), mode).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        create_dir(&dir, b"d", 0o2777).unwrap();
        let st = stat_at(&dir, b"d").unwrap();
        assert!(st.is_dir() && !st.is_file());
        assert_eq!(st.permissions() & 0o777, 0o777);
        remove_dir(&dir, b"d").unwrap();
    }

    #[test]
    fn appending_makes_the_file_once() {
        let (temp, dir) = temp();
        for text in ["one ", "two"] {
            let mut file = open_append(&dir, b"log", 0o640).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        let mut text = String::new();
        open(&dir, b"log")
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "one two");
        let mode = std::fs::metadata(temp.path().join("log"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o640);
    }

    #[test]
    fn mtimes_are_set_by_name_and_by_file() {
        let (_temp, dir) = temp();
        let file = create_excl(&dir, b"m", 0o600).unwrap();
        set_mtime(&file, 1_000_000_000, 5).unwrap();
        assert_eq!(stat_at(&dir, b"m").unwrap().mtime_sec, 1_000_000_000);
        set_mtime_at(&dir, b"m", -86_400, 0).unwrap();
        assert_eq!(stat(&file).unwrap().mtime_sec, -86_400);
    }

    #[test]
    fn syncs_of_many_fail_when_one_does() {
        let (dir, fd) = temp();
        let files: Vec<File> = (0..20)
            .map(|n| File::create(dir.path().join(n.to_string())).unwrap())
            .collect();
        let mut all: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        all.push(fd.as_fd());
        sync_together(&all).unwrap();
        sync_together(&[]).unwrap();
        // A pipe cannot be synced, wherever it stands.
        let (pipe, _other) = nix::unistd::pipe().unwrap();
        for at in [0, 3, 20] {
            let mut bad = all.clone();
            bad.insert(at, pipe.as_fd());
            assert!(sync_together(&bad).is_err(), "{at}");
        }
    }

    #[test]
    fn links_count_and_syncs_work() {
        let (_temp, dir) = temp();
        create_excl(&dir, b"a", 0o600).unwrap();
        link(&dir, b"a", &dir, b"b").unwrap();
        assert_eq!(stat_at(&dir, b"a").unwrap().links, 2);
        fsync_dir(&dir).unwrap();
        sync_filesystem(&dir).unwrap();
        unlink(&dir, b"a").unwrap();
        assert_eq!(stat_at(&dir, b"b").unwrap().links, 1);
    }

    #[test]
    fn opening_a_pipe_does_not_wait() {
        let (temp, dir) = temp();
        nix::unistd::mkfifo(&temp.path().join("p"), Mode::S_IRWXU).unwrap();
        let file = open(&dir, b"p").unwrap();
        assert!(!stat(&file).unwrap().is_file());
    }
}
