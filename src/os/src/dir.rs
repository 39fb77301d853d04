//! Directories listed so that no name is lost while others rename in them.
//!
//! `readdir` with its usual 32 KiB buffer misses files that are renamed during
//! the listing. One `getdents64` call whose buffer takes the whole directory
//! does not, on the file systems that hold their lock for the length of a call
//! (ext4, tmpfs, XFS). So the buffer grows until a single call returned all,
//! and [`Listing::in_one_call`] tells where that could not be had.

mod stamp;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

pub use stamp::DirStamp;

/// The first buffer's least size; directories report small or odd sizes on
/// some file systems.
const MIN_BUFFER: usize = 32 * 1024;
/// A directory of ten million long names; more is refused with `EFBIG`.
const MAX_BUFFER: usize = 2 << 30;
/// No record is longer: 19 octets of head, a name of 255, its NUL, padding.
const MAX_RECORD: usize = 280;
/// Octets of a `linux_dirent64` before the name: ino, off, reclen, type.
const RECORD_HEAD: usize = 19;

/// What a directory entry is, as far as the file system says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    /// Sockets, pipes, devices.
    Other,
    /// The file system does not say; `fstatat` does.
    Unknown,
}

/// One entry; the name lies in the listing's buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    pub name: &'a [u8],
    pub kind: FileKind,
    pub inode: u64,
}

/// The names in a directory at one moment, `.` and `..` left out.
#[derive(Default)]
pub struct Listing {
    buffer: Vec<u8>,
    one_call: bool,
}

/// Lists `dir`, which must be open for reading; its offset is set to the
/// start and moves.
pub fn list(dir: impl AsFd) -> io::Result<Listing> {
    let mut listing = Listing::default();
    listing.read(dir)?;
    Ok(listing)
}

/// Waits until changes of `dir` that are under way are over, and have been
/// told to whoever watches it: the kernel does both under the directory's lock,
/// which reading takes too. Moves the offset of `dir`, open for reading.
pub fn await_changes(dir: impl AsFd) -> io::Result<()> {
    let mut source = Kernel(dir.as_fd());
    source.rewind()?;
    source
        .fill(&mut Vec::with_capacity(4 * MAX_RECORD))
        .map(drop)
}

impl Listing {
    /// Lists `dir` into this listing, whose buffer is used again.
    pub fn read(&mut self, dir: impl AsFd) -> io::Result<()> {
        let dir = dir.as_fd();
        let wanted = first_size(dir)?;
        self.read_from(&mut Kernel(dir), wanted)
    }

    fn read_from(&mut self, source: &mut impl Source, wanted: usize) -> io::Result<()> {
        self.one_call = false;
        self.buffer.clear();
        self.buffer.reserve(wanted);
        loop {
            source.rewind()?;
            self.buffer.clear();
            let first = source.fill(&mut self.buffer)?;
            if first == Fill::Some && self.is_nearly_full() {
                self.grow()?;
                continue;
            }
            // Room was left, so either that was all or the file system hands
            // its directories out in pieces (NFS, FUSE) however large the
            // buffer is.
            if first == Fill::Empty || source.fill(&mut self.buffer)? == Fill::Empty {
                self.one_call = true;
                return Ok(());
            }
            return self.read_pieces(source);
        }
    }

    fn read_pieces(&mut self, source: &mut impl Source) -> io::Result<()> {
        loop {
            if self.is_nearly_full() {
                self.grow()?;
            }
            if source.fill(&mut self.buffer)? == Fill::Empty {
                return Ok(());
            }
        }
    }

    /// True when the next record may not have found room.
    fn is_nearly_full(&self) -> bool {
        self.buffer.capacity() - self.buffer.len() < MAX_RECORD
    }

    fn grow(&mut self) -> io::Result<()> {
        let larger = self.buffer.capacity().saturating_mul(2);
        if larger > MAX_BUFFER {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        self.buffer.reserve(larger - self.buffer.len());
        Ok(())
    }

    /// True when one system call returned the whole directory, so that no
    /// rename in between can have hidden a file. On btrfs and network file
    /// systems even that is not enough: compare [`DirStamp`]s.
    pub fn in_one_call(&self) -> bool {
        self.one_call
    }

    /// The entries in the directory's own order. A file renamed during the
    /// listing may come twice.
    pub fn iter(&self) -> Entries<'_> {
        Entries { rest: &self.buffer }
    }
}

impl<'a> IntoIterator for &'a Listing {
    type Item = Entry<'a>;
    type IntoIter = Entries<'a>;
    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// Iterator over a [`Listing`]; allocates nothing.
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let head: &[u8; RECORD_HEAD] = self.rest.first_chunk()?;
            let inode = u64::from_ne_bytes(*head.first_chunk()?);
            let length = usize::from(u16::from_ne_bytes([head[16], head[17]]));
            let kind = kind_of(head[18]);
            let record = self.rest.get(..length)?;
            self.rest = self.rest.get(length..)?;
            let padded = record.get(RECORD_HEAD..)?;
            let end = padded.iter().position(|&b| b == 0).unwrap_or(padded.len());
            let name = padded.get(..end)?;
            if name != b"." && name != b".." {
                return Some(Entry { name, kind, inode });
            }
        }
    }
}

fn kind_of(d_type: u8) -> FileKind {
    match d_type {
        libc::DT_REG => FileKind::File,
        libc::DT_DIR => FileKind::Directory,
        libc::DT_LNK => FileKind::Symlink,
        libc::DT_UNKNOWN => FileKind::Unknown,
        _ => FileKind::Other,
    }
}

fn first_size(dir: BorrowedFd<'_>) -> io::Result<usize> {
    let size = usize::try_from(nix::sys::stat::fstat(dir)?.st_size).unwrap_or(0);
    Ok(size.saturating_mul(2).clamp(MIN_BUFFER, MAX_BUFFER))
}

#[derive(PartialEq)]
enum Fill {
    Some,
    Empty,
}

/// Where records come from: the kernel, or a test.
trait Source {
    fn rewind(&mut self) -> io::Result<()>;
    /// Appends the next records, as many as one call returns, into the spare
    /// capacity.
    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<Fill>;
}

struct Kernel<'a>(BorrowedFd<'a>);

impl Source for Kernel<'_> {
    fn rewind(&mut self) -> io::Result<()> {
        nix::unistd::lseek(self.0, 0, nix::unistd::Whence::SeekSet)?;
        Ok(())
    }

    fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<Fill> {
        let spare = buffer.spare_capacity_mut();
        let room = spare.len().min(MAX_BUFFER);
        // SAFETY: the kernel writes at most `room` octets to the pointer,
        // which is the start of at least that much spare capacity.
        let n = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                self.0.as_raw_fd(),
                spare.as_mut_ptr(),
                room,
            )
        };
        match usize::try_from(n) {
            Err(_) => Err(io::Error::last_os_error()),
            Ok(0) => Ok(Fill::Empty),
            Ok(n) => {
                let filled = buffer.len() + n.min(room);
                // SAFETY: the call above initialised `n` octets behind the
                // old length, and `n <= room` lies within the capacity.
                unsafe { buffer.set_len(filled) };
                Ok(Fill::Some)
            }
        }
    }
}

/// Opens a directory for listing and as base of the calls in [`crate::file`].
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::open(path, flags, Mode::empty())?)
}

/// [`open`] below another directory.
pub fn open_at(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat(dir, name, flags, Mode::empty())?)
}

/// The same, but never what a symbolic link leads to.
///
/// # Errors
/// `NotADirectory` for a link, as for any other file.
pub fn open_own(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Err(Errno::ELOOP) => Err(Errno::ENOTDIR.into()),
        other => Ok(other?),
    }
}

/// Makes what has happened in `dir` durable: names added, renamed, removed.
/// It does not make the contents of files durable.
pub fn sync(dir: impl AsFd) -> io::Result<()> {
    Ok(nix::unistd::fsync(dir)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn lists_every_name_once_whatever_the_size() {
        for count in [0usize, 1, 3_000] {
            let temp = tempfile::tempdir().unwrap();
            let expected: BTreeSet<Vec<u8>> = (0..count)
                .map(|i| format!("{i:05}.{}:2,S", "x".repeat(i % 200)).into_bytes())
                .collect();
            for name in &expected {
                let name = String::from_utf8(name.clone()).unwrap();
                std::fs::write(temp.path().join(name), b"").unwrap();
            }
            let listing = list(open(temp.path()).unwrap()).unwrap();
            let found: Vec<_> = listing.iter().map(|e| e.name.to_vec()).collect();
            assert_eq!(found.len(), count);
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
            assert!(listing.in_one_call());
        }
    }

    #[test]
    fn kinds_and_inodes_are_those_of_stat() {
        use std::os::unix::fs::MetadataExt;
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("d")).unwrap();
        std::fs::write(temp.path().join("f"), b"").unwrap();
        std::os::unix::fs::symlink("f", temp.path().join("l")).unwrap();
        let listing = list(open(temp.path()).unwrap()).unwrap();
        for entry in &listing {
            let name = std::str::from_utf8(entry.name).unwrap();
            let meta = std::fs::symlink_metadata(temp.path().join(name)).unwrap();
            assert_eq!(entry.inode, meta.ino());
            let expected = match name {
                "d" => FileKind::Directory,
                "f" => FileKind::File,
                _ => FileKind::Symlink,
            };
            assert_eq!(entry.kind, expected);
        }
        assert_eq!(listing.iter().count(), 3);
    }

    #[test]
    fn a_listing_is_read_again_from_the_start() {
        let temp = tempfile::tempdir().unwrap();
        let dir = open(temp.path()).unwrap();
        let mut listing = list(&dir).unwrap();
        assert_eq!(listing.iter().count(), 0);
        std::fs::write(temp.path().join("a"), b"").unwrap();
        listing.read(&dir).unwrap();
        assert_eq!(listing.iter().map(|e| e.name).collect::<Vec<_>>(), [b"a"]);
    }

    /// Whatever the number of renames during a listing, each file appears
    /// under at least one of its names as long as one call returned all.
    #[test]
    fn no_file_is_lost_while_others_are_renamed() {
        let temp = tempfile::tempdir().unwrap();
        let files = 2_000;
        for i in 0..files {
            std::fs::write(temp.path().join(format!("{i:06}:2,")), b"").unwrap();
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut seen = false;
                while !stop.load(Ordering::Relaxed) {
                    let (from, to) = if seen { ("S", "") } else { ("", "S") };
                    for i in (0..files).step_by(97) {
                        let from = temp.path().join(format!("{i:06}:2,{from}"));
                        let to = temp.path().join(format!("{i:06}:2,{to}"));
                        std::fs::rename(from, to).unwrap();
                    }
                    seen = !seen;
                }
            });
            let dir = open(temp.path()).unwrap();
            let mut listing = Listing::default();
            for _ in 0..30 {
                listing.read(&dir).unwrap();
                let bases: BTreeSet<_> = listing.iter().map(|e| e.name[..6].to_vec()).collect();
                if listing.in_one_call() {
                    assert_eq!(bases.len(), files);
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }

    /// Hands out `names` as records, at most `piece` of them in a call.
    struct Fake {
        names: Vec<String>,
        next: usize,
        piece: usize,
    }

    impl Source for Fake {
        fn rewind(&mut self) -> io::Result<()> {
            self.next = 0;
            Ok(())
        }

        fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<Fill> {
            let from = self.next;
            while let Some(name) = self.names.get(self.next) {
                let length = (RECORD_HEAD + name.len() + 1).next_multiple_of(8);
                let room = buffer.capacity() - buffer.len();
                if self.next - from == self.piece || room < length {
                    break;
                }
                let start = buffer.len();
                buffer.extend_from_slice(&[0; 16]);
                buffer.extend_from_slice(&u16::try_from(length).unwrap().to_ne_bytes());
                buffer.push(libc::DT_REG);
                buffer.extend_from_slice(name.as_bytes());
                buffer.resize(start + length, 0);
                self.next += 1;
            }
            Ok(if self.next == from {
                Fill::Empty
            } else {
                Fill::Some
            })
        }
    }

    #[test]
    fn buffers_grow_and_pieces_are_put_together() {
        let names: Vec<_> = (0..5_000).map(|i| format!("{i:0>100}")).collect();
        for (piece, whole) in [
            (usize::MAX, true),
            (5_000, true),
            (4_999, false),
            (7, false),
        ] {
            let names = names.clone();
            let mut source = Fake {
                names,
                next: 0,
                piece,
            };
            let mut listing = Listing::default();
            listing.read_from(&mut source, 1000).unwrap();
            assert_eq!(listing.in_one_call(), whole, "{piece}");
            let found: Vec<_> = listing.iter().map(|e| e.name.to_vec()).collect();
            assert_eq!(found.len(), source.names.len());
            assert!(
                found
                    .iter()
                    .zip(&source.names)
                    .all(|(f, n)| f == n.as_bytes())
            );
        }
    }
}
