//! Lock files as Dovecot makes them: `<file>.lock` holding `<pid>:<host>`
//! (MAILDIR-FORMATS §3.4).
//!
//! A lock is stale when its process on this host has died, or when neither it
//! nor its file has changed for two minutes. A stale one is renamed away, and
//! put back should it turn out to be another than the one judged: two that
//! break the same lock must not both come to hold it.

use super::name::unique;
use super::perm::Perm;
use super::{Dir, FormatError};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::signal::kill;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, linkat};
use roost_os::file::{self, Stat};
use std::collections::HashSet;
use std::fs::{File, FileTimes, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unchanged for so long, lock and file, means that the holder is gone.
pub const STALE: Duration = Duration::from_secs(120);
/// A lock of a dead process of this host is left alone for so long.
pub const DEAD_GRACE: Duration = Duration::from_secs(2);
/// How often a holder must touch its lock during long work.
pub const TOUCH: Duration = Duration::from_secs(10);

const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// Longest content read from a lock file.
const MAX_CONTENT: u64 = 1024;

/// Device and inode of the locks this process holds: one with our process
/// number that is not among them was left by an earlier process.
static HELD: LazyLock<Mutex<HashSet<Identity>>> = LazyLock::new(Mutex::default);

type Identity = (u64, u64);

/// A held lock; released on drop unless someone else has taken it over.
#[derive(Debug)]
pub struct DotLock {
    dir: Dir,
    name: String,
    file: File,
    identity: Identity,
    touched: Instant,
}

impl DotLock {
    /// Takes the lock of `file` in `dir`, waiting up to `timeout`.
    ///
    /// # Errors
    /// `Locked` when another holds it all the time.
    pub fn acquire(dir: &Dir, file: &str, timeout: Duration) -> Result<Self, FormatError> {
        let deadline = Instant::now() + timeout;
        let mut watch = Watch::default();
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(lock) = Self::attempt(dir, file, &mut watch)? {
                return Ok(lock);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let path = dir.entry(lock_name(file).as_bytes());
                return Err(FormatError::Locked { path });
            }
            sleep(wait.min(left));
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Takes the lock if it is free or stale; never waits.
    pub fn try_acquire(dir: &Dir, file: &str) -> Result<Option<Self>, FormatError> {
        Self::attempt(dir, file, &mut Watch::default())
    }

    fn attempt(dir: &Dir, file: &str, watch: &mut Watch) -> Result<Option<Self>, FormatError> {
        let name = lock_name(file);
        if let Some(lock) = Self::create(dir, &name)? {
            return Ok(Some(lock));
        }
        if watch.is_stale(dir, file, &name)? && watch.break_lock(dir, &name)? {
            return Self::create(dir, &name);
        }
        Ok(None)
    }

    /// `None` if it exists.
    fn create(dir: &Dir, name: &str) -> Result<Option<Self>, FormatError> {
        if dir.stat(name)?.is_some() {
            return Ok(None);
        }
        let fail = |e| dir.error(name, e);
        let content = format!("{}:{}", std::process::id(), own_host());
        let made = match link_whole(dir, name, content.as_bytes()) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Ok(made) => made,
            Err(_) => match create_then_write(dir, name, content.as_bytes()) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                other => other.map_err(fail)?,
            },
        };
        let stat = file::stat(&made).map_err(fail)?;
        let identity = (stat.dev, stat.ino);
        held().insert(identity);
        Ok(Some(Self {
            dir: dir.clone(),
            name: name.to_owned(),
            file: made,
            identity,
            touched: Instant::now(),
        }))
    }

    /// Must be called at least every [`TOUCH`] during long work, and before
    /// anything is written.
    ///
    /// # Errors
    /// `LockLost` when the lock is not ours any more.
    pub fn keep_alive(&mut self) -> Result<(), FormatError> {
        if !self.is_ours()? {
            let path = self.dir.entry(self.name.as_bytes());
            return Err(FormatError::LockLost { path });
        }
        if self.touched.elapsed() >= TOUCH / 2 {
            let now = SystemTime::now();
            let times = FileTimes::new().set_accessed(now).set_modified(now);
            let touched = self.file.set_times(times);
            touched.map_err(|e| self.dir.error(&self.name, e))?;
            self.touched = Instant::now();
        }
        Ok(())
    }

    fn is_ours(&self) -> Result<bool, FormatError> {
        let there = self.dir.stat(&self.name)?;
        Ok(there.is_some_and(|s| (s.dev, s.ino) == self.identity))
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }
}

impl Drop for DotLock {
    fn drop(&mut self) {
        match self.is_ours() {
            Ok(true) => {
                if let Err(e) = file::unlink(&self.dir, self.name.as_bytes()) {
                    log::warn!("{}", self.dir.error(&self.name, e));
                }
            }
            Ok(false) => {
                let path = self.dir.entry(self.name.as_bytes());
                log::warn!("{}: lock was taken over by another program", path.display());
            }
            Err(e) => log::warn!("{e}"),
        }
        held().remove(&self.identity);
    }
}

/// Makes the lock with its content in one step: whoever is killed in between
/// leaves no lock that does not tell whose it is. Fails where the file system
/// has no files without names.
fn link_whole(dir: &Dir, name: &str, content: &[u8]) -> io::Result<File> {
    let perm = Perm::of(dir).map_err(io::Error::other)?;
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(perm.file_mode);
    let mut made = File::from(openat(dir, ".", flags, mode)?);
    made.set_permissions(Permissions::from_mode(perm.file_mode))?;
    perm.give_group(&made, &dir.entry(name.as_bytes()));
    made.write_all(content)?;
    let unnamed = format!("/proc/self/fd/{}", made.as_raw_fd());
    let follow = AtFlags::AT_SYMLINK_FOLLOW;
    linkat(AT_FDCWD, unnamed.as_str(), dir, name, follow)?;
    Ok(made)
}

fn create_then_write(dir: &Dir, name: &str, content: &[u8]) -> io::Result<File> {
    let perm = Perm::of(dir).map_err(io::Error::other)?;
    let mut made = file::create_excl(dir, name.as_bytes(), perm.file_mode)?;
    perm.give_group(&made, &dir.entry(name.as_bytes()));
    if let Err(e) = made.write_all(content) {
        let _ = file::unlink(dir, name.as_bytes());
        return Err(e);
    }
    Ok(made)
}

fn held() -> std::sync::MutexGuard<'static, HashSet<Identity>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock_name(file: &str) -> String {
    format!("{file}.lock")
}

/// The host's name as every program on it sees it.
fn own_host() -> &'static str {
    static NAME: LazyLock<String> =
        LazyLock::new(|| roost_os::identity::hostname().unwrap_or_default());
    &NAME
}

/// What changes when a lock or its file does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    lock: Stat,
    file: Option<Stat>,
}

/// What a waiting process has seen of the lock it waits for.
#[derive(Default)]
struct Watch {
    seen: Option<(Mark, Instant)>,
}

impl Watch {
    fn is_stale(&mut self, dir: &Dir, file: &str, name: &str) -> Result<bool, FormatError> {
        let Some(lock) = dir.stat(name)? else {
            self.seen = None;
            return Ok(false);
        };
        let file = dir.stat(file)?;
        let mark = Mark { lock, file };
        let since = match self.seen {
            Some((old, since)) if old == mark => since,
            _ => Instant::now(),
        };
        self.seen = Some((mark, since));
        if since.elapsed() >= STALE {
            return Ok(true);
        }
        if age(&lock, SystemTime::now()) >= DEAD_GRACE && holder_is_dead(dir, name)? {
            return Ok(true);
        }
        let youngest = |now| match &file {
            Some(file) => age(&lock, now).min(age(file, now)),
            None => age(&lock, now),
        };
        // The file system's clock may be another than ours.
        Ok(youngest(SystemTime::now()) >= STALE && youngest(clock_of(dir)?) >= STALE)
    }

    /// Removes the lock judged stale; false if it was replaced meanwhile.
    fn break_lock(&mut self, dir: &Dir, name: &str) -> Result<bool, FormatError> {
        let Some((Mark { lock: judged, .. }, _)) = self.seen.take() else {
            return Ok(false);
        };
        let aside = format!("{name}.{}", unique());
        match file::rename(dir, name.as_bytes(), dir, aside.as_bytes()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(|e| dir.error(name, e))?,
        }
        let moved = dir.stat(&aside)?;
        let right = moved.is_some_and(|m| (m.dev, m.ino) == (judged.dev, judged.ino));
        if !right {
            // Fails only if a third one has the lock by now; then nothing is
            // left to put right.
            let _ = file::link(dir, aside.as_bytes(), dir, name.as_bytes());
        } else {
            let path = dir.entry(name.as_bytes());
            log::warn!("{}: stale lock removed", path.display());
        }
        file::unlink(dir, aside.as_bytes()).map_err(|e| dir.error(&aside, e))?;
        Ok(right)
    }
}

fn age(stat: &Stat, now: SystemTime) -> Duration {
    let newest = stat.mtime_sec.max(stat.ctime_sec);
    let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(newest).unwrap_or(0));
    now.duration_since(changed).unwrap_or_default()
}

/// The time by which the file system stamps its files.
fn clock_of(dir: &Dir) -> Result<SystemTime, FormatError> {
    let name = format!("clock.{}", unique());
    let made = dir.create_excl(&name)?;
    let modified = made.metadata().and_then(|m| m.modified());
    file::unlink(dir, name.as_bytes()).map_err(|e| dir.error(&name, e))?;
    modified.map_err(|e| dir.error(&name, e))
}

/// True only if the lock names a process of this host that does not exist.
fn holder_is_dead(dir: &Dir, name: &str) -> Result<bool, FormatError> {
    let Some(lock) = dir.open_file(name)? else {
        return Ok(false);
    };
    let stat = file::stat(&lock).map_err(|e| dir.error(name, e))?;
    let mut content = String::new();
    if lock.take(MAX_CONTENT).read_to_string(&mut content).is_err() {
        return Ok(false);
    }
    let Some((pid, host)) = content.split_once(':') else {
        return Ok(false);
    };
    let Ok(pid) = pid.parse::<i32>() else {
        return Ok(false);
    };
    if host != own_host() || pid <= 0 {
        return Ok(false);
    }
    if u32::try_from(pid) == Ok(std::process::id()) {
        return Ok(!held().contains(&(stat.dev, stat.ino)));
    }
    Ok(kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}

#[cfg(test)]
mod tests;
