//! The registry's file: `OWNER IDENTIFIER` in each line.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;

use roost_os::file;

use super::{MAX_LINES, is_name, normal};

pub const NAME: &str = "shares";
const TEMPORARY: &str = "shares.new";
/// Lines that are none, for whoever wants to look.
const DAMAGED: &str = "shares.damaged";
/// Octets of them that are kept.
const MAX_DAMAGED: usize = 64 << 10;

/// Owners and identifiers; none where there is no file. Damaged lines are set
/// aside.
pub fn read(dir: &Path) -> io::Result<Vec<(String, String)>> {
    let input = match fs::File::open(dir.join(NAME)) {
        Ok(input) => input,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (mut good, mut damaged, mut count) = (Vec::new(), Vec::new(), 0);
    for line in BufReader::new(input).split(b'\n').take(MAX_LINES) {
        let line = line?;
        if let Some(entry) = parse(&line) {
            good.push(entry);
            continue;
        }
        count += 1;
        if damaged.len() + line.len() < MAX_DAMAGED {
            damaged.extend_from_slice(&line);
            damaged.push(b'\n');
        }
    }
    if count > 0 {
        let (file, aside) = (dir.join(NAME), dir.join(DAMAGED));
        log::error!(
            "{}: {count} damaged lines are set aside in {}; `roostctl acl rebuild` makes it anew",
            file.display(),
            aside.display()
        );
        fs::write(aside, damaged)?;
    }
    Ok(good)
}

fn parse(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let (owner, identifier) = line.split_once(' ')?;
    let same = normal(identifier).filter(|normal| normal == identifier)?;
    is_name(owner).then(|| (owner.to_owned(), same))
}

pub fn text<'a, I>(owners: impl Iterator<Item = (&'a String, I)>) -> String
where
    I: IntoIterator<Item = &'a String>,
{
    let mut text = String::new();
    for (owner, identifiers) in owners {
        for identifier in identifiers {
            text.push_str(owner);
            text.push(' ');
            text.push_str(identifier);
            text.push('\n');
        }
    }
    text
}

pub fn write(dir: impl AsFd, text: &str) -> io::Result<()> {
    let (name, temporary) = (NAME.as_bytes(), TEMPORARY.as_bytes());
    file::replace(dir, name, temporary, 0o600, text.as_bytes(), true)
}
