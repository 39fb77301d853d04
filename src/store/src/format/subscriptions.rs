//! `subscriptions`, in both of Dovecot's versions (MAILDIR-FORMATS §5).
//!
//! Names stand as on disk, in the encoding of directory names. What must stay
//! true: the file keeps its version, the order of its lines, and the lines
//! that mean nothing to us; it is replaced by rename under its lock.

use super::lines::read_small;
use super::{Dir, DotLock, FormatError, courier, dirname};
use crate::options::{Encoding, Fsync};
use roost_types::MailboxName;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

pub const FILE: &str = "subscriptions";

/// Largest file read, in octets.
pub const MAX_FILE: u64 = 16 << 20;

const TEMPORARY: &str = "subscriptions.tmp";
const V2_HEADER: &[u8] = b"V\t2\n\n";

/// The subscribed names, sorted, each once; lines that are no names are left
/// out (and stay in the file). Without the file those of
/// `courierimapsubscribed`.
///
/// # Errors
/// `Version` for a version above 2.
pub fn read(root: &Dir, encoding: Encoding) -> Result<Vec<MailboxName>, FormatError> {
    let file = Subscriptions::load(root, encoding)?;
    let names: BTreeSet<_> = file.lines.into_iter().filter_map(|l| l.name).collect();
    Ok(names.into_iter().collect())
}

/// How many lines are no names.
pub fn strange_lines(root: &Dir, encoding: Encoding) -> Result<usize, FormatError> {
    let file = Subscriptions::load(root, encoding)?;
    Ok(file.lines.iter().filter(|l| l.name.is_none()).count())
}

/// True if the account has a subscription file, Dovecot's or Courier's.
pub fn present(root: &Dir) -> Result<bool, FormatError> {
    Ok(root.stat(FILE)?.is_some() || root.stat(courier::SUBSCRIBED)?.is_some())
}

/// Adds and removes names in one durable step under the file's lock; the
/// file keeps its version, order and foreign lines. True if anything changed.
pub fn change(
    root: &Dir,
    encoding: Encoding,
    fsync: Fsync,
    timeout: Duration,
    add: &[MailboxName],
    remove: &[MailboxName],
) -> Result<bool, FormatError> {
    let mut lock = DotLock::acquire(root, FILE, timeout)?;
    let mut file = Subscriptions::load(root, encoding)?;
    if !file.edit(encoding, add, remove) {
        return Ok(false);
    }
    let mut text = Vec::new();
    (file.write_to(&mut text)).map_err(|e| root.error(TEMPORARY, e))?;
    root.fits(FILE, text.len(), MAX_FILE, "the list of subscriptions")?;
    root.replace_by((FILE, TEMPORARY), fsync, &text, &mut lock)?;
    Ok(true)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    One,
    Two,
}

struct Entry {
    text: Vec<u8>,
    /// `None` for a line that is no name.
    name: Option<MailboxName>,
}

struct Subscriptions {
    version: Version,
    lines: Vec<Entry>,
}

impl Subscriptions {
    fn load(root: &Dir, encoding: Encoding) -> Result<Self, FormatError> {
        let Some(text) = read_small(root, FILE, MAX_FILE)? else {
            let mut taken_over = Self {
                version: Version::Two,
                lines: Vec::new(),
            };
            let names = courier::subscribed(root, encoding)?;
            taken_over.edit(encoding, &names, &[]);
            return Ok(taken_over);
        };
        let (version, body) = match text.strip_prefix(V2_HEADER) {
            Some(body) => (Version::Two, body),
            None if text.starts_with(b"V\t") && !text.starts_with(b"V\t2") => {
                let path = root.entry(FILE.as_bytes());
                return Err(FormatError::Version { path });
            }
            None => match text.strip_prefix(b"V\t2\n") {
                Some(body) => (Version::Two, body),
                None => (Version::One, text.as_slice()),
            },
        };
        let lines = body
            .split(|&b| b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.is_empty())
            .map(|line| Entry {
                text: line.to_vec(),
                name: version.parse(line, encoding),
            })
            .collect();
        Ok(Self { version, lines })
    }

    /// True if anything changed.
    fn edit(&mut self, encoding: Encoding, add: &[MailboxName], remove: &[MailboxName]) -> bool {
        let before = self.lines.len();
        self.lines
            .retain(|line| !line.name.as_ref().is_some_and(|name| remove.contains(name)));
        let mut changed = self.lines.len() < before;
        for name in add {
            if self
                .lines
                .iter()
                .all(|line| line.name.as_ref() != Some(name))
            {
                self.lines.push(Entry {
                    text: self.version.line(name, encoding),
                    name: Some(name.clone()),
                });
                changed = true;
            }
        }
        changed
    }

    fn write_to(&self, out: &mut impl Write) -> std::io::Result<()> {
        if self.version == Version::Two {
            out.write_all(V2_HEADER)?;
        }
        for line in &self.lines {
            out.write_all(&line.text)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Version {
    fn separator(self) -> char {
        match self {
            Self::One => '.',
            Self::Two => '\t',
        }
    }

    fn parse(self, line: &[u8], encoding: Encoding) -> Option<MailboxName> {
        let separator = self.separator() as u8;
        // Old files have names with a separator at the end.
        let line = line.strip_suffix(&[separator]).unwrap_or(line);
        let levels: Vec<String> = line
            .split(|&b| b == separator)
            .map(|level| match self {
                Self::One => Some(dirname::decode_level(level, encoding)),
                Self::Two => Some(dirname::decode_level(&tab_unescaped(level)?, encoding)),
            })
            .collect::<Option<_>>()?;
        MailboxName::from_levels(levels.iter().map(String::as_str)).ok()
    }

    /// Levels hold no control characters, so nothing needs Dovecot's tab
    /// escapes. A `~` in front is a mailbox of another account, which is no
    /// directory here: it stands as a Dovecot with such a namespace has it.
    fn line(self, name: &MailboxName, encoding: Encoding) -> Vec<u8> {
        let line = dirname::encode_levels(name, encoding, self.separator());
        match line.strip_prefix("\\7e") {
            Some(rest) => format!("~{rest}").into_bytes(),
            None => line.into_bytes(),
        }
    }
}

/// Undoes Dovecot's tab escapes; `None` for one that is none.
fn tab_unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&b) = bytes.next() {
        out.push(match b {
            1 => match bytes.next()? {
                b'0' => 0,
                b'1' => 1,
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            b => b,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        root: Dir,
        temp: tempfile::TempDir,
    }

    fn place(text: Option<&[u8]>) -> Place {
        let temp = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(temp.path().join(FILE), text).unwrap();
        }
        let root = Dir::open(temp.path()).unwrap();
        Place { root, temp }
    }

    fn names(names: &[&str]) -> Vec<MailboxName> {
        names
            .iter()
            .map(|n| MailboxName::parse(n, '/').unwrap())
            .collect()
    }

    impl Place {
        fn read(&self) -> Vec<String> {
            let names = read(&self.root, Encoding::Mutf7).unwrap();
            names.iter().map(|n| n.join('/')).collect()
        }

        fn change(&self, add: &[&str], remove: &[&str]) -> bool {
            let (add, remove) = (names(add), names(remove));
            let wait = Duration::ZERO;
            change(
                &self.root,
                Encoding::Mutf7,
                Fsync::Always,
                wait,
                &add,
                &remove,
            )
            .unwrap()
        }

        fn text(&self) -> Vec<u8> {
            std::fs::read(self.temp.path().join(FILE)).unwrap()
        }
    }

    #[test]
    fn version_two() {
        let p = place(Some(
            b"V\t2\n\nWork\t2024\n&AOk-t\ninbox\nbad\x01x\nWork\t\n",
        ));
        assert_eq!(p.read(), ["INBOX", "Work", "Work/2024", "ét"]);
        assert!(p.change(&["été/a.b", "Work"], &["INBOX"]));
        let expected = b"V\t2\n\nWork\t2024\n&AOk-t\nbad\x01x\nWork\t\n&AOk-t&AOk-\ta\\2eb\n";
        assert_eq!(p.text(), expected);
        assert!(!p.change(&["Work"], &["nothing"]));
        assert!(p.change(&[], &["Work"]));
        assert_eq!(p.read(), ["Work/2024", "ét", "été/a.b"]);
        assert!(!p.temp.path().join("subscriptions.lock").exists());
    }

    #[test]
    fn mailboxes_of_others() {
        let p = place(Some(b"V\t2\n\n~ann\tDesk\n\\7ecarl\tDesk\n"));
        assert_eq!(p.read(), ["~ann/Desk", "~carl/Desk"]);
        assert!(p.change(&["~bob/Desk/~x"], &["~carl/Desk"]));
        assert_eq!(p.text(), b"V\t2\n\n~ann\tDesk\n~bob\tDesk\t~x\n");
        assert_eq!(p.read(), ["~ann/Desk", "~bob/Desk/~x"]);
    }

    #[test]
    fn version_one_stays_version_one() {
        let p = place(Some(b"Work.2024\r\nINBOX\nSent."));
        assert_eq!(p.read(), ["INBOX", "Sent", "Work/2024"]);
        assert!(p.change(&["a/b"], &["Sent"]));
        assert_eq!(p.text(), b"Work.2024\nINBOX\na.b\n");
    }

    #[test]
    fn new_files_are_version_two() {
        let p = place(None);
        assert!(!present(&p.root).unwrap());
        assert!(p.read().is_empty());
        assert!(p.change(&["a"], &[]));
        assert_eq!(p.text(), b"V\t2\n\na\n");
        assert!(present(&p.root).unwrap());
    }

    #[test]
    fn a_later_version_is_left_alone() {
        let p = place(Some(b"V\t3\n\na\n"));
        let read = read(&p.root, Encoding::Mutf7);
        assert!(matches!(read, Err(FormatError::Version { .. })));
    }

    #[test]
    fn courier_subscriptions_are_taken_over_at_the_first_change() {
        let p = place(None);
        let text = "INBOX\nINBOX.Work.2024\ninbox.été\n#shared.x\nINBOX.\n";
        std::fs::write(p.temp.path().join("courierimapsubscribed"), text).unwrap();
        assert!(present(&p.root).unwrap());
        assert_eq!(p.read(), ["INBOX", "Work/2024", "été"]);
        assert!(!p.change(&["INBOX"], &[]));
        assert!(p.change(&[], &["Work/2024"]));
        assert_eq!(p.text(), b"V\t2\n\nINBOX\n&AOk-t&AOk-\n");
        assert_eq!(p.read(), ["INBOX", "été"], "the new file counts now");
    }
}
