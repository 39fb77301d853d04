//! Writes the sample mail as a Maildir++ of plain files, the way any other
//! program would: folders, messages with flags in their names, and a
//! `subscriptions` file. Roost finds the rest out by itself.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use roost_types::time::UnixTime;
use roost_types::utf7;

use super::mail::{MAILBOXES, SAMPLES, Sample};

/// Makes the account's Maildir in `root`, which must not exist.
pub fn write(root: &Path, now: UnixTime) -> io::Result<()> {
    make_folder(root)?;
    for (levels, _) in MAILBOXES {
        let folder = root.join(folder_name(levels));
        make_folder(&folder)?;
        create(&folder.join("maildirfolder"), b"")?;
    }
    for (number, sample) in SAMPLES.iter().enumerate() {
        write_message(root, number, sample, now)?;
    }
    create(&root.join("subscriptions"), subscriptions().as_bytes())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    make_dir(folder)?;
    for part in ["cur", "new", "tmp"] {
        make_dir(&folder.join(part))?;
    }
    Ok(())
}

/// A folder for its owner only.
pub fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// A new file for its owner only.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    open_new(path)?.write_all(bytes)
}

fn open_new(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// The directory of a mailbox: levels in modified UTF-7 behind dots; INBOX is
/// the root itself.
fn folder_name(levels: &[&str]) -> String {
    levels
        .iter()
        .map(|level| format!(".{}", utf7::encode(level)))
        .collect()
}

fn write_message(root: &Path, number: usize, sample: &Sample, now: UnixTime) -> io::Result<()> {
    let date = UnixTime(now.0 - sample.minutes_ago * 60);
    let bytes = sample.bytes(date);
    let (part, info) = match sample.flags {
        None => ("new", String::new()),
        Some(flags) => ("cur", format!(":2,{flags}")),
    };
    let name = format!(
        "{}.M{number}P{}.demo,S={}{info}",
        date.0,
        std::process::id(),
        bytes.len()
    );
    let folder = root.join(folder_name(sample.mailbox));
    let mut file = open_new(&folder.join(part).join(name))?;
    file.write_all(&bytes)?;
    // The modification time is the message's INTERNALDATE.
    let seconds = u64::try_from(date.0).unwrap_or(0);
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Version 2 of Dovecot's file: levels joined by tabs.
fn subscriptions() -> String {
    let mut text = String::from("V\t2\n\nINBOX\n");
    for (levels, subscribed) in MAILBOXES {
        if subscribed {
            let levels: Vec<String> = levels.iter().map(|level| utf7::encode(level)).collect();
            text.push_str(&levels.join("\t"));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maildir_stands_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("mail");
        write(&root, UnixTime(1_763_789_057)).unwrap();
        let names = |part: &str| {
            let mut names: Vec<_> = fs::read_dir(root.join(part))
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names("new").len(), 3);
        assert!(names("cur").iter().any(|n| n.ends_with(":2,FRS")));
        assert!(root.join(".Archive.2025/maildirfolder").exists());
        assert!(root.join(".Fotos &- Gr&APwA3w-e/cur").exists());
        for name in names("cur") {
            let size: u64 = name
                .split("S=")
                .nth(1)
                .unwrap()
                .split(':')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(
                fs::metadata(root.join("cur").join(&name)).unwrap().len(),
                size
            );
        }
        assert!(write(&root, UnixTime(0)).is_err(), "never over another one");
    }

    #[test]
    fn subscriptions_are_in_version_2() {
        let text = subscriptions();
        assert!(text.starts_with("V\t2\n\nINBOX\nSent\n"));
        assert!(text.contains("Archive\t2025\n"));
        assert!(!text.contains("2024"));
    }
}
