//! NOTIFY (RFC 5465 §3.1).

use super::Started;
use crate::attention::Policy;
use crate::changes::Changes;
use crate::error::Error;
use crate::job::{Job, Reply, STEP_OCTETS, Step};
use crate::session::Session;
use crate::session::notify::Notify;
use roost_imap::ResponseCode;
use roost_imap::command::{
    Events, Filter, NotifyArgs, NotifyGroup, NotifySet, StatusItem, StatusItems,
};
use roost_imap::write::{self, ListLine, MailboxAttribute};
use roost_store::events::{Counts, Scope, Wants};
use roost_store::{Error as StoreError, Interest, Listener};
use roost_types::{MailboxName, Rights};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A step ends soon after so long: mailboxes may have to be opened.
const STEP_TIME: Duration = Duration::from_millis(10);

pub(crate) fn start(session: &mut Session, args: NotifyArgs) -> Result<Started, Error> {
    match args {
        NotifyArgs::None => {
            session.set_notify(Notify::nothing());
            Ok(Started::Done(Reply::ok("Notify completed")))
        }
        NotifyArgs::Unsupported => Err(Error::refused(
            ResponseCode::BadEvent(Events::NAMES),
            "Some of the events are not supported",
        )),
        set @ NotifyArgs::Set(_) => Ok(Started::Job(Box::new(Setting::new(session, set)?))),
    }
}

/// Finds out how all mailboxes are that the client wants to hear of, so that
/// changes can be told as such; with STATUS the client is told.
struct Setting {
    policy: Policy,
    fetch: Vec<roost_imap::command::FetchItem>,
    status: bool,
    others: Option<Listener>,
    for_selected: Arc<[u8]>,
    names: std::vec::IntoIter<MailboxName>,
    stage: Stage,
}

/// How far it is. The selected mailbox's changes up to now are told whatever
/// is wanted of it from now on (RFC 5465 §3.1: an implicit NOOP).
enum Stage {
    Mailboxes,
    /// What was not wanted before.
    Untold(Changes),
    Newest(Changes),
}

impl Setting {
    fn new(session: &Session, args: NotifyArgs) -> Result<Self, Error> {
        let for_selected = for_selected(&args);
        let set = match args {
            NotifyArgs::Set(set) => set,
            NotifyArgs::None | NotifyArgs::Unsupported => NotifySet::default(),
        };
        let mut interest = Interest::default();
        for group in &set.groups {
            interest.add(scope(session, group), wants(group.events));
        }
        let selected = set.selected.unwrap_or_default();
        let others = match interest.is_empty() {
            true => None,
            false => Some(listen(session, interest)?),
        };
        let mut names = Vec::new();
        if let Some(others) = &others {
            for folder in session.account().folders()?.iter() {
                if folder.selectable && others.wants(&folder.name).of_messages() {
                    names.push(folder.name.clone());
                }
            }
        }
        Ok(Self {
            policy: Policy {
                messages: selected.events.messages,
                flags: selected.events.flags,
                fetches: !selected.fetch.is_empty(),
                expunges_at_once: selected.events.messages && !selected.delayed,
            },
            fetch: selected.fetch,
            status: set.status,
            others,
            for_selected,
            names: names.into_iter(),
            stage: Stage::Mailboxes,
        })
    }
}

fn listen(session: &Session, interest: Interest) -> Result<Listener, Error> {
    let most = session.settings.max_notify;
    session
        .account()
        .listen(interest, most)
        .map_err(|error| match error {
            StoreError::Limit(_) => Error::refused(
                ResponseCode::NotificationOverflow,
                "Too many mailboxes to watch",
            ),
            other => other.into(),
        })
}

/// Names that no mailbox can have are passed over like those of mailboxes
/// that are not there.
fn scope(session: &Session, group: &NotifyGroup) -> Scope {
    let names = |raw: &[Vec<u8>]| {
        let names = raw.iter().filter_map(|raw| session.name(raw).ok());
        names.map(|named| named.given.name).collect()
    };
    match &group.filter {
        // Any mailbox of a Maildir may be delivered to (RFC 5465 §6.3).
        Filter::Inboxes | Filter::Personal => Scope::All,
        Filter::Subscribed => Scope::Subscribed,
        Filter::Subtree(raw) => Scope::subtree(names(raw)),
        Filter::Mailboxes(raw) => Scope::names(names(raw)),
    }
}

fn wants(events: Events) -> Wants {
    Wants {
        messages: events.messages,
        flags: events.flags,
        names: events.names,
        subscriptions: events.subscriptions,
    }
}

impl Job for Setting {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        match &mut self.stage {
            Stage::Mailboxes => {
                if self.look_at_all(session, out)? {
                    self.stage = Stage::Untold(self.wanted_until_now(session));
                }
            }
            Stage::Untold(changes) => {
                if session.tell(changes, true, out) {
                    self.stage = Stage::Newest(session.look(true)?);
                }
            }
            Stage::Newest(changes) => {
                if session.tell(changes, true, out) {
                    self.set(session);
                    return Ok(Step::Done(Reply::ok("Notify completed")));
                }
            }
        }
        Ok(Step::More)
    }
}

impl Setting {
    /// Looks at more of the mailboxes; true when there are no more.
    fn look_at_all(&mut self, session: &Session, out: &mut Vec<u8>) -> Result<bool, Error> {
        let (begun, start) = (Instant::now(), out.len());
        while begun.elapsed() < STEP_TIME && out.len() - start < STEP_OCTETS {
            match self.names.next() {
                Some(name) => self.look_at(session, &name, out)?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Until all is set everything is wanted; what was not wanted before is
    /// to be told.
    fn wanted_until_now(&self, session: &mut Session) -> Changes {
        let everything = Policy {
            messages: true,
            flags: true,
            ..self.policy
        };
        match session.selected_mut() {
            Ok(selected) => selected.set_policy(everything),
            Err(_) => Changes::default(),
        }
    }

    fn set(&mut self, session: &mut Session) {
        session.set_notify(Notify {
            policy: self.policy,
            fetch: std::mem::take(&mut self.fetch),
            others: self.others.take(),
            for_selected: Arc::clone(&self.for_selected),
        });
    }

    fn look_at(
        &self,
        session: &Session,
        name: &MailboxName,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Some(others) = &self.others else {
            return Ok(());
        };
        if session.permit(name, Rights::READ).is_err() {
            return match session.may_see(name) {
                true => no_access(session, name, out),
                false => Ok(()),
            };
        }
        let status = match others.status(name, session.sight_of(name)) {
            Ok(status) => status,
            Err(StoreError::NoSuchMailbox | StoreError::NotSelectable) => return Ok(()),
            Err(StoreError::Permission { .. }) => return no_access(session, name, out),
            Err(other) => {
                session.log_problem(&other.into());
                return Ok(());
            }
        };
        let selected = session
            .selected()
            .is_ok_and(|s| s.mailbox().name() == *name);
        if self.status && !selected {
            let items = initial_items(others.wants(name));
            session.write_counts(name, &Counts::from(&status), items, out);
        }
        Ok(())
    }
}

/// RFC 5465 §3.1.
fn initial_items(wants: Wants) -> StatusItems {
    let mut items = StatusItems::default();
    items.insert(StatusItem::UidValidity);
    if wants.messages {
        items.insert(StatusItem::Messages);
        items.insert(StatusItem::UidNext);
    }
    if wants.flags {
        items.insert(StatusItem::Unseen);
        items.insert(StatusItem::HighestModSeq);
    }
    items
}

/// A mailbox that is there but cannot be read (RFC 5465 §3.1).
fn no_access(session: &Session, name: &MailboxName, out: &mut Vec<u8>) -> Result<(), Error> {
    let line = ListLine {
        lsub: false,
        attributes: &[MailboxAttribute::NoAccess],
        separator: Some(session.names.separator()),
        name: &session.show(name)?,
        child_info: &[],
        told: write::ListTold::default(),
        old_name: None,
    };
    write::list(out, &line, session.dialect());
    Ok(())
}

/// What a session on another account is told of it, which has or gets the
/// selected mailbox; without a tag.
pub(crate) fn for_selected(args: &NotifyArgs) -> Arc<[u8]> {
    let wish = match args {
        NotifyArgs::Set(set) => set.selected.as_ref().map(|selected| &*selected.text),
        NotifyArgs::None | NotifyArgs::Unsupported => None,
    };
    match wish {
        Some(group) => [b"NOTIFY SET ", group].concat().into(),
        None => b"NOTIFY NONE"[..].into(),
    }
}
