//! `roost-annotations`: what clients have noted about a mailbox (RFC 5464), in
//! its directory, so that it goes where the mailbox goes. The server's own
//! notes that a user keeps are in `roost-server-annotations` in the root.
//!
//! ```text
//! roost-annotations 1
//! shared<TAB>comment<TAB>Orders\nand invoices
//! private<TAB>bob<TAB>vendor/x/y<TAB>1        nobody's name: the owner's
//! ```
//! In values `\\`, `\t`, `\n`, `\r` and `\0` stand for the octets that would
//! break a line. Lines that are not understood stay in the file.

use super::own_file::{Kind, Rest};
use super::{Dir, DotLock, FormatError, sync_control};
use crate::options::Fsync;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// Of a mailbox.
pub const FILE: &str = "roost-annotations";
/// Of the server, as one account sees it.
pub const SERVER_FILE: &str = "roost-server-annotations";

/// Entries in one scope of one mailbox.
pub const MAX_ENTRIES: usize = 100;
/// The largest value, in octets.
pub const MAX_VALUE: usize = 64 << 10;
/// Largest file read, in octets; a little less is written.
pub const MAX_FILE: u64 = 8 << 20;

/// Octets of the shared entries, and as many of the owner's private ones:
/// nobody can take from the owner what is his.
const MAX_SCOPE: u64 = 1 << 20;
/// Octets of the private entries of somebody else: one of the largest values
/// and small ones.
const MAX_PRIVATE: u64 = 80 << 10;
/// Octets of the private entries of all others.
const MAX_OTHERS: u64 = 1 << 20;

const KIND: Kind = Kind {
    magic: b"roost-annotations ",
    version: 1,
    max: MAX_FILE,
};

/// Who sees an annotation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    Shared,
    /// One account; the owner has the empty name.
    Private(Box<str>),
}

/// A change of one entry; no value removes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Annotation {
    pub scope: Scope,
    /// In small letters, without the scope.
    pub name: String,
    pub value: Option<Vec<u8>>,
}

/// What became of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Annotated {
    Done,
    /// Nothing was changed: a scope would have more than [`MAX_ENTRIES`], or
    /// there would be more octets than there is room for.
    TooMany,
}

/// A file's contents.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Annotations {
    entries: BTreeMap<(Scope, String), Vec<u8>>,
    rest: Rest,
}

/// Whether a mailbox, or the account in whose root it is asked for, has any.
pub(crate) fn present(dir: &Dir) -> Result<bool, FormatError> {
    Ok(dir.stat(FILE)?.is_some() || dir.stat(SERVER_FILE)?.is_some())
}

impl Annotations {
    /// Reads the file; empty where there is none.
    ///
    /// # Errors
    /// `Version` for a file of a later version.
    pub fn load(dir: &Dir, file: &str) -> Result<Self, FormatError> {
        Self::load_some(dir, file, |_| true)
    }

    /// The same with the entries of these scopes alone, for telling them: the
    /// others' are passed over unread.
    pub fn load_of(dir: &Dir, file: &str, scopes: &[Scope]) -> Result<Self, FormatError> {
        Self::load_some(dir, file, |scope| scopes.contains(scope))
    }

    fn load_some(
        dir: &Dir,
        file: &str,
        wanted: impl Fn(&Scope) -> bool,
    ) -> Result<Self, FormatError> {
        let mut contents = Self::default();
        contents.rest = KIND.read(dir, file, |line| contents.take_line(line, &wanted))?;
        Ok(contents)
    }

    fn take_line(&mut self, line: &[u8], wanted: impl Fn(&Scope) -> bool) -> Option<()> {
        let mut fields = line.split(|&b| b == b'\t');
        let text = |field: Option<&[u8]>| String::from_utf8(field?.to_vec()).ok();
        let scope = match fields.next()? {
            b"shared" => Scope::Shared,
            b"private" => Scope::Private(text(fields.next())?.into()),
            _ => return None,
        };
        if !wanted(&scope) {
            return Some(());
        }
        let name = text(fields.next()).filter(|name| !name.is_empty())?;
        let value = unescaped(fields.next()?)?;
        if fields.next().is_some() {
            return None;
        }
        self.entries.insert((scope, name), value);
        Some(())
    }

    /// The entries of one scope, by name.
    pub fn of(&self, scope: &Scope) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries
            .iter()
            .filter(move |((of, _), _)| of == scope)
            .map(|((_, name), value)| (&**name, &**value))
    }

    /// All that is needed to make them again elsewhere.
    pub fn all(&self) -> Vec<Annotation> {
        let entry = |((scope, name), value): (&(Scope, String), &Vec<u8>)| Annotation {
            scope: scope.clone(),
            name: name.clone(),
            value: Some(value.clone()),
        };
        self.entries.iter().map(entry).collect()
    }

    /// Makes all changes or none, in one durable step under the file's lock. A
    /// damaged file is set aside.
    pub fn change(
        dir: &Dir,
        (file, fsync): (&str, Fsync),
        timeout: Duration,
        changes: &[Annotation],
    ) -> Result<Annotated, FormatError> {
        let mut lock = DotLock::acquire(dir, file, timeout)?;
        let old = Self::load(dir, file)?;
        let mut new = old.clone();
        for change in changes {
            new.apply(change);
        }
        if new == old {
            return Ok(Annotated::Done);
        }
        if !new.fits(&old) {
            return Ok(Annotated::TooMany);
        }
        if old.rest.damaged {
            dir.set_aside(file, "damaged")?;
        }
        let temporary = format!("{file}.tmp");
        dir.replace_with(
            (file, &temporary),
            sync_control(fsync),
            |out| new.write_to(out),
            |_| lock.keep_alive(),
        )?;
        Ok(Annotated::Done)
    }

    fn apply(&mut self, change: &Annotation) {
        let key = (change.scope.clone(), change.name.clone());
        match &change.value {
            Some(value) => drop(self.entries.insert(key, value.clone())),
            None => drop(self.entries.remove(&key)),
        }
    }

    /// What was too much before may become less.
    fn fits(&self, old: &Self) -> bool {
        let (new, old_sums) = (self.sums(), old.sums());
        let each = new.iter().all(|(scope, sum)| {
            let before = old_sums.get(scope).copied().unwrap_or_default();
            let few = sum.entries <= MAX_ENTRIES.max(before.entries);
            few && sum.octets <= most(scope).max(before.octets)
        });
        let of_others = |sums: &BTreeMap<&Scope, Sum>| -> u64 {
            let others = sums.iter().filter(|(scope, _)| is_others(scope));
            others.map(|(_, sum)| sum.octets).sum()
        };
        each && of_others(&new) <= MAX_OTHERS.max(of_others(&old_sums))
            && self.octets() < (MAX_FILE / 2).max(old.octets() + 1)
    }

    fn sums(&self) -> BTreeMap<&Scope, Sum> {
        let mut sums: BTreeMap<&Scope, Sum> = BTreeMap::new();
        for ((scope, name), value) in &self.entries {
            let who = match scope {
                Scope::Shared => 0,
                Scope::Private(who) => who.len(),
            };
            let sum = sums.entry(scope).or_default();
            sum.entries += 1;
            sum.octets += (who + name.len() + value.len() + 16) as u64;
        }
        sums
    }

    fn octets(&self) -> u64 {
        let unknown = self.rest.unknown.iter().map(|line| line.len() as u64);
        let known = self.sums().into_values().map(|sum| sum.octets);
        known.chain(unknown).sum()
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        KIND.write_first_line(out)?;
        for ((scope, name), value) in &self.entries {
            match scope {
                Scope::Shared => write!(out, "shared\t{name}\t")?,
                Scope::Private(who) => write!(out, "private\t{who}\t{name}\t")?,
            }
            write_escaped(out, value)?;
            out.write_all(b"\n")?;
        }
        self.rest.write_unknown(out)
    }
}

/// What the entries of a scope take: about, and before escapes, which at most
/// double it.
#[derive(Clone, Copy, Default)]
struct Sum {
    entries: usize,
    octets: u64,
}

/// Octets of a scope.
fn most(scope: &Scope) -> u64 {
    match is_others(scope) {
        true => MAX_PRIVATE,
        false => MAX_SCOPE,
    }
}

/// Private to somebody other than the owner.
fn is_others(scope: &Scope) -> bool {
    matches!(scope, Scope::Private(who) if !who.is_empty())
}

fn write_escaped(out: &mut impl Write, value: &[u8]) -> io::Result<()> {
    for piece in value.split_inclusive(|b| ESCAPES.iter().any(|(octet, _)| octet == b)) {
        match piece.split_last() {
            Some((last, before)) if let Some(letter) = letter_of(*last) => {
                out.write_all(before)?;
                out.write_all(&[b'\\', letter])?;
            }
            _ => out.write_all(piece)?,
        }
    }
    Ok(())
}

/// Octets and the letters that stand for them behind a backslash.
const ESCAPES: [(u8, u8); 5] = [
    (b'\\', b'\\'),
    (b'\t', b't'),
    (b'\n', b'n'),
    (b'\r', b'r'),
    (0, b'0'),
];

fn letter_of(octet: u8) -> Option<u8> {
    let found = ESCAPES.iter().find(|(of, _)| *of == octet);
    found.map(|(_, letter)| *letter)
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        value.extend_from_slice(rest.get(..at)?);
        let letter = rest.get(at + 1)?;
        value.push(ESCAPES.iter().find(|(_, of)| of == letter)?.0);
        rest = rest.get(at + 2..)?;
    }
    value.extend_from_slice(rest);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(text: &str) -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        if !text.is_empty() {
            std::fs::write(temp.path().join(FILE), text).unwrap();
        }
        let dir = Dir::open(temp.path()).unwrap();
        (temp, dir)
    }

    fn entry(scope: Scope, name: &str, value: Option<&[u8]>) -> Annotation {
        Annotation {
            scope,
            name: name.into(),
            value: value.map(<[u8]>::to_vec),
        }
    }

    fn change(dir: &Dir, changes: &[Annotation]) -> Annotated {
        Annotations::change(dir, (FILE, Fsync::Always), Duration::ZERO, changes).unwrap()
    }

    fn text(temp: &tempfile::TempDir) -> String {
        std::fs::read_to_string(temp.path().join(FILE)).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_unknown_lines_stay() {
        let (temp, dir) = place("roost-annotations 1\nfuture\tx\nshared\tcomment\ta\\nb\n");
        let bob = Scope::Private("bob".into());
        let done = change(
            &dir,
            &[
                entry(bob.clone(), "comment", Some(b"1\t2")),
                entry(Scope::Private("".into()), "x/y", Some(b"")),
            ],
        );
        assert_eq!(done, Annotated::Done);
        let expected = "roost-annotations 1\nshared\tcomment\ta\\nb\n\
                        private\t\tx/y\t\nprivate\tbob\tcomment\t1\\t2\nfuture\tx\n";
        assert_eq!(text(&temp), expected);
        let read = Annotations::load(&dir, FILE).unwrap();
        let shared: Vec<_> = read.of(&Scope::Shared).collect();
        assert_eq!(shared, [("comment", &b"a\nb"[..])]);
        let some = Annotations::load_of(&dir, FILE, &[Scope::Shared, bob.clone()]).unwrap();
        assert_eq!(some.all().len(), 2, "the owner's are none of theirs");
        assert_eq!(
            some.of(&bob).collect::<Vec<_>>(),
            [("comment", &b"1\t2"[..])]
        );
        change(&dir, &[entry(bob.clone(), "comment", None)]);
        assert_eq!(Annotations::load(&dir, FILE).unwrap().of(&bob).count(), 0);
    }

    #[test]
    fn too_many_change_nothing() {
        let (temp, dir) = place("");
        let many = |n: usize| -> Vec<_> {
            (0..n)
                .map(|i| entry(Scope::Shared, &format!("x{i}"), Some(b"1")))
                .collect()
        };
        assert_eq!(change(&dir, &many(MAX_ENTRIES)), Annotated::Done);
        let before = text(&temp);
        assert_eq!(change(&dir, &many(MAX_ENTRIES + 1)), Annotated::TooMany);
        assert_eq!(text(&temp), before);
        // Another scope has room of its own.
        let mine = entry(Scope::Private("".into()), "x", Some(b"1"));
        assert_eq!(change(&dir, &[mine]), Annotated::Done);
        assert_eq!(
            change(&dir, &[entry(Scope::Shared, "x1", None)]),
            Annotated::Done
        );
    }

    #[test]
    fn a_file_never_outgrows_what_is_read() {
        let (_temp, dir) = place("");
        let value = vec![b'\n'; MAX_VALUE];
        let mut last = Annotated::Done;
        for n in 0..200 {
            let who = Scope::Private(format!("user{n}").into());
            last = change(&dir, &[entry(who, "x", Some(&value))]);
            Annotations::load(&dir, FILE).unwrap();
            if last == Annotated::TooMany {
                break;
            }
        }
        assert_eq!(last, Annotated::TooMany);
    }

    #[test]
    fn what_others_note_takes_no_room_from_the_owner_and_from_one_another() {
        let (_temp, dir) = place("");
        let value = vec![b'v'; MAX_VALUE];
        let of = |who: &str| Scope::Private(who.into());
        let bobs = |n| entry(of("bob"), &format!("x{n}"), Some(&value));
        assert_eq!(change(&dir, &[bobs(1)]), Annotated::Done);
        assert_eq!(change(&dir, &[bobs(2)]), Annotated::TooMany);
        assert_eq!(
            change(&dir, &[entry(of("carol"), "x", Some(&value))]),
            Annotated::Done
        );
        // All others together, and who may write shared ones.
        let full = |scope: &dyn Fn(usize) -> Scope| {
            (0..20).any(|n| {
                let one = entry(scope(n), &format!("x{n}"), Some(&value));
                change(&dir, &[one]) == Annotated::TooMany
            })
        };
        assert!(full(&|n| of(&format!("u{n}"))));
        assert!(full(&|_| Scope::Shared));
        for n in 0..15 {
            let own = entry(of(""), &format!("x{n}"), Some(&value));
            assert_eq!(change(&dir, &[own]), Annotated::Done, "{n}");
        }
        // What is too much may become less.
        assert_eq!(
            change(&dir, &[entry(of("bob"), "x1", None)]),
            Annotated::Done
        );
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_a_later_version_left_alone() {
        let (temp, dir) = place("shared\tcomment\ta\n\u{1}\n");
        change(&dir, &[entry(Scope::Shared, "x", Some(b"1"))]);
        assert_eq!(
            text(&temp),
            "roost-annotations 1\nshared\tcomment\ta\nshared\tx\t1\n\u{1}\n"
        );
        let aside = std::fs::read_dir(temp.path()).unwrap().any(|e| {
            e.unwrap()
                .file_name()
                .to_string_lossy()
                .contains(".damaged-")
        });
        assert!(aside);
        std::fs::write(temp.path().join(FILE), "roost-annotations 2\n").unwrap();
        let load = Annotations::load(&dir, FILE);
        assert!(matches!(load, Err(FormatError::Version { .. })));
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut line = Vec::new();
            write_escaped(&mut line, &value).unwrap();
            prop_assert!(!line.iter().any(|b| b"\t\n\r\0".contains(b)));
            prop_assert_eq!(unescaped(&line), Some(value));
        }
    }
}
