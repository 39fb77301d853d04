//! Telling a client what it has asked for by NOTIFY (RFC 5465), around
//! commands and in between.

use super::{Session, State};
use crate::attention::Policy;
use crate::changes::Changes;
use crate::cmd::{self, fetch, list};
use crate::error::{Error, Fatal};
use crate::job::{Job, STEP_OCTETS, Step};
use crate::names::is_foreign;
use crate::selected::Selected;
use roost_imap::ResponseCode;
use roost_imap::command::{FetchItem, NotifyArgs, StatusItem, StatusItems};
use roost_imap::write::{self, ListLine, MailboxAttribute, Status, StatusValues};
use roost_store::events::{Changed, Counts, Event, TreeEvent, Wants};
use roost_store::{Details, Listener, Mailbox, Sight};
use roost_types::{MailboxName, ObjectId, Rights, UidSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Looking at other mailboxes takes about so long in one step.
const STEP_TIME: Duration = Duration::from_millis(10);

/// What a client has asked for.
pub(crate) struct Notify {
    /// Of the selected mailbox, whichever that is.
    pub policy: Policy,
    /// What new messages there are described by.
    pub fetch: Vec<FetchItem>,
    /// Of the others.
    pub others: Option<Listener>,
    /// What a session on another account is told that has the selected one.
    pub for_selected: Arc<[u8]>,
}

impl Notify {
    /// After `NOTIFY NONE`.
    pub fn nothing() -> Self {
        Self {
            policy: Policy::NOTHING,
            fetch: Vec::new(),
            others: None,
            for_selected: cmd::notify::for_selected(&NotifyArgs::None),
        }
    }
}

/// What is still to be told: changes of the selected mailbox, then FETCH
/// responses for its new messages, then changes of other mailboxes.
#[derive(Default)]
pub(crate) struct Telling {
    pub changes: Changes,
    fetch: Option<Box<dyn Job>>,
}

impl Telling {
    pub fn new(changes: Changes) -> Self {
        Self {
            changes,
            fetch: None,
        }
    }

    /// A response is begun that must be gone on with.
    pub fn mid_response(&self) -> bool {
        self.fetch.as_ref().is_some_and(|job| job.mid_response())
    }
}

/// A mailbox as it was before messages were added to it.
pub(crate) struct Before(Option<Counts>);

impl Session {
    /// Wakes when something happens to other mailboxes that the client wants
    /// to know of.
    fn watch_others(&self) -> Option<watch::Receiver<u64>> {
        let others = self.notify.as_ref()?.others.as_ref()?;
        Some(others.wakes())
    }

    /// What to wait for in order to call [`Session::changed`]: changes of the
    /// selected mailbox, and of the others.
    pub fn watch_all(&self) -> [Option<watch::Receiver<u64>>; 2] {
        [self.watch(), self.watch_others()]
    }

    /// Whether the client is to be told of changes when no command is under
    /// way: [`Session::changed`] has to be called then as in IDLE.
    pub fn pushes(&self) -> bool {
        self.notify
            .as_ref()
            .is_some_and(|n| n.policy.messages || n.others.is_some())
    }

    pub(crate) fn policy(&self) -> Policy {
        self.notify.as_ref().map(|n| n.policy).unwrap_or_default()
    }

    /// What a session on another account is told before it gets a mailbox to
    /// select.
    pub(crate) fn wants_of_selected(&self) -> Option<Arc<[u8]>> {
        let notify = self.notify.as_ref()?;
        Some(Arc::clone(&notify.for_selected))
    }

    /// Replaces what the client wants.
    pub(crate) fn set_notify(&mut self, notify: Notify) {
        let policy = notify.policy;
        self.notify = Some(Box::new(notify));
        if let Some(links) = &mut self.links {
            links.change_watches();
        }
        if let State::Selected(selected) = &mut self.state {
            // What is wanted only now has been told before.
            selected.set_policy(policy);
        }
    }

    /// Selects a mailbox.
    pub(crate) fn enter(&mut self, mut selected: Selected) {
        selected.set_policy(self.policy());
        self.state = State::Selected(Box::new(selected));
    }

    /// Selects nothing. What the client has not heard of the mailbox it had
    /// is told as of any other mailbox from now on.
    pub(crate) fn leave(&mut self) {
        if let State::Foreign(remote) = &self.state {
            let link = remote.link;
            return self.leave_remote(link);
        }
        let State::Selected(selected) = std::mem::replace(&mut self.state, State::Authenticated)
        else {
            return;
        };
        if let Some(others) = self.others() {
            others.left(selected.mailbox().name(), selected.counts_told());
        }
    }

    fn others(&mut self) -> Option<&mut Listener> {
        self.notify.as_mut()?.others.as_mut()
    }

    /// To be called before messages are added to a mailbox.
    pub(crate) fn before_adding(&self, mailbox: &Mailbox) -> Before {
        let others = self.notify.as_ref().and_then(|n| n.others.as_ref());
        Before(others.and_then(|o| o.before_adding(mailbox)))
    }

    /// The client has added messages itself: it is not told of them as if
    /// they were news (RFC 5465 §5).
    pub(crate) fn after_adding(&mut self, mailbox: &Mailbox, before: &Before, uids: &UidSet) {
        if let State::Selected(selected) = &mut self.state {
            selected.adds(mailbox, uids);
        }
        if let (Before(Some(before)), Some(others)) = (before, self.others()) {
            others.added(mailbox, *before, uids);
        }
    }

    /// Does `change`, which is the client's own: what it does to `name` is no
    /// news for it.
    pub(crate) fn own_change<T>(
        &mut self,
        name: &MailboxName,
        change: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mark = self.others().map(|others| others.mark());
        let done = change(self)?;
        if let (Some(mark), Some(others)) = (mark, self.others()) {
            others.disown(mark, name);
        }
        Ok(done)
    }

    /// Goes on with telling; true when all is told.
    pub(super) fn tell_all(
        &mut self,
        telling: &mut Telling,
        uid: bool,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fatal> {
        if !self.tell(&mut telling.changes, uid, out) {
            return Ok(false);
        }
        if telling.fetch.is_none() {
            telling.fetch = self.describe_new();
        }
        if let Some(job) = &mut telling.fetch {
            match job.step(self, out) {
                Ok(Step::More) => return Ok(false),
                Ok(Step::Done(_)) => {}
                Err(Error::Fatal(fatal)) => return Err(fatal),
                Err(other) => self.log_problem(&other),
            }
            telling.fetch = None;
        }
        Ok(!self.tell_others(out))
    }

    /// A FETCH of what the client wants to know of new messages.
    fn describe_new(&mut self) -> Option<Box<dyn Job>> {
        let items = self.notify.as_ref()?.fetch.clone();
        let selected = self.selected_mut().ok()?;
        let uids = selected.take_fresh();
        match uids.is_empty() {
            true => None,
            false => fetch::of_messages(self, items, &uids).ok(),
        }
    }

    /// Tells of other mailboxes; true when there is more.
    pub(crate) fn tell_others(&mut self, out: &mut Vec<u8>) -> bool {
        let selected = match &self.state {
            State::Selected(selected) => Some(selected.mailbox().name()),
            State::Authenticated | State::Foreign(_) => None,
            State::LoggedOut => return false,
        };
        let Some(others) = self.others() else {
            return false;
        };
        if others.settle(STEP_TIME) {
            return true;
        }
        let start = out.len();
        while let Some(others) = self.others() {
            match others.next(selected.as_ref()) {
                Ok(None) => return false,
                Ok(Some(Event::Messages {
                    name,
                    counts,
                    changed,
                    wants,
                })) => self.tell_counts(&name, &counts, changed, wants, out),
                Ok(Some(Event::Tree(event))) => self.tell_name(&event, out),
                Err(roost_store::events::Overflow) => {
                    self.overflow(out);
                    return false;
                }
            }
            if out.len() - start >= STEP_OCTETS {
                return true;
            }
        }
        false
    }

    /// RFC 5465 §5.8.
    pub(crate) fn overflow(&mut self, out: &mut Vec<u8>) {
        let code = ResponseCode::NotificationOverflow;
        let text = "Too many notifications: there are no more";
        write::untagged(out, Status::Ok, Some(&code), text);
        self.set_notify(Notify::nothing());
        self.hush_selected();
    }

    /// RFC 5465 §5.1 to §5.3.
    fn tell_counts(
        &self,
        name: &MailboxName,
        counts: &Counts,
        changed: Changed,
        wants: Wants,
        out: &mut Vec<u8>,
    ) {
        if self.is_foreign() && !self.rights(name).contains(Rights::READ) {
            return;
        }
        let condstore = self.enabled.condstore;
        let mut items = StatusItems::default();
        items.insert(StatusItem::UidValidity);
        if changed.messages {
            items.insert(StatusItem::Messages);
            items.insert(StatusItem::UidNext);
        } else if !changed.unseen && !condstore {
            // Nothing that could be told has changed.
            return;
        }
        if wants.flags {
            items.insert(StatusItem::Unseen);
        }
        if condstore {
            items.insert(StatusItem::HighestModSeq);
        }
        match self.sight_of(name) {
            Sight::USUAL => self.write_counts(name, counts, items, out),
            sight => match self.account.status_for(name, sight, Details::Counts) {
                Ok(status) => self.write_counts(name, &Counts::from(&status), items, out),
                Err(error) => self.log_problem(&error.into()),
            },
        }
    }

    /// Appends a STATUS response.
    pub(crate) fn write_counts(
        &self,
        name: &MailboxName,
        counts: &Counts,
        items: StatusItems,
        out: &mut Vec<u8>,
    ) {
        let Some(text) = self.names.show(name) else {
            return;
        };
        let values = StatusValues {
            messages: counts.messages,
            uid_next: counts.uid_next,
            uid_validity: counts.uid_validity,
            unseen: counts.unseen,
            highest_modseq: counts.highest_modseq,
            // Not among the items of NOTIFY.
            recent: 0,
            deleted: 0,
            deleted_storage: 0,
            size: 0,
            append_limit: None,
            mailbox_id: ObjectId([0; 16]),
            internal_size: 0,
            oldest: None,
            unseen_media: 0,
        };
        write::status(out, &text, items, &values, self.dialect());
    }

    /// RFC 5465 §5.4 and §5.5.
    fn tell_name(&self, event: &TreeEvent, out: &mut Vec<u8>) {
        let name = event.name();
        if !self.may_see(name) {
            return;
        }
        let Some(text) = self.names.show_subscription(name) else {
            return;
        };
        let folders = match self.account.folders() {
            Ok(folders) => folders,
            Err(error) => return self.log_problem(&error.into()),
        };
        let folder = folders.get(name);
        let mut attributes = match folder {
            Some(_) => list::attributes_of(self, name).unwrap_or_default(),
            None => Vec::new(),
        };
        // Whether there is one that is subscribed to, its account knows.
        let elsewhere = !self.is_foreign() && is_foreign(name);
        if elsewhere {
            attributes.clear();
        } else if folder.is_none() || matches!(event, TreeEvent::Deleted(_)) && !is_there(folder) {
            attributes.retain(|a| *a != MailboxAttribute::NoSelect);
            attributes.insert(0, MailboxAttribute::NonExistent);
        }
        let others = self.notify.as_ref().and_then(|n| n.others.as_ref());
        if !self.is_foreign() && others.is_some_and(|o| o.is_subscribed(name)) {
            attributes.push(MailboxAttribute::Subscribed);
        }
        let old = match event {
            TreeEvent::Renamed { from, .. } if !self.is_foreign() => self.names.show(from),
            _ => None,
        };
        let line = ListLine {
            lsub: false,
            attributes: &attributes,
            separator: Some(self.names.separator()),
            name: &text,
            child_info: &[],
            told: write::ListTold::default(),
            old_name: old.as_deref(),
        };
        write::list(out, &line, self.dialect());
    }
}

fn is_there(folder: Option<&roost_store::Folder>) -> bool {
    folder.is_some_and(|f| f.selectable)
}
