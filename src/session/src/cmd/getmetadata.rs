//! GETMETADATA (RFC 5464 §4.2).

use super::Started;
use super::metadata::{ADMIN, ALIAS, CLASS, COMMENT, SPECIAL_USE, place, scope};
use crate::error::Error;
use crate::job::{Job, Reply, STEP_OCTETS, Step};
use crate::session::{Named, Session};
use roost_imap::command::{EntryScope, GetMetadataArgs};
use roost_imap::{MetadataCode, ResponseCode, write};
use roost_store::{Error as StoreError, Folder};
use std::vec::IntoIter;

pub(super) fn start(session: &Session, args: &GetMetadataArgs) -> Result<Started, Error> {
    let named = place(session, &args.mailbox)?;
    let mut found = Found::new(args);
    match &named {
        Some(named) => of_mailbox(session, named, &mut found)?,
        None => of_server(session, &mut found)?,
    }
    Ok(Started::Job(Box::new(Telling {
        name: match named {
            Some(named) => session.show(&named.given.name)?,
            None => String::new(),
        },
        entries: found.entries.into_iter(),
        reply: match found.longest {
            Some(size) => Reply::ok_code(
                ResponseCode::Metadata(MetadataCode::LongEntries(size)),
                "Getmetadata completed",
            ),
            None => Reply::ok("Getmetadata completed"),
        },
    })))
}

/// What was asked for and is there.
struct Found<'a> {
    args: &'a GetMetadataArgs,
    entries: Vec<(String, Vec<u8>)>,
    /// The largest value that was left out.
    longest: Option<u64>,
}

impl<'a> Found<'a> {
    fn new(args: &'a GetMetadataArgs) -> Self {
        Self {
            args,
            entries: Vec::new(),
            longest: None,
        }
    }

    fn add(&mut self, (scope, name): (EntryScope, &str), value: &[u8]) {
        let args = self.args;
        if !(args.entries.iter()).any(|path| path.covers(scope, name, args.depth)) {
            return;
        }
        let size = value.len() as u64;
        if args.max_size.is_some_and(|most| size > most) {
            self.longest = self.longest.max(Some(size));
            return;
        }
        let prefix = match scope {
            EntryScope::Private => "/private/",
            EntryScope::Shared => "/shared/",
        };
        self.entries
            .push((format!("{prefix}{name}"), value.to_vec()));
    }
}

fn of_mailbox(session: &Session, named: &Named, found: &mut Found<'_>) -> Result<(), Error> {
    let name = &named.given.name;
    let folders = session.account().folders()?;
    let folder = folders.get(name).ok_or(StoreError::NoSuchMailbox)?;
    properties(folder, found);
    if folder.selectable {
        stored(session, Some(name), found)?;
    }
    Ok(())
}

fn properties(folder: &Folder, found: &mut Found<'_>) {
    if let Some(class) = &folder.class {
        found.add(CLASS, class.as_bytes());
    }
    if let Some(target) = &folder.alias {
        found.add(ALIAS, target.as_bytes());
    }
    if let Some(special) = folder.special_use {
        found.add(SPECIAL_USE, special.attribute().as_bytes());
    }
}

fn of_server(session: &Session, found: &mut Found<'_>) -> Result<(), Error> {
    let settings = &session.settings;
    for (entry, value) in [(ADMIN, &settings.admin), (COMMENT, &settings.comment)] {
        if let Some(value) = value {
            found.add(entry, value.as_bytes());
        }
    }
    stored(session, None, found)
}

fn stored(
    session: &Session,
    name: Option<&roost_types::MailboxName>,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    let kinds = [EntryScope::Shared, EntryScope::Private];
    let scopes = kinds.map(|kind| scope(session, kind));
    let annotations = session.account().annotations_of(name, &scopes)?;
    for (kind, scope) in kinds.into_iter().zip(&scopes) {
        for (name, value) in annotations.of(scope) {
            found.add((kind, name), value);
        }
    }
    Ok(())
}

/// One response for some of the entries at a time.
struct Telling {
    name: String,
    entries: IntoIter<(String, Vec<u8>)>,
    reply: Reply,
}

impl Job for Telling {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let mut octets = 0;
        let mut some = Vec::new();
        while octets < STEP_OCTETS
            && let Some((entry, value)) = self.entries.next()
        {
            octets += value.len();
            some.push((entry, value));
        }
        let entries = some.iter().map(|(entry, value)| (entry.clone(), &**value));
        write::metadata(out, &self.name, entries, session.dialect());
        Ok(match self.entries.len() {
            0 => Step::Done(self.reply.clone()),
            _ => Step::More,
        })
    }
}
