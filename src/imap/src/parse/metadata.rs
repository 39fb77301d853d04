//! GETMETADATA and SETMETADATA (RFC 5464 §5).

use super::cursor::{Cursor, MAX_LIST_ITEMS, Result, Syntax};
use crate::command::{Command, Depth, EntryName, EntryPath, GetMetadataArgs, SetMetadataArgs};

const BAD_NAME: Syntax = Syntax("Invalid entry name");

/// `[SP getmetadata-options] SP mailbox SP entries`; options behind the
/// mailbox too, where the RFC's own examples have them.
pub(super) fn get_metadata(c: &mut Cursor<'_>) -> Result<Command> {
    let mut args = GetMetadataArgs {
        mailbox: Vec::new(),
        entries: Vec::new(),
        max_size: None,
        depth: Depth::default(),
    };
    c.sp()?;
    if c.peek() == Some(b'(') {
        options(c, &mut args)?;
        c.sp()?;
    }
    args.mailbox = c.mailbox()?;
    c.sp()?;
    if options_follow(c) {
        options(c, &mut args)?;
        c.sp()?;
    }
    match c.peek() {
        Some(b'(') => c.list(MAX_LIST_ITEMS, |c| {
            args.entries.push(entry_path(c)?);
            Ok(())
        })?,
        _ => args.entries.push(entry_path(c)?),
    }
    // As older drafts and the RFC's examples have it: a list without
    // parentheses.
    while c.more() {
        if args.entries.len() >= MAX_LIST_ITEMS {
            return Err(Syntax("List too long"));
        }
        args.entries.push(entry_path(c)?);
    }
    match args.entries.is_empty() {
        true => Err(Syntax("Entry name expected")),
        false => Ok(Command::GetMetadata(args)),
    }
}

/// A list that does not begin as entry names do.
fn options_follow(c: &Cursor<'_>) -> bool {
    match c.rest() {
        [b'(', rest @ ..] => {
            let first = rest.iter().find(|&&b| b != b' ');
            first.is_some_and(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}

/// `getmetadata-options`
fn options(c: &mut Cursor<'_>, args: &mut GetMetadataArgs) -> Result<()> {
    c.list(MAX_LIST_ITEMS, |c| {
        match c.upper_atom()?.as_str() {
            "MAXSIZE" => {
                c.sp()?;
                args.max_size = Some(c.number64()?);
            }
            "DEPTH" => {
                c.sp()?;
                args.depth = match c.upper_atom()?.as_str() {
                    "0" => Depth::Zero,
                    "1" => Depth::One,
                    "INFINITY" => Depth::Infinity,
                    _ => return Err(Syntax("DEPTH is 0, 1 or infinity")),
                };
            }
            _ => return Err(Syntax("Unknown GETMETADATA option")),
        }
        Ok(())
    })
}

fn entry_path(c: &mut Cursor<'_>) -> Result<EntryPath> {
    EntryPath::new(&c.astring()?).ok_or(BAD_NAME)
}

/// `SP mailbox SP entry-values`
pub(super) fn set_metadata(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mailbox = c.mailbox()?;
    c.sp()?;
    let mut values = Vec::new();
    c.list(MAX_LIST_ITEMS, |c| {
        let name = EntryName::new(&c.astring()?).ok_or(BAD_NAME)?;
        c.sp()?;
        values.push((name, c.value()?));
        Ok(())
    })?;
    match values.is_empty() {
        true => Err(Syntax("Entry name expected")),
        false => Ok(Command::SetMetadata(SetMetadataArgs { mailbox, values })),
    }
}
