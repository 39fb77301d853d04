//! Opening a mailbox: its sidecars read, its directories listed for the first
//! time.

use super::core::{Core, Stamps};
use super::tick::Tick;
use super::{Mailbox, Marks, Place, lock};
use crate::account::status::Found;
use crate::error::Error;
use crate::events::News;
use crate::format::perm::Perm;
use crate::format::uidlist::{Guid, Head};
use crate::format::{
    Dir, ExtraKeywords, FormatError, KeywordFile, UidList, UidListLock, courier, open, tmpclean,
};
use crate::index::history::History;
use crate::index::{Index, IndexFolder, IndexPlace, Kept, OddNames, Writer, first_modseq};
use crate::options::{Fsync, Options};
use crate::quota::Quota;
use crate::snapshot::Draft;
use crate::snapshot::sight::Sight;
use crate::watch::Shared as Watcher;
use arc_swap::ArcSwap;
use nix::unistd::{AccessFlags, access};
use roost_os::dir::DirStamp;
use roost_os::file;
use roost_types::{MailboxName, Uid, UidValidity};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// What opening needs besides the directory.
pub(crate) struct Opening<'a> {
    pub options: &'a Arc<Options>,
    pub watcher: &'a Arc<Watcher>,
    pub news: &'a Arc<News>,
    pub quota: &'a Arc<Quota>,
    pub name: MailboxName,
    /// The account's index folder.
    pub folder: Option<&'a Arc<IndexFolder>>,
    pub new_validity: &'a dyn Fn() -> Result<UidValidity, FormatError>,
}

/// A mailbox's list and index, as they are found.
struct Begin {
    list: UidList,
    place: Option<Arc<IndexPlace>>,
    index: Option<Index>,
    kept: Option<Kept>,
    /// The directories as they were when the index had all of them, if the
    /// list is still the same too.
    known: Option<Stamps>,
    inodes: [u64; 3],
}

impl Begin {
    /// With an index that is right, the list is not read but for its header.
    fn find(dir: &Dir, inodes: [u64; 3], opening: &Opening<'_>) -> Result<Self, Error> {
        let head = Head::read(dir)?;
        let mut begin = Self {
            list: UidList::empty(dir, UidValidity::MIN),
            place: None,
            index: None,
            kept: None,
            known: None,
            inodes,
        };
        if let Some(head) = head {
            let (guid, uid_validity) = (head.guid, head.uid_validity);
            begin.claim(dir, opening, guid, uid_validity);
            if let Some(settled) = begin.kept.as_ref().and_then(|k| k.settled)
                && !courier::is_newer(dir)?
                && let Some(list) = UidList::unread(dir, head, &settled.list)?
            {
                begin.list = list;
                begin.known = Some(Stamps {
                    new: settled.new,
                    cur: settled.cur,
                });
                return Ok(begin);
            }
        }
        begin.list = open_list(dir, opening.options, opening.new_validity)?;
        begin.check(dir, opening);
        Ok(begin)
    }

    /// The list was read whole: whether the index is its own.
    fn check(&mut self, dir: &Dir, opening: &Opening<'_>) {
        let (guid, uid_validity) = (self.list.guid(), self.list.uid_validity());
        let kept = self.kept.as_ref();
        let other = kept.is_some_and(|k| k.picture.uid_validity() != uid_validity);
        if other || self.place.as_ref().is_some_and(|p| Some(p.guid()) != guid) {
            // Replaced while we looked.
            (self.place, self.index, self.kept) = (None, None, None);
        }
        if let Some(guid) = guid.filter(|_| self.place.is_none()) {
            self.claim(dir, opening, guid, uid_validity);
        }
    }

    fn claim(&mut self, dir: &Dir, opening: &Opening<'_>, guid: Guid, validity: UidValidity) {
        let Some(folder) = opening.folder else { return };
        let Some(place) = folder.claim_for(guid, Some(self.inodes)).map(Arc::new) else {
            let path = dir.path().display();
            log::warn!("{path}: another open mailbox has its GUID {guid}: no index");
            return;
        };
        let sync = opening.options.fsync != Fsync::Never;
        let mut index = Index::new(Arc::clone(&place), dir, self.inodes, sync);
        self.kept = index.load(validity);
        self.index = Some(index);
        self.place = Some(place);
    }

    /// Where the first picture's facts go while it is made.
    fn writer(&mut self) -> Option<Writer> {
        let index = self.index.as_mut().filter(|_| self.kept.is_none())?;
        index.writer().map_err(|e| index.postpone(&e)).ok()
    }
}

impl Mailbox {
    /// Opens the mailbox in `dir` and looks at it once.
    pub(crate) fn load(dir: Dir, opening: Opening<'_>) -> Result<Arc<Self>, Error> {
        let sub = |name: &[u8]| dir.open_sub(name).map_err(Error::from);
        let (cur, new, tmp) = (sub(b"cur")?, sub(b"new")?, sub(b"tmp")?);
        let options = opening.options;
        let stamp = |d: &Dir| DirStamp::of(d).map_err(|e| Error::io(d.path(), e));
        let stamps = [stamp(&new)?, stamp(&cur)?];
        let tick = Tick::of(&cur, &stamps[1]);
        let ids = stamps.map(|s| (s.dev, s.ino));
        let own = file::stat(&dir).map_err(|e| Error::io(dir.path(), e))?;
        let inodes = [own.ino, ids[0].1, ids[1].1];
        let mut begin = Begin::find(&dir, inodes, &opening)?;
        let writer = begin.writer();
        let letters = KeywordFile::load(&dir)?;
        let extra = ExtraKeywords::load(&dir, begin.list.uid_validity())?;
        let has_index = begin.kept.is_some();
        let settled = begin.kept.as_ref().and_then(|kept| kept.settled);
        let has_extras = settled.is_some_and(|settled| settled.extra == extra.stamp());
        let told = settled.map(|settled| settled.told);
        // Sums of an older version may be those of all messages.
        let told = told.filter(|told| told.left_out.is_some());
        let (picture, history, odd) = match begin.kept {
            Some(kept) => (kept.picture, kept.history, kept.odd),
            None => {
                let modseq = first_modseq();
                let first = Draft::first(begin.list.uid_validity(), Uid::MIN, modseq);
                (first.finish(), History::new(modseq), OddNames::new())
            }
        };
        let snapshot = Arc::new(picture);
        let mailbox = Arc::new(Self {
            options: Arc::clone(options),
            watcher: Arc::clone(opening.watcher),
            news: Arc::clone(opening.news),
            quota: Arc::clone(opening.quota),
            place: Mutex::new(Place::new(opening.name, dir.path())),
            ids,
            perm: Perm::of_stat(&own),
            read_only: access(cur.path(), AccessFlags::W_OK).is_err(),
            tick: tick.length,
            marks: Arc::new(Marks::new(tick.local)),
            gone: AtomicBool::new(false),
            watch_id: AtomicU64::new(0),
            assign: Mutex::new(()),
            queue: Default::default(),
            current: ArcSwap::new(Arc::clone(&snapshot)),
            changes: watch::Sender::new(snapshot.generation()),
            history: Mutex::new(history),
            guid: begin.list.guid().map_or_else(OnceLock::new, OnceLock::from),
            index: begin.place,
            pieces: OnceLock::new(),
            saving: Mutex::new(()),
            readers: Mutex::default(),
            noting: Mutex::default(),
            details: Mutex::new(told.and_then(|told| {
                Some(Found {
                    of: snapshot.generation(),
                    sight: snapshot.effective(Sight::USUAL),
                    sizes: told.sizes?,
                    more: told.more,
                })
            })),
            core: Mutex::new(Core {
                settled: [begin.known.is_some(); 2],
                list: begin.list,
                list_used: true,
                letters,
                extra,
                snapshot,
                known: begin.known,
                racy: false,
                pending: false,
                unsynced: None,
                passed_over: false,
                complete: [begin.known.is_some(); 2],
                opened: false,
                index: begin.index,
                writer,
                learnt: 0,
            }),
            odd: Mutex::new(odd),
            sights: Mutex::default(),
            unread: Mutex::default(),
            renamed: Mutex::default(),
            dir,
            cur,
            new,
            tmp,
        });
        if let Some(place) = &mailbox.index {
            place.set_holder(&mailbox);
        }
        // Watched before the first listing, so that no change falls between.
        let id = mailbox.watcher.add(&mailbox);
        mailbox.watch_id.store(id, Ordering::Release);
        mailbox.first_look(has_index, has_extras)?;
        Ok(mailbox)
    }

    /// Brings the picture up to date; `has_index`: it is not the first one;
    /// `has_extras`: keywords without letters are in it.
    fn first_look(&self, has_index: bool, has_extras: bool) -> Result<(), Error> {
        if let Err(e) = tmpclean::clean(&self.tmp) {
            log::info!("{}: cleaning tmp: {e}", self.dir.path().display());
        }
        let mut core = lock(&self.core);
        let mut draft = Draft::of(&core.snapshot);
        self.name_keywords(&core, &mut draft);
        self.publish(&mut core, draft);
        if has_index && core.known.is_none() {
            self.check_replaced(&mut core)?;
        }
        self.refresh_core(&mut core, None)?;
        if has_index && !has_extras {
            self.check_extras(&mut core);
        }
        core.opened = true;
        self.tidy_lists(&mut core);
        // A list of an old version has got its GUID by now.
        if let Some(guid) = core.list.guid() {
            let _ = self.guid.set(guid);
        }
        if !has_index {
            self.save(&mut core);
        }
        self.note_settled(&mut core);
        Ok(())
    }

    /// Drops what the lists say of messages that are gone, once that is a
    /// good part. Never waits for the lock, and failing does no harm.
    pub(super) fn tidy_lists(&self, core: &mut Core) {
        let live = core.snapshot.len() as usize;
        let wanted = core.list.needs_rewrite()
            || core.is_complete()
                && (core.list.wants_compaction(live) || core.extra.wants_compaction());
        if !wanted || self.read_only {
            return;
        }
        let Ok(_guard) = self.assign.try_lock() else {
            return;
        };
        let tidied = UidListLock::try_acquire(&self.dir).and_then(|list_lock| match list_lock {
            Some(mut list_lock) => self.rewrite_lists(core, &mut list_lock),
            None => Ok(()),
        });
        if let Err(e) = tidied {
            log::info!("{}: compaction: {e}", self.dir.path().display());
        }
    }

    pub(super) fn rewrite_lists(
        &self,
        core: &mut Core,
        list_lock: &mut UidListLock,
    ) -> Result<(), FormatError> {
        let picture = Arc::clone(&core.snapshot);
        let (shown, complete) = (core.shown(), core.is_complete());
        let keep =
            |uid: Uid, _: &[u8]| !complete || uid.get() > shown || picture.hot(uid.get()).is_some();
        core.list.rewrite(list_lock, self.options.fsync, keep)?;
        if complete && core.extra.wants_compaction() {
            let live = picture.hot_rows().filter_map(|r| Uid::new(r.uid)).collect();
            core.extra.compact(list_lock, self.options.fsync, &live)?;
        }
        Ok(())
    }

    pub(super) fn waits_for_sync(&self) -> bool {
        self.options.fsync != Fsync::Never
    }
}

fn open_list(
    dir: &Dir,
    options: &Options,
    new_validity: &dyn Fn() -> Result<UidValidity, FormatError>,
) -> Result<UidList, Error> {
    // The lock, which not everybody can have, is for what changes the list.
    if let Some(list) = UidList::load(dir)?
        && matches!(
            courier::compared(dir, &list)?,
            None | Some((_, courier::Since::Same))
        )
    {
        return Ok(list);
    }
    let mut list_lock = UidListLock::acquire(dir, options.lock_timeout)?;
    Ok(open::open(&mut list_lock, options.fsync, new_validity)?)
}
