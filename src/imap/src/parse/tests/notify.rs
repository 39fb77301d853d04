//! NOTIFY.

use super::{err, ok};
use crate::command::*;
use crate::parse::{MAX_NOTIFY_GROUPS, MAX_NOTIFY_NAMES};

fn set(text: &str) -> NotifySet {
    match ok(text) {
        Command::Notify(NotifyArgs::Set(set)) => set,
        other => panic!("{other:?}"),
    }
}

const MESSAGES: Events = Events {
    messages: true,
    flags: false,
    names: false,
    subscriptions: false,
};

#[test]
fn what_evolution_sends() {
    let set = set(
        "NOTIFY SET (selected (MessageNew (UID RFC822.SIZE RFC822.HEADER FLAGS BODYSTRUCTURE) \
         MessageExpunge FlagChange)) \
         (personal (MessageNew MessageExpunge MailboxName SubscriptionChange))",
    );
    let selected = set.selected.unwrap();
    assert!(!set.status && !selected.delayed);
    assert!(selected.events.messages && selected.events.flags);
    assert_eq!(selected.fetch.len(), 5);
    assert_eq!(selected.fetch[2], FetchItem::Rfc822Header);
    let personal = Events {
        names: true,
        subscriptions: true,
        ..MESSAGES
    };
    let group = NotifyGroup {
        filter: Filter::Personal,
        events: personal,
    };
    assert_eq!(set.groups, [group]);
}

#[test]
fn what_fairemail_sends() {
    let set = set(
        "NOTIFY SET STATUS (selected (MessageNew (uid) MessageExpunge FlagChange)) \
         (subscribed (MessageNew MessageExpunge FlagChange))",
    );
    assert!(set.status);
    assert_eq!(set.selected.unwrap().fetch, [FetchItem::Uid]);
    assert_eq!(set.groups[0].filter, Filter::Subscribed);
    assert!(set.groups[0].events.flags);
}

#[test]
fn the_examples_of_the_rfc_need_no_parentheses_around_events() {
    let set = set(
        "notify set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) \
         MessageExpunge) (subtree Lists MessageNew MessageExpunge) (mailboxes misc NONE)",
    );
    assert_eq!(set.selected.unwrap().fetch.len(), 2);
    assert_eq!(
        set.groups[0].filter,
        Filter::Subtree(vec![b"Lists".to_vec()])
    );
    assert_eq!(set.groups[0].events, MESSAGES);
    assert!(set.groups[1].events.is_empty());
}

#[test]
fn filters_and_names() {
    let set = set(
        "NOTIFY SET (SELECTED-DELAYED NONE) (Inboxes (MailboxName)) \
         (mailboxes (\"a b\" {1}\r\nx \"*\") (SubscriptionChange)) (subtree ( a b ) none)",
    );
    let selected = set.selected.unwrap();
    assert!(selected.delayed && selected.events.is_empty() && selected.fetch.is_empty());
    assert_eq!(set.groups[0].filter, Filter::Inboxes);
    let names = |names: &[&str]| names.iter().map(|n| n.as_bytes().to_vec()).collect();
    assert_eq!(
        set.groups[1].filter,
        Filter::Mailboxes(names(&["a b", "x", "*"]))
    );
    assert_eq!(set.groups[2].filter, Filter::Subtree(names(&["a", "b"])));
    assert_eq!(ok("NOTIFY NONE"), Command::Notify(NotifyArgs::None));
}

#[test]
fn events_that_are_not_offered() {
    for text in [
        "NOTIFY SET (personal (AnnotationChange))",
        "NOTIFY SET (selected (MessageNew (UID) MessageExpunge AnnotationChange))",
        "NOTIFY SET (personal (MailboxName MailboxMetadataChange))",
        "NOTIFY SET (personal (ServerMetadataChange)) (selected NONE)",
        "NOTIFY SET (personal (X-Moved (a \"b\" (c)) MailboxName))",
    ] {
        assert_eq!(ok(text), Command::Notify(NotifyArgs::Unsupported), "{text}");
    }
}

#[test]
fn what_is_no_notify() {
    for bad in [
        "NOTIFY",
        "NOTIFY SET",
        "NOTIFY SET STATUS",
        "NOTIFY NONE x",
        "NOTIFY SET (selected)",
        "NOTIFY SET (selected ())",
        "NOTIFY SET ()",
        "NOTIFY SET (selected NONE) (selected-delayed NONE)",
        "NOTIFY SET (selected (MessageNew))",
        "NOTIFY SET (selected (MessageExpunge))",
        "NOTIFY SET (selected (FlagChange))",
        "NOTIFY SET (personal (FlagChange MailboxName))",
        "NOTIFY SET (selected (MailboxName))",
        "NOTIFY SET (personal (MessageNew (UID) MessageExpunge))",
        "NOTIFY SET (selected (MessageNew () MessageExpunge))",
        "NOTIFY SET (selected (MessageNew (X) MessageExpunge))",
        "NOTIFY SET (mailboxes (MailboxName))",
        "NOTIFY SET (mailboxes () (MailboxName))",
        "NOTIFY SET (everything (MailboxName))",
        "NOTIFY SET (personal (MailboxName)",
        "NOTIFY SET (personal (MailboxName))(inboxes NONE)",
        "NOTIFY SET selected NONE",
        "NOTIFY SET (personal (X (((((((a))))))))",
    ] {
        err(bad);
    }
}

#[test]
fn limits() {
    let groups = |n| format!("NOTIFY SET{}", " (personal NONE)".repeat(n));
    assert_eq!(
        set(&groups(MAX_NOTIFY_GROUPS)).groups.len(),
        MAX_NOTIFY_GROUPS
    );
    err(&groups(MAX_NOTIFY_GROUPS + 1));
    let names = |n| format!("NOTIFY SET (mailboxes ({}) NONE)", "a ".repeat(n));
    set(&names(MAX_NOTIFY_NAMES));
    err(&names(MAX_NOTIFY_NAMES + 1));
}
