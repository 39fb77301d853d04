//! GETMETADATA and SETMETADATA.

use super::ok as command;
use crate::command::{Command, Depth, GetMetadataArgs, SetMetadataArgs};
use crate::parse::parse;

fn get(text: &str) -> GetMetadataArgs {
    match command(text) {
        Command::GetMetadata(args) => args,
        other => panic!("{other:?}"),
    }
}

fn set(text: &[u8]) -> SetMetadataArgs {
    match parse(text).unwrap().command {
        Command::SetMetadata(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn options_stand_before_or_behind_the_mailbox() {
    let before = get("GETMETADATA (MAXSIZE 1024 DEPTH 1) INBOX (/shared/comment /private)");
    let behind = get("GETMETADATA INBOX (maxsize 1024 depth 1) (/shared/comment /PRIVATE)");
    assert_eq!(before, behind);
    assert_eq!((before.max_size, before.depth), (Some(1024), Depth::One));
    assert_eq!(before.entries.len(), 2);
    let plain = get("GETMETADATA \"\" /shared/comment /shared/admin");
    assert_eq!((plain.mailbox.len(), plain.entries.len()), (0, 2));
    assert_eq!(plain.depth, Depth::Zero);
    let literal = get("GETMETADATA INBOX ({15}\r\n/shared/comment)");
    assert_eq!(literal.entries.len(), 1);
}

#[test]
fn values_are_strings_literals_or_nil() {
    let args = set(
        b"a SETMETADATA INBOX (/private/comment {5}\r\na\r\nbc /shared/x NIL \
          /shared/y \"NIL\" /shared/z ~{2}\r\n\0\x01)",
    );
    let values: Vec<_> = args.values.iter().map(|(_, v)| v.as_deref()).collect();
    assert_eq!(
        values,
        [Some(&b"a\r\nbc"[..]), None, Some(b"NIL"), Some(b"\0\x01")]
    );
}

#[test]
fn what_is_wrong_is_bad() {
    for text in [
        "GETMETADATA",
        "GETMETADATA INBOX",
        "GETMETADATA INBOX ()",
        "GETMETADATA INBOX /comment",
        "GETMETADATA INBOX (DEPTH 2) /shared/a",
        "GETMETADATA (SIZE 1) INBOX /shared/a",
        "GETMETADATA INBOX /shared/a*",
        "SETMETADATA INBOX",
        "SETMETADATA INBOX ()",
        "SETMETADATA INBOX (/shared NIL)",
        "SETMETADATA INBOX (/shared/a)",
        "SETMETADATA INBOX (/shared/a atom)",
        "SETMETADATA INBOX /shared/a NIL",
    ] {
        assert!(parse(format!("a {text}").as_bytes()).is_err(), "{text}");
    }
}
