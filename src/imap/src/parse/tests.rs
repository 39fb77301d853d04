//! Whole commands, by the examples of the RFCs and by what clients send.

mod acl;
mod any;
mod fetch;
mod list;
mod metadata;
mod notify;
mod search;
mod sort;
mod sync;

use super::{ParseError, parse, tag_of};
use crate::command::*;
use roost_types::{Keyword, SequenceSet, SetBound, SpecialUse, SystemFlags};

/// The command, which must have the tag `a`.
fn ok(text: &str) -> Command {
    let request = parse(format!("a {text}").as_bytes());
    let request = request.unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(request.tag.as_str(), "a");
    request.command
}

fn err(text: &str) -> ParseError {
    match parse(format!("a {text}").as_bytes()) {
        Ok(request) => panic!("{text}: taken as {request:?}"),
        Err(e) => {
            assert_eq!(e.tag, Tag::new(b"a"), "{text}");
            e
        }
    }
}

fn number(n: u32) -> SetBound {
    SetBound::Number(n.try_into().unwrap())
}

fn one(n: u32) -> SequenceSet {
    SequenceSet::Ranges(vec![(number(n), number(n))])
}

fn range(a: u32, b: u32) -> SequenceSet {
    SequenceSet::Ranges(vec![(number(a), number(b))])
}

#[test]
fn commands_without_arguments() {
    for (text, command) in [
        ("CAPABILITY", Command::Capability),
        ("noop", Command::Noop),
        ("Logout", Command::Logout),
        ("STARTTLS", Command::Starttls),
        ("NAMESPACE", Command::Namespace),
        ("IDLE", Command::Idle),
        ("CHECK", Command::Check),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE ", Command::Expunge),
    ] {
        assert_eq!(ok(text), command);
        err(&format!("{text} x"));
    }
}

#[test]
fn tags_are_told_wherever_they_can_be() {
    assert_eq!(err("").kind, None);
    for unknown in ["FROB x", "UID NOOP", "UID"] {
        assert_eq!(err(unknown).kind, None);
    }
    assert!(err("NOOP(").tag.is_some());
    assert_eq!(err("SELECT").kind, Some(CommandKind::Select));
    assert_eq!(parse(b"a").unwrap_err().tag, Tag::new(b"a"));
    for text in [
        &b""[..],
        b" NOOP",
        b"* NOOP",
        b"a+ NOOP",
        b"(a NOOP",
        b"\xff NOOP",
    ] {
        let e = parse(text).unwrap_err();
        assert_eq!((e.tag.clone(), e.kind), (None, None), "{e}");
    }
    assert_eq!(tag_of(b"x1 LOGIN {5}\r\n"), Tag::new(b"x1"));
    assert_eq!(tag_of(b"x1\r\n"), Tag::new(b"x1"));
    assert_eq!(tag_of(&[b'x'; 300]), None);
}

#[test]
fn every_command_is_known_by_its_name() {
    for &kind in CommandKind::ALL {
        match parse(format!("a {}", kind.name().to_lowercase()).as_bytes()) {
            Ok(request) => assert_eq!(request.command.kind(), kind),
            Err(e) => assert_eq!(e.kind, Some(kind)),
        }
    }
    assert_eq!(err("APPEND INBOX").kind, Some(CommandKind::Append));
}

#[test]
fn login() {
    let Command::Login { user, password } = ok("LOGIN SMITH \"ses\\\"ame\"") else {
        panic!()
    };
    assert_eq!(
        (&user[..], password.as_bytes()),
        (&b"SMITH"[..], &b"ses\"ame"[..])
    );
    let Command::Login { user, password } = ok("login {11}\r\nFRED FOOBAR {7+}\r\nfat man") else {
        panic!()
    };
    assert_eq!(user, b"FRED FOOBAR");
    assert_eq!(password.as_bytes(), b"fat man");
    let Command::Login { password, .. } = ok("LOGIN a \"\"") else {
        panic!()
    };
    assert_eq!(password.as_bytes(), b"");
    for bad in [
        "LOGIN",
        "LOGIN a",
        "LOGIN a b c",
        "LOGIN a {1}\r\n\0",
        "LOGIN a (b)",
    ] {
        err(bad);
    }
}

#[test]
fn authenticate() {
    let args = |text| match ok(text) {
        Command::Authenticate(args) => args,
        other => panic!("{other:?}"),
    };
    let plain = args("authenticate plain dGVzdAB0ZXN0AHRlc3Q=");
    assert_eq!(plain.mechanism, "PLAIN");
    assert_eq!(plain.initial.unwrap().as_bytes(), b"test\0test\0test");
    assert_eq!(args("AUTHENTICATE SCRAM-SHA-256-PLUS").initial, None);
    assert_eq!(
        args("AUTHENTICATE EXTERNAL =").initial,
        Some(Hidden::new(vec![]))
    );
    for bad in [
        "AUTHENTICATE",
        "AUTHENTICATE PLAIN !",
        "AUTHENTICATE PLAIN ==",
        "AUTHENTICATE PLAIN dGVzdA",
        "AUTHENTICATE PLAIN AAAA AAAA",
        "AUTHENTICATE ABCDEFGHIJKLMNOPQRSTU",
    ] {
        err(bad);
    }
    ok("AUTHENTICATE ABCDEFGHIJKLMNOPQRST");
    assert_eq!(super::base64_line(b""), Some(Hidden::new(vec![])));
    assert_eq!(
        super::base64_line(b"AGE="),
        Some(Hidden::new(b"\0a".to_vec()))
    );
    assert_eq!(super::base64_line(b"AGE"), None);
}

#[test]
fn id() {
    assert_eq!(ok("ID NIL"), Command::Id(vec![]));
    assert_eq!(ok("ID ()"), Command::Id(vec![]));
    assert_eq!(
        ok("id (\"name\" \"sodr\" \"os\" nil)"),
        Command::Id(vec![
            (b"name".to_vec(), Some(b"sodr".to_vec())),
            (b"os".to_vec(), None)
        ])
    );
    let fields = |n: usize| format!("ID ({})", vec!["\"a\" \"b\""; n].join(" "));
    ok(&fields(super::MAX_ID_FIELDS));
    err(&fields(super::MAX_ID_FIELDS + 1));
    ok(&format!("ID (\"a\" \"{}\")", "x".repeat(1024)));
    err(&format!("ID (\"a\" \"{}\")", "x".repeat(1025)));
    err("ID (\"a\")");
    err("ID");
}

#[test]
fn compress() {
    let named = |name: &str| Command::Compress(name.to_string());
    assert_eq!(ok("COMPRESS DEFLATE"), named("DEFLATE"));
    assert_eq!(ok("compress deflate"), named("DEFLATE"));
    assert_eq!(ok("COMPRESS GZIP"), named("GZIP"));
    err("COMPRESS");
    err("COMPRESS \"DEFLATE\"");
    err("COMPRESS DEFLATE DEFLATE");
}

#[test]
fn enable() {
    let names = |names: &[&str]| Command::Enable(names.iter().map(|n| n.to_string()).collect());
    assert_eq!(ok("ENABLE UTF8=ACCEPT"), names(&["UTF8=ACCEPT"]));
    assert_eq!(
        ok("enable imap4rev2 X-Good"),
        names(&["IMAP4REV2", "X-GOOD"])
    );
    err("ENABLE");
    err("ENABLE (x)");
    ok(&format!("ENABLE{}", " x".repeat(super::MAX_LIST_ITEMS)));
    err(&format!("ENABLE{}", " x".repeat(super::MAX_LIST_ITEMS + 1)));
}

#[test]
fn select() {
    let args = |text| match ok(text) {
        Command::Select(args) => args,
        other => panic!("{other:?}"),
    };
    let plain = args("SELECT INBOX");
    assert_eq!((&plain.mailbox[..], plain.examine), (&b"INBOX"[..], false));
    assert!(plain.params.is_empty());
    assert!(args("EXAMINE \"Sent Items\"").examine);
    let unknown = |n: &str| SelectParam::Unknown(n.into());
    assert_eq!(args("SELECT x (Foo)").params, [unknown("FOO")]);
    assert_eq!(
        args("SELECT x (FOO (67890007 20050715194045000 41,43:211 (1 (2))) BAR)").params,
        [unknown("FOO"), unknown("BAR")]
    );
    assert!(args("SELECT x ()").params.is_empty());
    for bad in [
        "SELECT",
        "SELECT x y",
        "SELECT x (",
        "SELECT x(CONDSTORE)",
        "SELECT ()",
    ] {
        err(bad);
    }
}

#[test]
fn create() {
    let args = |text| match ok(text) {
        Command::Create(args) => args,
        other => panic!("{other:?}"),
    };
    assert_eq!(args("CREATE owatagusiam/").mailbox, b"owatagusiam/");
    assert!(args("CREATE x").uses.is_empty());
    assert_eq!(
        args("CREATE \"Mail Box\" (USE (\\drafts \\Junk \\Strange))").uses,
        [
            UseAttribute::Known(SpecialUse::Drafts),
            UseAttribute::Known(SpecialUse::Junk),
            UseAttribute::Unknown("\\Strange".into())
        ]
    );
    for bad in [
        "CREATE",
        "CREATE x (FOO)",
        "CREATE x (USE)",
        "CREATE x (USE (Drafts))",
        "CREATE x y",
    ] {
        err(bad);
    }
}

#[test]
fn commands_on_names() {
    let b = |t: &str| t.as_bytes().to_vec();
    assert_eq!(
        ok("DELETE blurdybloop"),
        Command::Delete {
            mailbox: b("blurdybloop")
        }
    );
    assert_eq!(
        ok("RENAME foo \"b\\\\ar\""),
        Command::Rename {
            from: b("foo"),
            to: b("b\\ar")
        }
    );
    assert_eq!(
        ok("SUBSCRIBE #news.comp"),
        Command::Subscribe {
            mailbox: b("#news.comp")
        }
    );
    assert_eq!(
        ok("UNSUBSCRIBE {3}\r\na b"),
        Command::Unsubscribe { mailbox: b("a b") }
    );
    // Raw octets, whatever they mean.
    let request = parse(b"a DELETE \"\xe9\"").unwrap();
    assert_eq!(
        request.command,
        Command::Delete {
            mailbox: vec![0xe9]
        }
    );
    for bad in [
        "DELETE",
        "DELETE a b",
        "RENAME a",
        "RENAME a b c",
        "DELETE a%",
        "SUBSCRIBE (a)",
    ] {
        err(bad);
    }
}

#[test]
fn store() {
    let args = |text| match ok(text) {
        Command::Store(args) => args,
        other => panic!("{other:?}"),
    };
    let rfc = args("STORE 2:4 +FLAGS (\\Deleted)");
    assert_eq!(rfc.set, range(2, 4));
    assert_eq!(
        (rfc.uid, rfc.mode, rfc.silent),
        (false, StoreMode::Add, false)
    );
    assert_eq!(rfc.flags.system, SystemFlags::DELETED);
    let client = args("uid store 5 -Flags.silent \\Seen $Label1");
    assert_eq!(
        (client.uid, client.mode, client.silent),
        (true, StoreMode::Remove, true)
    );
    assert_eq!(client.flags.keywords, [Keyword::new("$label1").unwrap()]);
    assert_eq!(args("STORE 1 FLAGS ()").mode, StoreMode::Replace);
    assert_eq!(args("STORE $ FLAGS.SILENT x").set, SequenceSet::Saved);
    for bad in [
        "STORE",
        "STORE 1",
        "STORE 1 FLAGS",
        "STORE 1 FLAG (x)",
        "STORE 1 *FLAGS (x)",
        "STORE 1 +FLAGS (\\Wrong)",
        "STORE 1 +FLAGS (x) (UNCHANGEDSINCE 1)",
        "STORE 0 +FLAGS (x)",
        "STORE a +FLAGS (x)",
        "STORE 1 + FLAGS (x)",
    ] {
        err(bad);
    }
}

#[test]
fn copy_and_move() {
    let copy = |uid, set, name: &str| CopyArgs {
        uid,
        set,
        mailbox: name.as_bytes().to_vec(),
        encrypted: None,
    };
    assert_eq!(
        ok("COPY 2:4 MEETING"),
        Command::Copy(copy(false, range(2, 4), "MEETING"))
    );
    assert_eq!(
        ok("UID MOVE 42 foo"),
        Command::Move(copy(true, one(42), "foo"))
    );
    assert_eq!(ok("UID COPY 1 \"\""), Command::Copy(copy(true, one(1), "")));
    assert_eq!(ok("MOVE 1 x"), Command::Move(copy(false, one(1), "x")));
    assert_eq!(
        ok("UID EXPUNGE 3000:*"),
        Command::UidExpunge(SequenceSet::Ranges(vec![(number(3000), SetBound::Star)]))
    );
    for bad in [
        "COPY",
        "COPY 1",
        "COPY x y",
        "COPY 1 a b",
        "COPY 1 a ENCRYPTED",
        "COPY 1 a ENCRYPTED ",
        "COPY 1 a ENCRYPTED abc",
        "COPY 1 a ENCRYPTED \"\"",
        "COPY 1 a ENCRYPTED **",
        "COPY 1 a ENCRYPTED * *",
        "COPY 1 a ENCRYPTED*",
        "UID EXPUNGE",
        "UID EXPUNGE 1 2",
        "EXPUNGE 1",
    ] {
        err(bad);
    }
}

#[test]
fn copies_may_be_encrypted() {
    let data = |command: &str| match ok(command) {
        Command::Copy(args) | Command::Move(args) => args.encrypted,
        other => panic!("{other:?}"),
    };
    let abc = || Some(Encrypted::Certificate(b"abc".to_vec()));
    assert_eq!(data("COPY 1 a ENCRYPTED *"), Some(Encrypted::Own));
    assert_eq!(data("UID MOVE 1 a encrypted \"*\""), Some(Encrypted::Own));
    assert_eq!(data("MOVE 1 ENCRYPTED ENCRYPTED YWJj "), abc());
    assert_eq!(data("UID COPY 1 a ENCRYPTED {7}\r\nYWJj \r\n"), abc());
    assert_eq!(data("COPY 1 a "), None);
}

#[test]
fn several_blanks_are_one() {
    assert_eq!(ok(" COPY  2:4   MEETING "), ok("COPY 2:4 MEETING"));
    err("COPY\t2:4 MEETING");
}
