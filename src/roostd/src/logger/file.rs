//! A log file of the host's own, in the form in which syslogd writes its files.
//!
//! Whoever renames the file, such as logrotate, tells nobody: before each line
//! the name is looked up, and where another file has it, that one is gone on
//! with. No line is lost on the way, for until then the old one is written to.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc::O_NONBLOCK;
use nix::unistd::{AccessFlags, access};

/// How long a name may stand for no file before one is made. Whoever has
/// renamed the file may want to make the next one, and cannot if it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who may read a file that is made here.
const MODE: u32 = 0o640;

/// The file that is written to, if any could be opened.
pub struct LogFile {
    path: PathBuf,
    open: Option<Open>,
    patience: Duration,
}

struct Open {
    file: File,
    id: Id,
    /// Since when it has no name.
    nameless: Option<Instant>,
    /// It says in its last lines that the file of the name is out of reach.
    parted: bool,
}

impl Open {
    /// Tells once, to those who read this file and at standard error, why it
    /// is written to still.
    fn part(&mut self, path: &Path, error: &io::Error) -> io::Result<()> {
        if std::mem::replace(&mut self.parted, true) {
            return Ok(());
        }
        let path = path.display();
        let line = format!("roostd: cannot go on in {path}: {error}\n");
        let _ = io::stderr().write_all(line.as_bytes());
        self.file.write_all(line.as_bytes())
    }
}

/// Device and inode.
type Id = (u64, u64);

/// Whether the file could be written to; makes none.
///
/// # Errors
/// Why not.
pub fn check(path: &Path) -> io::Result<()> {
    match options().open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            Ok(access(folder, AccessFlags::W_OK | AccessFlags::X_OK)?)
        }
        opened => opened.map(|_| ()),
    }
}

/// A pipe that nobody reads is an error, and no reason to wait.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).mode(MODE).custom_flags(O_NONBLOCK);
    options
}

impl LogFile {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: None,
            patience: PATIENCE,
        }
    }

    /// Appends one line.
    ///
    /// # Errors
    /// When there is no file, or no room in it.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.current()?.write_all(line)
    }

    fn current(&mut self) -> io::Result<&mut File> {
        let named = std::fs::metadata(&self.path).ok().map(|m| id(&m));
        let fits = match &mut self.open {
            None => false,
            Some(open) if named == Some(open.id) => {
                open.nameless = None;
                true
            }
            Some(open) if named.is_none() => {
                let since = *open.nameless.get_or_insert_with(Instant::now);
                since.elapsed() < self.patience
            }
            Some(_) => false,
        };
        if !fits {
            match self.open_named() {
                Ok(open) => self.open = Some(open),
                // Better an old file than none.
                Err(error) => match &mut self.open {
                    None => return Err(error),
                    Some(open) => open.part(&self.path, &error)?,
                },
            }
        }
        match &mut self.open {
            Some(open) => Ok(&mut open.file),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn open_named(&self) -> io::Result<Open> {
        let file = options().create(true).open(&self.path)?;
        Ok(Open {
            id: id(&file.metadata()?),
            file,
            nameless: None,
            parted: false,
        })
    }
}

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_is_made_or_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        check(&path).unwrap();
        assert!(!path.exists());
        LogFile::new(path.clone()).write(b"one\n").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7137, 0, "{mode:o}");
        check(&path).unwrap();
        LogFile::new(path.clone()).write(b"two\n").unwrap();
        assert_eq!(read(&path), "one\ntwo\n");
    }

    #[test]
    fn another_file_of_the_name_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut log = LogFile::new(path.clone());
        log.patience = Duration::MAX;
        log.write(b"one\n").unwrap();
        fs::rename(&path, &old).unwrap();
        // Whoever renamed it may make the next.
        log.write(b"two\n").unwrap();
        fs::File::create_new(&path).unwrap();
        log.write(b"three\n").unwrap();
        assert_eq!(
            (read(&old), read(&path)),
            ("one\ntwo\n".into(), "three\n".into())
        );
        // Nobody does.
        log.patience = Duration::ZERO;
        fs::remove_file(&path).unwrap();
        log.write(b"four\n").unwrap();
        assert_eq!(read(&path), "four\n");
        // As logrotate's copytruncate.
        fs::write(&path, "").unwrap();
        log.write(b"five\n").unwrap();
        assert_eq!(read(&path), "five\n");
    }

    #[test]
    fn a_new_file_that_cannot_be_made_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, moved) = (dir.path().join("logs"), dir.path().join("moved"));
        fs::create_dir(&folder).unwrap();
        let mut log = LogFile::new(folder.join("log"));
        log.patience = Duration::ZERO;
        log.write(b"one\n").unwrap();
        fs::rename(&folder, &moved).unwrap();
        log.write(b"two\n").unwrap();
        log.write(b"two\n").unwrap();
        let said = read(&moved.join("log"));
        let lines: Vec<_> = said.lines().collect();
        let told = format!("roostd: cannot go on in {}", folder.join("log").display());
        assert!(lines[1].starts_with(&told), "{said}");
        assert_eq!((lines[0], &lines[2..]), ("one", &["two", "two"][..]));
        fs::create_dir(&folder).unwrap();
        log.write(b"three\n").unwrap();
        assert_eq!(read(&folder.join("log")), "three\n");
    }

    #[test]
    fn what_can_be_no_log_is_found_before() {
        let dir = tempfile::tempdir().unwrap();
        let kind = |path: &Path| check(path).unwrap_err().kind();
        assert_eq!(kind(dir.path()), io::ErrorKind::IsADirectory);
        let nowhere = dir.path().join("nowhere/log");
        assert_eq!(kind(&nowhere), io::ErrorKind::NotFound);
        assert!(LogFile::new(nowhere).write(b"lost").is_err());
        let below = dir.path().join("file");
        fs::write(&below, "").unwrap();
        assert_eq!(kind(&below.join("log")), io::ErrorKind::NotADirectory);
    }
}
