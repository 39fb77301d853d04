//! The flag that has two names: `$MDN` is what older clients call `$MDNSent`
//! (RFC 3503). Messages carry `$MDNSent`; other programs may have given them
//! `$MDN`. A client is told of it by the name that it has used last.

use crate::session::Session;
use roost_imap::Command;
use roost_imap::command::{Flags, SearchKey, StoreMode};
use roost_types::Keyword;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::LazyLock;

/// The name in messages first.
static NAMES: LazyLock<[Option<Keyword>; 2]> =
    LazyLock::new(|| ["$MDNSent", "$MDN"].map(|name| Keyword::new(name).ok()));

/// The flag's two names.
pub(crate) fn names() -> impl Iterator<Item = &'static Keyword> {
    NAMES.iter().flatten()
}

/// Which of the names it is; `None` for other keywords.
fn which(keyword: &Keyword) -> Option<&'static Keyword> {
    // Most keywords are not even as long.
    let may_be = matches!(keyword.as_str().len(), 4 | 8);
    names().find(|name| may_be && *name == keyword)
}

pub(crate) fn is_mdn(keyword: &Keyword) -> bool {
    which(keyword).is_some()
}

fn is_short(keyword: &Keyword) -> Option<bool> {
    which(keyword).map(|name| names().nth(1) == Some(name))
}

/// Keywords as a client is told of them that has used the `short` name last.
pub(crate) fn shown(keywords: &[Keyword], short: bool) -> Cow<'_, [Keyword]> {
    let mut named = keywords.iter().filter_map(which);
    let Some(first) = named.next() else {
        return Cow::Borrowed(keywords);
    };
    let name = names().nth(usize::from(short)).unwrap_or(first);
    if named.next().is_none() && first == name {
        return Cow::Borrowed(keywords);
    }
    let mut told = false;
    let one = |keyword: &Keyword| match is_mdn(keyword) {
        true => (!std::mem::replace(&mut told, true)).then(|| name.clone()),
        false => Some(keyword.clone()),
    };
    Cow::Owned(keywords.iter().filter_map(one).collect())
}

/// Gives the flag the name that messages carry; what takes it away takes both.
/// Says whether the short name was used last.
pub(crate) fn settle(keywords: &mut Vec<Keyword>, removes: bool) -> Option<bool> {
    let last = keywords.iter().rev().find_map(is_short)?;
    keywords.retain(|keyword| !is_mdn(keyword));
    keywords.extend(names().take(if removes { 2 } else { 1 }).cloned());
    Some(last)
}

/// Whether the key uses the short name last, if any.
fn searched(key: &SearchKey) -> Option<bool> {
    let last = Cell::new(None);
    key.any(&|key| {
        if let SearchKey::Keyword(keyword) | SearchKey::NotKeyword(keyword) = key {
            last.set(is_short(keyword).or(last.get()));
        }
        false
    });
    last.get()
}

impl Session {
    /// Takes note of the name that the client has for the flag.
    pub(crate) fn settle_names(&mut self, command: &mut Command) {
        let used = match command {
            Command::Store(args) => {
                settle(&mut args.flags.keywords, args.mode == StoreMode::Remove)
            }
            Command::Search(args) => searched(&args.key),
            Command::Sort(args) => searched(&args.key),
            Command::Thread(args) => searched(&args.key),
            _ => None,
        };
        self.calls_mdn(used);
    }

    /// The same of a message that is added.
    pub(crate) fn settle_flags(&mut self, flags: &mut Flags) {
        let used = settle(&mut flags.keywords, false);
        self.calls_mdn(used);
    }

    fn calls_mdn(&mut self, short: Option<bool>) {
        self.enabled.short_mdn = short.unwrap_or(self.enabled.short_mdn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(names: &[&str]) -> Vec<Keyword> {
        let keyword = |name: &&str| Keyword::new(name).unwrap();
        names.iter().map(keyword).collect()
    }

    #[test]
    fn two_names_are_one_flag() {
        let mut set = keywords(&["$mdn", "Work", "$MDNSent"]);
        assert_eq!(settle(&mut set, false), Some(false));
        assert_eq!(set, keywords(&["Work", "$MDNSent"]));
        let mut set = keywords(&["$mdn"]);
        assert_eq!(settle(&mut set, true), Some(true));
        assert_eq!(set, keywords(&["$MDNSent", "$MDN"]));
        let mut set = keywords(&["$MDNs"]);
        assert_eq!(settle(&mut set, true), None);
        assert_eq!(set, keywords(&["$MDNs"]));
    }

    #[test]
    fn it_is_told_once_by_the_name_used_last() {
        let spelled = |set: &[&str], short| -> Vec<String> {
            let set = keywords(set);
            let shown = shown(&set, short);
            shown.iter().map(ToString::to_string).collect()
        };
        assert_eq!(spelled(&["a", "$MDNSent"], false), ["a", "$MDNSent"]);
        assert_eq!(spelled(&["$MDNSent", "a"], true), ["$MDN", "a"]);
        assert_eq!(spelled(&["$MDN", "a"], false), ["$MDNSent", "a"]);
        assert_eq!(spelled(&["$MDNSent", "a", "$MDN"], true), ["$MDN", "a"]);
        assert!(spelled(&[], true).is_empty());
    }
}
