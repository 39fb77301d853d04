//! Watching and polling of open mailboxes.

use super::*;
use crate::format::{Dir, FormatError, perm};
use crate::mailbox::Opening;
use crate::options::{Fsync, Options, QuotaOptions};
use crate::quota::Quota;
use roost_types::{MailboxName, UidValidity};

fn open(dir: Dir, watcher: &Watcher) -> Arc<Mailbox> {
    let options = Options {
        fsync: Fsync::Never,
        ..Options::default()
    };
    let quota = Quota::new(&dir, QuotaOptions::default(), watcher.shared().upkeep());
    let opening = Opening {
        options: &Arc::new(options),
        watcher: watcher.shared(),
        news: &Arc::default(),
        quota: &quota,
        folder: None,
        name: MailboxName::inbox(),
        new_validity: &|| Ok::<_, FormatError>(UidValidity::MIN),
    };
    Mailbox::load(dir, opening).unwrap()
}

fn wait_for(mailbox: &Mailbox, count: u32) {
    let start = Instant::now();
    while mailbox.snapshot().len() != count {
        assert!(start.elapsed() < Duration::from_secs(10), "never {count}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn without_inotify_mailboxes_are_polled() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, _) = perm::make_root(temp.path(), Fsync::Never).unwrap();
    let watcher = Watcher::start_with(None, Duration::from_millis(20)).unwrap();
    let mailbox = open(dir, &watcher);
    assert!(!mailbox.is_watched());
    for n in 1..=3 {
        std::fs::write(temp.path().join(format!("new/{n}.h")), "x").unwrap();
        wait_for(&mailbox, n);
    }
    std::fs::remove_file(temp.path().join("new/2.h")).unwrap();
    wait_for(&mailbox, 2);
}

#[test]
fn an_overflow_makes_everything_be_looked_at() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, _) = perm::make_root(temp.path(), Fsync::Never).unwrap();
    let watcher = Watcher::start_with(None, Duration::from_secs(3600)).unwrap();
    let mailbox = open(dir, &watcher);
    std::fs::write(temp.path().join("new/1.h"), "x").unwrap();
    let shared = watcher.shared();
    shared.on_overflow(&mut lock(&shared.table));
    shared.wake();
    wait_for(&mailbox, 1);
}

#[test]
fn closing_a_mailbox_ends_its_watches() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, _) = perm::make_root(temp.path(), Fsync::Never).unwrap();
    let watcher = Watcher::start(true, Duration::from_secs(1)).unwrap();
    let first = open(dir.clone(), &watcher);
    let second = open(dir, &watcher);
    let count = || {
        let table = lock(&watcher.shared().table);
        (table.entries.len(), table.watches.len())
    };
    if first.is_watched() {
        assert_eq!(count(), (2, 2));
        drop(first);
        assert_eq!(count(), (1, 2));
        drop(second);
        assert_eq!(count(), (0, 0));
    }
}

#[test]
fn watches_end_with_the_last_who_listens() {
    use crate::events::{Scope, Wants};
    use crate::{Interest, Store};
    let temp = tempfile::tempdir().unwrap();
    let store = Store::new(Options::default()).unwrap();
    let account = store
        .account("a", &temp.path().join("Maildir"), Default::default())
        .unwrap();
    for text in ["x", "y"] {
        let name = MailboxName::parse(text, '/').unwrap();
        account.create(&name, false, None).unwrap();
    }
    let count = || {
        let table = lock(&store.watcher().table);
        (table.hubs.len(), table.watches.len())
    };
    let wait = |expected| {
        let start = Instant::now();
        while count() != expected {
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", count());
            thread::sleep(Duration::from_millis(2));
        }
    };
    let messages = Wants {
        messages: true,
        ..Wants::default()
    };
    let listen = |scope| {
        let mut interest = Interest::default();
        interest.add(scope, messages);
        account.listen(interest, 100).unwrap()
    };
    if store.watcher().inotify.is_none() {
        return;
    }
    let one = listen(Scope::names(vec![MailboxName::parse("x", '/').unwrap()]));
    assert_eq!(count(), (1, 3));
    let all = listen(Scope::All);
    assert_eq!(count(), (1, 7));
    drop(all);
    wait((1, 3));
    drop(one);
    wait((0, 0));
    let again = listen(Scope::All);
    assert_eq!(count(), (1, 7));
    drop(again);
    wait((0, 0));
}
