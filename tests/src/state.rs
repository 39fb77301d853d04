//! What a client can know of an account, for comparing servers: every
//! mailbox's UIDVALIDITY, UIDs, flags, sizes and dates, and the subscriptions.

use crate::client::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

#[derive(Debug, PartialEq, Eq, Clone, Default)]
pub struct Account {
    pub mailboxes: BTreeMap<String, Mailbox>,
    pub subscribed: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq, Clone, Default)]
pub struct Mailbox {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub messages: BTreeMap<u32, Message>,
}

#[derive(Debug, PartialEq, Eq, Clone, Default)]
pub struct Message {
    /// Sorted, small letters, without `\Recent`.
    pub flags: Vec<String>,
    pub size: u64,
    pub date: String,
}

impl Account {
    /// Reads all of it without changing anything.
    pub fn read(client: &mut Client) -> io::Result<Self> {
        let mut account = Self::default();
        for line in client.ok("LIST \"\" \"*\"")?.lines() {
            let Some((attributes, name)) = list_line(&line, "LIST") else {
                continue;
            };
            let attributes = attributes.to_lowercase();
            if attributes.contains("\\noselect") || attributes.contains("\\nonexistent") {
                continue;
            }
            let mailbox = Mailbox::read(client, &name)?;
            account.mailboxes.insert(unquote(&name), mailbox);
        }
        for line in client.ok("LSUB \"\" \"*\"")?.lines() {
            if let Some((_, name)) = list_line(&line, "LSUB") {
                account.subscribed.insert(unquote(&name));
            }
        }
        let _ = client.command("UNSELECT")?;
        Ok(account)
    }
}

impl Mailbox {
    /// By EXAMINE, which leaves new mail new. `name` as it stands on the wire.
    pub fn read(client: &mut Client, name: &str) -> io::Result<Self> {
        let mut mailbox = Self::default();
        let mut exists = 0;
        for line in client.ok(&format!("EXAMINE {name}"))?.lines() {
            if let Some(v) = code(&line, "[UIDVALIDITY ") {
                mailbox.uid_validity = v;
            }
            if let Some(v) = code(&line, "[UIDNEXT ") {
                mailbox.uid_next = v;
            }
            if let Some(n) = line
                .strip_suffix(" EXISTS")
                .and_then(|l| l.strip_prefix("* "))
            {
                exists = n.parse().unwrap_or(0);
            }
        }
        if exists > 0 {
            let fetch = "UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)";
            for line in client.ok(fetch)?.lines() {
                if let Some((uid, message)) = fetch_line(&line) {
                    mailbox.messages.insert(uid, message);
                }
            }
        }
        Ok(mailbox)
    }
}

fn code(line: &str, what: &str) -> Option<u32> {
    let at = line.find(what)? + what.len();
    line[at..].split(']').next()?.parse().ok()
}

/// Attributes and name (as on the wire) of a LIST or LSUB line.
fn list_line(line: &str, command: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix(&format!("* {command} ("))?;
    let (attributes, rest) = rest.split_once(") ")?;
    let (_separator, name) = rest.split_once(' ')?;
    Some((attributes.to_owned(), name.to_owned()))
}

fn unquote(name: &str) -> String {
    name.trim_matches('"').to_owned()
}

fn fetch_line(line: &str) -> Option<(u32, Message)> {
    let number = |key: &str| -> Option<u64> {
        let at = line.find(key)? + key.len();
        let digits: String = line[at..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    };
    let uid = u32::try_from(number("UID ")?).ok()?;
    let at = line.find("FLAGS (")? + "FLAGS (".len();
    let mut flags: Vec<String> = line[at..]
        .split(')')
        .next()?
        .split_whitespace()
        .map(str::to_lowercase)
        .filter(|f| f != "\\recent")
        .collect();
    flags.sort();
    let at = line.find("INTERNALDATE \"")? + "INTERNALDATE \"".len();
    // Servers write a day of one digit as ` 1` or as `01` (RFC 9051 §9).
    let date =
        line[at..]
            .split('"')
            .next()?
            .replacen(' ', "0", usize::from(line[at..].starts_with(' ')));
    Some((
        uid,
        Message {
            flags,
            size: number("RFC822.SIZE ")?,
            date,
        },
    ))
}

/// Says what differs; the whole of two large accounts helps nobody.
pub fn difference(a: &Account, b: &Account) -> Option<String> {
    if a == b {
        return None;
    }
    if a.subscribed != b.subscribed {
        return Some(format!(
            "subscriptions: {:?} / {:?}",
            a.subscribed, b.subscribed
        ));
    }
    let names: BTreeSet<_> = a.mailboxes.keys().chain(b.mailboxes.keys()).collect();
    for name in names {
        match (a.mailboxes.get(name), b.mailboxes.get(name)) {
            (Some(x), Some(y)) => {
                if let Some(what) = mailbox_difference(x, y) {
                    return Some(format!("{name}: {what}"));
                }
            }
            (x, y) => return Some(format!("{name}: there {} / {}", x.is_some(), y.is_some())),
        }
    }
    Some("something".into())
}

fn mailbox_difference(a: &Mailbox, b: &Mailbox) -> Option<String> {
    if (a.uid_validity, a.uid_next) != (b.uid_validity, b.uid_next) {
        return Some(format!(
            "UIDVALIDITY {} / {}, UIDNEXT {} / {}",
            a.uid_validity, b.uid_validity, a.uid_next, b.uid_next
        ));
    }
    let uids: BTreeSet<_> = a.messages.keys().chain(b.messages.keys()).collect();
    uids.into_iter()
        .map(|u| (u, a.messages.get(u), b.messages.get(u)))
        .find(|(_, x, y)| x != y)
        .map(|(u, x, y)| format!("UID {u}: {x:?} / {y:?}"))
}
