//! `dovecot-uidvalidity`: the counter from which every new mailbox of an
//! account gets its UIDVALIDITY (MAILDIR-FORMATS §3.6).
//!
//! The counter is the name of an empty file `dovecot-uidvalidity.<8 hex>`;
//! renaming it to the next value is what gives the value out, to one caller
//! only. The file `dovecot-uidvalidity` merely says where to look first.
//!
//! While others rename the counting file a listing may miss it, and a counter
//! begun anew beside it would give the same values once more: our own threads
//! and processes take turns by a lock on the directory.

use super::lines::read_small;
use super::{Dir, FormatError, sync_control};
use crate::options::Fsync;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use roost_os::file;
use roost_types::{UidValidity, UnixTime};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

pub const FILE: &str = "dovecot-uidvalidity";

const TEMPORARY: &str = "dovecot-uidvalidity.tmp";
/// How often the rename may fail because others were faster.
const MAX_TRIES: usize = 1000;
/// How often, and after what wait, the turn of another is looked for.
const TURN_TRIES: usize = 1000;
const TURN_WAIT: Duration = Duration::from_millis(2);
const MAX_FILE: u64 = 4096;
/// Mode of the counting file; nobody writes into it.
const COUNTER_MODE: u32 = 0o444;

/// A value larger than any given out before and than `above`, if that is given
/// (the largest value known to be in use by the caller).
///
/// # Errors
/// `Exhausted` behind the largest 32-bit value.
pub fn next(
    root: &Dir,
    fsync: Fsync,
    above: Option<UidValidity>,
) -> Result<UidValidity, FormatError> {
    give_out(root, fsync, above, 1)
}

/// Values that were taken at once, since whoever looks at many new mailboxes
/// would wait for two syncs at each, and change the root under the tree.
#[derive(Default)]
pub(crate) struct Reserve {
    /// The next one, up to and with `last`.
    next: u32,
    last: u32,
    /// How many were wanted so far: as many are taken ahead.
    wanted: u32,
}

/// So many values are taken at once at most; those that are not wanted are
/// never given out.
const MAX_RESERVE: u32 = 64;

impl Reserve {
    /// As [`next`]. Values rise for all programs together: what was taken
    /// ahead is of no use once somebody else has had one.
    pub fn next(&mut self, root: &Dir, fsync: Fsync) -> Result<UidValidity, FormatError> {
        let mine = self.next <= self.last && self.next > 0;
        if !mine || current(root)? != Some(self.last) {
            let count = self.wanted.clamp(1, MAX_RESERVE);
            self.last = give_out(root, fsync, None, count)?.get();
            self.next = self.last - (count - 1);
        }
        let value = self.next;
        self.next = value.saturating_add(1);
        self.wanted = self.wanted.saturating_add(1);
        UidValidity::new(value).ok_or_else(|| FormatError::Exhausted {
            path: root.entry(FILE.as_bytes()),
        })
    }
}

/// The last of `count` values in a row.
fn give_out(
    root: &Dir,
    fsync: Fsync,
    above: Option<UidValidity>,
    count: u32,
) -> Result<UidValidity, FormatError> {
    let path = root.entry(FILE.as_bytes());
    let _turn = take_turn(root);
    for _ in 0..MAX_TRIES {
        let Some(current) = current(root)? else {
            let now = u32::try_from(UnixTime::now().0).unwrap_or(u32::MAX / 2);
            let first = now
                .max(1)
                .max(above.map_or(0, |v| v.get().saturating_add(1)))
                .saturating_add(count - 1);
            match root_counter(root, first) {
                Ok(()) => return finish(root, fsync, first),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(root.error(FILE, e)),
            }
        };
        let floor = current.max(above.map_or(0, UidValidity::get));
        let Some(next) = floor.checked_add(count) else {
            return Err(FormatError::Exhausted { path });
        };
        let (from, to) = (counter_name(current), counter_name(next));
        match file::rename_noreplace(root, from.as_bytes(), root, to.as_bytes()) {
            Ok(()) => return finish(root, fsync, next),
            // Somebody else has taken this value.
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) => {}
            Err(e) => return Err(root.error(&from, e)),
        }
    }
    Err(FormatError::Locked { path })
}

/// Where the file system has no such locks, or somebody keeps one, the rename
/// alone decides.
fn take_turn(root: &Dir) -> Option<Flock<OwnedFd>> {
    // A descriptor of its own: locks belong to what was opened.
    let mut dir = roost_os::dir::open(root.path()).ok()?;
    for _ in 0..TURN_TRIES {
        match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
            Ok(turn) => return Some(turn),
            Err((back, Errno::EWOULDBLOCK)) => dir = back,
            Err(_) => return None,
        }
        std::thread::sleep(TURN_WAIT);
    }
    None
}

fn counter_name(value: u32) -> String {
    format!("{FILE}.{value:08x}")
}

fn root_counter(root: &Dir, value: u32) -> io::Result<()> {
    file::create_excl(root, counter_name(value).as_bytes(), COUNTER_MODE).map(drop)
}

/// The value last given out, by the counting file; `None` if there is none.
fn current(root: &Dir) -> Result<Option<u32>, FormatError> {
    if let Some(text) = read_small(root, FILE, MAX_FILE)?
        && let Some(value) = parse(&text)
        && root.stat(&counter_name(value))?.is_some()
        && root.stat(&counter_name(value.wrapping_add(1)))?.is_none()
    {
        return Ok(Some(value));
    }
    rescan(root)
}

/// The largest counting file there is; lower ones are removed.
fn rescan(root: &Dir) -> Result<Option<u32>, FormatError> {
    let listing = roost_os::dir::list(root).map_err(|e| FormatError::io(root.path(), e))?;
    let prefix = format!("{FILE}.");
    let mut values: Vec<u32> = listing
        .iter()
        .filter_map(|entry| parse(entry.name.strip_prefix(prefix.as_bytes())?))
        .collect();
    values.sort_unstable();
    let largest = values.pop();
    for lower in values {
        let _ = file::unlink(root, counter_name(lower).as_bytes());
    }
    Ok(largest)
}

fn parse(text: &[u8]) -> Option<u32> {
    let digits = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 8 || !text.iter().all(digits) {
        return None;
    }
    let value = u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()?;
    (value > 0).then_some(value)
}

fn finish(root: &Dir, fsync: Fsync, value: u32) -> Result<UidValidity, FormatError> {
    let temporary = format!("{TEMPORARY}.{}", super::name::unique());
    root.replace_with(
        (FILE, &temporary),
        sync_control(fsync),
        |out| io::Write::write_all(out, format!("{value:08x}").as_bytes()),
        |_| Ok(()),
    )?;
    let path = root.entry(FILE.as_bytes());
    UidValidity::new(value).ok_or(FormatError::Exhausted { path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn counters(path: &Path) -> Vec<String> {
        let names = std::fs::read_dir(path).unwrap();
        let mut names: Vec<String> = names
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn values_follow_what_dovecot_left() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        std::fs::write(temp.path().join(FILE), "6b02b49e").unwrap();
        std::fs::write(temp.path().join("dovecot-uidvalidity.6b02b49e"), "").unwrap();
        let value = next(&root, Fsync::Always, None).unwrap();
        assert_eq!(value.get(), 0x6b02_b49f);
        let text = std::fs::read(temp.path().join(FILE)).unwrap();
        assert_eq!(text, b"6b02b49f");
        assert_eq!(
            counters(temp.path()),
            [FILE, "dovecot-uidvalidity.6b02b49f"]
        );
        let above = UidValidity::new(0x7000_0000);
        let value = next(&root, Fsync::Always, above).unwrap();
        assert_eq!(value.get(), 0x7000_0001);
    }

    #[test]
    fn lost_and_doubled_files() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let now = UnixTime::now().0 as u32;
        let first = next(&root, Fsync::Never, None).unwrap().get();
        assert!(first >= now && first < now + 5);
        std::fs::remove_file(temp.path().join(FILE)).unwrap();
        assert_eq!(next(&root, Fsync::Never, None).unwrap().get(), first + 1);
        std::fs::write(temp.path().join(FILE), "garbage").unwrap();
        assert_eq!(next(&root, Fsync::Never, None).unwrap().get(), first + 2);
        // The main file lags behind: two programs wrote it in the wrong order.
        std::fs::write(temp.path().join(FILE), format!("{first:08x}")).unwrap();
        assert_eq!(next(&root, Fsync::Never, None).unwrap().get(), first + 3);
        std::fs::write(temp.path().join("dovecot-uidvalidity.00000007"), "").unwrap();
        std::fs::remove_file(temp.path().join(FILE)).unwrap();
        assert_eq!(next(&root, Fsync::Never, None).unwrap().get(), first + 4);
        assert_eq!(counters(temp.path()).len(), 2);
    }

    #[test]
    fn what_is_taken_ahead_rises_and_ends_when_others_take_one() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let mut reserve = Reserve::default();
        let mut last = 0;
        for _ in 0..200 {
            let value = reserve.next(&root, Fsync::Never).unwrap().get();
            assert!(value > last);
            last = value;
        }
        assert!(reserve.last - last < MAX_RESERVE && reserve.last > last);
        let other = next(&root, Fsync::Never, None).unwrap().get();
        assert!(other > reserve.last);
        for _ in 0..3 {
            let value = reserve.next(&root, Fsync::Never).unwrap().get();
            assert!(value > other, "{value} would come after {other}");
        }
        for name in counters(temp.path()) {
            std::fs::remove_file(temp.path().join(name)).unwrap();
        }
        let before = reserve.next(&root, Fsync::Never).unwrap();
        assert!(reserve.next(&root, Fsync::Never).unwrap() > before);
    }

    #[test]
    fn the_end_of_the_numbers() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let result = next(&root, Fsync::Never, Some(UidValidity::MAX));
        assert_eq!(result.unwrap(), UidValidity::MAX);
        let result = next(&root, Fsync::Never, None);
        assert!(matches!(result, Err(FormatError::Exhausted { .. })));
    }

    #[test]
    fn no_two_get_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let values: Vec<UidValidity> = std::thread::scope(|scope| {
            let work = || {
                let root = Dir::open(temp.path()).unwrap();
                (0..100)
                    .map(|_| next(&root, Fsync::Never, None).unwrap())
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len());
    }
}
