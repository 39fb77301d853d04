//! `dovecot-keywords`: the names of the keyword letters (MAILDIR-FORMATS §4).
//!
//! What must stay true: a letter's name is never changed, since messages carry
//! the letter; lines that are not understood stay in the file; and the file's
//! mtime grows by a whole second at each change, because that is what Dovecot
//! compares.

use super::lines::{number, read_small, split_once};
use super::name::Letters;
use super::{Dir, DotLock, FormatError, UidListLock, sync_control};
use crate::options::Fsync;
use roost_os::file::{self, Stat};
use roost_types::{Keyword, UnixTime};
use std::io::{self, Write};
use std::time::Duration;

pub const FILE: &str = "dovecot-keywords";

/// How many keywords have letters.
pub const SLOTS: u8 = 26;

/// Largest file read, in octets.
pub const MAX_FILE: u64 = 1 << 20;

const TEMPORARY: &str = "dovecot-keywords.tmp";
/// The lock is held for one small write; who holds it longer is stuck.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
const UNKNOWN: &str = "unknown-";

/// A letter that has a line.
#[derive(Clone, Debug)]
struct Slot {
    /// The name as it stands.
    raw: Vec<u8>,
    /// `None` for what is no keyword, or one that another letter has.
    keyword: Option<Keyword>,
}

/// The table of one mailbox.
#[derive(Debug)]
pub struct KeywordFile {
    dir: Dir,
    slots: [Option<Slot>; SLOTS as usize],
    /// Lines that are no slots.
    other: Vec<Vec<u8>>,
    stat: Option<Stat>,
    reserved: Letters,
    /// The file has lost names that stand here.
    lost: bool,
}

fn stamp(stat: Option<&Stat>) -> [u64; 4] {
    let of = |s: &Stat| {
        let (sec, nsec) = (s.mtime_sec.cast_unsigned(), s.mtime_nsec.cast_unsigned());
        [s.ino, s.size, sec, nsec]
    };
    stat.map(of).unwrap_or_default()
}

impl KeywordFile {
    /// Reads the table; an empty one where there is no file.
    pub fn load(dir: &Dir) -> Result<Self, FormatError> {
        let mut table = Self {
            dir: dir.clone(),
            slots: [const { None }; SLOTS as usize],
            other: Vec::new(),
            stat: None,
            reserved: Letters::NONE,
            lost: false,
        };
        table.refresh()?;
        Ok(table)
    }

    /// Reads it again if the file has changed; true if it had. Names that the
    /// file does not have any more are kept: messages carry their letters.
    pub fn refresh(&mut self) -> Result<bool, FormatError> {
        // Before the contents: what changes in between is read twice.
        let stat = self.dir.stat(FILE)?;
        if stat == self.stat {
            return Ok(false);
        }
        let text = read_small(&self.dir, FILE, MAX_FILE)?.unwrap_or_default();
        let known = std::mem::replace(&mut self.slots, [const { None }; SLOTS as usize]);
        self.other.clear();
        for line in text.split(|&b| b == b'\n').filter(|l| !l.is_empty()) {
            self.take_line(line);
        }
        self.lost = false;
        for (index, old) in known.into_iter().enumerate() {
            self.keep(index, old);
        }
        self.stat = stat;
        Ok(true)
    }

    /// A name known before, unless the file tells otherwise now.
    fn keep(&mut self, index: usize, old: Option<Slot>) {
        let keyword = old.as_ref().and_then(|old| old.keyword.as_ref());
        if keyword.is_none_or(|k| self.named(k).is_some()) {
            return;
        }
        if let Some(slot @ None) = self.slots.get_mut(index) {
            *slot = old;
            self.lost = true;
        }
    }

    /// What tells whether the file has changed since it was read.
    pub(crate) fn stamp(&self) -> [u64; 4] {
        stamp(self.stat.as_ref())
    }

    /// The same of the file as it is now.
    pub(crate) fn stamp_in(dir: &Dir) -> Result<[u64; 4], FormatError> {
        Ok(stamp(dir.stat(FILE)?.as_ref()))
    }

    /// The file has lost names that are still known here.
    pub fn has_lost(&self) -> bool {
        self.lost
    }

    /// Writes again what the file has lost.
    pub fn restore(&mut self, lock: &mut UidListLock, fsync: Fsync) -> Result<(), FormatError> {
        lock.covers(&self.dir)?;
        let mut own = DotLock::acquire(&self.dir, FILE, LOCK_TIMEOUT)?;
        self.refresh()?;
        if !self.lost {
            return Ok(());
        }
        let path = self.dir.entry(FILE.as_bytes());
        log::warn!("{}: names were lost; written again", path.display());
        self.write(&mut own, fsync)
    }

    fn take_line(&mut self, line: &[u8]) {
        let parts = split_once(line, b' ').and_then(|(i, name)| Some((number(i)?, name)));
        if let Some((index, name)) = parts
            && !name.is_empty()
        {
            let keyword = std::str::from_utf8(name).ok();
            let keyword = keyword.and_then(|name| Keyword::new(name).ok());
            let keyword = keyword.filter(|k| self.named(k).is_none());
            let slot = usize::try_from(index).ok();
            if let Some(slot @ None) = slot.and_then(|i| self.slots.get_mut(i)) {
                let raw = name.to_vec();
                *slot = Some(Slot { raw, keyword });
                return;
            }
        }
        self.other.push(line.to_vec());
    }

    fn named(&self, keyword: &Keyword) -> Option<u8> {
        self.iter().find(|(_, k)| *k == keyword).map(|(i, _)| i)
    }

    fn keyword_at(&self, index: u8) -> Option<&Keyword> {
        self.slots
            .get(usize::from(index))?
            .as_ref()?
            .keyword
            .as_ref()
    }

    /// The keyword of a letter; one without a name is `unknown-<index>`.
    /// `None` for what is no letter.
    pub fn name(&self, index: u8) -> Option<Keyword> {
        let letter = (index < SLOTS).then_some(index)?;
        self.keyword_at(letter).cloned().or_else(|| unknown(letter))
    }

    pub fn has_name(&self, index: u8) -> bool {
        self.keyword_at(index).is_some()
    }

    /// Slots that have a name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Keyword)> {
        (0..SLOTS).filter_map(|i| Some((i, self.keyword_at(i)?)))
    }

    /// Lines, those included that name no keyword: nobody gives their letters
    /// to others.
    pub(crate) fn lines(&self) -> usize {
        self.slots.iter().flatten().count() + self.other.len()
    }

    /// The letter of a keyword; also of the `unknown-<index>` that
    /// [`name`](Self::name) makes up.
    pub fn index_of(&self, keyword: &Keyword) -> Option<u8> {
        if let Some(index) = self.named(keyword) {
            return Some(index);
        }
        let index = keyword.as_str().strip_prefix(UNKNOWN)?.parse().ok()?;
        let free = index < SLOTS && self.keyword_at(index).is_none();
        (free && unknown(index).as_ref() == Some(keyword)).then_some(index)
    }

    /// Letters that messages carry: those without a name are not given to new
    /// keywords, whose messages they are not.
    pub fn reserve(&mut self, in_use: Letters) {
        self.reserved = Letters::from_bits(self.reserved.bits() | in_use.bits());
    }

    /// Gives letters to those of `keywords` that have none, as far as there
    /// are free ones; brings the table up to date first. Ask
    /// [`index_of`](Self::index_of) afterwards.
    pub fn add(
        &mut self,
        lock: &mut UidListLock,
        fsync: Fsync,
        keywords: &[Keyword],
    ) -> Result<(), FormatError> {
        if keywords.iter().all(|k| self.index_of(k).is_some()) {
            return Ok(());
        }
        lock.covers(&self.dir)?;
        let mut own = DotLock::acquire(&self.dir, FILE, LOCK_TIMEOUT)?;
        self.refresh()?;
        let (before, lost) = (self.slots.clone(), self.lost);
        let mut changed = lost;
        for keyword in keywords {
            if self.index_of(keyword).is_none() {
                changed |= self.take_slot(keyword);
            }
        }
        if !changed {
            return Ok(());
        }
        let written = self.write(&mut own, fsync);
        if written.is_err() {
            self.slots = before;
            self.lost = lost;
        }
        written
    }

    fn take_slot(&mut self, keyword: &Keyword) -> bool {
        let reserved = self.reserved;
        let free = (0..SLOTS)
            .zip(&mut self.slots)
            .find(|(i, slot)| slot.is_none() && !reserved.contains(*i));
        let Some((_, slot)) = free else {
            return false;
        };
        *slot = Some(Slot {
            raw: keyword.as_str().as_bytes().to_vec(),
            keyword: Some(keyword.clone()),
        });
        true
    }

    fn write(&mut self, own: &mut DotLock, fsync: Fsync) -> Result<(), FormatError> {
        let least = self.stat.map_or(0, |stat| stat.mtime_sec + 1);
        let mtime = UnixTime::now().0.max(least);
        self.dir.replace_with(
            (FILE, TEMPORARY),
            sync_control(fsync),
            |out| {
                self.write_to(out)?;
                out.flush()?;
                file::set_mtime(out.get_ref(), mtime, 0)
            },
            |_| own.keep_alive(),
        )?;
        self.lost = false;
        self.stat = self.dir.stat(FILE)?;
        Ok(())
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        for (index, slot) in self.slots.iter().enumerate() {
            if let Some(slot) = slot {
                write!(out, "{index} ")?;
                out.write_all(&slot.raw)?;
                out.write_all(b"\n")?;
            }
        }
        for line in &self.other {
            out.write_all(line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn unknown(index: u8) -> Option<Keyword> {
    Keyword::new(&format!("{UNKNOWN}{index}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Place {
        dir: Dir,
        file: PathBuf,
        lock: UidListLock,
        _temp: tempfile::TempDir,
    }

    fn place(text: &str) -> Place {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let file = temp.path().join(FILE);
        std::fs::write(&file, text).unwrap();
        Place {
            lock: UidListLock::acquire(&dir, Duration::ZERO).unwrap(),
            dir,
            file,
            _temp: temp,
        }
    }

    fn keyword(name: &str) -> Keyword {
        Keyword::new(name).unwrap()
    }

    #[test]
    fn names_of_letters() {
        let p = place("0 $Forwarded\n1 Junk\n4 Important\n");
        let table = KeywordFile::load(&p.dir).unwrap();
        assert_eq!(table.name(4).unwrap().as_str(), "Important");
        assert_eq!(table.name(2).unwrap().as_str(), "unknown-2");
        assert_eq!(table.index_of(&keyword("JUNK")), Some(1));
        assert_eq!(table.index_of(&keyword("unknown-2")), Some(2));
        assert_eq!(table.index_of(&keyword("unknown-02")), None);
        assert_eq!(table.index_of(&keyword("unknown-4")), None);
        assert_eq!(table.index_of(&keyword("unknown-26")), None);
        let names: Vec<_> = table.iter().map(|(i, k)| (i, k.as_str())).collect();
        assert_eq!(names, [(0, "$Forwarded"), (1, "Junk"), (4, "Important")]);
    }

    #[test]
    fn new_keywords_take_free_letters_and_all_else_stays() {
        let text = "customflags\n0 a\n1 A\n3 not an atom\n26 beyond\n3 again\n";
        let mut p = place(text);
        let mut table = KeywordFile::load(&p.dir).unwrap();
        assert_eq!(
            table.name(1).unwrap().as_str(),
            "unknown-1",
            "the name is taken"
        );
        let mut in_use = Letters::NONE;
        in_use.insert(2);
        table.reserve(in_use);
        let new = [keyword("x"), keyword("a"), keyword("y"), keyword("X")];
        table.add(&mut p.lock, Fsync::Always, &new).unwrap();
        let now = std::fs::read_to_string(&p.file).unwrap();
        assert_eq!(
            now,
            "0 a\n1 A\n3 not an atom\n4 x\n5 y\ncustomflags\n26 beyond\n3 again\n"
        );
        let mut other = KeywordFile::load(&p.dir).unwrap();
        assert_eq!(other.index_of(&keyword("y")), Some(5));
        assert!(!other.refresh().unwrap());
        assert!(!table.refresh().unwrap());
    }

    #[test]
    fn the_mtime_grows_by_a_second() {
        let mut p = place("");
        let mut table = KeywordFile::load(&p.dir).unwrap();
        let mut last = p.dir.stat(FILE).unwrap().unwrap().mtime_sec;
        for name in ["a", "b", "c"] {
            table
                .add(&mut p.lock, Fsync::Never, &[keyword(name)])
                .unwrap();
            let now = p.dir.stat(FILE).unwrap().unwrap().mtime_sec;
            assert!(now > last);
            last = now;
        }
    }

    #[test]
    fn twenty_six_and_no_more() {
        let mut p = place("");
        let mut table = KeywordFile::load(&p.dir).unwrap();
        let many: Vec<Keyword> = (0..30).map(|i| keyword(&format!("k{i}"))).collect();
        table.add(&mut p.lock, Fsync::Never, &many).unwrap();
        assert_eq!(table.index_of(&many[25]), Some(25));
        assert_eq!(table.index_of(&many[26]), None);
        assert_eq!(KeywordFile::load(&p.dir).unwrap().iter().count(), 26);
    }

    #[test]
    fn changes_of_others_are_seen_and_kept() {
        let mut p = place("0 a\n");
        let mut ours = KeywordFile::load(&p.dir).unwrap();
        let mut theirs = KeywordFile::load(&p.dir).unwrap();
        theirs
            .add(&mut p.lock, Fsync::Never, &[keyword("b")])
            .unwrap();
        ours.add(&mut p.lock, Fsync::Never, &[keyword("c")])
            .unwrap();
        assert_eq!(ours.index_of(&keyword("b")), Some(1));
        assert!(theirs.refresh().unwrap());
        assert_eq!(theirs.name(2).unwrap().as_str(), "c");
    }

    #[test]
    fn names_lost_from_the_file_are_written_again() {
        let mut p = place("0 a\n1 b\n2 c\n");
        let mut table = KeywordFile::load(&p.dir).unwrap();
        std::fs::remove_file(&p.file).unwrap();
        assert!(table.refresh().unwrap() && table.has_lost());
        assert_eq!(table.index_of(&keyword("c")), Some(2));
        // What is there meanwhile holds.
        std::fs::write(&p.file, "1 new\n4 a\n").unwrap();
        table.restore(&mut p.lock, Fsync::Never).unwrap();
        let now = std::fs::read_to_string(&p.file).unwrap();
        assert_eq!(now, "1 new\n2 c\n4 a\n");
        assert!(!table.has_lost() && !table.refresh().unwrap());
    }

    #[test]
    fn the_lock_of_another_mailbox_is_refused() {
        let mut p = place("");
        let other = place("");
        let mut table = KeywordFile::load(&other.dir).unwrap();
        let refused = table.add(&mut p.lock, Fsync::Never, &[keyword("a")]);
        assert!(matches!(refused, Err(FormatError::LockLost { .. })));
    }
}
