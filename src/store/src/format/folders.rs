//! `roost-folders`: what an account's tree has that directories cannot tell,
//! special uses, names without storage, classes, aliases and locks.
//!
//! ```text
//! roost-folders 1
//! special<TAB>\Sent<TAB>Work<TAB>Sent items
//! directory<TAB>Archive
//! class<TAB>IPF.Contact<TAB>People
//! locked<TAB>Minutes
//! alias<TAB>~alice/Team<TAB>Team
//! ```
//! Levels stand in UTF-8 whatever the encoding of directory names. Lines that
//! are not understood stay in the file.

use super::own_file::{Kind, Rest};
use super::{Dir, DotLock, FormatError};
use crate::options::Fsync;
use roost_types::mailbox::MAX_NAME_LEN;
use roost_types::{MailboxName, SpecialUse};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

pub const FILE: &str = "roost-folders";

/// Largest file read, in octets.
pub const MAX_FILE: u64 = 16 << 20;

/// The longest class, in octets.
pub const MAX_CLASS: usize = 255;

const TEMPORARY: &str = "roost-folders.tmp";
const KIND: Kind = Kind {
    magic: b"roost-folders ",
    version: 1,
    max: MAX_FILE,
};

/// The file's contents.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FolderFile {
    /// Special uses given by CREATE.
    pub special: BTreeMap<MailboxName, SpecialUse>,
    /// Names created as directories without storage.
    pub directories: BTreeSet<MailboxName>,
    /// What a mailbox is for, where that is not mail.
    pub classes: BTreeMap<MailboxName, Box<str>>,
    /// Mailboxes that an administrator has locked.
    pub locked: BTreeSet<MailboxName>,
    /// Names that stand for another mailbox: its name with `/` between the
    /// levels, that of another account with `~account` before it.
    pub aliases: BTreeMap<MailboxName, Box<str>>,
    rest: Rest,
}

impl FolderFile {
    /// Reads the file; empty where there is none.
    ///
    /// # Errors
    /// `Version` for a file of a later version.
    pub fn load(root: &Dir) -> Result<Self, FormatError> {
        let mut contents = Self::default();
        contents.rest = KIND.read(root, FILE, |line| contents.take_line(line))?;
        Ok(contents)
    }

    fn take_line(&mut self, line: &[u8]) -> Option<()> {
        let mut fields = std::str::from_utf8(line).ok()?.split('\t');
        match fields.next()? {
            "special" => {
                let usage = SpecialUse::by_attribute(fields.next()?)?;
                let name = MailboxName::from_levels(fields).ok()?;
                self.special.insert(name, usage);
            }
            "directory" => {
                self.directories
                    .insert(MailboxName::from_levels(fields).ok()?);
            }
            "class" => {
                let class = fields.next().filter(|class| is_class(class))?;
                let name = MailboxName::from_levels(fields).ok()?;
                self.classes.insert(name, class.into());
            }
            "locked" => {
                self.locked.insert(MailboxName::from_levels(fields).ok()?);
            }
            "alias" => {
                let target = fields.next().filter(|target| is_target(target))?;
                let name = MailboxName::from_levels(fields).ok()?;
                self.aliases.insert(name, target.into());
            }
            _ => return None,
        }
        Some(())
    }

    /// Reads, lets `edit` change and replaces the file in one durable step
    /// under its lock. Written only if something changed; a damaged one is set
    /// aside.
    ///
    /// # Errors
    /// `Full` where it would be larger than [`MAX_FILE`].
    pub fn change(
        root: &Dir,
        fsync: Fsync,
        timeout: Duration,
        edit: impl FnOnce(&mut Self),
    ) -> Result<Self, FormatError> {
        let mut lock = DotLock::acquire(root, FILE, timeout)?;
        let old = Self::load(root)?;
        let mut new = old.clone();
        edit(&mut new);
        if new == old {
            return Ok(old);
        }
        let mut text = Vec::new();
        (new.write_to(&mut text)).map_err(|e| root.error(TEMPORARY, e))?;
        let what = "the list of what is said of mailboxes";
        root.fits(FILE, text.len(), MAX_FILE, what)?;
        if old.rest.damaged {
            root.set_aside(FILE, "damaged")?;
            new.rest.damaged = false;
        }
        root.replace_by((FILE, TEMPORARY), fsync, &text, &mut lock)?;
        Ok(new)
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        KIND.write_first_line(out)?;
        for (name, usage) in &self.special {
            writeln!(out, "special\t{}\t{}", usage.attribute(), name.join('\t'))?;
        }
        for name in &self.directories {
            writeln!(out, "directory\t{}", name.join('\t'))?;
        }
        for (name, class) in &self.classes {
            writeln!(out, "class\t{class}\t{}", name.join('\t'))?;
        }
        for name in &self.locked {
            writeln!(out, "locked\t{}", name.join('\t'))?;
        }
        for (name, target) in &self.aliases {
            writeln!(out, "alias\t{target}\t{}", name.join('\t'))?;
        }
        self.rest.write_unknown(out)
    }

    /// Says of `to` and what is below it what it says of `from`, and nothing
    /// else. A name that would be too long is left out.
    pub fn copy(&mut self, from: &MailboxName, to: &MailboxName) {
        self.remove_all(to);
        copy_values(&mut self.special, from, to);
        copy_values(&mut self.classes, from, to);
        copy_values(&mut self.aliases, from, to);
        for names in [&mut self.directories, &mut self.locked] {
            let copies = names.iter().filter_map(|name| name.moved(from, to)?.ok());
            let copies: Vec<_> = copies.collect();
            names.extend(copies);
        }
    }

    /// Forgets what is known of `name` and of what is below it.
    pub fn remove_all(&mut self, name: &MailboxName) {
        let stays = |other: &MailboxName| !is_within(name, other);
        self.special.retain(|name, _| stays(name));
        self.classes.retain(|name, _| stays(name));
        self.aliases.retain(|name, _| stays(name));
        self.directories.retain(stays);
        self.locked.retain(stays);
    }

    /// Forgets what is known of `name` (not of what is below it).
    pub fn remove(&mut self, name: &MailboxName) {
        self.forget_mailbox(name);
        self.directories.remove(name);
    }

    /// The same, but that somebody has created it as a directory.
    pub fn forget_mailbox(&mut self, name: &MailboxName) {
        self.special.remove(name);
        self.classes.remove(name);
        self.locked.remove(name);
        self.aliases.remove(name);
    }

    /// Whether it says something of `name` or of what is below it.
    pub fn knows_within(&self, name: &MailboxName) -> bool {
        self.names().any(|known| is_within(name, known))
    }

    /// Every name that the file says something of.
    pub fn names(&self) -> impl Iterator<Item = &MailboxName> {
        (self.special.keys())
            .chain(&self.directories)
            .chain(self.classes.keys())
            .chain(&self.locked)
            .chain(self.aliases.keys())
    }
}

/// Whether `other` is `name` or below it.
fn is_within(name: &MailboxName, other: &MailboxName) -> bool {
    other == name || name.is_ancestor_of(other)
}

fn copy_values<T: Clone>(map: &mut BTreeMap<MailboxName, T>, from: &MailboxName, to: &MailboxName) {
    let copy =
        |(name, value): (&MailboxName, &T)| Some((name.moved(from, to)?.ok()?, value.clone()));
    let copies: Vec<_> = map.iter().filter_map(copy).collect();
    map.extend(copies);
}

/// Whether `text` can be a mailbox class.
pub fn is_class(text: &str) -> bool {
    (1..=MAX_CLASS).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// Whether `text` can be what an alias stands for.
pub fn is_target(text: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text, '/').unwrap()
    }

    fn place(text: &str) -> (tempfile::TempDir, Dir, PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let file = temp.path().join(FILE);
        if !text.is_empty() {
            std::fs::write(&file, text).unwrap();
        }
        (temp, root, file)
    }

    fn change(root: &Dir, edit: impl FnOnce(&mut FolderFile)) -> FolderFile {
        FolderFile::change(root, Fsync::Always, Duration::ZERO, edit).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_unknown_lines_stay() {
        let text = "roost-folders 1\nfuture\tx\nspecial\t\\sent\tWork\tGesendet, été\n\
                    special\t\\Nonsense\ta\ndirectory\t\n";
        let (_temp, root, file) = place(text);
        let mut read = FolderFile::load(&root).unwrap();
        assert_eq!(read.special[&name("Work/Gesendet, été")], SpecialUse::Sent);
        read = change(&root, |f| {
            f.directories.insert(name("Archive/a.b"));
        });
        let expected = "roost-folders 1\nspecial\t\\Sent\tWork\tGesendet, été\n\
                        directory\tArchive\ta.b\nfuture\tx\nspecial\t\\Nonsense\ta\ndirectory\t\n";
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
        assert_eq!(FolderFile::load(&root).unwrap(), read);
    }

    #[test]
    fn names_move_and_go() {
        let (_temp, root, file) = place("");
        change(&root, |_| {});
        assert!(!file.exists(), "nothing to write");
        change(&root, |f| {
            f.special.insert(name("a/Sent"), SpecialUse::Sent);
            f.directories.insert(name("a"));
            f.directories.insert(name("ab"));
        });
        let now = change(&root, |f| f.copy(&name("a"), &name("x/y")));
        assert_eq!(now.directories.len(), 3);
        let now = change(&root, |f| f.remove_all(&name("a")));
        assert!(!now.knows_within(&name("a")) && now.knows_within(&name("x")));
        let dirs: Vec<_> = now.directories.iter().map(|n| n.join('/')).collect();
        assert_eq!(dirs, ["ab", "x/y"]);
        assert_eq!(now.special[&name("x/y/Sent")], SpecialUse::Sent);
        let now = change(&root, |f| f.remove(&name("x/y")));
        assert!(!now.directories.contains(&name("x/y")));
        assert!(now.special.contains_key(&name("x/y/Sent")));
    }

    #[test]
    fn classes_locks_and_aliases() {
        let text = "roost-folders 1\nclass\tIPF.Contact\tPeople\nlocked\ta\tMinutes\n\
                    alias\t~alice/Team\ta\tTeam\n";
        let (_temp, root, file) = place(text);
        let now = change(&root, |f| {
            f.locked.insert(name("b/Old"));
            f.copy(&name("a"), &name("b"));
            f.remove_all(&name("a"));
        });
        assert_eq!(&*now.classes[&name("People")], "IPF.Contact");
        assert!(now.locked.contains(&name("b/Minutes")));
        assert_eq!(&*now.aliases[&name("b/Team")], "~alice/Team");
        assert_eq!(now.names().count(), 3);
        let expected = text
            .replace("a\tMinutes", "b\tMinutes")
            .replace("a\tTeam", "b\tTeam");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
        for gone in ["People", "b/Minutes", "b/Team"] {
            change(&root, |f| f.remove(&name(gone)));
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "roost-folders 1\n");
    }

    #[test]
    fn a_later_version_is_left_alone() {
        let (_temp, root, _) = place("roost-folders 2\n");
        let load = FolderFile::load(&root);
        assert!(matches!(load, Err(FormatError::Version { .. })));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_salvaged() {
        let text = "directory\ta\n\0\0\0\n";
        let (temp, root, file) = place(text);
        let now = change(&root, |f| {
            f.directories.insert(name("b"));
        });
        assert_eq!(now.directories.len(), 2);
        let new = std::fs::read_to_string(file).unwrap();
        assert_eq!(new, "roost-folders 1\ndirectory\ta\ndirectory\tb\n\0\0\0\n");
        let aside = std::fs::read_dir(temp.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.to_string_lossy().contains(".damaged-"));
        assert_eq!(std::fs::read_to_string(aside.unwrap()).unwrap(), text);
    }
}
