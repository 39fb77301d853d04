//! Putting finished files into a mailbox: what APPEND, COPY and MOVE have in
//! common.
//!
//! The files lie in `tmp/`, synced, or are messages of another mailbox. Under
//! the lock of the UID list they are renamed or linked into `new/` or `cur/`,
//! the records are appended, list and directories are synced, and only then
//! does the picture show them. Whatever of these a power failure leaves was
//! never told to anybody: a file without its record is a new delivery, a
//! record without its file a message that is gone. All is written before
//! anything is waited for, and then all is waited for at once.
//!
//! Who finds the lock taken by another thread leaves the work with it: one
//! holder of the lock does all that is waiting, with one sync for all.

use super::copy::CopyMode;
use super::core::Core;
use super::flags::Within;
use super::keywords::key_of;
use super::own::Sub;
use super::repair::rebased;
use super::resolve::Location;
use super::{Mailbox, lock};
use crate::error::Error;
use crate::format::UidListLock;
use crate::format::dir::Dir;
use crate::format::extra_keywords::Change;
use crate::format::name::{FileName, Letters, write_with_flags};
use crate::format::uidlist::NewRecord;
use crate::snapshot::keywords::KeywordSetId;
use crate::snapshot::{Draft, IN_NEW, NewRow, ODD_NAME, RECENT};
use roost_os::file;
use roost_types::{Keyword, SystemFlags, Uid, UidSet, UidValidity, UnixTime};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

/// A message's file on its way. One in `tmp/` is removed when dropped before
/// it was moved.
pub(super) struct Incoming {
    pub mailbox: Arc<Mailbox>,
    pub origin: Origin,
    /// Base name to be, with the info part of a copied message if any.
    pub name: Vec<u8>,
    /// Change the base name if the destination has it already.
    pub guid: Option<Vec<u8>>,
    pub flags: SystemFlags,
    pub keywords: Vec<Keyword>,
    /// Octets and RFC822.SIZE, where the name does not tell.
    pub stored: Option<u64>,
    pub size: Option<u64>,
    pub moved: bool,
}

/// Where the file is now.
pub(super) enum Origin {
    /// In `tmp/`, by this name.
    Temporary(String),
    /// In another mailbox, to be linked from there or taken.
    Message(Arc<Mailbox>, Location, CopyMode),
}

impl Incoming {
    /// Leaves out all flags but these.
    pub fn keep(&mut self, within: Within) {
        self.flags = self.flags & within.system;
        if !within.keywords {
            self.keywords.clear();
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Origin::Temporary(name) = &self.origin
            && !self.moved
        {
            // What cannot be removed now, the cleaning of tmp removes later.
            let _ = file::unlink(&self.mailbox.tmp, name.as_bytes());
        }
    }
}

/// UIDs in the order of the messages.
pub(super) type Committed = (UidValidity, Vec<Uid>);

/// One command's messages, waiting for whoever holds the lock.
struct Batch {
    messages: Vec<Incoming>,
    result: Arc<Mutex<Option<Result<Committed, Error>>>>,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<Batch>>,
}

/// Where a message went and what it is called there.
struct Placed {
    location: Location,
    keywords: Option<KeywordSetId>,
}

impl Mailbox {
    /// Makes all messages visible, or none.
    pub(super) fn commit(&self, messages: Vec<Incoming>) -> Result<Committed, Error> {
        self.check_exists()?;
        if messages.is_empty() {
            return Ok((self.snapshot().uid_validity(), Vec::new()));
        }
        let change = self.accounting().filter(|_| self.counts());
        let Some(mut change) = change else {
            return self.commit_in_turn(messages);
        };
        let weight = self.weigh(&messages);
        let committed = self.commit_in_turn(messages)?;
        change.add(weight);
        Ok(committed)
    }

    fn commit_in_turn(&self, messages: Vec<Incoming>) -> Result<Committed, Error> {
        let result = Arc::new(Mutex::new(None));
        lock(&self.queue.waiting).push(Batch {
            messages,
            result: Arc::clone(&result),
        });
        let guard = lock(&self.assign);
        if let Some(done) = lock(&result).take() {
            return done;
        }
        let batches = std::mem::take(&mut *lock(&self.queue.waiting));
        self.commit_batches(batches);
        drop(guard);
        let done = lock(&result).take();
        done.unwrap_or(Err(Error::NoSuchMailbox))
    }

    fn commit_batches(&self, batches: Vec<Batch>) {
        let mut list_lock = match self.lock_list() {
            Ok(list_lock) => list_lock,
            Err(e) => {
                for batch in batches {
                    *lock(&batch.result) = Some(Err(e.again()));
                }
                return;
            }
        };
        let mut core = self.core();
        let mut messages = Vec::new();
        let mut parts = Vec::with_capacity(batches.len());
        for batch in batches {
            parts.push((batch.messages.len(), batch.result));
            messages.extend(batch.messages);
        }
        if parts.len() > 1
            && let Ok((validity, uids)) = self.commit_some(&mut core, &mut list_lock, &mut messages)
        {
            let mut uids = uids.into_iter();
            for (count, result) in parts {
                let own = uids.by_ref().take(count).collect();
                *lock(&result) = Some(Ok((validity, own)));
            }
            return;
        }
        // One at a time, so that nobody fails for another's message.
        let mut rest = messages.as_mut_slice();
        for (count, result) in parts {
            let (own, others) = rest.split_at_mut(count);
            rest = others;
            *lock(&result) = Some(self.commit_some(&mut core, &mut list_lock, own));
        }
    }

    pub(super) fn commit_some(
        &self,
        core: &mut Core,
        list_lock: &mut UidListLock,
        messages: &mut [Incoming],
    ) -> Result<Committed, Error> {
        // Others' messages that have UIDs below ours must come first; their
        // records may be here before inotify has told of their files.
        self.refresh_list(core)?;
        if core.last_uid() > core.shown() {
            core.known = None;
        }
        self.refresh_core(core, Some(list_lock))?;
        list_lock.keep_alive()?;
        self.with_own_changes(core, |core| {
            let mut draft = Draft::of(&core.snapshot);
            self.define_keywords(core, &mut draft, list_lock, &all_keywords(messages))?;
            let placed = self.place_all(core, &mut draft, messages)?;
            let recorded =
                self.record(core, list_lock, messages, &placed)
                    .and_then(|(uids, list)| {
                        self.record_extras(core, &draft, list_lock, &placed, &uids)?;
                        self.sync_all(messages, &placed, list.as_ref())?;
                        Ok(uids)
                    });
            let uids = match recorded {
                Ok(uids) => uids,
                Err(e) => {
                    self.take_back(messages, &placed);
                    return Err(e);
                }
            };
            self.show(&mut draft, messages, &placed, &uids);
            self.publish(core, draft);
            Ok((core.snapshot.uid_validity(), uids))
        })?
    }

    fn place_all(
        &self,
        core: &Core,
        draft: &mut Draft,
        messages: &mut [Incoming],
    ) -> Result<Vec<Placed>, Error> {
        let mut placed = Vec::with_capacity(messages.len());
        let mut done = Ok(());
        for message in messages.iter_mut() {
            match self.place_one(core, draft, message) {
                Ok(one) => placed.push(one),
                Err(e) => {
                    done = Err(e);
                    break;
                }
            }
        }
        match done {
            Ok(()) => Ok(placed),
            Err(e) => {
                self.take_back(messages, &placed);
                Err(e)
            }
        }
    }

    fn place_one(
        &self,
        core: &Core,
        draft: &mut Draft,
        message: &mut Incoming,
    ) -> Result<Placed, Error> {
        if core
            .list
            .uid_of(FileName::parse(&message.name).base())
            .is_some()
        {
            message.rebase();
        }
        let key = key_of(draft.table(), &message.keywords);
        let keywords = draft.intern(&key);
        if keywords.is_none() {
            return Err(Error::Limit("sets of keywords of a mailbox"));
        };
        for last in [false, true] {
            let location = message.target(key.letters);
            match message.place(&location) {
                Ok(()) => return Ok(Placed { location, keywords }),
                // Somebody has delivered a file of this name just now.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && !last => message.rebase(),
                Err(e) => return Err(Error::io(self.sub(location.sub).path(), e)),
            }
        }
        Err(Error::AlreadyExists)
    }

    /// The directories that have changed, those that messages were moved out
    /// of included, and the list.
    fn sync_all<'a>(
        &'a self,
        messages: &'a [Incoming],
        placed: &[Placed],
        list: Option<&File>,
    ) -> Result<(), Error> {
        if !self.waits_for_sync() {
            return Ok(());
        }
        let mut dirs: Vec<&Dir> = Vec::new();
        let mut add = |dir: &'a Dir| {
            if !dirs.iter().any(|d| std::ptr::eq(*d, dir)) {
                dirs.push(dir);
            }
        };
        for (message, placed) in messages.iter().zip(placed) {
            add(self.sub(placed.location.sub));
            if let Origin::Message(mailbox, from, CopyMode::Move) = &message.origin {
                add(mailbox.sub(from.sub));
            }
        }
        let dirs = dirs.into_iter().map(AsFd::as_fd);
        let all: Vec<_> = dirs.chain(list.map(AsFd::as_fd)).collect();
        file::sync_together(&all).map_err(|e| Error::io(self.dir.path(), e))
    }

    /// Also gives the file of the list where that is to be synced.
    fn record(
        &self,
        core: &mut Core,
        list_lock: &mut UidListLock,
        messages: &[Incoming],
        placed: &[Placed],
    ) -> Result<(Vec<Uid>, Option<File>), Error> {
        let records = messages.iter().zip(placed).map(|(m, p)| NewRecord {
            base: FileName::parse(&p.location.name).base(),
            guid: m.guid.as_deref(),
        });
        let mut uids = Vec::with_capacity(messages.len());
        let fsync = self.options.fsync;
        let list = core
            .list
            .assign_unsynced(list_lock, fsync, records, &mut uids)?;
        self.check_validity(core)?;
        Ok((uids, list))
    }

    /// Keywords beyond letters go to the sidecar.
    fn record_extras(
        &self,
        core: &mut Core,
        draft: &Draft,
        list_lock: &mut UidListLock,
        placed: &[Placed],
        uids: &[Uid],
    ) -> Result<(), Error> {
        let mut carriers: BTreeMap<u16, UidSet> = BTreeMap::new();
        for (placed, &uid) in placed.iter().zip(uids) {
            let key = draft.table().key_of(placed.keywords.unwrap_or_default());
            for &extra in &key.extras {
                carriers.entry(extra).or_default().insert(uid);
            }
        }
        let change = |(extra, uids)| {
            Some(Change {
                keyword: draft.table().extra(extra)?.clone(),
                set: true,
                uids,
            })
        };
        let changes: Vec<Change> = carriers.into_iter().filter_map(change).collect();
        if !changes.is_empty() {
            core.extra.change(list_lock, self.options.fsync, &changes)?;
        }
        Ok(())
    }

    fn show(&self, draft: &mut Draft, messages: &[Incoming], placed: &[Placed], uids: &[Uid]) {
        let now = UnixTime::now();
        for ((message, placed), &uid) in messages.iter().zip(placed).zip(uids) {
            let found = placed.location.found();
            let name = FileName::parse(found.name);
            let mut state = RECENT;
            if found.sub == Sub::New {
                state |= IN_NEW;
            }
            if self.note_name(uid.get(), found, placed.keywords) {
                state |= ODD_NAME;
            }
            draft.push(&NewRow {
                uid,
                flags: message.flags,
                keywords: placed.keywords.unwrap_or_default(),
                state,
                base: name.base(),
                guid: message.guid.as_deref(),
                stored: name.size().or(message.stored),
                size: name.virtual_size().or(message.size),
                saved: Some(now.0),
            });
        }
    }

    /// Puts files back that were placed before something failed.
    fn take_back(&self, messages: &mut [Incoming], placed: &[Placed]) {
        for (message, Placed { location, .. }) in messages.iter_mut().zip(placed) {
            if let Err(e) = message.take_back(location) {
                let from = self.sub(location.sub).path();
                log::warn!("{}: taking back: {e}", from.display());
            }
        }
    }
}

impl Incoming {
    fn place(&mut self, at: &Location) -> io::Result<()> {
        let own = &self.mailbox.marks.own;
        let to = self.mailbox.sub(at.sub);
        own.expect(at.sub, &at.name);
        let placed = match &self.origin {
            Origin::Temporary(name) => {
                file::rename_noreplace(&self.mailbox.tmp, name.as_bytes(), to, &at.name)
            }
            Origin::Message(mailbox, from, CopyMode::Copy) => {
                file::link(mailbox.sub(from.sub), &from.name, to, &at.name)
            }
            Origin::Message(mailbox, from, CopyMode::Move) => {
                mailbox.marks.own.expect(from.sub, &from.name);
                let dir = mailbox.sub(from.sub);
                file::rename_noreplace(dir, &from.name, to, &at.name).inspect_err(|_| {
                    mailbox.marks.own.take(from.sub, &from.name);
                })
            }
        };
        match &placed {
            Ok(()) => self.moved = true,
            Err(_) => {
                own.take(at.sub, &at.name);
            }
        }
        placed
    }

    fn take_back(&mut self, at: &Location) -> io::Result<()> {
        self.mailbox.marks.own.expect(at.sub, &at.name);
        let from = self.mailbox.sub(at.sub);
        match &self.origin {
            Origin::Temporary(name) => {
                file::rename_noreplace(from, &at.name, &self.mailbox.tmp, name.as_bytes())?;
            }
            Origin::Message(_, _, CopyMode::Copy) => file::unlink(from, &at.name)?,
            Origin::Message(mailbox, to, CopyMode::Move) => {
                mailbox.marks.own.expect(to.sub, &to.name);
                file::rename_noreplace(from, &at.name, mailbox.sub(to.sub), &to.name)?;
            }
        }
        self.moved = false;
        Ok(())
    }

    /// Gives up the base name for one that nobody has; the old one stays
    /// known as the message's GUID.
    fn rebase(&mut self) {
        let old = FileName::parse(&self.name).base().to_vec();
        self.guid.get_or_insert(old);
        self.name = rebased(&self.name);
    }

    /// Messages without any flag go to `new`, so that other programs take
    /// them for new as well.
    fn target(&self, letters: Letters) -> Location {
        let base = FileName::parse(&self.name).base();
        let bare = base.len() == self.name.len();
        if bare && self.flags.is_empty() && self.keywords.is_empty() {
            return Location {
                sub: Sub::New,
                name: base.to_vec(),
            };
        }
        let mut name = Vec::with_capacity(self.name.len() + 8);
        write_with_flags(&mut name, &self.name, self.flags, letters);
        Location {
            sub: Sub::Cur,
            name,
        }
    }
}

fn all_keywords(messages: &[Incoming]) -> Vec<Keyword> {
    let mut all: Vec<Keyword> = Vec::new();
    for keyword in messages.iter().flat_map(|m| &m.keywords) {
        if !all.contains(keyword) {
            all.push(keyword.clone());
        }
    }
    all
}
