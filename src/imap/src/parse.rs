//! One command's octets to a [`Command`].
//!
//! Grammar functions carry the name of their ABNF rule. They read from a
//! cursor, never look back, and bound everything they collect:
//! nesting, list lengths, numbers of ranges. Small deviations of real clients
//! are allowed where they cannot be mistaken for anything else: any case,
//! several blanks for one, blanks at the end and inside parentheses.

mod acl;
pub(crate) mod append;
mod auth;
mod compress;
mod copy;
mod create;
mod cursor;
mod date;
mod enable;
mod encrypted;
mod expunge;
mod fetch;
mod flags;
mod id;
mod list;
mod metadata;
mod modseq;
mod notify;
mod partial;
mod quota;
mod response;
mod search;
mod select;
mod set;
mod sort;
mod status;
mod store;
#[cfg(test)]
mod tests;

pub use auth::base64_line;
pub use cursor::{
    MAX_FETCH_ITEMS, MAX_HEADER_NAMES, MAX_ID_FIELDS, MAX_KEYWORDS, MAX_LIST_ITEMS,
    MAX_NOTIFY_GROUPS, MAX_NOTIFY_NAMES, MAX_RANGES, MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS,
    MAX_SECTION_DEPTH, MAX_SORT_CRITERIA,
};
pub use response::{Fetched, appended, fetched, found, write_set};

use crate::chars::is_tag;
use crate::command::{Command, CommandKind, MAX_TAG_LEN, Request, Tag};
use cursor::{Cursor, Syntax};

/// Why a command was not understood; the answer is BAD.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct ParseError {
    /// `None` when not even the tag could be read: the BAD is untagged then.
    pub tag: Option<Tag>,
    /// The command, where its name is known: in a state where it is not
    /// allowed at all, that is what the client should hear.
    pub kind: Option<CommandKind>,
    /// Short and fixed: nothing the client sent is in it.
    pub text: &'static str,
}

const BAD_TAG: Syntax = Syntax("Invalid tag");

/// Parses a whole command as it comes in [`crate::Frame::Command`].
pub fn parse(command: &[u8]) -> Result<Request, ParseError> {
    let mut cursor = Cursor::new(command);
    let Some(tag) = tag_of(command) else {
        return Err(ParseError {
            tag: None,
            kind: None,
            text: BAD_TAG.0,
        });
    };
    let kind = match self::tag(&mut cursor).and_then(|_| command_name(&mut cursor)) {
        Ok(kind) => kind,
        Err(Syntax(text)) => {
            return Err(ParseError {
                tag: Some(tag),
                kind: None,
                text,
            });
        }
    };
    match arguments(kind, &mut cursor) {
        Ok(command) => Ok(Request { tag, command }),
        Err(Syntax(text)) => Err(ParseError {
            tag: Some(tag),
            kind: Some(kind),
            text,
        }),
    }
}

/// The tag with which `command` begins, even when what follows is broken.
pub fn tag_of(command: &[u8]) -> Option<Tag> {
    let len = command
        .iter()
        .take(MAX_TAG_LEN + 1)
        .take_while(|&&b| is_tag(b))
        .count();
    let (tag, rest) = command.split_at_checked(len)?;
    match rest.first() {
        Some(b' ' | b'\r' | b'\n') | None => Tag::new(tag),
        Some(_) => None,
    }
}

/// `tag SP`
fn tag(c: &mut Cursor<'_>) -> Result<Tag, Syntax> {
    let tag = tag_of(c.rest()).ok_or(BAD_TAG)?;
    c.skip(tag.as_str().len());
    c.sp().map_err(|_| Syntax("Command name missing"))?;
    Ok(tag)
}

/// The name of a command, that behind `UID` included.
fn command_name(c: &mut Cursor<'_>) -> Result<CommandKind, Syntax> {
    const UNKNOWN: Syntax = Syntax("Unknown command");
    let name = c.atom().map_err(|_| UNKNOWN)?;
    if !name.eq_ignore_ascii_case(b"UID") {
        return CommandKind::by_name(name).ok_or(UNKNOWN);
    }
    c.sp()?;
    let mut full = b"UID ".to_vec();
    full.extend_from_slice(c.atom().map_err(|_| UNKNOWN)?);
    CommandKind::by_name(&full).ok_or(UNKNOWN)
}

/// What follows the name, to the end of the command.
fn arguments(kind: CommandKind, c: &mut Cursor<'_>) -> Result<Command, Syntax> {
    use CommandKind as K;
    let command = match kind {
        K::Capability => Command::Capability,
        K::Noop => Command::Noop,
        K::Logout => Command::Logout,
        K::Starttls => Command::Starttls,
        K::Namespace => Command::Namespace,
        K::Idle => Command::Idle,
        K::Check => Command::Check,
        K::Close => Command::Close,
        K::Unselect => Command::Unselect,
        K::Expunge => Command::Expunge,
        K::GetAcl => Command::Acl(acl::get(c)?),
        K::SetAcl => Command::Acl(acl::set(c)?),
        K::DeleteAcl => Command::Acl(acl::delete(c)?),
        K::ListRights => Command::Acl(acl::list(c)?),
        K::MyRights => Command::Acl(acl::my(c)?),
        K::Append => return Err(Syntax("APPEND without a message literal")),
        K::Replace | K::UidReplace => return Err(Syntax("REPLACE without a message literal")),
        K::Id => id::id(c)?,
        K::Authenticate => auth::authenticate(c)?,
        K::Login => auth::login(c)?,
        K::Enable => enable::enable(c)?,
        K::Compress => compress::compress(c)?,
        K::Select => select::select(c, false)?,
        K::Examine => select::select(c, true)?,
        K::Create => create::create(c)?,
        K::Delete => Command::Delete {
            mailbox: only_mailbox(c)?,
        },
        K::Rename => create::rename(c)?,
        K::Subscribe => Command::Subscribe {
            mailbox: only_mailbox(c)?,
        },
        K::Unsubscribe => Command::Unsubscribe {
            mailbox: only_mailbox(c)?,
        },
        K::Notify => notify::notify(c)?,
        K::GetMetadata => metadata::get_metadata(c)?,
        K::SetMetadata => metadata::set_metadata(c)?,
        K::List => list::list(c)?,
        K::Lsub => list::lsub(c)?,
        K::Status => status::status(c)?,
        K::GetQuota => quota::get_quota(c)?,
        K::GetQuotaRoot => Command::GetQuotaRoot {
            mailbox: only_mailbox(c)?,
        },
        K::SetQuota => quota::set_quota(c)?,
        K::Search => search::search(c, false)?,
        K::UidSearch => search::search(c, true)?,
        K::Sort => sort::sort(c, false)?,
        K::UidSort => sort::sort(c, true)?,
        K::Thread => sort::thread(c, false)?,
        K::UidThread => sort::thread(c, true)?,
        K::Fetch => fetch::fetch(c, false)?,
        K::UidFetch => fetch::fetch(c, true)?,
        K::Store => store::store(c, false)?,
        K::UidStore => store::store(c, true)?,
        K::Copy => Command::Copy(copy::copy(c, false)?),
        K::UidCopy => Command::Copy(copy::copy(c, true)?),
        K::Move => Command::Move(copy::copy(c, false)?),
        K::UidMove => Command::Move(copy::copy(c, true)?),
        K::UidExpunge => expunge::uid_expunge(c)?,
    };
    c.end()?;
    Ok(command)
}

/// `SP mailbox`
fn only_mailbox(c: &mut Cursor<'_>) -> Result<Vec<u8>, Syntax> {
    c.sp()?;
    c.mailbox()
}
