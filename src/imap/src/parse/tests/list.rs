//! LIST, LSUB, STATUS.

use super::{err, ok};
use crate::command::*;
use crate::parse::MAX_LIST_ITEMS;

fn args(text: &str) -> ListArgs {
    match ok(text) {
        Command::List(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn basic_form() {
    let list = args("LIST \"\" *");
    assert_eq!(
        (&list.reference[..], &list.patterns[..]),
        (&b""[..], &[b"*".to_vec()][..])
    );
    assert!(!list.extended);
    assert_eq!(args("LIST #news. %.x*]").patterns, [b"%.x*]".to_vec()]);
    assert_eq!(args("LIST /usr/staff/jones \"\"").patterns, [b"".to_vec()]);
    assert_eq!(args("LIST \"\" {2}\r\na*").patterns, [b"a*".to_vec()]);
    assert_eq!(
        ok("LSUB \"\" \"*\""),
        Command::Lsub {
            reference: vec![],
            pattern: b"*".to_vec()
        }
    );
    for bad in [
        "LIST",
        "LIST \"\"",
        "LIST \"\" (",
        "LIST \"\" ()",
        "LSUB \"\" (*)",
        "LIST \"\" * x",
        "LIST \"\" \"a\"b",
    ] {
        err(bad);
    }
}

#[test]
fn extended_form() {
    let list = args("list (subscribed) \"\" \"*\" return (special-use)");
    assert!(list.extended && list.select.subscribed && list.returns.special_use);
    assert!(!list.select.special_use && !list.returns.subscribed);
    let list = args("LIST (SPECIAL-USE REMOTE) \"\" (\"INBOX\" Drafts sent/%)");
    assert_eq!(list.patterns.len(), 3);
    assert!(list.select.special_use && list.select.remote);
    let list = args("LIST \"\" % RETURN (CHILDREN SUBSCRIBED STATUS (messages Unseen) CHILDREN)");
    assert!(list.extended && list.returns.children && list.returns.subscribed);
    let wanted: StatusItems = [StatusItem::Messages, StatusItem::Unseen]
        .into_iter()
        .collect();
    assert_eq!(list.returns.status, Some(wanted));
    assert!(args("LIST () \"\" *").extended);
    assert!(args("LIST \"\" (*)").extended);
    assert!(args("LIST \"\" * RETURN ()").extended);
    assert!(
        args("LIST (RECURSIVEMATCH SUBSCRIBED) \"\" *")
            .select
            .recursive_match
    );
    for bad in [
        "LIST (RECURSIVEMATCH) \"\" *",
        "LIST (REMOTE RECURSIVEMATCH) \"\" *",
        "LIST (FOO) \"\" *",
        "LIST \"\" * RETURN (FOO)",
        "LIST \"\" * RETURN",
        "LIST \"\" * RETURN (STATUS)",
        "LIST \"\" * RETURN (STATUS ())",
        "LIST \"\" * RETURN () x",
    ] {
        err(bad);
    }
}

#[test]
fn patterns_have_a_limit() {
    let list = |n: usize| format!("LIST \"\" ({})", vec!["a"; n].join(" "));
    assert_eq!(args(&list(MAX_LIST_ITEMS)).patterns.len(), MAX_LIST_ITEMS);
    err(&list(MAX_LIST_ITEMS + 1));
}

#[test]
fn status() {
    let Command::Status { mailbox, items } = ok("STATUS \"a b\" (UIDNEXT messages Recent)") else {
        panic!()
    };
    assert_eq!(mailbox, b"a b");
    assert_eq!(
        items.iter().collect::<Vec<_>>(),
        [
            StatusItem::Messages,
            StatusItem::Recent,
            StatusItem::UidNext
        ]
    );
    let Command::Status { items, .. } =
        ok("STATUS x (SIZE DELETED UNSEEN UIDVALIDITY UIDNEXT RECENT MESSAGES)")
    else {
        panic!()
    };
    assert_eq!(items.iter().count(), 7);
    for bad in [
        "STATUS",
        "STATUS x",
        "STATUS x ()",
        "STATUS x (FOO)",
        "STATUS x MESSAGES",
    ] {
        err(bad);
    }
}
