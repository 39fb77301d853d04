//! SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 8514,
//! RFC 9394).

use super::cursor::{Cursor, MAX_LIST_ITEMS, MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS, Result, Syntax};
use super::date::date;
use super::flags::flag_keyword;
use super::modseq::mod_sequence_valzer;
use super::partial::partial_range;
use super::set::{sequence_set, starts_set};
use crate::command::{Command, SearchArgs, SearchKey, SearchReturn};
use roost_types::{ModSeq, SystemFlags};

/// The longest identifier that RFC 8474 allows.
const MAX_OBJECT_ID: usize = 255;

const UNKNOWN: Syntax = Syntax("Unknown search key");
const ONE_WINDOW: Syntax = Syntax("Only one of ALL and PARTIAL is possible");

/// `[search-return-opts] SP search-program`
pub(super) fn search(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let returns = returns(c)?;
    let mut charset = None;
    if c.eat_word("CHARSET") {
        c.sp()?;
        charset = Some(String::from_utf8_lossy(&c.astring()?).into_owned());
        c.sp()?;
    }
    let key = search_program(c)?;
    Ok(Command::Search(SearchArgs {
        uid,
        returns,
        charset,
        key,
    }))
}

/// `search-key *(SP search-key)` to the end of the command.
pub(super) fn search_program(c: &mut Cursor<'_>) -> Result<SearchKey> {
    let mut keys = Keys { read: 0 };
    let first = keys.key(c, 0)?;
    keys.and_more(c, first)
}

/// `["RETURN" SP search-return-opts SP]`, in front of SEARCH's and SORT's rest.
pub(super) fn returns(c: &mut Cursor<'_>) -> Result<Option<SearchReturn>> {
    if !c.eat_word("RETURN") {
        return Ok(None);
    }
    c.sp()?;
    let returns = search_return_opts(c)?;
    c.sp()?;
    Ok(Some(returns))
}

/// `"(" [search-return-opt *(SP search-return-opt)] ")"`
fn search_return_opts(c: &mut Cursor<'_>) -> Result<SearchReturn> {
    let mut returns = SearchReturn::default();
    c.list(MAX_LIST_ITEMS, |c| {
        let option = match c.upper_atom()?.as_str() {
            "MIN" => &mut returns.min,
            "MAX" => &mut returns.max,
            "ALL" => &mut returns.all,
            "COUNT" => &mut returns.count,
            "SAVE" => &mut returns.save,
            "PARTIAL" => {
                c.sp()?;
                let range = partial_range(c)?;
                return match returns.partial.replace(range) {
                    None => Ok(()),
                    Some(_) => Err(ONE_WINDOW),
                };
            }
            _ => return Err(Syntax("Unknown SEARCH return option")),
        };
        *option = true;
        Ok(())
    })?;
    if returns.all && returns.partial.is_some() {
        return Err(ONE_WINDOW);
    }
    if returns == SearchReturn::default() {
        returns.all = true;
    }
    Ok(returns)
}

/// Counts the keys of one command.
struct Keys {
    read: usize,
}

impl Keys {
    /// `search-key *(SP search-key)` behind the first of them, to the end of
    /// the command.
    fn and_more(&mut self, c: &mut Cursor<'_>, first: SearchKey) -> Result<SearchKey> {
        let mut keys = vec![first];
        while c.more() {
            keys.push(self.key(c, 0)?);
        }
        Ok(and(keys))
    }

    /// `search-key`
    fn key(&mut self, c: &mut Cursor<'_>, depth: usize) -> Result<SearchKey> {
        if depth > MAX_SEARCH_DEPTH {
            return Err(Syntax("Search too deeply nested"));
        }
        if self.read == MAX_SEARCH_KEYS {
            return Err(Syntax("Too many search keys"));
        }
        self.read += 1;
        if c.peek() == Some(b'(') {
            return self.parenthesized(c, depth);
        }
        if starts_set(c) {
            return sequence_set(c).map(SearchKey::Sequence);
        }
        let name = c.upper_atom().map_err(|_| UNKNOWN)?;
        match name.as_str() {
            "NOT" => {
                c.sp()?;
                Ok(SearchKey::Not(Box::new(self.key(c, depth + 1)?)))
            }
            "OR" => self.or(c, depth),
            name => match simple(name) {
                Some(key) => Ok(key),
                None => with_argument(c, name),
            },
        }
    }

    /// `"(" search-key *(SP search-key) ")"`
    fn parenthesized(&mut self, c: &mut Cursor<'_>, depth: usize) -> Result<SearchKey> {
        let mut keys = Vec::new();
        c.list(MAX_SEARCH_KEYS, |c| {
            keys.push(self.key(c, depth + 1)?);
            Ok(())
        })?;
        if keys.is_empty() {
            return Err(Syntax("Search key expected"));
        }
        Ok(and(keys))
    }

    /// `SP search-key SP search-key` behind OR. Clients chain ORs in the second
    /// arm for long lists of alternatives, so that one is not recursive.
    fn or(&mut self, c: &mut Cursor<'_>, depth: usize) -> Result<SearchKey> {
        let mut keys = Vec::new();
        loop {
            c.sp()?;
            keys.push(self.key(c, depth + 1)?);
            c.sp()?;
            if !c.eat_word("OR") {
                break;
            }
        }
        keys.push(self.key(c, depth + 1)?);
        Ok(SearchKey::Or(keys))
    }
}

fn and(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.pop() {
        Some(only) if keys.is_empty() => only,
        Some(last) => {
            keys.push(last);
            SearchKey::And(keys)
        }
        None => SearchKey::All,
    }
}

/// Keys without an argument.
fn simple(name: &str) -> Option<SearchKey> {
    use SystemFlags as F;
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Flag(F::ANSWERED),
        "DELETED" => SearchKey::Flag(F::DELETED),
        "DRAFT" => SearchKey::Flag(F::DRAFT),
        "FLAGGED" => SearchKey::Flag(F::FLAGGED),
        "SEEN" => SearchKey::Flag(F::SEEN),
        "UNANSWERED" => SearchKey::NotFlag(F::ANSWERED),
        "UNDELETED" => SearchKey::NotFlag(F::DELETED),
        "UNDRAFT" => SearchKey::NotFlag(F::DRAFT),
        "UNFLAGGED" => SearchKey::NotFlag(F::FLAGGED),
        "UNSEEN" => SearchKey::NotFlag(F::SEEN),
        "NEW" => SearchKey::New,
        "OLD" => SearchKey::Old,
        "RECENT" => SearchKey::Recent,
        "SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        _ => return None,
    })
}

/// Keys with an argument.
fn with_argument(c: &mut Cursor<'_>, name: &str) -> Result<SearchKey> {
    type Make<T> = fn(T) -> SearchKey;
    let text: Make<Vec<u8>> = match name {
        "BCC" => SearchKey::Bcc,
        "BODY" => SearchKey::Body,
        "CC" => SearchKey::Cc,
        "FROM" => SearchKey::From,
        "SUBJECT" => SearchKey::Subject,
        "TEXT" => SearchKey::Text,
        "TO" => SearchKey::To,
        _ => return with_other_argument(c, name),
    };
    c.sp()?;
    c.astring().map(|t| text(t.into_owned()))
}

fn with_other_argument(c: &mut Cursor<'_>, name: &str) -> Result<SearchKey> {
    type Rule = fn(&mut Cursor<'_>) -> Result<SearchKey>;
    let rule: Rule = match name {
        "BEFORE" => |c| date(c).map(SearchKey::Before),
        "ON" => |c| date(c).map(SearchKey::On),
        "SINCE" => |c| date(c).map(SearchKey::Since),
        "SENTBEFORE" => |c| date(c).map(SearchKey::SentBefore),
        "SENTON" => |c| date(c).map(SearchKey::SentOn),
        "SENTSINCE" => |c| date(c).map(SearchKey::SentSince),
        "SAVEDBEFORE" => |c| date(c).map(SearchKey::SavedBefore),
        "SAVEDON" => |c| date(c).map(SearchKey::SavedOn),
        "SAVEDSINCE" => |c| date(c).map(SearchKey::SavedSince),
        "OLDER" => |c| c.nz_number().map(|n| SearchKey::Older(n.get())),
        "YOUNGER" => |c| c.nz_number().map(|n| SearchKey::Younger(n.get())),
        "LARGER" => |c| c.number64().map(SearchKey::Larger),
        "SMALLER" => |c| c.number64().map(SearchKey::Smaller),
        "KEYWORD" => |c| flag_keyword(c).map(SearchKey::Keyword),
        "UNKEYWORD" => |c| flag_keyword(c).map(SearchKey::NotKeyword),
        "UID" => |c| sequence_set(c).map(SearchKey::Uid),
        "HEADER" => header,
        "EMAILID" => |c| object_id(c).map(SearchKey::EmailId),
        "THREADID" => |c| object_id(c).map(SearchKey::ThreadId),
        "MODSEQ" => |c| mod_sequence(c).map(SearchKey::ModSeq),
        _ => return Err(UNKNOWN),
    };
    c.sp()?;
    rule(c)
}

/// `[entry-name SP entry-type-req SP] mod-sequence-valzer`: messages have one
/// MODSEQ for all their flags, so that names and types of entries are read and
/// passed over (RFC 7162 §3.1.5).
fn mod_sequence(c: &mut Cursor<'_>) -> Result<ModSeq> {
    if c.peek().is_some_and(|b| b.is_ascii_digit()) {
        return mod_sequence_valzer(c);
    }
    if !c.string()?.to_ascii_lowercase().starts_with(b"/flags/") {
        return Err(Syntax("Unknown metadata entry"));
    }
    c.sp()?;
    if !["PRIV", "SHARED", "ALL"]
        .iter()
        .any(|word| c.eat_word(word))
    {
        return Err(Syntax("Unknown type of metadata entry"));
    }
    c.sp()?;
    mod_sequence_valzer(c)
}

/// `header-fld-name SP astring`
fn header(c: &mut Cursor<'_>) -> Result<SearchKey> {
    let name = c.astring()?.into_owned();
    c.sp()?;
    let value = c.astring()?.into_owned();
    Ok(SearchKey::Header { name, value })
}

/// `objectid` (RFC 8474 §7)
fn object_id(c: &mut Cursor<'_>) -> Result<Vec<u8>> {
    let is_id = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let id = c.take_while(is_id);
    match id.len() {
        1..=MAX_OBJECT_ID => Ok(id.to_vec()),
        _ => Err(Syntax("Invalid object identifier")),
    }
}
