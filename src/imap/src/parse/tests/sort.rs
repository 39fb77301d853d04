//! SORT and THREAD.

use super::{err, ok};
use crate::command::*;
use roost_types::SystemFlags;

fn sort(text: &str) -> SortArgs {
    match ok(text) {
        Command::Sort(args) => args,
        other => panic!("{other:?}"),
    }
}

fn thread(text: &str) -> ThreadArgs {
    match ok(text) {
        Command::Thread(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn examples_of_the_rfcs() {
    let args = sort("SORT (SUBJECT REVERSE DATE) UTF-8 ALL");
    let criterion = |key, reverse| SortCriterion { key, reverse };
    let expected = [
        criterion(SortKey::Subject, false),
        criterion(SortKey::Date, true),
    ];
    assert_eq!(args.criteria, expected);
    assert_eq!(
        (args.uid, args.returns, args.charset.as_str()),
        (false, None, "UTF-8")
    );
    assert_eq!(args.key, SearchKey::All);
    let args = sort("SORT (SUBJECT) US-ASCII TEXT \"not in mailbox\"");
    assert_eq!(args.key, SearchKey::Text(b"not in mailbox".to_vec()));
    let args = sort("UID SORT RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk");
    assert!(args.uid && args.returns.unwrap().all);
    let args =
        sort("SORT RETURN (PARTIAL 1:5 COUNT) (displayfrom reverse displayto) \"utf-8\" 1:3");
    assert!(args.returns.unwrap().count && args.returns.unwrap().partial.is_some());
    assert_eq!(args.criteria[1], criterion(SortKey::DisplayTo, true));
    let args = thread("THREAD ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000");
    assert_eq!(args.algorithm, ThreadAlgorithm::OrderedSubject);
    assert!(!args.uid && matches!(args.key, SearchKey::Since(_)));
    let args = thread("UID THREAD refs US-ASCII UNDELETED 1");
    assert_eq!(args.algorithm, ThreadAlgorithm::Refs);
    assert!(args.uid);
    let SearchKey::And(keys) = args.key else {
        panic!("{:?}", args.key);
    };
    assert_eq!(keys[0], SearchKey::NotFlag(SystemFlags::DELETED));
}

#[test]
fn a_key_counts_once() {
    let args = sort("SORT (DATE ARRIVAL REVERSE DATE) UTF-8 ALL");
    let keys: Vec<_> = args.criteria.iter().map(|c| c.key).collect();
    assert_eq!(keys, [SortKey::Date, SortKey::Arrival]);
}

#[test]
fn what_is_no_sort() {
    for bad in [
        "SORT",
        "SORT () UTF-8 ALL",
        "SORT DATE UTF-8 ALL",
        "SORT (DATE) ALL",
        "SORT (DATE)",
        "SORT (DATE REVERSE) UTF-8 ALL",
        "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
        "SORT (COLOUR) UTF-8 ALL",
        "SORT RETURN (DATE) UTF-8 ALL",
        "THREAD REFERENCES ALL",
        "THREAD JWZ UTF-8 ALL",
        "UID THREAD UTF-8 ALL",
        "THREAD REFERENCES UTF-8 NONSENSE",
    ] {
        err(bad);
    }
    err(&format!("SORT ({}) UTF-8 ALL", "DATE ".repeat(33)));
}
