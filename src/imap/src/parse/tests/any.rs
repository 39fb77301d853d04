//! Nothing that a client sends makes the parser panic or forget the tag.

use crate::command::{Command, CommandKind, SearchArgs, SearchKey, SortArgs, ThreadArgs};
use crate::frame::{Frame, Framer, Limits};
use crate::parse::parse;
use proptest::prelude::*;

/// Pieces that lead deep into the grammar.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<&[u8]> = CommandKind::ALL
        .iter()
        .map(|k| k.name().as_bytes())
        .collect();
    let words = prop::sample::select(
        [
            "(",
            ")",
            "[",
            "]",
            "<0.1>",
            " ",
            " ",
            " ",
            "\"\"",
            "\"a\\\"b\"",
            "\"a",
            "{2}\r\nab",
            "{3+}\r\na",
            "~{1}\r\n\0",
            "1",
            "1:*",
            "*",
            "$",
            ",2",
            "0",
            "4294967296",
            "99999999999999999999",
            "NIL",
            "INBOX",
            "%",
            "FLAGS",
            "+FLAGS",
            "-FLAGS.SILENT",
            "\\Seen",
            "\\Recent",
            "\\",
            "keyword",
            "ALL",
            "NOT",
            "OR",
            "FROM",
            "HEADER",
            "SINCE",
            "1-Feb-1994",
            "31-Feb-1994",
            "\"23-Feb-2002 08:59:42 +0100\"",
            "KEYWORD",
            "UID",
            "RETURN",
            "CHARSET",
            "PARTIAL",
            "-1:-5",
            "REVERSE",
            "(SUBJECT)",
            "REFERENCES",
            "UTF-8",
            "SAVE",
            "BODY",
            "BODY.PEEK",
            "BINARY",
            "HEADER.FIELDS",
            "1.2.MIME",
            "RFC822.SIZE",
            "STATUS",
            "MESSAGES",
            "SUBSCRIBED",
            "SPECIAL-USE",
            "USE",
            "=",
            "AAAA",
            "+",
            "\r",
            "\n",
            "\0",
            "\u{e9}",
        ]
        .to_vec(),
    )
    .prop_map(|w| w.as_bytes().to_vec());
    prop_oneof![
        12 => words,
        2 => prop::sample::select(names).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

/// Strings no longer than the command they come from.
fn text_octets(key: &SearchKey) -> usize {
    match key {
        SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().map(text_octets).sum(),
        SearchKey::Not(key) => text_octets(key),
        SearchKey::From(v) | SearchKey::Body(v) | SearchKey::Text(v) => v.len(),
        _ => 0,
    }
}

fn check(text: &[u8]) {
    match parse(text) {
        Ok(request) => {
            assert!(text.starts_with(request.tag.as_str().as_bytes()));
            if let Command::Search(SearchArgs { key, .. })
            | Command::Sort(SortArgs { key, .. })
            | Command::Thread(ThreadArgs { key, .. }) = &request.command
            {
                assert!(text_octets(key) <= text.len());
            }
        }
        Err(e) => {
            assert!(!e.text.is_empty() && e.text.is_ascii());
            // Where the first word is a tag, it is told.
            if text.starts_with(b"a ") {
                assert_eq!(e.tag.as_ref().map(|t| t.as_str()), Some("a"));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_octets(text in prop::collection::vec(any::<u8>(), 0..60)) {
        check(&text);
    }

    #[test]
    fn broken_commands(kind in prop::sample::select(CommandKind::ALL), pieces in prop::collection::vec(piece(), 0..12)) {
        let mut text = format!("a {} ", kind.name()).into_bytes();
        text.extend(pieces.concat());
        check(&text);
    }

    #[test]
    fn what_the_framer_gives_is_parsed_whole(pieces in prop::collection::vec(piece(), 0..12)) {
        let mut text = b"a SEARCH ".to_vec();
        text.extend(pieces.concat());
        text.extend_from_slice(b"\r\n");
        let mut framer = Framer::new(Limits::AUTHENTICATED);
        framer.push(&text);
        while let Some(frame) = framer.next_frame() {
            if let Frame::Command(command) = frame {
                check(&command);
            }
        }
    }
}
