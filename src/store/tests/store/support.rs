//! A temporary account and short ways to say things.

use roost_store::{
    Account, AccountOptions, FlagChange, FlagMode, Fsync, Mailbox, Options, QuotaOptions, Snapshot,
    Store,
};
use roost_types::{Keyword, MailboxName, SystemFlags, Uid, UidSet, UnixTime};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Site {
    pub temp: tempfile::TempDir,
    pub store: Arc<Store>,
    pub account: Arc<Account>,
    options: AccountOptions,
}

pub fn options() -> Options {
    Options {
        fsync: Fsync::Never,
        lock_timeout: Duration::from_secs(2),
        poll_interval: Duration::from_millis(50),
        ..Options::default()
    }
}

impl Site {
    pub fn new() -> Self {
        Self::with(options())
    }

    pub fn with(options: Options) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::new(options).unwrap();
        let options = AccountOptions::default();
        let account = account(&store, temp.path(), &options);
        Self {
            temp,
            store,
            account,
            options,
        }
    }

    /// Everything closed and opened again, as after a restart.
    pub fn restart(&mut self) {
        self.restart_with(options());
    }

    pub fn restart_with(&mut self, options: Options) {
        // The old one lets go of the index and its locks first, and the old
        // store's thread ends with it.
        let elsewhere = tempfile::tempdir().unwrap();
        let store = Store::new(options).unwrap();
        self.account = account(&store, elsewhere.path(), &self.options);
        self.store = store;
        self.account = account(&self.store, self.temp.path(), &self.options);
    }

    /// As a login after a reload does it.
    pub fn set_quota(&mut self, quota: QuotaOptions) {
        self.options.quota = quota;
        self.account = account(&self.store, self.temp.path(), &self.options);
    }

    pub fn root(&self) -> PathBuf {
        self.temp.path().join("Maildir")
    }

    pub fn inbox(&self) -> Arc<Mailbox> {
        self.account.open(&MailboxName::inbox()).unwrap()
    }

    pub fn open(&self, text: &str) -> Arc<Mailbox> {
        self.account.open(&name(text)).unwrap()
    }

    pub fn create(&self, text: &str) -> Arc<Mailbox> {
        self.account.create(&name(text), false, None).unwrap();
        self.open(text)
    }
}

fn account(store: &Arc<Store>, dir: &Path, options: &AccountOptions) -> Arc<Account> {
    store
        .account("test", &dir.join("Maildir"), options.clone())
        .unwrap()
}

pub fn name(text: &str) -> MailboxName {
    MailboxName::parse(text, '/').unwrap()
}

pub fn uid(n: u32) -> Uid {
    Uid::new(n).unwrap()
}

pub fn uids(list: &[u32]) -> UidSet {
    list.iter().map(|&n| uid(n)).collect()
}

pub fn keyword(text: &str) -> Keyword {
    Keyword::new(text).unwrap()
}

pub fn keywords(list: &[&str]) -> Vec<Keyword> {
    list.iter().map(|k| keyword(k)).collect()
}

/// Another program's delivery into `new`.
pub fn deliver(dir: &Path, base: &str, text: &str) {
    let tmp = dir.join("tmp").join(base);
    std::fs::write(&tmp, text).unwrap();
    std::fs::rename(tmp, dir.join("new").join(base)).unwrap();
}

pub fn append(mailbox: &Arc<Mailbox>, text: &str, flags: SystemFlags, words: &[&str]) -> Uid {
    let mut append = mailbox.append().unwrap();
    let date = Some(UnixTime(1_000_000_000));
    append.begin_message(flags, &keywords(words), date).unwrap();
    append.write(text.as_bytes()).unwrap();
    append.finish_message().unwrap();
    append.commit().unwrap().uids.min().unwrap()
}

pub fn store(mailbox: &Mailbox, set: &[u32], mode: FlagMode, system: SystemFlags, words: &[&str]) {
    let words = keywords(words);
    let change = FlagChange {
        mode,
        system,
        keywords: &words,
        unchanged_since: None,
    };
    let outcome = mailbox.store_flags(&uids(set), &change).unwrap();
    assert!(outcome.missing.is_empty(), "{:?}", outcome.missing);
}

pub fn body(mailbox: &Mailbox, n: u32) -> String {
    let mut text = String::new();
    mailbox
        .open_message(uid(n))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

pub fn uids_in(picture: &Snapshot) -> Vec<u32> {
    picture.iter().map(|(_, row)| row.uid.get()).collect()
}

/// UID to flags and keywords.
pub type View = BTreeMap<u32, (SystemFlags, Vec<String>)>;

pub fn view(picture: &Snapshot) -> View {
    picture
        .iter()
        .map(|(_, row)| {
            let words = picture.keyword_names(row.keywords).iter();
            let words = words.map(|k| k.as_str().to_owned()).collect();
            (row.uid.get(), (row.flags, words))
        })
        .collect()
}

pub fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Long enough for the clock to tick on.
pub fn tick() {
    std::thread::sleep(Duration::from_millis(40));
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The name in `cur` of the message that the UID list calls `n`; its first
/// line is a header.
pub fn file_of(dir: &Path, n: u32) -> String {
    let list = std::fs::read_to_string(dir.join("dovecot-uidlist")).unwrap();
    let line = list
        .lines()
        .skip(1)
        .find(|l| l.starts_with(&format!("{n} ")))
        .unwrap();
    let base = line.split(" :").nth(1).unwrap();
    let mut names = files(&dir.join("cur")).into_iter();
    names.find(|f| f.split(':').next() == Some(base)).unwrap()
}
