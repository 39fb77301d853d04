//! What an account holds and may hold.

use super::Account;
use super::folders::Folder;
use super::tree::Tree;
use crate::error::Error;
use crate::format::Dir;
use crate::format::maildirsize::Sum;
use crate::mailbox::lock;
use crate::options::QuotaOptions;
use crate::quota::count::{self, Count};
use crate::quota::{Change, Known, Usage};
use roost_types::MailboxName;

impl Account {
    /// What is known without counting; does not take long.
    pub fn quota(&self) -> Result<Known, Error> {
        self.quota.known()
    }

    /// What is used; `None` where nothing is limited. With `anew`, or where
    /// it is not known, all messages are counted, which may take long.
    pub fn quota_counted(&self, anew: bool) -> Result<Option<Usage>, Error> {
        let known = match self.quota.known()? {
            Known::Unlimited => return Ok(None),
            Known::Used(usage) if !anew => return Ok(Some(usage)),
            _ => self.quota.count()?.finish()?,
        };
        Ok(match known {
            Known::Used(usage) => Some(usage),
            Known::Unlimited | Known::Unknown(_) => None,
        })
    }

    /// Begins to count all messages.
    pub fn count_quota(&self) -> Result<Count, Error> {
        self.quota.count()
    }

    pub fn quota_options(&self) -> QuotaOptions {
        self.quota.options()
    }

    /// After a reload they may be others.
    pub(crate) fn set_quota_options(&self, options: QuotaOptions) {
        let before = self.quota.options().inbox_only;
        self.quota.set_options(options);
        if before != options.inbox_only {
            lock(&self.tree).forget();
        }
    }

    /// How many mailboxes there are, aliases and directories that somebody
    /// made included.
    pub fn mailboxes(&self) -> Result<u64, Error> {
        Ok(mailboxes(&*self.tree()?))
    }

    /// Whether there is room for one mailbox more.
    pub(super) fn check_mailboxes(&self, tree: &Tree) -> Result<(), Error> {
        let most = u64::from(self.quota.options().max_mailboxes);
        match most > 0 && mailboxes(tree) >= most {
            true => Err(Error::OverQuota),
            false => Ok(()),
        }
    }

    /// Begins to take a mailbox away, and whether its messages are to be
    /// weighed.
    pub(super) fn accounting(&self, name: &MailboxName) -> (Change<'_>, bool) {
        let change = self.quota.change();
        let weighs = change.is_kept() && self.quota.counts(name);
        (change, weighs)
    }

    /// What the messages of a mailbox weigh that is no mailbox any more.
    pub(super) fn weigh_folder(&self, path: &[u8]) -> Sum {
        let counts_deleted = self.quota.options().count_trash;
        let weighed = self.root.open_sub(path).map_err(Error::from);
        match weighed.and_then(|dir: Dir| count::folder(&dir, counts_deleted)) {
            Ok(sum) => sum,
            Err(e) => {
                log::warn!("{e}");
                self.quota.count_aside();
                Sum::ZERO
            }
        }
    }

    /// Where mail goes that does not count, RENAME changes what does.
    pub(super) fn note_rename(&self, names: [&MailboxName; 2]) {
        if names.into_iter().any(|name| !self.quota.counts(name)) {
            self.quota.count_aside();
        }
    }
}

fn mailboxes(tree: &Tree) -> u64 {
    let counted = |f: &&Folder| f.selectable || f.alias.is_some() || tree.is_explicit(&f.name);
    tree.folders.iter().filter(counted).count() as u64
}
