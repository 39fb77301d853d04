//! What others see, and what a crash leaves, while messages that were put into
//! a mailbox are not on disk yet.

use super::*;
use crate::account::Account;
use crate::format::name::unique;
use crate::options::{AccountOptions, Options};
use crate::store::Store;
use roost_types::{MailboxName, SystemFlags};
use std::io::Write;
use std::path::Path;
use std::sync::MutexGuard;

struct World {
    _store: Arc<Store>,
    _account: Arc<Account>,
    mailbox: Arc<Mailbox>,
}

fn open(maildir: &Path) -> World {
    let store = Store::new(Options::default()).unwrap();
    let account = store
        .account("alice", maildir, AccountOptions::default())
        .unwrap();
    let mailbox = account.open(&MailboxName::inbox()).unwrap();
    World {
        _store: store,
        _account: account,
        mailbox,
    }
}

fn incoming(mailbox: &Arc<Mailbox>, keyword: &str) -> Incoming {
    let (temporary, mut file) = mailbox.create_temporary().unwrap();
    file.write_all(b"Subject: s\n\nbody\n").unwrap();
    Incoming {
        mailbox: Arc::clone(mailbox),
        origin: Origin::Temporary(temporary),
        name: unique().into_bytes(),
        guid: None,
        flags: SystemFlags::SEEN,
        keywords: vec![Keyword::new(keyword).unwrap()],
        stored: None,
        size: None,
        moved: false,
    }
}

/// Messages that have been put into a mailbox and are not on disk yet.
struct Waiting<'m> {
    mailbox: &'m Mailbox,
    messages: Vec<Incoming>,
    put: Option<Put>,
    _locks: (UidListLock, MutexGuard<'m, ()>),
}

fn put<'m>(mailbox: &'m Arc<Mailbox>, keywords: &[&str]) -> Waiting<'m> {
    let guard = lock(&mailbox.assign);
    let mut list_lock = mailbox.lock_list().unwrap();
    let messages = keywords.iter().map(|keyword| incoming(mailbox, keyword));
    let mut messages: Vec<Incoming> = messages.collect();
    let put = mailbox
        .put(&mut mailbox.core(), &mut list_lock, &mut messages)
        .unwrap();
    Waiting {
        mailbox,
        messages,
        put: Some(put),
        _locks: (list_lock, guard),
    }
}

impl Waiting<'_> {
    fn place(&self, at: usize) -> &Location {
        &self.put.as_ref().unwrap().placed[at].location
    }

    fn finish(&mut self, synced: Result<(), Error>) -> Result<Committed, Error> {
        let (mut core, put) = (self.mailbox.core(), self.put.take().unwrap());
        self.mailbox
            .finish(&mut core, &mut self.messages, put, synced)
    }
}

fn deliver(maildir: &Path, name: &str) {
    std::fs::write(maildir.join("new").join(name), b"Subject: d\n\n").unwrap();
}

fn uids(mailbox: &Mailbox) -> Vec<u32> {
    mailbox.snapshot().hot_rows().map(|row| row.uid).collect()
}

fn failed() -> Error {
    Error::io(Path::new("/x"), io::ErrorKind::Other.into())
}

#[test]
fn what_others_do_to_messages_that_are_not_on_disk_yet_is_seen() {
    let temp = tempfile::tempdir().unwrap();
    let world = open(temp.path());
    let mailbox = &world.mailbox;
    let mut waiting = put(mailbox, &["one", "two"]);
    let cur = temp.path().join("cur");
    let path = |at| {
        let name = String::from_utf8(waiting.place(at).name.clone()).unwrap();
        cur.join(name)
    };
    let (first, second) = (path(0), path(1));
    let flagged = first.to_str().unwrap().replace(":2,", ":2,F");
    std::fs::rename(&first, flagged).unwrap();
    std::fs::remove_file(second).unwrap();
    mailbox.marks.set_dirty(None);
    mailbox.try_refresh().unwrap().0.unwrap();
    waiting.finish(Ok(())).unwrap();
    drop(waiting);
    mailbox.refresh().unwrap();
    assert_eq!(uids(mailbox), [1]);
    let picture = mailbox.snapshot();
    let flags = picture.hot(1).unwrap().flags;
    assert!(flags.contains(SystemFlags::FLAGGED), "{flags:?}");
}

#[test]
fn nobody_sees_what_is_not_on_disk_and_nobody_waits_for_it() {
    let temp = tempfile::tempdir().unwrap();
    let world = open(temp.path());
    let mailbox = &world.mailbox;
    mailbox.commit(vec![incoming(mailbox, "one")]).unwrap();
    assert_eq!(uids(mailbox), [1]);

    let mut waiting = put(mailbox, &["two", "three"]);
    // The core is free: who looks need not wait. Somebody else's delivery
    // makes them look at everything.
    let before = mailbox.snapshot().uid_next();
    for name in ["1.a", "2.a"] {
        deliver(temp.path(), name);
        mailbox.marks.set_dirty(None);
        // The watcher may be looking just now.
        let mut looks = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            mailbox.try_refresh()
        });
        let (looked, _) = looks.by_ref().take(1000).flatten().next().unwrap();
        looked.unwrap();
        assert_eq!(uids(mailbox), [1]);
        assert_eq!(mailbox.snapshot().uid_next(), before);
        assert!(!mailbox.core().is_complete());
    }
    // What is there can be changed.
    let first: UidSet = [Uid::MIN].into_iter().collect();
    assert_eq!(mailbox.remove(&first).unwrap(), first);
    assert!(uids(mailbox).is_empty());

    let (_, given) = waiting.finish(Ok(())).unwrap();
    assert_eq!(given.iter().map(|u| u.get()).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(uids(mailbox), [2, 3]);
    let picture = mailbox.snapshot();
    let names = |uid| {
        let row = picture.hot(uid).unwrap();
        let names = picture.keyword_names(row.keywords).iter();
        names.map(|k| k.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(2), names(3)),
        (vec!["two".into()], vec!["three".into()])
    );
    drop(waiting);
    mailbox.refresh().unwrap();
    assert_eq!(uids(mailbox), [2, 3, 4, 5]);
}

#[test]
fn what_cannot_be_synced_is_taken_back_and_its_uid_never_given_out_again() {
    let temp = tempfile::tempdir().unwrap();
    let world = open(temp.path());
    let mailbox = &world.mailbox;
    let mut waiting = put(mailbox, &["one"]);
    waiting.finish(Err(failed())).unwrap_err();
    assert!(!waiting.messages[0].moved);
    drop(waiting);
    for sub in ["new", "cur", "tmp"] {
        assert_eq!(std::fs::read_dir(temp.path().join(sub)).unwrap().count(), 0);
    }
    mailbox.refresh().unwrap();
    assert!(uids(mailbox).is_empty());
    let (_, given) = mailbox.commit(vec![incoming(mailbox, "two")]).unwrap();
    assert_eq!((given[0].get(), uids(mailbox)), (2, vec![2]));
}

#[test]
fn what_cannot_be_synced_is_taken_back_out_of_a_mailbox_that_has_gone_elsewhere() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("Maildir");
    let world = open(&root);
    let mailbox = &world.mailbox;
    let mut waiting = put(mailbox, &["one"]);
    let elsewhere = temp.path().join("elsewhere");
    std::fs::rename(&root, &elsewhere).unwrap();
    waiting.finish(Err(failed())).unwrap_err();
    drop(waiting);
    for sub in ["new", "cur", "tmp"] {
        assert_eq!(std::fs::read_dir(elsewhere.join(sub)).unwrap().count(), 0);
    }
}

/// A process that dies between putting and showing, and a power failure that
/// takes the record with it: the message is a new one for whoever comes, and
/// no index says otherwise.
#[test]
fn a_crash_before_it_is_shown_loses_nothing() {
    for record_is_lost in [false, true] {
        let temp = tempfile::tempdir().unwrap();
        let world = open(temp.path());
        let mailbox = &world.mailbox;
        mailbox.commit(vec![incoming(mailbox, "one")]).unwrap();
        let list = temp.path().join("dovecot-uidlist");
        let before = std::fs::metadata(&list).unwrap().len();
        let waiting = put(mailbox, &["two"]);
        // The last that this process does, unless it dies at once.
        mailbox.close();
        let log = std::fs::read_dir(temp.path().join("roost-index")).unwrap();
        let mut log = log.map(|entry| entry.unwrap().path());
        let log = log.find(|path| path.extension().is_some_and(|e| e == "log"));
        let log = log.unwrap();
        let said = std::fs::read(&log).unwrap();
        drop(waiting);
        drop(world);
        std::fs::write(log, said).unwrap();
        if record_is_lost {
            let file = std::fs::OpenOptions::new().write(true).open(list);
            file.unwrap().set_len(before).unwrap();
        }
        let later = open(temp.path());
        assert_eq!(uids(&later.mailbox), [1, 2], "lost: {record_is_lost}");
        assert!(later.mailbox.keeps_modseqs());
    }
}
