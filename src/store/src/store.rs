//! One [`Store`] for a worker: its accounts and the thread that watches open
//! mailboxes.

use crate::account::Account;
use crate::error::Error;
use crate::index::Folders;
use crate::mailbox::lock;
use crate::options::{AccountOptions, Options};
use crate::watch::{Shared, Watcher};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

/// All accounts that a worker serves. Thread-safe; calls block on the disk.
pub struct Store {
    options: Arc<Options>,
    watcher: Watcher,
    accounts: Mutex<HashMap<PathBuf, Weak<Account>>>,
    index_folders: Arc<Folders>,
}

impl Store {
    /// Starts the watcher thread; it ends with the last reference.
    pub fn new(options: Options) -> io::Result<Arc<Self>> {
        let watcher = Watcher::start(options.inotify, options.poll_interval)?;
        Ok(Arc::new(Self {
            options: Arc::new(options),
            watcher,
            accounts: Mutex::default(),
            index_folders: Arc::default(),
        }))
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The account whose Maildir is at `maildir`, shared while in use; then
    /// `options` are those of the first caller, but for the quota. A missing Maildir is created,
    /// with the initial subscriptions. `name` is for logs.
    pub fn account(
        self: &Arc<Self>,
        name: &str,
        maildir: &Path,
        options: AccountOptions,
    ) -> Result<Arc<Account>, Error> {
        let mut accounts = lock(&self.accounts);
        if let Some(account) = accounts.get(maildir).and_then(Weak::upgrade) {
            account.set_quota_options(options.quota);
            return Ok(account);
        }
        let account = Account::new(self, name, maildir, options)?;
        accounts.retain(|_, a| a.strong_count() > 0);
        accounts.insert(maildir.to_path_buf(), Arc::downgrade(&account));
        Ok(account)
    }

    /// The account whose Maildir is at `maildir`, if anybody has it open.
    pub fn opened(&self, maildir: &Path) -> Option<Arc<Account>> {
        let same = |path: &Path| match (path.canonicalize(), maildir.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => path == maildir,
        };
        let accounts = lock(&self.accounts);
        let open = accounts.iter().filter(|(path, _)| same(path));
        open.filter_map(|(_, account)| account.upgrade()).next()
    }

    pub(crate) fn shared_options(&self) -> &Arc<Options> {
        &self.options
    }

    pub(crate) fn index_folders(&self) -> &Arc<Folders> {
        &self.index_folders
    }

    pub(crate) fn watcher(&self) -> &Arc<Shared> {
        self.watcher.shared()
    }
}
