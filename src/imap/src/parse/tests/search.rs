//! SEARCH.

use super::{err, ok, one};
use crate::command::*;
use crate::parse::{MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS};
use crate::write::{self, Dialect};
use proptest::prelude::*;
use roost_types::{Keyword, SequenceSet, SystemFlags, UnixTime};

fn args(text: &str) -> SearchArgs {
    match ok(text) {
        Command::Search(args) => args,
        other => panic!("{other:?}"),
    }
}

fn key(text: &str) -> SearchKey {
    args(&format!("SEARCH {text}")).key
}

#[test]
fn examples_of_the_rfc() {
    let rfc = args("SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"");
    let returns = rfc.returns.unwrap();
    assert!(returns.min && returns.count && !returns.max && !returns.all && !returns.save);
    assert_eq!(
        rfc.key,
        SearchKey::And(vec![
            SearchKey::Flag(SystemFlags::FLAGGED),
            SearchKey::Since(8797),
            SearchKey::Not(Box::new(SearchKey::From(b"Smith".to_vec()))),
        ])
    );
    assert!(args("SEARCH RETURN () ALL").returns.unwrap().all);
    assert!(args("uid search return (save) all").uid);
    assert_eq!(args("SEARCH TEXT x").returns, None);
    let charset = args("SEARCH RETURN (ALL) CHARSET UTF-8 TEXT {6}\r\n\u{43c}\u{430}\u{43c}");
    assert_eq!(charset.charset.as_deref(), Some("UTF-8"));
    assert_eq!(charset.key, SearchKey::Text("мам".as_bytes().to_vec()));
    assert_eq!(
        args("SEARCH CHARSET \"iso-8859-1\" ALL").charset.as_deref(),
        Some("iso-8859-1")
    );
    assert_eq!(key("$"), SearchKey::Sequence(SequenceSet::Saved));
    assert_eq!(key("UID $"), SearchKey::Uid(SequenceSet::Saved));
}

#[test]
fn keys_without_arguments() {
    use SystemFlags as F;
    for (text, wanted) in [
        ("ALL", SearchKey::All),
        ("answered", SearchKey::Flag(F::ANSWERED)),
        ("DELETED", SearchKey::Flag(F::DELETED)),
        ("DRAFT", SearchKey::Flag(F::DRAFT)),
        ("FLAGGED", SearchKey::Flag(F::FLAGGED)),
        ("SEEN", SearchKey::Flag(F::SEEN)),
        ("UNANSWERED", SearchKey::NotFlag(F::ANSWERED)),
        ("UNDELETED", SearchKey::NotFlag(F::DELETED)),
        ("UNDRAFT", SearchKey::NotFlag(F::DRAFT)),
        ("UNFLAGGED", SearchKey::NotFlag(F::FLAGGED)),
        ("UNSEEN", SearchKey::NotFlag(F::SEEN)),
        ("NEW", SearchKey::New),
        ("OLD", SearchKey::Old),
        ("RECENT", SearchKey::Recent),
        ("SAVEDATESUPPORTED", SearchKey::SaveDateSupported),
    ] {
        assert_eq!(key(text), wanted);
        assert!(!wanted.has_text());
    }
}

#[test]
fn keys_with_arguments() {
    let x = || b"x".to_vec();
    for (text, wanted) in [
        ("BCC x", SearchKey::Bcc(x())),
        ("BODY \"x\"", SearchKey::Body(x())),
        ("CC {1}\r\nx", SearchKey::Cc(x())),
        ("FROM x", SearchKey::From(x())),
        ("SUBJECT x", SearchKey::Subject(x())),
        ("TEXT x", SearchKey::Text(x())),
        ("TO x", SearchKey::To(x())),
        (
            "HEADER x \"\"",
            SearchKey::Header {
                name: x(),
                value: vec![],
            },
        ),
    ] {
        assert_eq!(key(text), wanted);
        assert!(SearchKey::Not(Box::new(SearchKey::And(vec![SearchKey::All, wanted]))).has_text());
    }
    let keyword = || Keyword::new("$Junk").unwrap();
    for (text, wanted) in [
        ("BEFORE 2-Jan-1970", SearchKey::Before(1)),
        ("ON \"2-Jan-1970\"", SearchKey::On(1)),
        ("SENTBEFORE 2-Jan-1970", SearchKey::SentBefore(1)),
        ("SENTON 2-Jan-1970", SearchKey::SentOn(1)),
        ("SENTSINCE 2-Jan-1970", SearchKey::SentSince(1)),
        ("SAVEDBEFORE 2-Jan-1970", SearchKey::SavedBefore(1)),
        ("SAVEDON 2-Jan-1970", SearchKey::SavedOn(1)),
        ("SAVEDSINCE 2-Jan-1970", SearchKey::SavedSince(1)),
        ("OLDER 60", SearchKey::Older(60)),
        ("YOUNGER 4294967295", SearchKey::Younger(u32::MAX)),
        ("LARGER 0", SearchKey::Larger(0)),
        (
            "SMALLER 9223372036854775807",
            SearchKey::Smaller(i64::MAX as u64),
        ),
        ("KEYWORD $junk", SearchKey::Keyword(keyword())),
        ("UNKEYWORD $Junk", SearchKey::NotKeyword(keyword())),
        ("UID 5", SearchKey::Uid(one(5))),
        ("5", SearchKey::Sequence(one(5))),
    ] {
        assert_eq!(key(text), wanted);
        assert!(!wanted.has_text());
    }
}

#[test]
fn chains_of_or_are_one_list() {
    let to = |t: &str| SearchKey::To(t.as_bytes().to_vec());
    assert_eq!(
        key("OR TO a OR TO b TO c"),
        SearchKey::Or(vec![to("a"), to("b"), to("c")])
    );
    assert_eq!(
        key("OR OR TO a TO b TO c"),
        SearchKey::Or(vec![SearchKey::Or(vec![to("a"), to("b")]), to("c")])
    );
    assert_eq!(
        key("OR (TO a TO b) NOT TO c"),
        SearchKey::Or(vec![
            SearchKey::And(vec![to("a"), to("b")]),
            SearchKey::Not(Box::new(to("c")))
        ])
    );
    assert_eq!(key("((TO a))"), to("a"));
}

#[test]
fn what_is_no_search() {
    for bad in [
        "SEARCH",
        "SEARCH FOO",
        "SEARCH RETURN (ALL)",
        "SEARCH RETURN ALL ALL",
        "SEARCH RETURN (FOO) ALL",
        "SEARCH CHARSET UTF-8",
        "SEARCH NOT",
        "SEARCH OR ALL",
        "SEARCH ()",
        "SEARCH (ALL",
        "SEARCH ALL)",
        "SEARCH FROM",
        "SEARCH HEADER x",
        "SEARCH LARGER x",
        "SEARCH LARGER -1",
        "SEARCH ON 31-Apr-2000",
        "SEARCH KEYWORD \\Seen",
        "SEARCH KEYWORD",
        "SEARCH UID",
        "SEARCH UID x",
        "SEARCH 0",
        "SEARCH ALLSEEN",
        "SEARCH ALL,SEEN",
        "SEARCH (ALL)(SEEN)",
        "SEARCH MODSEQ",
    ] {
        err(bad);
    }
}

#[test]
fn limits() {
    let parens = |n: usize| format!("SEARCH {}ALL{}", "(".repeat(n), ")".repeat(n));
    ok(&parens(MAX_SEARCH_DEPTH));
    err(&parens(MAX_SEARCH_DEPTH + 1));
    let nots = |n: usize| format!("SEARCH {}ALL", "NOT ".repeat(n));
    ok(&nots(MAX_SEARCH_DEPTH));
    err(&nots(MAX_SEARCH_DEPTH + 1));
    let left = |n: usize| format!("SEARCH {}ALL{}", "OR ".repeat(n), " ALL".repeat(n));
    ok(&left(MAX_SEARCH_DEPTH));
    err(&left(MAX_SEARCH_DEPTH + 1));
    let chain = |n: usize| format!("SEARCH {}ALL", "OR ALL ".repeat(n));
    // The ORs of a chain are not keys of their own, but the first.
    ok(&chain(MAX_SEARCH_KEYS - 2));
    err(&chain(MAX_SEARCH_KEYS - 1));
    let row = |n: usize| format!("SEARCH{}", " ALL".repeat(n));
    ok(&row(MAX_SEARCH_KEYS));
    err(&row(MAX_SEARCH_KEYS + 1));
}

/// A key as a client would write it.
fn print(key: &SearchKey, out: &mut Vec<u8>) {
    let mut text = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        write::astring(out, value, Dialect::Ascii);
    };
    match key {
        SearchKey::From(v) => text("FROM", v),
        SearchKey::Body(v) => text("BODY", v),
        SearchKey::Header { name, value } => {
            text("HEADER", name);
            out.push(b' ');
            write::astring(out, value, Dialect::Ascii);
        }
        SearchKey::Before(day) => {
            let mut date = Vec::new();
            write::internal_date(&mut date, UnixTime(day * 86_400));
            out.extend_from_slice(b"BEFORE ");
            let date = std::str::from_utf8(&date[1..12]).unwrap();
            out.extend_from_slice(date.trim_start().as_bytes());
        }
        SearchKey::Larger(n) => out.extend_from_slice(format!("LARGER {n}").as_bytes()),
        SearchKey::Keyword(k) => out.extend_from_slice(format!("KEYWORD {k}").as_bytes()),
        SearchKey::All => out.extend_from_slice(b"ALL"),
        SearchKey::Not(key) => {
            out.extend_from_slice(b"NOT ");
            print(key, out);
        }
        SearchKey::And(keys) => {
            for (i, key) in keys.iter().enumerate() {
                out.push(if i == 0 { b'(' } else { b' ' });
                print(key, out);
            }
            out.push(b')');
        }
        SearchKey::Or(keys) => {
            for (i, key) in keys.iter().enumerate() {
                if i + 1 < keys.len() {
                    out.extend_from_slice(b"OR ");
                }
                print(key, out);
                if i + 1 < keys.len() {
                    out.push(b' ');
                }
            }
        }
        other => panic!("not printed: {other:?}"),
    }
}

fn any_key() -> impl Strategy<Value = SearchKey> {
    let text = || prop::collection::vec(1u8..=255, 0..10);
    let leaf = prop_oneof![
        Just(SearchKey::All),
        text().prop_map(SearchKey::From),
        text().prop_map(SearchKey::Body),
        (text(), text()).prop_map(|(name, value)| SearchKey::Header { name, value }),
        (-100_000i64..100_000).prop_map(SearchKey::Before),
        (0..=i64::MAX as u64).prop_map(SearchKey::Larger),
        "[a-zA-Z$_]{1,9}".prop_map(|k| SearchKey::Keyword(Keyword::new(&k).unwrap())),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        let keys = || prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            inner.clone().prop_map(|k| SearchKey::Not(Box::new(k))),
            keys().prop_map(SearchKey::And),
            // One that ended in an OR would be one chain with it.
            keys()
                .prop_filter("no chain", |k| !matches!(k.last(), Some(SearchKey::Or(_))))
                .prop_map(SearchKey::Or),
        ]
    })
}

proptest! {
    #[test]
    fn printed_keys_read_back(wanted in any_key()) {
        let mut text = b"a SEARCH ".to_vec();
        print(&wanted, &mut text);
        let request = crate::parse::parse(&text).unwrap();
        match request.command {
            Command::Search(args) => prop_assert_eq!(args.key, wanted),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn windows_of_results() {
    let partial = |text: &str| {
        let returns = args(&format!("SEARCH RETURN ({text}) ALL"))
            .returns
            .unwrap();
        let range = returns.partial.unwrap();
        assert!(!returns.all);
        (range.first.get(), range.last.get(), range.from_end)
    };
    assert_eq!(partial("PARTIAL 1:500"), (1, 500, false));
    assert_eq!(partial("COUNT partial -1:-100 SAVE"), (1, 100, true));
    for bad in [
        "PARTIAL",
        "PARTIAL 1",
        "PARTIAL 0:1",
        "PARTIAL 1:*",
        "PARTIAL -1:2",
        "PARTIAL 1:-2",
        "PARTIAL 1:2 PARTIAL 3:4",
        "PARTIAL 1:2 ALL",
    ] {
        err(&format!("SEARCH RETURN ({bad}) ALL"));
    }
    for bad in ["OLDER 0", "YOUNGER x", "SAVEDON", "SAVEDON 1"] {
        err(&format!("SEARCH {bad}"));
    }
}
