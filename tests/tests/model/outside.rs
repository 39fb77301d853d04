//! Another program at work in the Maildir: it delivers, renames for flags and
//! deletes, as the Maildir format has it.

use super::Random;
use super::peer::number_after;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

/// System flags and their letters.
const LETTERS: [(char, &str); 4] = [
    ('F', "\\flagged"),
    ('R', "\\answered"),
    ('S', "\\seen"),
    ('T', "\\deleted"),
];

/// Puts a message into `new/`.
pub fn deliver(maildir: &Path, number: u32, bytes: &[u8], owner: (u32, u32)) {
    let name = format!("1700{number:06}.M{number}P7.outside");
    let tmp = maildir.join("tmp").join(&name);
    fs::write(&tmp, bytes).unwrap();
    chown(&tmp, Some(owner.0), Some(owner.1)).unwrap();
    fs::rename(&tmp, maildir.join("new").join(&name)).unwrap();
}

/// A message file and the number of its message.
fn any(maildir: &Path, random: &mut Random) -> Option<(PathBuf, u32)> {
    let mut files = files(maildir);
    files.sort();
    if files.is_empty() {
        return None;
    }
    let path = files.swap_remove(random.below(files.len()));
    let number = number(&path)?;
    Some((path, number))
}

fn files(maildir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for sub in ["cur", "new"] {
        for entry in fs::read_dir(maildir.join(sub)).unwrap() {
            files.push(entry.unwrap().path());
        }
    }
    files
}

/// `None`: it has been renamed meanwhile.
fn number(path: &Path) -> Option<u32> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(number_after(&text, "Subject: Message ").unwrap() as u32)
}

/// The numbers of all messages that have a file, twice where it has two.
pub fn numbers(maildir: &Path) -> Vec<u32> {
    let files = files(maildir);
    files.iter().filter_map(|path| number(path)).collect()
}

/// Deletes a file; the message's number.
pub fn delete(maildir: &Path, random: &mut Random) -> Option<u32> {
    let (path, number) = any(maildir, random)?;
    fs::remove_file(path).unwrap();
    Some(number)
}

/// Sets or takes a flag; the message, the flag, and whether it is set now.
pub fn flag(maildir: &Path, random: &mut Random) -> Option<(u32, &'static str, bool)> {
    let (path, number) = any(maildir, random)?;
    let (letter, name) = random.of(&LETTERS);
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let (base, letters) = file.split_once(":2,").unwrap_or((&file, ""));
    let had = letters.contains(letter);
    let mut letters: Vec<char> = letters.chars().filter(|&l| l != letter).collect();
    if !had {
        letters.push(letter);
    }
    letters.sort_unstable();
    let letters: String = letters.into_iter().collect();
    let to = maildir.join("cur").join(format!("{base}:2,{letters}"));
    fs::rename(path, to).unwrap();
    Some((number, name, !had))
}
