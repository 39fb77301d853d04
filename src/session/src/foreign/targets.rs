//! Which other accounts a NOTIFY concerns (RFC 5465 §6), and what each is asked
//! to tell of. Aliases count as own mailboxes, and what they stand for is
//! watched through a link of their own.

use super::alias;
use super::append::write_name;
use crate::error::Error;
use crate::names::{FOREIGN, Names, is_foreign};
use crate::session::{Session, State};
use roost_imap::ResponseCode;
use roost_imap::command::{Events, Filter, NotifyArgs};
use roost_imap::write;
use roost_types::MailboxName;

/// Accounts and aliases that a client is told of at once.
const MOST: usize = 16;
/// Mailboxes in one group of events.
const NAMES: usize = 500;
/// Longest NOTIFY that is sent to an account, in octets.
const LONGEST: usize = 48 << 10;

/// What is wanted of an account, or of what an alias stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub shown: String,
    /// Groups of events, each behind a blank.
    pub groups: Vec<u8>,
    /// The client has named it.
    pub named: bool,
}

/// All that a NOTIFY concerns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Targets {
    pub targets: Vec<Target>,
    /// Those that are more than are watched. The client has named none of them.
    pub unwatched: Vec<String>,
}

/// Where a NOTIFY is carried out besides here; `None`: nowhere.
pub(super) fn of(session: &Session, args: &NotifyArgs) -> Result<Option<Targets>, Error> {
    if session.is_foreign() {
        return Ok(None);
    }
    let mut found = Found {
        session,
        targets: Vec::new(),
    };
    match args {
        NotifyArgs::Unsupported => return Ok(None),
        NotifyArgs::None => {}
        NotifyArgs::Set(set) => {
            for group in &set.groups {
                if let Some(events) = events(group.events) {
                    found.add(&group.filter, &events)?;
                }
            }
        }
    }
    let mut targets = found.targets;
    // Those that the client has named come first.
    targets.sort_by_key(|target| !target.named);
    let unwatched: Vec<Target> = targets.drain(targets.len().min(MOST)..).collect();
    let too_many = unwatched.iter().any(|target| target.named);
    if too_many || targets.iter().any(|t| t.groups.len() > LONGEST) {
        return Err(overflow());
    }
    let selected = matches!(session.state, State::Foreign(_));
    let unwatched = unwatched.into_iter().map(|target| target.shown).collect();
    Ok((selected || !targets.is_empty()).then_some(Targets { targets, unwatched }))
}

fn overflow() -> Error {
    Error::refused(
        ResponseCode::NotificationOverflow,
        "Too many mailboxes of other accounts to watch",
    )
}

/// Those that another account can tell of: subscriptions are the client's own.
fn events(events: Events) -> Option<String> {
    let names = [
        (events.messages, "MessageNew MessageExpunge"),
        (events.flags, "FlagChange"),
        (events.names, "MailboxName"),
    ];
    let wanted = names
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name));
    let wanted: Vec<&str> = wanted.collect();
    (!wanted.is_empty()).then(|| format!("({})", wanted.join(" ")))
}

struct Found<'s> {
    session: &'s Session,
    targets: Vec<Target>,
}

impl Found<'_> {
    fn add(&mut self, filter: &Filter, events: &str) -> Result<(), Error> {
        let folders = self.session.account.folders()?;
        let aliases = || folders.iter().filter(|folder| folder.alias.is_some());
        match filter {
            Filter::Inboxes | Filter::Personal => {
                for folder in aliases() {
                    self.alias(&folder.name, events, false);
                }
            }
            Filter::Subscribed => {
                let all = self.session.account.subscriptions()?;
                let mut there: Vec<(&str, String)> = Vec::new();
                for name in &all {
                    if is_foreign(name)
                        && let (Some(shown), Some(text)) = (
                            name.levels().next(),
                            self.session.names.show_subscription(name),
                        )
                    {
                        there.push((shown, text));
                    } else if folders.get(name).is_some_and(|f| f.alias.is_some()) {
                        self.alias(name, events, false);
                    }
                }
                for of_one in there.chunk_by(|a, b| a.0 == b.0) {
                    for names in of_one.chunks(NAMES) {
                        let names = names.iter().map(|(_, text)| text.as_str());
                        let shown = of_one.first().map_or("", |o| o.0);
                        let group = self.named_group(names, events);
                        self.group(shown.to_owned(), group, false);
                    }
                }
            }
            Filter::Mailboxes(names) => {
                for raw in names {
                    match self.elsewhere(raw) {
                        Some((shown, Some(_))) => self.raw(shown, "mailboxes", raw, events),
                        Some((_, None)) => {}
                        None => {
                            if let Ok(Some(name)) = alias::named(self.session, raw) {
                                let group = self.named_group(std::iter::once(&*name), events);
                                self.group(name, group, true);
                            }
                        }
                    }
                }
            }
            Filter::Subtree(names) => {
                for raw in names {
                    match self.elsewhere(raw) {
                        Some((shown, Some(_))) => self.raw(shown, "subtree", raw, events),
                        Some((shown, None)) => {
                            let group = format!(" (personal {events})").into_bytes();
                            self.group(shown, group, true);
                        }
                        None => {
                            let Ok(top) = self.session.name(raw) else {
                                continue;
                            };
                            let top = top.given.name;
                            let below = |f: &&roost_store::Folder| is_below(&f.name, &top);
                            for folder in aliases().filter(below) {
                                self.alias(&folder.name, events, true);
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The account that a name is in, and the mailbox; a name that cannot be is
    /// passed over like one of no mailbox.
    fn elsewhere(&self, raw: &[u8]) -> Option<(String, Option<MailboxName>)> {
        if raw.first() != Some(&(FOREIGN as u8)) {
            return None;
        }
        let text = Names::decode(raw, self.session.dialect()).ok()?;
        let (shown, mailbox) = self.session.names.foreign(&text).ok()?;
        Some((shown.to_owned(), mailbox))
    }

    fn alias(&mut self, name: &MailboxName, events: &str, named: bool) {
        if let Some(text) = self.session.names.show(name) {
            let group = self.named_group(std::iter::once(&*text), events);
            self.group(text, group, named);
        }
    }

    fn named_group<'n>(&self, names: impl Iterator<Item = &'n str>, events: &str) -> Vec<u8> {
        let mut group = b" (mailboxes (".to_vec();
        for (i, name) in names.enumerate() {
            if i > 0 {
                group.push(b' ');
            }
            write::mailbox(&mut group, name, self.session.dialect());
        }
        group.extend_from_slice(b") ");
        group.extend_from_slice(events.as_bytes());
        group.push(b')');
        group
    }

    /// A name as the client has written it.
    fn raw(&mut self, shown: String, filter: &str, raw: &[u8], events: &str) {
        let mut group = format!(" ({filter} (").into_bytes();
        write_name(&mut group, raw);
        group.extend_from_slice(b") ");
        group.extend_from_slice(events.as_bytes());
        group.push(b')');
        self.group(shown, group, true);
    }

    fn group(&mut self, shown: String, group: Vec<u8>, named: bool) {
        match self.targets.iter_mut().find(|t| t.shown == shown) {
            Some(target) => {
                target.groups.extend_from_slice(&group);
                target.named |= named;
            }
            None => self.targets.push(Target {
                shown,
                groups: group,
                named,
            }),
        }
    }
}

fn is_below(name: &MailboxName, top: &MailboxName) -> bool {
    let mut above = Some(name.clone());
    while let Some(name) = above {
        if name == *top {
            return true;
        }
        above = name.parent();
    }
    false
}
