//! Maildirs with the same messages, flags and UIDs for every server.
//!
//! The messages are written once, below `master`, and are there again in the
//! next run. Mailboxes are hard links to them: a Maildir's files never change,
//! so no server notices, and the page cache holds each message once for all.

use crate::error::Result;
use crate::mail::Writer;
use crate::rng::Rng;
use crate::server::MAIL_UID;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Accounts beside `u0`, `u1`, …
pub const NAMED: [&str; 7] = [
    "ten", "hundred", "million", "list10", "list100", "scratch", "change",
];

/// The first message's date; the others follow at an hour's distance.
pub const EPOCH: u64 = 1_700_000_000;
const SEED: u64 = 0x5eed_0007;
/// Changes whenever the generator does.
const VERSION: u32 = 1;

pub struct Master {
    messages: Vec<Message>,
}

struct Message {
    file: PathBuf,
    size: usize,
    /// With CRLF line ends.
    wire_size: usize,
}

impl Master {
    /// `count` messages below `dir`, written if they are not there yet.
    pub fn make(dir: &Path, count: usize) -> Result<Self> {
        let dir = dir.join(format!("master-{VERSION}-{count}"));
        let list = dir.join("list");
        if !list.exists() {
            let _ = fs::remove_dir_all(&dir);
            write_all(&dir, count)?;
        }
        let messages = fs::read_to_string(list)?
            .lines()
            .enumerate()
            .filter_map(|(n, line)| {
                let (size, wire_size) = line.split_once(' ')?;
                Some(Message {
                    file: dir.join(n.to_string()),
                    size: size.parse().ok()?,
                    wire_size: wire_size.parse().ok()?,
                })
            })
            .collect();
        Ok(Self { messages })
    }

    /// Octets of all messages as they go over the wire.
    pub fn wire_octets(&self) -> u64 {
        self.messages.iter().map(|m| m.wire_size as u64).sum()
    }

    /// The files, for reading them without a server.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.messages.iter().map(|m| m.file.as_path())
    }

    /// A mailbox at `maildir` of `count` messages, those of the master as
    /// often as it takes.
    pub fn mailbox(&self, maildir: &Path, count: usize, validity: u32) -> Result<()> {
        for sub in ["tmp", "new", "cur"] {
            fs::create_dir_all(maildir.join(sub))?;
            chown(maildir.join(sub), Some(MAIL_UID), Some(MAIL_UID))?;
        }
        let mut rng = Rng::new(SEED ^ 0xf1a6);
        let mut list = format!("3 V{validity} N{} G{:032x}\n", count + 1, validity);
        let cur = maildir.join("cur");
        for n in 0..count {
            let message = &self.messages[n % self.messages.len()];
            // Names as Dovecot's own, in the order of arrival.
            let base = format!(
                "{}.M{:06}P{n}.bench,S={},W={}",
                EPOCH + n as u64,
                n % 1_000_000,
                message.size,
                message.wire_size
            );
            let _ = writeln!(list, "{} :{base}", n + 1);
            fs::hard_link(&message.file, cur.join(base + ":2," + &flags(&mut rng)))?;
        }
        let sidecars = [
            ("dovecot-uidlist", list),
            ("dovecot-keywords", "0 $Forwarded\n1 NonJunk\n".to_owned()),
        ];
        for (name, text) in sidecars {
            let path = maildir.join(name);
            fs::write(&path, text)?;
            chown(&path, Some(MAIL_UID), Some(MAIL_UID))?;
        }
        chown(maildir, Some(MAIL_UID), Some(MAIL_UID))?;
        Ok(())
    }
}

/// Most mail has been seen, some answered, little flagged.
fn flags(rng: &mut Rng) -> String {
    let mut out = String::new();
    for (letter, percent) in [('F', 4), ('R', 22), ('S', 85), ('a', 3), ('b', 40)] {
        if rng.chance(percent) {
            out.push(letter);
        }
    }
    out
}

fn write_all(dir: &Path, count: usize) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut writer = Writer::new(SEED);
    let mut list = String::new();
    for n in 0..count {
        let message = writer.next();
        let mut file = File::create(dir.join(n.to_string()))?;
        file.write_all(&message)?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH + 3600 * n as u64))?;
        std::os::unix::fs::fchown(&file, Some(MAIL_UID), Some(MAIL_UID))?;
        let ends = memchr::memchr_iter(b'\n', &message).count();
        let _ = writeln!(list, "{} {}", message.len(), message.len() + ends);
    }
    nix::unistd::sync();
    fs::write(dir.join("list"), list)?;
    Ok(())
}

/// Removes what a server can make again: the next look is the first one.
pub fn forget(maildir: &Path) -> Result<()> {
    for entry in fs::read_dir(maildir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if matches!(&*name, "roost-index" | ".roost") {
            fs::remove_dir_all(entry.path())?;
        } else if name.starts_with("dovecot.") && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        } else if name.starts_with('.') && entry.file_type()?.is_dir() {
            forget(&entry.path())?;
        }
    }
    Ok(())
}
