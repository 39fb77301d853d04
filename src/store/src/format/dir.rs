//! Directories held open: every file beside the messages is reached through
//! the descriptor of its directory, so that a mailbox renamed by someone else
//! stays the same mailbox.

use super::perm::Perm;
use super::{DotLock, FormatError, sync_control};
use crate::options::Fsync;
use roost_os::file::{self, Stat};
use roost_types::UnixTime;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many files of one name are set aside within one second.
const MAX_ASIDE: u32 = 100;

/// A directory, open for listing; clones share the descriptor.
#[derive(Clone, Debug)]
pub struct Dir {
    fd: Arc<OwnedFd>,
    path: Arc<Path>,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    /// Opens the directory at `path`.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let fd = roost_os::dir::open(path).map_err(|e| FormatError::io(path, e))?;
        Ok(Self {
            fd: Arc::new(fd),
            path: path.into(),
        })
    }

    /// Opens a directory inside this one; symbolic links are followed.
    pub fn open_sub(&self, name: &[u8]) -> Result<Self, FormatError> {
        let path = self.entry(name);
        let fd = roost_os::dir::open_at(self, name).map_err(|e| FormatError::io(&path, e))?;
        Ok(Self {
            fd: Arc::new(fd),
            path: path.into(),
        })
    }

    /// The same, but never what a link leads to; `None` if there is nothing of
    /// that name.
    ///
    /// # Errors
    /// `NotADirectory` for a link, as for any other file.
    pub(crate) fn open_own_sub(&self, name: &str) -> Result<Option<Self>, FormatError> {
        let opened = self.existing(name, roost_os::dir::open_own(self, name.as_bytes()))?;
        Ok(opened.map(|fd| Self {
            fd: Arc::new(fd),
            path: self.entry(name.as_bytes()).into(),
        }))
    }

    /// Where it was when it was opened: for messages only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of an entry: for messages only.
    pub fn entry(&self, name: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(name))
    }

    /// Opens a file for reading, `None` if there is none.
    pub fn open_file(&self, name: &str) -> Result<Option<File>, FormatError> {
        self.existing(name, file::open(self, name.as_bytes()))
    }

    /// `None` if there is nothing of that name; symbolic links are followed.
    pub fn stat(&self, name: &str) -> Result<Option<Stat>, FormatError> {
        self.existing(name, file::stat_at(self, name.as_bytes()))
    }

    fn existing<T>(&self, name: &str, found: io::Result<T>) -> Result<Option<T>, FormatError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.error(name, e)),
        }
    }

    pub(crate) fn error(&self, name: &str, source: io::Error) -> FormatError {
        FormatError::io(&self.entry(name.as_bytes()), source)
    }

    /// True if both are the same directory on disk.
    pub(crate) fn is_same(&self, other: &Self) -> Result<bool, FormatError> {
        if Arc::ptr_eq(&self.fd, &other.fd) {
            return Ok(true);
        }
        let identity = |dir: &Self| {
            let stat = file::stat(dir).map_err(|e| FormatError::io(&dir.path, e))?;
            Ok::<_, FormatError>((stat.dev, stat.ino))
        };
        Ok(identity(self)? == identity(other)?)
    }

    /// Makes a new file with the mode and group that belong to the directory.
    pub(crate) fn create_excl(&self, name: &str) -> Result<File, FormatError> {
        let perm = Perm::of(self)?;
        let made = file::create_excl(self, name.as_bytes(), perm.file_mode)
            .map_err(|e| self.error(name, e))?;
        perm.give_group(&made, &self.entry(name.as_bytes()));
        Ok(made)
    }

    /// Replaces `name` by what `write` writes into `temporary`. The caller
    /// holds the file's lock, so that no two do this at once; `check` is asked
    /// right before the rename. Returns the new file, still open.
    pub(crate) fn replace_with(
        &self,
        (name, temporary): (&str, &str),
        sync: bool,
        write: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
        check: impl FnOnce(&File) -> Result<(), FormatError>,
    ) -> Result<File, FormatError> {
        let _ = file::unlink(self, temporary.as_bytes());
        let mut out = io::BufWriter::with_capacity(64 * 1024, self.create_excl(temporary)?);
        let replaced = write(&mut out)
            .and_then(|()| out.flush())
            .and_then(|()| {
                if sync {
                    out.get_ref().sync_all()
                } else {
                    Ok(())
                }
            })
            .map_err(|e| self.error(temporary, e))
            .and_then(|()| check(out.get_ref()))
            .and_then(|()| self.rename(temporary, name));
        if let Err(e) = replaced {
            let _ = file::unlink(self, temporary.as_bytes());
            return Err(e);
        }
        if sync {
            self.sync()?;
        }
        out.into_inner()
            .map_err(|e| self.error(name, e.into_error()))
    }

    /// The same with a text that is there already.
    pub(crate) fn replace_by(
        &self,
        names: (&str, &str),
        fsync: Fsync,
        text: &[u8],
        lock: &mut DotLock,
    ) -> Result<(), FormatError> {
        let write = |out: &mut io::BufWriter<File>| out.write_all(text);
        self.replace_with(names, sync_control(fsync), write, |_| lock.keep_alive())?;
        Ok(())
    }

    /// What nobody could read again is not written: `what` would have so many
    /// octets.
    ///
    /// # Errors
    /// `Full` where that is more than `most`.
    pub(crate) fn fits(
        &self,
        name: &str,
        octets: usize,
        most: u64,
        what: &'static str,
    ) -> Result<(), FormatError> {
        match octets as u64 > most {
            true => Err(FormatError::Full {
                path: self.entry(name.as_bytes()),
                what,
            }),
            false => Ok(()),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), FormatError> {
        file::rename(self, from.as_bytes(), self, to.as_bytes()).map_err(|e| self.error(from, e))
    }

    pub(crate) fn sync(&self) -> Result<(), FormatError> {
        file::fsync_dir(self).map_err(|e| FormatError::io(&self.path, e))
    }

    /// Keeps a damaged file under `<name>.<why>-<time>`. The file itself stays
    /// in its place, so that there is no moment without one: the caller
    /// replaces it by rename. Returns the new name.
    pub(crate) fn set_aside(&self, name: &str, why: &str) -> Result<String, FormatError> {
        let now = UnixTime::now().0;
        for n in 0..MAX_ASIDE {
            let aside = match n {
                0 => format!("{name}.{why}-{now}"),
                n => format!("{name}.{why}-{now}.{n}"),
            };
            match self.duplicate(name, &aside) {
                Ok(()) => {
                    log::warn!(
                        "{}: set aside as {aside}",
                        self.entry(name.as_bytes()).display()
                    );
                    return Ok(aside);
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(self.error(&aside, e)),
            }
        }
        Err(self.error(name, io::ErrorKind::AlreadyExists.into()))
    }

    /// A second name; a copy where links cannot be made.
    fn duplicate(&self, name: &str, other: &str) -> io::Result<()> {
        match file::link(self, name.as_bytes(), self, other.as_bytes()) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(e),
            Err(_) => {
                let mut from = file::open(self, name.as_bytes())?;
                let mut to = file::create_excl(self, other.as_bytes(), 0o600)?;
                io::copy(&mut from, &mut to)?;
                to.sync_all()
            }
            Ok(()) => Ok(()),
        }
    }
}
