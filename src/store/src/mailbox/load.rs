//! Opening a mailbox: its sidecars read, its directories listed for the first
//! time.

use super::core::Core;
use super::own::OwnEvents;
use super::{Mailbox, Place, lock};
use crate::error::Error;
use crate::events::News;
use crate::format::perm::Perm;
use crate::format::{
    Dir, ExtraKeywords, FormatError, KeywordFile, UidList, UidListLock, open, tmpclean,
};
use crate::index::history::History;
use crate::index::{IndexFolder, clock_modseq};
use crate::options::{Fsync, Options};
use crate::snapshot::Draft;
use crate::watch::Shared as Watcher;
use arc_swap::ArcSwap;
use nix::sys::statfs::{self, FsType};
use nix::unistd::{AccessFlags, access};
use roost_os::dir::DirStamp;
use roost_types::{MailboxName, Uid, UidValidity};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// How coarse clocks stamp changes on local file systems.
const LOCAL_TICK: Duration = Duration::from_millis(20);
/// On file servers.
const REMOTE_TICK: Duration = Duration::from_secs(2);

/// What opening needs besides the directory.
pub(crate) struct Opening<'a> {
    pub options: &'a Arc<Options>,
    pub watcher: &'a Arc<Watcher>,
    pub news: &'a Arc<News>,
    pub name: MailboxName,
    /// The account's index folder.
    pub folder: Option<&'a Arc<IndexFolder>>,
    pub new_validity: &'a dyn Fn() -> Result<UidValidity, FormatError>,
}

impl Mailbox {
    /// Opens the mailbox in `dir` and looks at it once.
    pub(crate) fn load(dir: Dir, opening: Opening<'_>) -> Result<Arc<Self>, Error> {
        let sub = |name: &[u8]| dir.open_sub(name).map_err(Error::from);
        let (cur, new, tmp) = (sub(b"cur")?, sub(b"new")?, sub(b"tmp")?);
        let options = opening.options;
        let list = open_list(&dir, options, opening.new_validity)?;
        let letters = KeywordFile::load(&dir)?;
        let extra = ExtraKeywords::load(&dir, list.uid_validity())?;
        let first = Draft::first(list.uid_validity(), Uid::MIN, clock_modseq());
        let snapshot = Arc::new(first.finish());
        let stamp = |d: &Dir| DirStamp::of(d).map_err(|e| Error::io(d.path(), e));
        let ids = [stamp(&new)?, stamp(&cur)?].map(|s| (s.dev, s.ino));
        let local = is_local(&cur);
        let mailbox = Arc::new(Self {
            options: Arc::clone(options),
            watcher: Arc::clone(opening.watcher),
            news: Arc::clone(opening.news),
            place: Mutex::new(Place::new(opening.name, dir.path())),
            ids,
            perm: Perm::of(&dir)?,
            read_only: access(cur.path(), AccessFlags::W_OK).is_err(),
            tick: if local { LOCAL_TICK } else { REMOTE_TICK },
            local,
            gone: AtomicBool::new(false),
            dirty: Default::default(),
            watch_id: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            own: OwnEvents::default(),
            assign: Mutex::new(()),
            queue: Default::default(),
            current: ArcSwap::new(Arc::clone(&snapshot)),
            changes: watch::Sender::new(snapshot.generation()),
            history: Mutex::new(History::new(snapshot.highest_modseq().0)),
            guid: OnceLock::new(),
            index: OnceLock::new(),
            pieces: OnceLock::new(),
            core: Mutex::new(Core {
                list,
                letters,
                extra,
                snapshot,
                known: None,
                racy: false,
                pending: false,
                complete: false,
                opened: false,
            }),
            odd: Mutex::new(HashMap::new()),
            dir,
            cur,
            new,
            tmp,
        });
        // Watched before the first listing, so that no change falls between.
        let id = mailbox.watcher.add(&mailbox);
        mailbox.watch_id.store(id, Ordering::Release);
        mailbox.first_look()?;
        mailbox.identify(opening.folder);
        Ok(mailbox)
    }

    /// A list without GUID has got one by the first look, if it can be
    /// written.
    fn identify(&self, folder: Option<&Arc<IndexFolder>>) {
        let Some(guid) = self.core().list.guid() else {
            return;
        };
        let _ = self.guid.set(guid);
        match folder.map(|folder| folder.claim(guid)) {
            Some(Some(place)) => drop(self.index.set(Arc::new(place))),
            Some(None) => log::warn!(
                "{}: another open mailbox has its GUID {guid}: working without an index",
                self.dir.path().display()
            ),
            None => {}
        }
    }

    fn first_look(&self) -> Result<(), Error> {
        if let Err(e) = tmpclean::clean(&self.dir) {
            log::info!("{}: cleaning tmp: {e}", self.dir.path().display());
        }
        let mut core = lock(&self.core);
        let mut draft = Draft::of(&core.snapshot);
        self.name_keywords(&core, &mut draft);
        self.publish(&mut core, draft);
        self.refresh_core(&mut core, None)?;
        core.opened = true;
        self.tidy_lists(&mut core);
        Ok(())
    }

    /// Drops what the lists say of messages that are gone, once that is a
    /// good part. Never waits for the lock, and failing does no harm.
    pub(super) fn tidy_lists(&self, core: &mut Core) {
        let live = core.snapshot.len() as usize;
        let wanted = core.list.needs_rewrite()
            || core.complete && (core.list.wants_compaction(live) || core.extra.wants_compaction());
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
        let (shown, complete) = (core.shown(), core.complete);
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
    if let Some(list) = UidList::load(dir)? {
        return Ok(list);
    }
    let mut list_lock = UidListLock::acquire(dir, options.lock_timeout)?;
    Ok(open::open(&mut list_lock, options.fsync, new_validity)?)
}

fn is_local(dir: &Dir) -> bool {
    // 9P, SMB and AFS have no names in nix.
    const OTHERS: [i64; 4] = [0x0102_1997, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f];
    let Ok(fs) = statfs::fstatfs(dir) else {
        return true;
    };
    let FsType(kind) = fs.filesystem_type();
    fs.filesystem_type() != statfs::NFS_SUPER_MAGIC && !OTHERS.contains(&kind)
}
