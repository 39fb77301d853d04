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
//! While the disk is waited for, others may look at the mailbox and change what
//! is in it. They find files and records that are not on disk yet:
//! [`Core::unsynced`](super::core::Core::unsynced) keeps those out of every
//! picture, and the lock of the UID list keeps other programs from them.
//!
//! Who finds the lock taken by another thread leaves the work with it: one
//! holder of the lock does all that is waiting, with one sync for all.

mod incoming;
#[cfg(test)]
mod tests;

pub(super) use incoming::{Incoming, Origin};

use super::copy::CopyMode;
use super::core::Core;
use super::keywords::key_of;
use super::own::Sub;
use super::resolve::Location;
use super::{Mailbox, lock};
use crate::error::Error;
use crate::format::UidListLock;
use crate::format::dir::Dir;
use crate::format::extra_keywords::Change;
use crate::format::name::FileName;
use crate::format::uidlist::NewRecord;
use crate::snapshot::keywords::KeywordSetId;
use crate::snapshot::{Draft, IN_NEW, NewRow, ODD_NAME, RECENT};
use roost_os::file;
use roost_types::{Keyword, Uid, UidSet, UidValidity, UnixTime};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

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

/// What is in its place, but perhaps not on disk.
struct Put {
    placed: Vec<Placed>,
    uids: Vec<Uid>,
    /// The file of the list where that is to be synced.
    list: Option<File>,
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
        let mut change = self.accounting();
        if !change.is_kept() || !self.counts() {
            return self.commit_in_turn(messages);
        }
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
        let mut messages = Vec::new();
        let mut parts = Vec::with_capacity(batches.len());
        for batch in batches {
            parts.push((batch.messages.len(), batch.result));
            messages.extend(batch.messages);
        }
        if parts.len() > 1
            && let Ok((validity, uids)) = self.commit_some(&mut list_lock, &mut messages)
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
            *lock(&result) = Some(self.commit_some(&mut list_lock, own));
        }
    }

    /// Lets go of `core` while it waits for the disk.
    fn commit_some(
        &self,
        list_lock: &mut UidListLock,
        messages: &mut [Incoming],
    ) -> Result<Committed, Error> {
        let mut core = self.core();
        let put = self.put(&mut core, list_lock, messages)?;
        drop(core);
        let synced = self.sync_all(messages, &put);
        self.finish(&mut self.core(), messages, put, synced)
    }

    /// The same for who holds locks of two mailboxes, and keeps them.
    pub(super) fn commit_held(
        &self,
        core: &mut Core,
        list_lock: &mut UidListLock,
        messages: &mut [Incoming],
    ) -> Result<Committed, Error> {
        let put = self.put(core, list_lock, messages)?;
        let synced = self.sync_all(messages, &put);
        self.finish(core, messages, put, synced)
    }

    /// Puts the files where they belong and writes their records. Until
    /// [`finish`](Self::finish) no look at the disk shows them: the caller
    /// keeps the lock of the list so long.
    fn put(
        &self,
        core: &mut Core,
        list_lock: &mut UidListLock,
        messages: &mut [Incoming],
    ) -> Result<Put, Error> {
        // Others' messages that have UIDs below ours must come first; their
        // records may be here before inotify has told of their files.
        self.refresh_list(core)?;
        if core.last_uid() > core.shown() {
            core.known = None;
        }
        self.refresh_core(core, Some(list_lock))?;
        list_lock.keep_alive()?;
        let put = self.with_own_changes(core, |core| {
            let mut draft = Draft::of(&core.snapshot);
            self.define_keywords(core, &mut draft, list_lock, &all_keywords(messages))?;
            let placed = self.place_all(core, &mut draft, messages)?;
            let recorded =
                self.record(core, list_lock, messages, &placed)
                    .and_then(|(uids, list)| {
                        self.record_extras(core, &draft, list_lock, &placed, &uids)?;
                        Ok((uids, list))
                    });
            match recorded {
                Ok((uids, list)) => {
                    // Keywords alone, which the messages will name.
                    self.publish(core, draft);
                    Ok(Put { placed, uids, list })
                }
                Err(e) => {
                    self.take_back(messages, &placed);
                    Err(e)
                }
            }
        })??;
        core.unsynced = put.uids.first().copied();
        Ok(put)
    }

    /// Shows what was put, if it has been `synced`, or takes it back.
    fn finish(
        &self,
        core: &mut Core,
        messages: &mut [Incoming],
        put: Put,
        synced: Result<(), Error>,
    ) -> Result<Committed, Error> {
        core.unsynced = None;
        let passed_over = std::mem::take(&mut core.passed_over);
        if let Err(e) = synced {
            let known = self.with_own_changes(core, |_| self.take_back(messages, &put.placed));
            if known.is_err() {
                // Wherever the mailbox is by now, they must not stay in it.
                self.take_back(messages, &put.placed);
            }
            return Err(e);
        }
        let mut draft = Draft::of(&core.snapshot);
        self.show(&mut draft, messages, &put);
        self.publish(core, draft);
        if passed_over || core.last_uid() > core.shown() {
            // Others may have renamed or removed them meanwhile; or somebody
            // has broken the lock, and a look has left out what he brought.
            core.known = None;
        }
        Ok((core.snapshot.uid_validity(), put.uids))
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
    fn sync_all<'a>(&'a self, messages: &'a [Incoming], put: &Put) -> Result<(), Error> {
        if !self.waits_for_sync() {
            return Ok(());
        }
        let mut dirs: Vec<&Dir> = Vec::new();
        let mut add = |dir: &'a Dir| {
            if !dirs.iter().any(|d| std::ptr::eq(*d, dir)) {
                dirs.push(dir);
            }
        };
        for (message, placed) in messages.iter().zip(&put.placed) {
            add(self.sub(placed.location.sub));
            if let Origin::Message(mailbox, from, CopyMode::Move) = &message.origin {
                add(mailbox.sub(from.sub));
            }
        }
        let dirs = dirs.into_iter().map(AsFd::as_fd);
        let all: Vec<_> = dirs.chain(put.list.iter().map(AsFd::as_fd)).collect();
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

    fn show(&self, draft: &mut Draft, messages: &[Incoming], put: &Put) {
        let now = UnixTime::now();
        for ((message, placed), &uid) in messages.iter().zip(&put.placed).zip(&put.uids) {
            let key = key_of(draft.table(), &message.keywords);
            let keywords = draft.intern(&key);
            let found = placed.location.found();
            let name = FileName::parse(found.name);
            let mut state = RECENT;
            if found.sub == Sub::New {
                state |= IN_NEW;
            }
            if self.note_name(uid.get(), found, keywords) {
                state |= ODD_NAME;
            }
            draft.push(&NewRow {
                uid,
                flags: message.flags,
                keywords: keywords.unwrap_or_default(),
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

fn all_keywords(messages: &[Incoming]) -> Vec<Keyword> {
    let mut all: Vec<Keyword> = Vec::new();
    for keyword in messages.iter().flat_map(|m| &m.keywords) {
        if !all.contains(keyword) {
            all.push(keyword.clone());
        }
    }
    all
}
