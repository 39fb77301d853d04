//! The index of one open mailbox: read when it is opened, told of every
//! change, written anew when its log has grown.

use super::change::{self, OddNames};
use super::closing;
use super::file::{self, IndexFile, KIND as SNAPSHOT};
use super::folder::{BootId, IndexPlace};
use super::history::History;
use super::log::{self, Fault, KIND as LOG, Kind, Log};
use super::told::Settled;
use super::write::{Writer, Written};
use crate::format::Dir;
use crate::snapshot::{Draft, Snapshot};
use roost_types::UidValidity;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A smaller log is not worth a new snapshot, in octets.
const SMALL_LOG: u64 = 64 * 1024;
/// How long a full disk is left alone.
const RETRY: Duration = Duration::from_secs(30);

/// What an index knows of a mailbox.
pub(crate) struct Kept {
    pub picture: Snapshot,
    pub history: History,
    pub odd: OddNames,
    /// How the disk looked when all that it held was in the picture; `None`
    /// if that has to be found out.
    pub settled: Option<Settled>,
}

pub(crate) struct Index {
    place: Arc<IndexPlace>,
    maildir: Dir,
    /// Of the mailbox's directory, `new` and `cur`: a copied Maildir has the
    /// same GUID, but not the same messages for long.
    inodes: [u64; 3],
    /// Whether anything is waited for at all.
    sync: bool,
    /// `None` while nothing can be written: everything goes on in memory.
    disk: Option<Disk>,
    retry: Option<Instant>,
    complained: bool,
    lost: Arc<AtomicBool>,
}

struct Disk {
    file: Arc<IndexFile>,
    /// Inode and size.
    snapshot: [u64; 2],
    log: Log,
    state: State,
}

/// What the log says last.
#[derive(PartialEq, Debug)]
enum State {
    Open(BootId, Option<Box<Settled>>),
    Closed(Option<Box<Settled>>),
}

impl State {
    fn settled(&self) -> Option<&Settled> {
        let (Self::Open(_, settled) | Self::Closed(settled)) = self;
        settled.as_deref()
    }
}

impl Index {
    /// Without files yet.
    pub fn new(place: Arc<IndexPlace>, maildir: &Dir, inodes: [u64; 3], sync: bool) -> Self {
        Self {
            inodes,
            place,
            maildir: maildir.clone(),
            sync,
            disk: None,
            retry: None,
            complained: false,
            lost: Arc::default(),
        }
    }

    /// Reads the files. Where they cannot be used they are removed, with a
    /// word in the log unless there are none, and `None` is returned.
    pub fn load(&mut self, uid_validity: UidValidity) -> Option<Kept> {
        match self.try_load(uid_validity) {
            Ok(kept) => Some(kept),
            Err(Fault::Missing) => None,
            Err(e) => {
                let path = self.maildir.path().display();
                ::log::warn!("{path}: index {}: {e}; made anew", self.place.guid());
                self.remove();
                if matches!(e, Fault::Foreign) {
                    // Whatever else is kept there is of that other mailbox.
                    self.unlink("cache");
                }
                None
            }
        }
    }

    fn try_load(&mut self, uid_validity: UidValidity) -> Result<Kept, Fault> {
        let read = self.read_snapshot(uid_validity)?;
        let found = match Log::read(&self.place) {
            // A snapshot alone may be older than what was told to clients.
            Err(Fault::Missing) => return Err(Fault::Generation),
            other => other?,
        };
        if found.generation != read.header.generation {
            return Err(Fault::Generation);
        }
        let (mut history, mut odd) = (read.history, read.odd);
        let mut draft = Draft::resume(read.picture);
        let mut state = State::Closed(None);
        for (kind, payload) in log::records(&found.records) {
            match kind {
                Kind::Change => {
                    change::apply(payload, &mut draft, &mut history, &mut odd)
                        .ok_or(Fault::Damaged)?;
                    if let State::Open(_, settled) = &mut state {
                        *settled = None;
                    }
                }
                Kind::Open => {
                    let boot = closing::take_open(payload).ok_or(Fault::Damaged)?;
                    state = State::Open(boot, None);
                }
                Kind::Settled => {
                    let now = closing::take_settled(payload).ok_or(Fault::Damaged)?;
                    let now = Some(now).filter(|now| now.snapshot == read.snapshot);
                    match &mut state {
                        State::Open(_, settled) => *settled = now.map(|now| Box::new(now.settled)),
                        State::Closed(_) => return Err(Fault::Damaged),
                    }
                }
                Kind::Closed => {
                    let closed = closing::take_closed(payload).ok_or(Fault::Damaged)?;
                    let said = closed.filter(|c| c.snapshot == read.snapshot);
                    state = State::Closed(said.map(|c| Box::new(c.settled)));
                }
            }
        }
        if matches!(&state, State::Open(boot, _) if *boot != self.place.boot()) {
            return Err(Fault::Unclosed);
        }
        let settled = state.settled().copied();
        self.disk = Some(Disk {
            file: read.file,
            snapshot: read.snapshot,
            log: found.log,
            state,
        });
        Ok(Kept {
            picture: draft.finish(),
            history,
            odd,
            settled,
        })
    }

    fn read_snapshot(&self, uid_validity: UidValidity) -> Result<file::Read, Fault> {
        let owner = (&self.maildir, self.inodes, uid_validity);
        file::read(&self.place, owner, &self.lost)
    }

    /// Rows of a picture had to be made up because their part of a snapshot
    /// was damaged, since this was asked last: their flags are to be read from
    /// the names of the files.
    pub fn take_lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// [`take_lost`](Self::take_lost), for who does nothing about it.
    pub fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Why another opening could not use the files as they are now; reads all
    /// of them. What a crash leaves behind is no fault.
    pub fn fault(&self, uid_validity: UidValidity) -> Option<String> {
        let place = Arc::clone(&self.place);
        let mut other = Self::new(place, &self.maildir, self.inodes, false);
        let kept = match other.try_load(uid_validity) {
            Ok(kept) => kept,
            Err(Fault::Missing | Fault::Unclosed) => return None,
            Err(e) => return Some(e.to_string()),
        };
        let mut chunks = kept.picture.chunks().iter();
        let fault = chunks.find_map(|chunk| {
            let rows = chunk.row_block().map(|block| block.raw(&chunk.summary()));
            let cold = chunk.cold_side().block(chunk.len());
            rows.and_then(Result::err)
                .or_else(|| cold.and_then(|block| block.raw().err()))
        });
        // What the log changes has been read already.
        let fault = fault.map(|fault| fault.to_string());
        fault.or_else(|| other.has_lost().then(|| Fault::Damaged.to_string()))
    }

    /// Throws the files away; what is in memory goes on.
    pub fn discard(&mut self) {
        self.remove();
        self.retry = None;
    }

    /// The same, with all else that is kept of the mailbox.
    pub fn discard_all(&mut self) {
        self.discard();
        self.unlink("cache");
    }

    /// Writes down a change before anybody sees it.
    pub fn record(&mut self, pictures: (&Snapshot, &Snapshot), odd: &OddNames, renamed: &[u32]) {
        let place = Arc::clone(&self.place);
        let Some(_held) = place.hold() else { return };
        let Some(disk) = &mut self.disk else { return };
        let mut records = Vec::new();
        let closed = matches!(disk.state, State::Closed(_));
        if closed {
            closing::put_open(&mut records, self.place.boot());
        }
        log::put(&mut records, Kind::Change, |out| {
            change::encode(out, pictures, odd, renamed);
        });
        match disk.log.append(&records, closed && self.sync) {
            Ok(()) => disk.state = State::Open(self.place.boot(), None),
            Err(e) => self.give_up(&e),
        }
    }

    /// Goes on without files. What they hold is older than what clients see,
    /// so they go.
    pub fn fail(&mut self, e: &io::Error) {
        let place = Arc::clone(&self.place);
        if let Some(_held) = place.hold() {
            self.give_up(e);
        }
    }

    fn give_up(&mut self, e: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            let path = self.maildir.path().display();
            ::log::warn!("{path}: index cannot be written: {e}; going on without");
        }
        self.remove();
        self.retry = Some(Instant::now() + RETRY);
    }

    /// A snapshot could not be written; the log goes on if there is one.
    pub fn postpone(&mut self, e: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            let path = self.maildir.path().display();
            ::log::warn!("{path}: index cannot be written: {e}; trying again later");
        }
        self.retry = Some(Instant::now() + RETRY);
    }

    fn remove(&mut self) {
        self.disk = None;
        if !self.place.is_held() {
            return;
        }
        self.unlink(LOG);
        self.unlink(SNAPSHOT);
        if self.sync {
            let _ = roost_os::dir::sync(self.place.dir());
        }
    }

    fn unlink(&self, kind: &str) {
        let name = self.place.file(kind);
        match roost_os::file::unlink(self.place.dir(), name.as_bytes()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                let path = self.place.dir().entry(name.as_bytes());
                ::log::warn!("{}: {e}", path.display());
            }
            _ => {}
        }
    }

    /// Whether a new snapshot is due.
    pub fn wants_snapshot(&self) -> bool {
        let grown = |disk: &Disk| {
            disk.log.len() > SMALL_LOG.max(disk.snapshot[1] / 4) || disk.file.is_damaged()
        };
        self.may_write() && self.disk.as_ref().is_none_or(grown)
    }

    /// Writing did not fail a moment ago.
    pub fn may_write(&self) -> bool {
        self.retry.is_none_or(|at| Instant::now() >= at)
    }

    /// Begins a new snapshot.
    pub fn writer(&self) -> io::Result<Writer> {
        if !self.place.is_held() || self.place.hold().is_none() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the folder was taken away",
            ));
        }
        Writer::create(&self.place, (&self.maildir, self.inodes), &self.lost)
    }

    /// Puts a new snapshot in force, of the picture that was the newest when
    /// it was begun; `since` is what has happened meanwhile.
    pub fn replace(
        &mut self,
        mut written: Written,
        since: (&Snapshot, &Snapshot),
        odd: &OddNames,
    ) -> io::Result<()> {
        let place = Arc::clone(&self.place);
        let Some(_held) = place.hold() else {
            return Ok(());
        };
        let mut records = Vec::new();
        let changed = since.0.generation() != since.1.generation();
        let was_open = |disk: &Disk| matches!(disk.state, State::Open(..));
        let mut state = State::Closed(None);
        if changed || self.disk.as_ref().is_some_and(was_open) {
            state = State::Open(self.place.boot(), None);
            closing::put_open(&mut records, self.place.boot());
        }
        if changed {
            let renamed: Vec<u32> = odd.keys().copied().collect();
            log::put(&mut records, Kind::Change, |out| {
                change::encode(out, since, odd, &renamed);
            });
        }
        let file = written.publish()?;
        let log = Log::create(&self.place, written.generation, &records)?;
        written.relieve(since.0);
        (self.complained, self.retry) = (false, None);
        self.disk = Some(Disk {
            snapshot: file.id()?,
            file,
            log,
            state,
        });
        Ok(())
    }

    /// All that the disk has is in the picture, and looks like this: good for
    /// whoever opens the mailbox after this process was killed.
    pub fn note(&mut self, settled: &Settled) {
        let place = Arc::clone(&self.place);
        let Some(_held) = place.hold() else { return };
        let Some(disk) = &mut self.disk else { return };
        if disk.state.settled() == Some(settled) {
            return;
        }
        let mut records = Vec::new();
        let state = match disk.state {
            State::Open(boot, _) => {
                closing::put_settled(&mut records, settled, disk.snapshot);
                State::Open(boot, Some(Box::new(*settled)))
            }
            State::Closed(_) => {
                closing::put_closed(&mut records, Some(settled), disk.snapshot);
                State::Closed(Some(Box::new(*settled)))
            }
        };
        match disk.log.append(&records, false) {
            Ok(()) => disk.state = state,
            Err(e) => self.give_up(&e),
        }
    }

    /// The mailbox is let go in this state. Nothing is waited for: a log that
    /// loses this end is one that was not closed.
    pub fn close(&mut self, settled: Option<Settled>) {
        let place = Arc::clone(&self.place);
        let Some(_held) = place.hold() else { return };
        let Some(disk) = &mut self.disk else { return };
        let state = State::Closed(settled.map(Box::new));
        if disk.state == state {
            return;
        }
        let mut records = Vec::new();
        closing::put_closed(&mut records, settled.as_ref(), disk.snapshot);
        match disk.log.append(&records, false) {
            Ok(()) => disk.state = state,
            Err(e) => self.give_up(&e),
        }
    }

    /// Lets go of memory that is only there to be quick.
    pub fn forget_recent(&self) {
        if let Some(disk) = &self.disk {
            disk.file.forget_recent();
        }
    }
}
