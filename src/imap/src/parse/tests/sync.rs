//! CONDSTORE and QRESYNC (RFC 7162).

use super::{err, ok};
use crate::command::*;
use roost_types::ModSeq;

fn fetch(text: &str) -> FetchArgs {
    match ok(text) {
        Command::Fetch(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fetch_modifiers() {
    let plain = fetch("FETCH 1:3 (MODSEQ)");
    assert_eq!(plain.items, [FetchItem::ModSeq]);
    assert_eq!(plain.modifiers, FetchModifiers::default());
    let changed = fetch("FETCH 1:* (FLAGS) (ChangedSince 12345)");
    assert_eq!(changed.items, [FetchItem::Flags, FetchItem::ModSeq]);
    assert_eq!(changed.modifiers.changed_since, Some(ModSeq(12345)));
    assert!(!changed.modifiers.vanished);
    let both = fetch("UID FETCH 300:500 (MODSEQ FLAGS) (VANISHED CHANGEDSINCE 12345 )");
    assert_eq!(both.items, [FetchItem::ModSeq, FetchItem::Flags]);
    assert!(both.modifiers.vanished);
    let window = fetch("UID FETCH 25900:26600 (UID FLAGS) (PARTIAL -1:-30 CHANGEDSINCE 98305)");
    let range = window.modifiers.partial.unwrap();
    assert_eq!(
        (range.first.get(), range.last.get(), range.from_end),
        (1, 30, true)
    );
    assert!(window.modifiers.changed_since.is_some());
    for bad in [
        "FETCH 1:9 (UID FLAGS) (PARTIAL 1:2)",
        "UID FETCH 1:9 FLAGS (PARTIAL)",
        "UID FETCH 1:9 FLAGS (PARTIAL 1:2 PARTIAL 3:4)",
    ] {
        super::err(bad);
    }
    // Macros may have modifiers too.
    assert_eq!(fetch("FETCH 1 FAST (CHANGEDSINCE 0)").items.len(), 4);
    for bad in [
        "FETCH 1 FLAGS CHANGEDSINCE 1",
        "FETCH 1 FLAGS (CHANGEDSINCE)",
        "FETCH 1 FLAGS (CHANGEDSINCE x)",
        "FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        "UID FETCH 1 FLAGS (VANISHED)",
        "UID FETCH 1 FLAGS (CHANGEDSINCE 1",
        "UID FETCH 1 FLAGS (CHANGEDSINCE 1) x",
    ] {
        err(bad);
    }
}

#[test]
fn store_modifiers() {
    let args = |text| match ok(text) {
        Command::Store(args) => args,
        other => panic!("{other:?}"),
    };
    let store = args("UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)");
    assert_eq!(store.unchanged_since, Some(ModSeq(12_121_230_045)));
    assert!(store.silent && store.uid);
    let zero = args("STORE * (unchangedsince 0) FLAGS x");
    assert_eq!(zero.unchanged_since, Some(ModSeq(0)));
    assert_eq!(args("STORE 1 () FLAGS x").unchanged_since, None);
    for bad in [
        "STORE 1 (UNCHANGEDSINCE) FLAGS x",
        "STORE 1 (UNCHANGEDSINCE -1) FLAGS x",
        "STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS x",
        "STORE 1 (FOO 1) FLAGS x",
        "STORE 1 (UNCHANGEDSINCE 1)FLAGS x",
        "STORE 1 (UNCHANGEDSINCE 1)",
        "STORE 1 UNCHANGEDSINCE 1 FLAGS x",
    ] {
        err(bad);
    }
}

#[test]
fn search_modseq() {
    let key = |text: &str| match ok(&format!("SEARCH {text}")) {
        Command::Search(args) => args.key,
        other => panic!("{other:?}"),
    };
    let expected = SearchKey::ModSeq(ModSeq(620_162_338));
    assert_eq!(key("MODSEQ 620162338"), expected);
    assert_eq!(key("modseq \"/flags/\\\\draft\" all 620162338"), expected);
    assert_eq!(key("MODSEQ \"/Flags/$x\" Priv 620162338"), expected);
    assert_eq!(key("MODSEQ 0"), SearchKey::ModSeq(ModSeq(0)));
    let or = key("OR NOT MODSEQ 720162338 LARGER 50000");
    assert!(or.any(&|k| matches!(k, SearchKey::ModSeq(_))));
    assert!(!or.any(&|k| matches!(k, SearchKey::Smaller(_))));
    for bad in [
        "SEARCH MODSEQ x",
        "SEARCH MODSEQ \"/flags/x\" 1",
        "SEARCH MODSEQ \"/flags/x\" some 1",
        "SEARCH MODSEQ \"/comment\" all 1",
        "SEARCH MODSEQ all 1",
    ] {
        err(bad);
    }
}

#[test]
fn status_and_select() {
    let Command::Status { items, .. } = ok("STATUS x (HighestModSeq MESSAGES)") else {
        panic!()
    };
    assert!(items.contains(StatusItem::HighestModSeq));
    let params = |text: &str| match ok(&format!("SELECT x {text}")) {
        Command::Select(args) => args.params,
        other => panic!("{other:?}"),
    };
    assert_eq!(params("(condstore)"), [SelectParam::CondStore]);
    let resync = |text: &str| match params(text).pop() {
        Some(SelectParam::QResync(args)) => args,
        other => panic!("{other:?}"),
    };
    let short = resync("(CONDSTORE QRESYNC (67890007 20050715194045000))");
    assert_eq!(short.uid_validity.get(), 67_890_007);
    assert_eq!(short.modseq, ModSeq(20_050_715_194_045_000));
    assert_eq!((short.known_uids, short.known_messages), (None, None));
    let long = resync("(QRESYNC ( 67890007 90060115194045000 41,43:211 ( 1,5:6 41,43:44 ) ))");
    assert_eq!(long.known_uids.unwrap().to_string(), "41,43:211");
    let pairs = long.known_messages.unwrap();
    let last = pairs
        .from_the_end(5)
        .next()
        .map(|(s, u)| (s.get(), u.get()));
    assert_eq!(last, Some((5, 43)));
    assert_eq!(resync("(QRESYNC (1 2 (1 1)))").known_uids, None);
    for bad in [
        "(QRESYNC)",
        "(QRESYNC 1 2)",
        "(QRESYNC (1))",
        "(QRESYNC (0 1))",
        "(QRESYNC (1 0))",
        "(QRESYNC (1 2 *))",
        "(QRESYNC (1 2 1:*))",
        "(QRESYNC (1 2 $))",
        "(QRESYNC (1 2 1 (1)))",
        "(QRESYNC (1 2 1 (1:2 1)))",
        "(QRESYNC (1 2 1 (2,1 1,2)))",
        "(QRESYNC (1 2 1 (1 1) x))",
        "(QRESYNC (1 2)",
    ] {
        err(&format!("SELECT x {bad}"));
    }
}
