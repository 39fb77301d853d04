//! Who may do what with an account's mailboxes: their lists, read again only
//! where their stamps have changed.

use super::Account;
use super::tree::Tree;
use crate::error::Error;
use crate::format::acl::{self, Acl, Identifier, Owner, Subject, Taken};
use crate::format::{Dir, FormatError};
use crate::index::next_modseq_of_reader;
use crate::mailbox::lock;
use crate::options::Options;
use crate::seen::file::{self as seen, Held, SeenFile};
use roost_os::dir::DirStamp;
use roost_types::{MailboxName, Rights};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A list changed less than this before it was read is read again.
const TICK: Duration = Duration::from_millis(50);
/// Lists kept in memory; of more mailboxes, all are read anew.
const MAX_KNOWN: usize = 1000;

/// The lists that are known.
#[derive(Default)]
pub(super) struct AclCache {
    known: HashMap<MailboxName, (DirStamp, Arc<Acl>)>,
    /// Courier has kept lists here.
    courier: Option<bool>,
}

/// Counts changes of lists.
#[derive(Default)]
pub(super) struct AclChanges(AtomicU64);

impl Account {
    /// Whose the lists are.
    pub fn owner(&self) -> Owner<'_> {
        Owner {
            account: &self.name,
            default_domain: self.store.options().default_domain.as_deref(),
        }
    }

    /// The list of a mailbox; an empty one where it has none, and for names
    /// without storage.
    pub fn acl(&self, name: &MailboxName) -> Result<Arc<Acl>, Error> {
        // INBOX has its place whatever else there is.
        match name.is_inbox() {
            true => self.acl_at(None, name),
            false => self.acl_in(&*self.tree()?, name),
        }
    }

    fn acl_in(&self, tree: &Tree, name: &MailboxName) -> Result<Arc<Acl>, Error> {
        match acl_place(tree, name) {
            Some(place) => self.acl_at(place, name),
            None => Ok(Arc::default()),
        }
    }

    fn acl_at(&self, place: Option<&[u8]>, name: &MailboxName) -> Result<Arc<Acl>, Error> {
        let file = match place {
            None => acl::FILE.as_bytes().to_vec(),
            Some(directory) => [directory, b"/", acl::FILE.as_bytes()].concat(),
        };
        let stamp = match DirStamp::at(&self.root, &file) {
            Ok(stamp) => stamp,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return self.without(place, name),
            Err(e) => return Err(Error::io(&self.root.entry(&file), e)),
        };
        if let Some((known, acl)) = lock(&self.acls).known.get(name)
            && *known == stamp
        {
            return Ok(Arc::clone(acl));
        }
        let acl = Arc::new(Acl::load(&self.acl_dir(place)?)?.unwrap_or_default());
        let mut cache = lock(&self.acls);
        if cache.known.len() >= MAX_KNOWN {
            cache.known.clear();
        }
        match stamp.is_settled(TICK) {
            true => drop(cache.known.insert(name.clone(), (stamp, Arc::clone(&acl)))),
            false => drop(cache.known.remove(name)),
        }
        Ok(acl)
    }

    /// Of a mailbox without Dovecot's file, Courier's list is taken over.
    fn without(&self, place: Option<&[u8]>, name: &MailboxName) -> Result<Arc<Acl>, Error> {
        lock(&self.acls).known.remove(name);
        if !self.has_courier_lists()? {
            return Ok(Arc::default());
        }
        let taken = self.courier_list(&*self.tree()?, name)?;
        let Options {
            fsync,
            lock_timeout,
            ..
        } = *self.store.options();
        // Where it cannot be written it counts all the same.
        let begun = self
            .acl_dir(place)
            .and_then(|dir| taken.begin(&dir, fsync, lock_timeout))
            .and_then(|()| acl::forget_list(&self.root));
        match begun {
            Ok(()) => log::info!("{}: {name}: rights taken over from Courier", self.name),
            Err(e) => log::warn!("{}: {name}: rights not taken over: {e}", self.name),
        }
        Ok(Arc::new(taken))
    }

    fn has_courier_lists(&self) -> Result<bool, Error> {
        if let Some(known) = lock(&self.acls).courier {
            return Ok(known);
        }
        let present = acl::courier_present(&self.root)?;
        lock(&self.acls).courier = Some(present);
        Ok(present)
    }

    /// The mailbox's own list, or that of the nearest level above that has
    /// one; all are below INBOX for Courier.
    fn courier_list(&self, tree: &Tree, name: &MailboxName) -> Result<Acl, Error> {
        let mut level = Some(name.clone()).filter(|name| !name.is_inbox());
        while let Some(at) = level {
            let directory = match tree.directories.get(&at) {
                Some(directory) => directory.to_vec(),
                None => self.directory_for(tree, &at)?.into_bytes(),
            };
            if let Taken::List(acl) = acl::take_over(&self.root, Some(&directory))? {
                return Ok(acl);
            }
            level = at.parent();
        }
        match acl::take_over(&self.root, None)? {
            Taken::List(acl) => Ok(acl),
            Taken::Above => Ok(Acl::default()),
        }
    }

    fn acl_dir(&self, place: Option<&[u8]>) -> Result<Dir, FormatError> {
        match place {
            None => Ok(self.root.clone()),
            Some(directory) => self.root.open_sub(directory),
        }
    }

    /// What `subject` may do with a mailbox. Where the list cannot be read,
    /// nobody but the owner may do anything; a locked one can only be read, and
    /// so can one of which that is not known.
    pub fn rights(&self, name: &MailboxName, subject: &Subject<'_>) -> Rights {
        let listed = self.listed_rights(name, subject);
        // INBOX cannot be locked: SELECT of it need not know the tree.
        match self.is_locked(name) {
            true => {
                let flags = Rights::SEEN | Rights::WRITE | Rights::MARK_DELETED;
                listed - (flags | Rights::INSERT | Rights::EXPUNGE | Rights::DELETE)
            }
            false => listed,
        }
    }

    /// Nobody may change anything of it but its name; true where that is not
    /// known.
    pub fn is_locked(&self, name: &MailboxName) -> bool {
        let is_open = |tree: &Tree| !tree.file.locked.contains(name);
        !name.is_inbox() && !self.tree().is_ok_and(|tree| is_open(&tree))
    }

    fn listed_rights(&self, name: &MailboxName, subject: &Subject<'_>) -> Rights {
        match self.acl(name) {
            Ok(acl) => acl.rights(subject),
            Err(e) => {
                log::warn!("{}: {name}: rights cannot be read: {e}", self.name);
                match subject.is_owner() {
                    true => Rights::ALL,
                    false => Rights::NONE,
                }
            }
        }
    }

    /// The nearest level above `name` that is a mailbox.
    pub fn mailbox_above(&self, name: &MailboxName) -> Result<Option<MailboxName>, Error> {
        Ok(above(&*self.tree()?, name))
    }

    /// Changes a mailbox's list in one durable step. True where others see
    /// the mailbox now, or see it no more.
    pub fn change_acl(
        &self,
        name: &MailboxName,
        edit: impl FnOnce(&mut Acl) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let Options {
            fsync,
            lock_timeout,
            ..
        } = *self.store.options();
        let tree = self.tree()?;
        let before = self.acl_in(&tree, name)?;
        self.directory_of(name)?;
        let place = acl_place(&tree, name).ok_or(Error::NoSuchMailbox)?;
        let dir = self.acl_dir(place).map_err(|e| match Error::from(e) {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Error::NoSuchMailbox
            }
            e => e,
        })?;
        let (old, new) = Acl::change(&dir, fsync, lock_timeout, &before, edit)?;
        let old = old.as_ref().unwrap_or(&before);
        if *old == new {
            return Ok(false);
        }
        let shown = !old.lookers().eq(new.lookers()) || !old.denied().eq(new.denied());
        if shown {
            acl::forget_list(&self.root)?;
        }
        lock(&self.acls).known.remove(name);
        let keep = |reader: &str| new.may_give(self.owner(), reader, Rights::READ);
        if let Err(e) = self.retain_readers(name, &dir, keep) {
            log::warn!("{}: {name}: what others have seen: {e}", self.name);
        }
        self.rights_changed(name);
        Ok(shown)
    }

    /// Forgets what an account has seen of a mailbox that it may not read any
    /// more. Failing at it does no harm.
    pub fn forget_reader(&self, name: &MailboxName, account: &str) {
        let forget = || -> Result<(), Error> {
            let tree = self.tree()?;
            let Some(place) = acl_place(&tree, name) else {
                return Ok(());
            };
            self.retain_readers(name, &self.acl_dir(place)?, |reader| reader != account)
        };
        if let Err(e) = forget() {
            log::info!("{}: {name}: what {account} has seen: {e}", self.name);
        }
    }

    fn retain_readers(
        &self,
        name: &MailboxName,
        dir: &Dir,
        keep: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        if dir.stat(seen::FILE)?.is_none() {
            return Ok(());
        }
        let slot = self.slot(name);
        // Nobody opens it meanwhile: there would be two who write the file.
        let opened = lock(&slot);
        if let Some(mailbox) = opened.upgrade() {
            drop(opened);
            return mailbox.retain_readers(keep);
        }
        let Options {
            fsync,
            lock_timeout,
            ..
        } = *self.store.options();
        let mut held = Held::acquire(dir, fsync, lock_timeout)?;
        let mut file = SeenFile::load(dir, None)?;
        let modseq = next_modseq_of_reader(file.highest());
        file.forget(&file.strangers(keep), modseq, &mut held)?;
        Ok(())
    }

    /// Wakes those who have the mailbox open, so that they look what they may
    /// still do.
    pub(super) fn rights_changed(&self, name: &MailboxName) {
        self.acl_changes.0.fetch_add(1, Ordering::AcqRel);
        let slot = lock(&self.open).get(name).map(Arc::clone);
        if let Some(mailbox) = slot.and_then(|slot| lock(&slot).upgrade()) {
            mailbox.wake();
        }
    }

    /// Rises with every change of a list that this process makes.
    pub fn acl_changes(&self) -> u64 {
        self.acl_changes.0.load(Ordering::Acquire)
    }

    /// A new mailbox takes over the list of the one above. Where Courier has
    /// kept lists it gets one in any case, so that none is taken over later.
    pub(super) fn inherit_acl(&self, tree: &Tree, name: &MailboxName, directory: &[u8]) {
        let inherit = || -> Result<(), Error> {
            let acl = match above(tree, name) {
                Some(above) => self.acl_in(tree, &above)?,
                None => Arc::default(),
            };
            if acl.is_empty() && !self.has_courier_lists()? {
                return Ok(());
            }
            let Options {
                fsync,
                lock_timeout,
                ..
            } = *self.store.options();
            acl.begin(&self.root.open_sub(directory)?, fsync, lock_timeout)?;
            acl::forget_list(&self.root)?;
            Ok(())
        };
        // Without a list it is the owner's alone.
        if let Err(e) = inherit() {
            log::warn!("{}: {name}: rights are not inherited: {e}", self.name);
        }
    }

    /// All who are shown a mailbox of this account, as people write them.
    pub fn shares(&self) -> Result<BTreeSet<String>, Error> {
        let tree = self.tree()?;
        // Of mailboxes whose lists show them to others, and keep them from
        // some; many have the same.
        let mut lists: BTreeSet<(Vec<Identifier>, Vec<Identifier>)> = BTreeSet::new();
        for folder in tree.folders.iter().filter(|f| f.selectable) {
            let acl = match self.acl_in(&tree, &folder.name) {
                Ok(acl) => acl,
                Err(e) => {
                    log::warn!("{}: {}: rights: {e}", self.name, folder.name);
                    continue;
                }
            };
            let shown: Vec<_> = acl.lookers().cloned().collect();
            if !shown.is_empty() {
                lists.insert((shown, acl.denied().cloned().collect()));
            }
        }
        let shown = lists.iter().flat_map(|(shown, _)| shown);
        let mut all: BTreeSet<String> = shown.map(Identifier::to_string).collect();
        let denied: BTreeSet<&Identifier> = lists.iter().flat_map(|(_, denied)| denied).collect();
        let everywhere = denied.into_iter().filter(|id| {
            let mut lists = lists.iter();
            lists.all(|(shown, denied)| denied.contains(id) || !may_reach(shown, id))
        });
        all.extend(everywhere.map(|id| format!("-{id}")));
        Ok(all)
    }
}

/// Whether somebody whom `id` means may be among those who are shown a
/// mailbox.
fn may_reach(shown: &[Identifier], id: &Identifier) -> bool {
    fn local(name: &str) -> &str {
        name.split_once('@').map_or(name, |(local, _)| local)
    }
    match id {
        Identifier::User(name) => shown.iter().any(|other| match other {
            Identifier::User(other) => local(other) == local(name),
            _ => true,
        }),
        _ => !shown.is_empty(),
    }
}

/// The directory of a mailbox below the root, INBOX being the root itself;
/// `None` for what is no mailbox.
fn acl_place<'a>(tree: &'a Tree, name: &MailboxName) -> Option<Option<&'a [u8]>> {
    if name.is_inbox() {
        return Some(None);
    }
    tree.directories.get(name).map(|d| Some(&**d))
}

fn above(tree: &Tree, name: &MailboxName) -> Option<MailboxName> {
    let mut level = name.parent();
    while let Some(at) = level {
        if tree.folders.get(&at).is_some_and(|f| f.selectable) {
            return Some(at);
        }
        level = at.parent();
    }
    None
}
