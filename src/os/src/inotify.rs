//! Watching directories for names that come and go.
//!
//! The mask leaves opens, reads and attribute changes out, so that serving a
//! mailbox does not wake its own watcher. What the events say is only a hint
//! to look: after [`EventKind::Overflow`] everything watched must be looked at.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify as Instance};

/// Octets of an `inotify_event` before the name: wd, mask, cookie, len.
const HEAD: usize = 16;
/// Takes hundreds of events, and at least one with the longest name.
const BUFFER: usize = 16 * 1024;

/// One inotify instance. Its descriptor is non-blocking: wait for it to be
/// readable, then [`Inotify::read`] until that is `WouldBlock`.
pub struct Inotify {
    instance: Instance,
}

/// A watched directory. The kernel gives the same number for the same
/// directory under another path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Watch(i32);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// A name was created or moved in.
    Entered,
    /// A name was removed or moved out.
    Left,
    /// The watched directory itself was removed, renamed or unmounted.
    DirectoryGone,
    /// The kernel has ended this watch; its number may be used again.
    WatchEnded,
    /// The queue overflowed and events are lost; concerns every watch.
    Overflow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// `None` on overflow.
    pub watch: Option<Watch>,
    pub kind: EventKind,
    /// The name in the directory; empty when the event is about the directory.
    pub name: &'a [u8],
    pub is_directory: bool,
}

/// Room for one read; kept by the caller and used again.
pub struct EventBuffer {
    bytes: Box<[u8]>,
}

impl Default for EventBuffer {
    fn default() -> Self {
        Self {
            bytes: vec![0; BUFFER].into(),
        }
    }
}

impl Inotify {
    pub fn new() -> io::Result<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Self {
            instance: Instance::init(flags)?,
        })
    }

    /// Watches a directory.
    ///
    /// # Errors
    /// `StorageFull` (`ENOSPC`) when the user's watches are used up,
    /// `NotADirectory`, `NotFound`, `PermissionDenied`.
    pub fn add(&self, directory: &Path) -> io::Result<Watch> {
        Ok(Watch(self.instance.add_watch(directory, mask())?.as_raw()))
    }

    /// Ends a watch. One that the kernel has ended already is no error.
    pub fn remove(&self, watch: Watch) -> io::Result<()> {
        // SAFETY: takes two numbers; an unknown watch is EINVAL.
        let done = unsafe { libc::inotify_rm_watch(self.as_raw_fd(), watch.0) };
        if done == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            e if e.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            e => Err(e),
        }
    }

    /// The events that are waiting, as many as the buffer takes.
    ///
    /// # Errors
    /// `WouldBlock` when there are none.
    pub fn read<'b>(&self, buffer: &'b mut EventBuffer) -> io::Result<Events<'b>> {
        let n = nix::unistd::read(&self.instance, &mut buffer.bytes)?;
        Ok(Events {
            rest: buffer.bytes.get(..n).unwrap_or_default(),
        })
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.instance.as_fd()
    }
}

impl AsRawFd for Inotify {
    fn as_raw_fd(&self) -> i32 {
        self.as_fd().as_raw_fd()
    }
}

fn mask() -> AddWatchFlags {
    AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// Iterator over the events of one read; allocates nothing.
pub struct Events<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            let head: &[u8; HEAD] = self.rest.first_chunk()?;
            let field = |at: usize| {
                let bytes = head.get(at..at + 4)?.first_chunk()?;
                Some(u32::from_ne_bytes(*bytes))
            };
            let (watch, mask, length) = (field(0)?, field(4)?, field(12)?);
            let end = HEAD.checked_add(usize::try_from(length).ok()?)?;
            let padded = self.rest.get(HEAD..end)?;
            self.rest = self.rest.get(end..)?;
            let Some(kind) = kind_of(mask) else { continue };
            let stop = padded.iter().position(|&b| b == 0);
            return Some(Event {
                watch: (kind != EventKind::Overflow).then_some(Watch(watch.cast_signed())),
                kind,
                name: padded.get(..stop.unwrap_or(padded.len()))?,
                is_directory: mask & libc::IN_ISDIR != 0,
            });
        }
    }
}

fn kind_of(mask: u32) -> Option<EventKind> {
    let any = |bits: u32| mask & bits != 0;
    if any(libc::IN_Q_OVERFLOW) {
        Some(EventKind::Overflow)
    } else if any(libc::IN_IGNORED) {
        Some(EventKind::WatchEnded)
    } else if any(libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_UNMOUNT) {
        Some(EventKind::DirectoryGone)
    } else if any(libc::IN_CREATE | libc::IN_MOVED_TO) {
        Some(EventKind::Entered)
    } else if any(libc::IN_DELETE | libc::IN_MOVED_FROM) {
        Some(EventKind::Left)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    type Seen = (Option<Watch>, EventKind, String);

    fn drain(inotify: &Inotify) -> Vec<Seen> {
        let mut buffer = EventBuffer::default();
        let mut seen = Vec::new();
        loop {
            match inotify.read(&mut buffer) {
                Ok(events) => seen.extend(events.map(|e| {
                    let name = String::from_utf8_lossy(e.name).into_owned();
                    (e.watch, e.kind, name)
                })),
                Err(e) => {
                    assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
                    return seen;
                }
            }
        }
    }

    #[test]
    fn names_that_come_and_go_are_seen_and_reads_are_not() {
        let temp = tempfile::tempdir().unwrap();
        let (new, cur) = (temp.path().join("new"), temp.path().join("cur"));
        fs::create_dir(&new).unwrap();
        fs::create_dir(&cur).unwrap();
        let inotify = Inotify::new().unwrap();
        let (n, c) = (inotify.add(&new).unwrap(), inotify.add(&cur).unwrap());
        assert_ne!(n, c);
        assert_eq!(inotify.add(&new).unwrap(), n);

        fs::write(new.join("m"), b"text").unwrap();
        fs::read(new.join("m")).unwrap();
        fs::rename(new.join("m"), cur.join("m:2,S")).unwrap();
        fs::remove_file(cur.join("m:2,S")).unwrap();
        assert_eq!(
            drain(&inotify),
            [
                (Some(n), EventKind::Entered, "m".to_owned()),
                (Some(n), EventKind::Left, "m".to_owned()),
                (Some(c), EventKind::Entered, "m:2,S".to_owned()),
                (Some(c), EventKind::Left, "m:2,S".to_owned()),
            ]
        );
    }

    #[test]
    fn a_removed_directory_ends_its_watch() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("d");
        fs::create_dir(&dir).unwrap();
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add(&dir).unwrap();
        fs::remove_dir(&dir).unwrap();
        assert_eq!(
            drain(&inotify),
            [
                (Some(watch), EventKind::DirectoryGone, String::new()),
                (Some(watch), EventKind::WatchEnded, String::new()),
            ]
        );
        inotify.remove(watch).unwrap();
        assert!(inotify.add(&dir).is_err());
    }

    #[test]
    fn a_removed_watch_is_silent() {
        let temp = tempfile::tempdir().unwrap();
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add(temp.path()).unwrap();
        inotify.remove(watch).unwrap();
        fs::write(temp.path().join("x"), b"").unwrap();
        assert_eq!(
            drain(&inotify),
            [(Some(watch), EventKind::WatchEnded, String::new())]
        );
    }

    #[test]
    fn overflow_is_told_from_everything_else() {
        let mut bytes = Vec::new();
        for field in [u32::MAX, libc::IN_Q_OVERFLOW, 0, 0] {
            bytes.extend_from_slice(&field.to_ne_bytes());
        }
        let events: Vec<_> = Events { rest: &bytes }.collect();
        assert_eq!(events[0].kind, EventKind::Overflow);
        assert_eq!(events[0].watch, None);
        assert_eq!(events.len(), 1);
        assert_eq!(Events { rest: &bytes[..15] }.count(), 0);
    }
}
