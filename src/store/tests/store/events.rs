//! Changes of mailboxes that nobody has open.

use crate::support::*;
use roost_store::events::{Changed, Counts, Event, Overflow, Scope, TreeEvent, Wants};
use roost_store::{Account, FlagMode, Interest, Listener, Options, Sight};
use roost_types::{MailboxName, SystemFlags, UidSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ALL: Wants = Wants {
    messages: true,
    flags: true,
    names: true,
    subscriptions: true,
};

fn listen_to(account: &Arc<Account>, scope: Scope, wants: Wants) -> Listener {
    let mut interest = Interest::default();
    interest.add(scope, wants);
    account.listen(interest, 1000).unwrap()
}

/// Listens to everything, and knows how all mailboxes are.
fn listen(site: &Site) -> Listener {
    let listener = listen_to(&site.account, Scope::All, ALL);
    for folder in site.account.folders().unwrap().iter() {
        if folder.selectable {
            listener.status(&folder.name, Sight::USUAL).unwrap();
        }
    }
    listener
}

fn text(event: &Event) -> String {
    match event {
        Event::Messages {
            name,
            counts,
            changed,
            ..
        } => {
            let mut kinds = String::new();
            for (is, kind) in [
                (changed.messages, "messages"),
                (changed.flags, "flags"),
                (changed.validity, "validity"),
            ] {
                if is {
                    kinds += " ";
                    kinds += kind;
                }
            }
            format!("{name}: {} {}{kinds}", counts.messages, counts.unseen)
        }
        Event::Tree(event) => match event {
            TreeEvent::Created(n) => format!("created {n}"),
            TreeEvent::Deleted(n) => format!("deleted {n}"),
            TreeEvent::Renamed { from, to } => format!("renamed {from} {to}"),
            TreeEvent::ChildrenOf(n) => format!("children of {n}"),
            TreeEvent::Subscribed(n) => format!("subscribed {n}"),
            TreeEvent::Unsubscribed(n) => format!("unsubscribed {n}"),
        },
    }
}

/// What there is to hear now.
fn heard(listener: &mut Listener) -> Vec<String> {
    while listener.settle(Duration::from_millis(10)) {}
    let next = || listener.next(None).unwrap();
    std::iter::from_fn(next).map(|e| text(&e)).collect()
}

/// Waits for so many events.
fn hear(listener: &mut Listener, count: usize) -> Vec<String> {
    let start = Instant::now();
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(heard(listener));
        assert!(start.elapsed() < Duration::from_secs(20), "only {all:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    all
}

#[test]
fn deliveries_into_mailboxes_that_are_not_open() {
    let site = Site::new();
    site.account.create(&name("a"), false, None).unwrap();
    site.account.create(&name("b"), false, None).unwrap();
    let mut listener = listen(&site);
    let mut wakes = listener.wakes();
    wakes.mark_unchanged();
    deliver(&site.root().join(".a"), "1.M1P1.h", "x");
    assert_eq!(hear(&mut listener, 1), ["a: 1 1 messages"]);
    assert!(wakes.has_changed().unwrap());
    // INBOX's own directory is the root.
    deliver(&site.root(), "2.M1P1.h", "x");
    assert_eq!(hear(&mut listener, 1), ["INBOX: 1 1 messages"]);
    let cur = site.root().join(".a/cur");
    std::fs::rename(
        site.root().join(".a/new/1.M1P1.h"),
        cur.join("1.M1P1.h:2,S"),
    )
    .unwrap();
    assert_eq!(hear(&mut listener, 1), ["a: 1 0 flags"]);
    std::fs::remove_file(cur.join("1.M1P1.h:2,S")).unwrap();
    assert_eq!(hear(&mut listener, 1), ["a: 0 0 messages"]);
    assert_eq!(heard(&mut listener), [""; 0]);
}

#[test]
fn without_inotify_the_stamps_are_compared() {
    let site = Site::with(Options {
        inotify: false,
        ..options()
    });
    site.account.create(&name("a"), false, None).unwrap();
    let mut listener = listen(&site);
    deliver(&site.root().join(".a"), "1.M1P1.h", "x");
    assert_eq!(hear(&mut listener, 1), ["a: 1 1 messages"]);
    std::fs::create_dir_all(site.root().join(".b/cur")).unwrap();
    assert_eq!(hear(&mut listener, 1), ["created b"]);
    deliver(&site.root().join(".a"), "2.M1P1.h", "x");
    assert_eq!(hear(&mut listener, 1), ["a: 2 2 messages"]);
}

#[test]
fn our_own_changes_are_there_at_once() {
    let site = Site::new();
    let a = site.create("a");
    let mut listener = listen(&site);
    append(&a, "x", SystemFlags::NONE, &[]);
    assert_eq!(heard(&mut listener), ["a: 1 1 messages"]);
    store(&a, &[1], FlagMode::Add, SystemFlags::SEEN, &[]);
    assert_eq!(heard(&mut listener), ["a: 1 0 flags"]);
    a.expunge(Some(&UidSet::range(uid(1), uid(1)))).unwrap();
    store_deleted(&a);
    assert_eq!(heard(&mut listener).len(), 1);
    site.account.create(&name("a/b"), false, None).unwrap();
    assert_eq!(heard(&mut listener), ["created a/b", "children of a"]);
    site.account.rename(&name("a"), &name("z")).unwrap();
    assert_eq!(heard(&mut listener), ["renamed a z"]);
    // The counts went along: nothing is news but what happens now.
    append(&a, "y", SystemFlags::SEEN, &[]);
    assert_eq!(heard(&mut listener), ["z: 1 0 messages"]);
    site.account.subscribe(&name("q")).unwrap();
    site.account.subscribe(&name("q")).unwrap();
    site.account.unsubscribe(&name("q")).unwrap();
    assert_eq!(heard(&mut listener), ["subscribed q", "unsubscribed q"]);
    site.account.delete(&name("z/b")).unwrap();
    assert_eq!(heard(&mut listener), ["deleted z/b", "children of z"]);
}

/// Leaves a mailbox empty, whatever was in it.
fn store_deleted(mailbox: &roost_store::Mailbox) {
    let all = UidSet::range(roost_types::Uid::MIN, roost_types::Uid::MAX);
    let change = roost_store::FlagChange {
        mode: FlagMode::Add,
        system: SystemFlags::DELETED,
        keywords: &[],
        unchanged_since: None,
    };
    mailbox.store_flags(&all, &change).unwrap();
    mailbox.expunge(Some(&all)).unwrap();
}

#[test]
fn what_other_programs_do_to_the_tree() {
    let site = Site::new();
    let a = site.create("a");
    append(&a, "x", SystemFlags::NONE, &[]);
    site.create("a/b");
    drop(a);
    let mut listener = listen(&site);
    let root = site.root();
    std::fs::create_dir_all(root.join(".new/cur")).unwrap();
    assert_eq!(hear(&mut listener, 1), ["created new"]);
    deliver(&root.join(".new"), "1.M1P1.h", "x");
    assert_eq!(hear(&mut listener, 1), ["new: 1 1 messages"]);
    std::fs::rename(root.join(".a.b"), root.join(".c")).unwrap();
    assert_eq!(hear(&mut listener, 1), ["renamed a/b c"]);
    std::fs::remove_dir_all(root.join(".new")).unwrap();
    let told = hear(&mut listener, 1);
    assert_eq!(told.last().unwrap(), "deleted new");
    std::fs::write(root.join("subscriptions.x"), "c\n").unwrap();
    std::fs::rename(root.join("subscriptions.x"), root.join("subscriptions")).unwrap();
    assert_eq!(hear(&mut listener, 1), ["subscribed c"]);
    // A mailbox that comes with messages in it is told with them.
    let aside = site.temp.path().join("aside");
    std::fs::create_dir_all(aside.join("cur")).unwrap();
    std::fs::create_dir_all(aside.join("new")).unwrap();
    std::fs::create_dir_all(aside.join("tmp")).unwrap();
    deliver(&aside, "1.M1P1.h", "x");
    std::fs::rename(&aside, root.join(".moved")).unwrap();
    let mut told = hear(&mut listener, 2);
    told.sort();
    assert_eq!(told, ["created moved", "moved: 1 1 messages"]);
}

#[test]
fn a_mailbox_made_anew_is_another() {
    let site = Site::new();
    site.create("a");
    let mut listener = listen(&site);
    std::fs::remove_dir_all(site.root().join(".a")).unwrap();
    std::fs::create_dir_all(site.root().join(".a/new")).unwrap();
    std::fs::create_dir_all(site.root().join(".a/tmp")).unwrap();
    std::fs::create_dir_all(site.root().join(".a/cur")).unwrap();
    deliver(&site.root().join(".a"), "1.M1P1.h", "x");
    let start = Instant::now();
    loop {
        let told = heard(&mut listener);
        if told.iter().any(|t| t.starts_with("a: 1 1 messages")) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{told:?}");
    }
    deliver(&site.root().join(".a"), "2.M1P1.h", "x");
    assert_eq!(hear(&mut listener, 1), ["a: 2 2 messages"]);
}

#[test]
fn only_what_is_wanted_is_told() {
    let site = Site::new();
    let (a, b) = (site.create("a"), site.create("b"));
    let messages = Wants {
        messages: true,
        ..Wants::default()
    };
    let mut of_a = listen_to(&site.account, Scope::names(vec![name("a")]), messages);
    let mut subscribed = listen_to(&site.account, Scope::Subscribed, messages);
    for folder in ["a", "b"] {
        of_a.status(&name(folder), Sight::USUAL).unwrap();
    }
    append(&b, "x", SystemFlags::NONE, &[]);
    append(&a, "x", SystemFlags::NONE, &[]);
    store(&a, &[1], FlagMode::Add, SystemFlags::SEEN, &[]);
    site.account.create(&name("c"), false, None).unwrap();
    assert_eq!(heard(&mut of_a), ["a: 1 0 messages"]);
    store(&a, &[1], FlagMode::Remove, SystemFlags::SEEN, &[]);
    assert_eq!(heard(&mut of_a), [""; 0]);
    assert_eq!(heard(&mut subscribed), [""; 0]);
    // The list of subscriptions is looked at again whenever it changes.
    site.account.subscribe(&name("b")).unwrap();
    assert_eq!(heard(&mut subscribed), [""; 0]);
    append(&b, "y", SystemFlags::NONE, &[]);
    assert_eq!(heard(&mut subscribed), ["b: 2 2 messages"]);
    assert_eq!(heard(&mut of_a), [""; 0]);
    assert_eq!(listen(&site).wants(&name("q")), ALL);
}

#[test]
fn the_selected_mailbox_is_left_out_until_it_is_left() {
    let site = Site::new();
    let a = site.create("a");
    let mut listener = listen(&site);
    append(&a, "x", SystemFlags::NONE, &[]);
    while listener.settle(Duration::from_millis(10)) {}
    assert_eq!(listener.next(Some(&name("a"))), Ok(None));
    let known = Counts::of(&a, &a.snapshot());
    listener.left(name("a"), known);
    assert_eq!(heard(&mut listener), [""; 0]);
    append(&a, "y", SystemFlags::NONE, &[]);
    assert_eq!(heard(&mut listener), ["a: 2 2 messages"]);
    // What came while it was selected and was not told is told later.
    listener.left(name("a"), known);
    assert_eq!(heard(&mut listener), ["a: 2 2 messages"]);
    assert_eq!(heard(&mut listener), [""; 0]);
}

#[test]
fn own_changes_are_not_told() {
    let site = Site::new();
    let a = site.create("a");
    let (mut own, mut other) = (listen(&site), listen(&site));
    let before = own.before_adding(&a).unwrap();
    let first = append(&a, "x", SystemFlags::NONE, &[]);
    own.added(&a, before, &UidSet::range(first, first));
    assert_eq!(heard(&mut other), ["a: 1 1 messages"]);
    assert_eq!(heard(&mut own), [""; 0]);
    let mark = own.mark();
    site.account.create(&name("a/b"), false, None).unwrap();
    own.disown(mark, &name("a/b"));
    assert_eq!(heard(&mut own), [""; 0]);
    assert_eq!(heard(&mut other).len(), 2);
    // Somebody else was quicker: then all is told.
    let before = own.before_adding(&a).unwrap();
    append(&a, "theirs", SystemFlags::NONE, &[]);
    let last = append(&a, "y", SystemFlags::NONE, &[]);
    own.added(&a, before, &UidSet::range(last, last));
    assert_eq!(heard(&mut own), ["a: 3 3 messages"]);
    // What is not told yet must not be lost behind an own change.
    append(&a, "theirs", SystemFlags::NONE, &[]);
    assert_eq!(own.before_adding(&a), None);
}

#[test]
fn who_is_too_late_is_told_so() {
    let site = Site::new();
    let mut listener = listen(&site);
    let many: String = (0..5000).map(|n| format!("s{n}\n")).collect();
    std::fs::write(site.root().join("subscriptions.x"), many).unwrap();
    let file = site.root().join("subscriptions");
    std::fs::rename(site.root().join("subscriptions.x"), file).unwrap();
    wait_until("the overflow is told", || {
        listener.settle(Duration::from_millis(10));
        listener.next(None) == Err(Overflow)
    });
}

#[test]
fn too_many_mailboxes_are_refused() {
    let site = Site::new();
    let mut wide = Interest::default();
    wide.add(Scope::All, ALL);
    let mut few = site.account.listen(wide.clone(), 3).unwrap();
    let mut many = site.account.listen(wide.clone(), 100).unwrap();
    for text in ["a", "b"] {
        site.create(text);
    }
    assert_eq!(heard(&mut few), ["created a", "created b"]);
    assert!(site.account.listen(wide, 2).is_err());
    assert_eq!(few.next(None), Ok(None));
    // The tree grows beyond it.
    site.create("c");
    assert_eq!(few.next(None), Err(Overflow));
    assert_eq!(
        heard(&mut many),
        ["created a", "created b", "created c"],
        "its limit is its own"
    );
}

#[test]
fn changes_are_one_even_when_they_are_many() {
    let site = Site::new();
    let a = site.create("a");
    let mut listener = listen(&site);
    for _ in 0..50 {
        append(&a, "x", SystemFlags::NONE, &[]);
    }
    assert_eq!(heard(&mut listener), ["a: 50 50 messages"]);
}

#[test]
fn kinds_of_changes() {
    let site = Site::new();
    let a = site.create("a");
    let before = Counts::of(&a, &a.snapshot());
    append(&a, "x", SystemFlags::NONE, &[]);
    let after = Counts::of(&a, &a.snapshot());
    let changed = Changed::between(&before, &after);
    assert!(changed.messages && !changed.flags && !changed.validity);
    assert!(!Changed::between(&after, &after).any());
}

#[test]
fn hundreds_of_mailboxes() {
    let site = Site::new();
    for n in 0..300 {
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(site.root().join(format!(".m{n}")).join(sub)).unwrap();
        }
    }
    let mut listener = listen(&site);
    let folder = |n: usize| site.root().join(format!(".m{n}"));
    for n in [0, 150, 299] {
        deliver(&folder(n), "1.M1P1.h", "x");
    }
    let mut told = Vec::new();
    while told.len() < 3 {
        // Where inotify is used up, all are looked at once.
        let news = hear(&mut listener, 1);
        told.extend(news.into_iter().filter(|t| t.ends_with("messages")));
    }
    told.sort();
    assert_eq!(told, [0, 150, 299].map(|n| format!("m{n}: 1 1 messages")),);
    let inbox: MailboxName = MailboxName::inbox();
    assert!(listener.wants(&inbox).messages);
}

#[test]
fn a_look_that_fails_is_taken_again() {
    let site = Site::new();
    site.account.create(&name("a"), false, None).unwrap();
    let mut listener = listen(&site);
    let (list, away) = (
        site.root().join(".a/dovecot-uidlist"),
        site.root().join(".a/away"),
    );
    std::fs::rename(&list, &away).unwrap();
    std::fs::create_dir(&list).unwrap();
    let mut wakes = listener.wakes();
    wakes.mark_unchanged();
    deliver(&site.root().join(".a"), "1.M1P1.h", "x");
    wait_until("the delivery is noticed", || wakes.has_changed().unwrap());
    assert_eq!(heard(&mut listener), [""; 0]);
    std::fs::remove_dir(&list).unwrap();
    std::fs::rename(&away, &list).unwrap();
    assert_eq!(hear(&mut listener, 1), ["a: 1 1 messages"]);
}
