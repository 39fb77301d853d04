//! How mailboxes are called: directories and subscriptions.

use super::{replace, set_aside};
use crate::error::Error;
use crate::format::courier::{MAX_SUBSCRIBED, SUBSCRIBED, is_personal};
use crate::format::lines::read_small;
use crate::format::{Dir, FormatError, dirname};
use crate::options::{Encoding, Fsync};
use roost_os::dir::{self, FileKind};
use roost_os::file;
use roost_types::MailboxName;
use std::io::Write;

/// One full name a line; INBOX alone is without anything behind it. What is
/// subscribed of other namespaces stays; the whole of the old file is set aside.
pub fn subscriptions(
    root: &Dir,
    names: Encoding,
    fsync: Fsync,
    subscribed: &[MailboxName],
) -> Result<(), FormatError> {
    let old = read_small(root, SUBSCRIBED, MAX_SUBSCRIBED)?.unwrap_or_default();
    let others = old
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty() && !is_personal(line));
    let ours = subscribed.iter().map(|name| match name.is_inbox() {
        true => "INBOX".to_owned(),
        false => format!("INBOX.{}", dirname::encode_levels(name, names, '.')),
    });
    set_aside(root, SUBSCRIBED)?;
    replace(root, SUBSCRIBED, fsync, |out| {
        for line in ours {
            writeln!(out, "{line}")?;
        }
        for line in others {
            out.write_all(line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Renames directories to Courier's encoding. Returns those of which Courier
/// shows another name than Roost does.
pub fn directories(root: &Dir, from: Encoding, to: Encoding) -> Result<Vec<String>, Error> {
    let mut lost = Vec::new();
    let listing = dir::list(root).map_err(|e| Error::io(root.path(), e))?;
    for entry in listing.iter().filter(|e| e.name.starts_with(b".")) {
        if matches!(entry.kind, FileKind::File | FileKind::Other) {
            continue;
        }
        let Some(name) = dirname::decode(entry.name, from) else {
            continue;
        };
        let Ok(Some(new)) = dirname::encode(&name, to) else {
            lost.push(format!("{name}: its name is too long for Courier"));
            continue;
        };
        if name.levels().any(|level| level.contains(['.', '/'])) {
            let shown = new.strip_prefix('.').unwrap_or(&new);
            lost.push(format!("{name}: Courier calls it {shown}"));
        }
        if new.as_bytes() == entry.name {
            continue;
        }
        match file::rename_noreplace(root, entry.name, root, new.as_bytes()) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                lost.push(format!(
                    "{name}: there is a directory of its new name already"
                ));
            }
            Err(e) => lost.push(format!("{name}: its directory keeps its name: {e}")),
        }
    }
    Ok(lost)
}
