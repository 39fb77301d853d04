//! Mailbox names between the wire and the store: separator, prefix, modified
//! UTF-7 or UTF-8, and Unicode's normal form C (RFC 9051 §5.1).

use crate::session::{Alias, Asker};
use crate::settings::Settings;
use roost_imap::write::Dialect;
use roost_types::{MailboxName, NameError, utf7};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Why a client's mailbox name does not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameProblem {
    #[error("mailbox name is not validly encoded")]
    Encoding,
    /// Not INBOX, and not behind the prefix.
    #[error("mailbox name outside the namespace")]
    Outside,
    /// An account, which is no mailbox by itself.
    #[error("an account is no mailbox")]
    Account,
    /// It begins as those of other accounts do.
    #[error("name of another account")]
    OfAnother,
    /// An account with a domain, whose dots are separators.
    #[error("where an account's domain ends cannot be told")]
    Domain,
    #[error(transparent)]
    Name(#[from] NameError),
}

/// A name that a client has given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    pub name: MailboxName,
    /// The client wrote the separator behind it.
    pub directory: bool,
}

/// How names stand on the wire.
#[derive(Clone, Debug)]
pub struct Names {
    separator: char,
    prefix: String,
    /// The names are those of another account for who asks: `~bob/INBOX`.
    foreign: bool,
    /// A mailbox that goes by another name.
    alias: Option<Box<Alias>>,
}

/// What the first level of a foreign name begins with.
pub const FOREIGN: char = '~';

impl Names {
    /// As the owner's clients see them, or else `asker`.
    pub fn new(settings: &Settings, asker: Option<&Asker>) -> Self {
        let separator = settings.separator;
        Self {
            separator,
            prefix: match asker {
                Some(asker) => format!("{}{separator}", asker.shown),
                None => settings.prefix.clone(),
            },
            foreign: asker.is_some(),
            alias: asker.and_then(|asker| asker.alias.clone()).map(Box::new),
        }
    }

    /// The account that a foreign name is in, as it stands there, and the name
    /// of its mailbox, whose levels are those on the wire: `None` for the
    /// account itself.
    ///
    /// # Errors
    /// `Domain` where dots are separators: `~bob@example.org.Team` may be
    /// anybody's. An alias can stand for such a mailbox.
    pub fn foreign<'a>(
        &self,
        text: &'a str,
    ) -> Result<(&'a str, Option<MailboxName>), NameProblem> {
        let (account, rest) = text.split_once(self.separator).unwrap_or((text, ""));
        if self.separator == '.' && account.contains('@') {
            return Err(NameProblem::Domain);
        }
        if rest.is_empty() {
            return Ok((account, None));
        }
        let rest = rest.strip_suffix(self.separator).unwrap_or(rest);
        let name = MailboxName::parse(rest, self.separator)?;
        Ok((account, Some(name)))
    }

    pub fn separator(&self) -> char {
        self.separator
    }

    /// The names are those that somebody else sees.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// What stands before every own name but INBOX.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The Unicode text of an argument, modified UTF-7 or UTF-8 as the session
    /// has it.
    pub fn decode(raw: &[u8], dialect: Dialect) -> Result<String, NameProblem> {
        match dialect {
            Dialect::Ascii => utf7::decode(raw),
            Dialect::Utf8 => std::str::from_utf8(raw).ok().map(String::from),
        }
        .ok_or(NameProblem::Encoding)
    }

    /// The mailbox that `text` names on the wire.
    pub fn parse(&self, text: &str) -> Result<Given, NameProblem> {
        let (text, directory) = match text.strip_suffix(self.separator) {
            Some(text) if !text.is_empty() => (text, true),
            _ => (text, false),
        };
        if self.foreign {
            let name = self.parse_foreign(text)?;
            return Ok(Given { name, directory });
        }
        let name = if text.eq_ignore_ascii_case("INBOX") {
            MailboxName::inbox()
        } else {
            let rest = self.behind_prefix(text).ok_or(NameProblem::Outside)?;
            let name = MailboxName::parse(rest, self.separator)?;
            // Only the bare word is INBOX.
            if name.is_inbox() {
                return Err(NameProblem::Outside);
            }
            if is_foreign(&name) {
                return Err(NameProblem::OfAnother);
            }
            name
        };
        Ok(Given { name, directory })
    }

    fn parse_foreign(&self, text: &str) -> Result<MailboxName, NameProblem> {
        if let Some(alias) = &self.alias
            && self.is_alias(alias, text)
        {
            return Ok(alias.of.clone());
        }
        let Some(rest) = text.strip_prefix(&self.prefix) else {
            return Err(match self.prefix.strip_suffix(self.separator) {
                Some(account) if account == text => NameProblem::Account,
                _ => NameProblem::Outside,
            });
        };
        Ok(MailboxName::parse(rest, self.separator)?)
    }

    /// INBOX, where it is the first level, is the same in any case.
    fn is_alias(&self, alias: &Alias, text: &str) -> bool {
        let split = |name| str::split_once(name, self.separator);
        match (split(&alias.name), split(text)) {
            (Some((first, rest)), Some((head, tail))) => {
                let is_inbox = |level: &str| level.eq_ignore_ascii_case("INBOX");
                rest == tail && (first == head || is_inbox(first) && is_inbox(head))
            }
            _ => alias.name == text,
        }
    }

    fn behind_prefix<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (head, rest) = text.split_at_checked(self.prefix.len())?;
        let same = head == self.prefix
            || head.eq_ignore_ascii_case(&self.prefix) && self.prefix_is_inbox();
        same.then_some(rest)
    }

    /// The prefix is INBOX and the separator, as on Courier's sites.
    pub fn prefix_is_inbox(&self) -> bool {
        self.prefix.len() == "INBOX".len() + self.separator.len_utf8()
            && starts_with_inbox(&self.prefix)
    }

    /// A subscription, which may be for a mailbox of another account.
    pub fn show_subscription(&self, name: &MailboxName) -> Option<String> {
        let remote = is_foreign(name) && !self.foreign;
        match remote && !name.levels().any(|level| level.contains(self.separator)) {
            true => Some(name.join(self.separator)),
            false => self.show(name),
        }
    }

    /// `name` as Unicode with prefix and separator in place; `None` where a
    /// level holds the separator, so that no client can name it.
    pub fn show(&self, name: &MailboxName) -> Option<String> {
        if let Some(alias) = &self.alias
            && alias.of == *name
        {
            return Some(alias.name.clone());
        }
        if !self.foreign && (name.is_inbox() || is_foreign(name)) {
            return name.is_inbox().then(|| "INBOX".into());
        }
        if name.levels().any(|level| level.contains(self.separator)) {
            return None;
        }
        Some(format!("{}{}", self.prefix, name.join(self.separator)))
    }
}

/// Such a name stands for a mailbox of another account.
pub fn is_foreign(name: &MailboxName) -> bool {
    name.levels()
        .next()
        .is_some_and(|level| level.starts_with(FOREIGN))
}

/// Whether the first five letters are INBOX in any case.
pub fn starts_with_inbox(text: &str) -> bool {
    text.get(..5)
        .is_some_and(|head| head.eq_ignore_ascii_case("INBOX"))
}

/// The normal form C of `text` where that is something else.
pub fn normalized(text: &str) -> Option<String> {
    (!text.is_ascii() && !is_nfc(text)).then(|| text.nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str, separator: char) -> Names {
        Names {
            separator,
            prefix: prefix.into(),
            foreign: false,
            alias: None,
        }
    }

    fn parsed(names: &Names, text: &str) -> Result<String, NameProblem> {
        names.parse(text).map(|g| {
            let end = if g.directory { "/" } else { "" };
            g.name.join('/') + end
        })
    }

    #[test]
    fn plain_names() {
        let n = names("", '/');
        assert_eq!(parsed(&n, "inbox").unwrap(), "INBOX");
        assert_eq!(parsed(&n, "Inbox/a").unwrap(), "INBOX/a");
        assert_eq!(parsed(&n, "a.b/c").unwrap(), "a.b/c");
        assert_eq!(parsed(&n, "a/").unwrap(), "a/");
        assert_eq!(parsed(&n, "a//b"), Err(NameProblem::Name(NameError::Empty)));
        assert_eq!(parsed(&n, "/"), Err(NameProblem::Name(NameError::Empty)));
        assert_eq!(parsed(&n, ""), Err(NameProblem::Name(NameError::Empty)));
    }

    #[test]
    fn courier_names() {
        let n = names("INBOX.", '.');
        assert_eq!(parsed(&n, "INBOX").unwrap(), "INBOX");
        assert_eq!(parsed(&n, "INBOX.Work.New").unwrap(), "Work/New");
        assert_eq!(parsed(&n, "inbox.a/b").unwrap(), "a/b");
        assert_eq!(parsed(&n, "INBOX.").unwrap(), "INBOX/");
        assert_eq!(parsed(&n, "Work"), Err(NameProblem::Outside));
        assert_eq!(parsed(&n, "INBOX.INBOX"), Err(NameProblem::Outside));
        let work = MailboxName::parse("Work.New", '.').unwrap();
        assert_eq!(n.show(&work).unwrap(), "INBOX.Work.New");
        assert_eq!(n.show(&MailboxName::inbox()).unwrap(), "INBOX");
        let dotted = MailboxName::from_levels(["a.b"]).unwrap();
        assert_eq!(n.show(&dotted), None);
    }

    #[test]
    fn another_prefix_keeps_its_case() {
        let n = names("Mail/", '/');
        assert_eq!(parsed(&n, "Mail/a").unwrap(), "a");
        assert_eq!(parsed(&n, "mail/a"), Err(NameProblem::Outside));
        assert_eq!(parsed(&n, "inbox").unwrap(), "INBOX");
        assert_eq!(parsed(&n, "INBOX/a"), Err(NameProblem::Outside));
    }

    #[test]
    fn encodings_by_dialect() {
        let decode = |b: &[u8], d| Names::decode(b, d);
        assert_eq!(decode(b"B&AOQ-r", Dialect::Ascii).unwrap(), "Bär");
        assert_eq!(decode(b"B&AOQ-r", Dialect::Utf8).unwrap(), "B&AOQ-r");
        assert_eq!(
            decode("Bär".as_bytes(), Dialect::Ascii),
            Err(NameProblem::Encoding)
        );
        assert_eq!(decode(b"\xff", Dialect::Utf8), Err(NameProblem::Encoding));
    }

    #[test]
    fn only_what_is_not_in_normal_form_is_normalized() {
        assert_eq!(normalized("abc"), None);
        assert_eq!(normalized("Bär"), None);
        assert_eq!(normalized("Ba\u{308}r").as_deref(), Some("Bär"));
    }
}
