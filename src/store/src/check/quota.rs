//! `maildirsize`, the sum that other programs keep of all messages
//! (MAILDIR-FORMATS §7). Roost only says whether it is right: who keeps it
//! counts anew when it is missing.

use super::{Cure, Problem};
use crate::error::Error;
use crate::format::Dir;
use crate::format::lines::read_small;
use crate::format::name::FileName;
use roost_os::dir::{self, FileKind};
use roost_os::file;

const FILE: &str = "maildirsize";
/// Courier's and Dovecot's limit: a longer one is counted anew.
const MAX_FILE: u64 = 5120;

pub(super) fn look(root: &Dir) -> Result<Option<Problem>, Error> {
    let text = match read_small(root, FILE, MAX_FILE) {
        Ok(None) => return Ok(None),
        Ok(Some(text)) => text,
        // Its next user counts anew by itself.
        Err(_) => return Ok(None),
    };
    let wrong = |text: String| Ok(Some(Problem::new(FILE, Cure::SetAside, text)));
    let Some(told) = sum(&text) else {
        return wrong("damaged".into());
    };
    let counted = count(root)?;
    if told == counted {
        return Ok(None);
    }
    wrong(format!(
        "says {} octets in {} messages, there are {} in {}",
        told.0, told.1, counted.0, counted.1
    ))
}

/// Octets and messages by the file: the sum of its lines behind the first,
/// which holds the limits.
fn sum(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, lines) = text.split_once('\n')?;
    let (mut octets, mut messages) = (0i64, 0i64);
    for line in lines.split_inclusive('\n').filter(|l| l.ends_with('\n')) {
        let mut words = line.split_ascii_whitespace();
        octets = octets.checked_add(words.next()?.parse().ok()?)?;
        messages = messages.checked_add(words.next()?.parse().ok()?)?;
    }
    Some((octets, messages))
}

/// Octets and messages that are there, in the root and in every folder.
fn count(root: &Dir) -> Result<(i64, i64), Error> {
    let mut total = (0, 0);
    add(root, &mut total);
    let listing = dir::list(root).map_err(|e| Error::io(root.path(), e))?;
    for entry in listing.iter() {
        // Courier and Dovecot count every folder but those being deleted.
        if entry.name.starts_with(b".")
            && !entry.name.starts_with(b"..")
            && let Ok(folder) = root.open_sub(entry.name)
        {
            add(&folder, &mut total);
        }
    }
    Ok(total)
}

fn add(folder: &Dir, total: &mut (i64, i64)) {
    for sub in [&b"cur"[..], b"new"] {
        let Ok(handle) = folder.open_sub(sub) else {
            continue;
        };
        let Ok(listing) = dir::list(&handle) else {
            continue;
        };
        for entry in listing.iter() {
            if entry.kind == FileKind::Directory || entry.name.starts_with(b".") {
                continue;
            }
            let told = FileName::parse(entry.name).size();
            let size = told.or_else(|| file::stat_at(&handle, entry.name).ok().map(|s| s.size));
            total.0 += size.and_then(|s| i64::try_from(s).ok()).unwrap_or(0);
            total.1 += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_summed_and_the_last_needs_its_end() {
        assert_eq!(sum(b"0S\n28 1\n"), Some((28, 1)));
        assert_eq!(
            sum(b"10485760S,1000C\n          28            1\n-8 -1\n30 1"),
            Some((20, 0))
        );
        assert_eq!(sum(b"0S\nx 1\n"), None);
        assert_eq!(sum(b"0S"), None);
        assert_eq!(sum(b"0S\n\0\0\n"), None);
    }
}
